"""Asks before something is fetched, given up, deleted or moved. No dialog blocks the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.state.models.amounts import size_text
from app.state.text import clean, visible
from app.ui.models.words import name_of
from app.ui.widgets import plain_label, restyle
from app.words import tr, tr_engine
from engine.messages import EngineError, ModelEntry, PreparedModel

Do = Callable[[], object]


def ask(
    parent: QWidget,
    title: str,
    text: str,
    more: str,
    answers: tuple[tuple[str, Do], ...],
    *,
    can_cancel: bool = True,
) -> QMessageBox:
    """A question with an answer a button. Without `can_cancel` the first one is the usual one."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(text)
    box.setInformativeText(more)
    made = []
    for words, do in answers:
        button = box.addButton(words, QMessageBox.ButtonRole.AcceptRole)
        button.clicked.connect(lambda _checked=False, do=do: do())
        made.append(button)
    if can_cancel:
        made.insert(0, box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole))
    box.setDefaultButton(made[0])
    box.setEscapeButton(made[0])
    box.open()
    return box


def ask_to_download(parent: QWidget, entry: ModelEntry, free: int, go: Do) -> QMessageBox:
    """Says the size and the room on the disk first. free: bytes; -1 where nobody knows."""
    needed = max(0, entry.size - entry.present)
    room = tr("{free} are free on the disk.", free=size_text(free)) if free >= 0 else ""
    if entry.gated:
        room += " " + tr("The owner gives it to people who have accepted the terms on its page.")
    return ask(
        parent,
        tr("Download"),
        tr("Download {size} for {name}?", size=size_text(needed), name=name_of(entry)),
        room + " " + tr("You can pause it at any time and go on later, also after a restart."),
        ((tr("Download"), go),),
    )


def ask_to_discard(parent: QWidget, entry: ModelEntry, keep: Do, discard: Do) -> QMessageBox:
    """What a stopped download or preparation has left may be kept."""
    return ask(
        parent,
        tr("Discard"),
        tr("Keep what is here of {name}?", name=name_of(entry)),
        tr("Kept, it goes on from there later. Deleted, it begins anew."),
        ((tr("Keep"), keep), (tr("Delete"), discard)),
    )


def ask_to_delete(parent: QWidget, entry: ModelEntry, go: Do) -> QMessageBox:
    return ask(
        parent,
        tr("Delete"),
        tr("Delete {name} from this PC?", name=name_of(entry)),
        tr("It frees {size}. Your chats stay.", size=size_text(entry.present or entry.size)),
        ((tr("Delete"), go),),
    )


def ask_about_source(parent: QWidget, made: PreparedModel, keep: Do, delete: Do) -> QMessageBox:
    """The prepared model runs without what it was made from."""
    return ask(
        parent,
        tr("Prepared"),
        tr("{name} is ready to run.", name=name_of(made.model)),
        tr(
            "It takes {made} on the disk. What it was made from takes {source} and is needed only "
            "to prepare it in another way.",
            made=size_text(made.model.size),
            source=size_text(made.source_size),
        ),
        ((tr("Keep both"), keep), (tr("Delete the source"), delete)),
        can_cancel=False,
    )


def ask_anyway(parent: QWidget, entry: ModelEntry, verdict: str, go: Do) -> QMessageBox:
    return ask(
        parent,
        tr("Load anyway"),
        tr("Try to load {name}?", name=name_of(entry)),
        verdict
        + " "
        + tr("Loading may fail or slow this PC down. Your chats and texts are saved before."),
        ((tr("Load anyway"), go),),
    )


def choose_folder(parent: QWidget, title: str, start: str, chosen: Callable[[str], object]) -> None:
    _choose(parent, title, start, chosen, QFileDialog.FileMode.Directory)


def choose_file(parent: QWidget, title: str, start: str, chosen: Callable[[str], object]) -> None:
    _choose(parent, title, start, chosen, QFileDialog.FileMode.ExistingFile)


def _choose(
    parent: QWidget,
    title: str,
    start: str,
    chosen: Callable[[str], object],
    mode: QFileDialog.FileMode,
) -> None:
    dialog = QFileDialog(parent, title, start)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(mode)
    if mode is QFileDialog.FileMode.ExistingFile:
        dialog.setNameFilters([tr("Models (*.gguf)"), tr("All files (*)")])
    dialog.fileSelected.connect(lambda path: chosen(clean(path)))
    dialog.open()


class FieldDialog(QDialog):
    """One field, what it is for, and a line for what is wrong with it. Return confirms."""

    def __init__(
        self, parent: QWidget, title: str, why: str, *, label: str, example: str, go: str
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(460)
        self.field = QLineEdit()
        self.field.setPlaceholderText(example)
        self.field.setAccessibleName(label)
        self.field.setAccessibleDescription(why)
        self.go = QPushButton(go)
        self.go.setObjectName("primary")
        self.go.setDefault(True)
        self.go.setEnabled(False)
        cancel = QPushButton(tr("Cancel"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self._status = plain_label(muted=True)
        self._status.hide()
        self.field.textChanged.connect(lambda text: self.go.setEnabled(bool(text.strip())))
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.go)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(_label(label, self.field))
        layout.addWidget(self.field)
        layout.addWidget(plain_label(why, muted=True))
        layout.addWidget(self._status)
        layout.addSpacing(4)
        layout.addLayout(buttons)

    @property
    def value(self) -> str:
        return clean(self.field.text()).strip()

    @property
    def status(self) -> str:
        return self._status.text()

    def say(self, words: str, *, is_wrong: bool = False) -> None:
        self._status.setText(visible(words))
        self._status.setProperty("danger", is_wrong)
        self._status.setProperty("muted", not is_wrong)
        restyle(self._status)
        self._status.show()
        self.go.setEnabled(is_wrong)

    def fail(self, error: EngineError) -> None:
        self.say(f"{tr_engine(error.message)} {tr_engine(error.remedy)}", is_wrong=True)


def _label(text: str, buddy: QWidget) -> QLabel:
    label = plain_label(text, wrap=False)
    label.setBuddy(buddy)
    return label


def ask_for_token(parent: QWidget, page: str, use: Callable[[str], object]) -> FieldDialog:
    """page: where one gets it, as an address to read."""
    dialog = FieldDialog(
        parent,
        tr("Access token"),
        tr(
            "Some models are given only to people who have accepted their terms at {page}. The "
            "token of your account says that it is you. Redraft sends it to that host alone and "
            "forgets it when it ends.",
            page=page,
        ),
        label=tr("Access token of your account"),
        example="hf_…",
        go=tr("Use it"),
    )
    dialog.field.setEchoMode(QLineEdit.EchoMode.Password)

    def take() -> None:
        use(dialog.value)
        dialog.accept()

    dialog.go.clicked.connect(take)
    dialog.open()
    return dialog


def ask_for_repository(
    parent: QWidget, look_up: Callable[[str, FieldDialog], object]
) -> FieldDialog:
    """look_up: asks the hub, and closes the dialog or says in it what is wrong."""
    dialog = FieldDialog(
        parent,
        tr("A model on Hugging Face"),
        tr(
            "Owner and name as they stand in its address, with @ and a revision if you want a "
            "certain one. Redraft asks Hugging Face about this name, and about nothing else."
        ),
        label=tr("Repository"),
        example=tr("owner/name"),
        go=tr("Look it up"),
    )
    dialog.go.clicked.connect(lambda: look_up(dialog.value, dialog))
    dialog.open()
    return dialog
