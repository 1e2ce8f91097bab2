"""The page of updates: whether Redraft looks for them, what it has found, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import QDate, QDateTime, QLocale
from PySide6.QtWidgets import QFrame, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.settings import SettingsStore
from app.state.models.amounts import size_text
from app.state.text import clean, visible
from app.state.updates.status import Offer, Phase, Status
from app.state.updates.updates import Updates
from app.ui.controls import heading
from app.ui.flow import Flow
from app.ui.settings.page import SettingsPage
from app.ui.widgets import flat_button, plain_label
from app.words import tr

STEPS = 1000  # of the bar


def updates_page(store: SettingsStore, updates: Updates | None) -> SettingsPage:
    page = SettingsPage(store, tr("Updates"))
    is_possible = updates is not None and updates.can_update
    page.check(
        "updates",
        tr("Look for updates"),
        tr(
            "At the start and once a day Redraft asks for the newest version for your system. "
            "Nothing else about you is sent."
        ),
    )
    page.control("updates").setEnabled(is_possible)
    if updates is not None and is_possible:
        page.part(UpdatesView(updates))
    else:
        page.note(
            tr(
                "This copy of Redraft cannot look for updates: it runs from its source, or its "
                "installer did not say where updates are."
            )
        )
    return page


class UpdatesView(QWidget):
    """Follows `updates`."""

    def __init__(self, updates: Updates, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._updates = updates
        self._standing = plain_label()
        self._looked = plain_label(muted=True)
        self._offer = QFrame()
        self._offer.setObjectName("card")
        self._version = heading("")
        self._version.setWordWrap(True)
        self._notes = plain_label()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("The update"))
        self._progress = plain_label(muted=True)
        self._trouble = QFrame()
        self._trouble.setObjectName("error")
        self._message = plain_label()
        self._message.setObjectName("message")
        self._remedy = plain_label()
        self._look = QPushButton(tr("Look now"))
        self._get = QPushButton(tr("Get it"))
        self._restart = QPushButton(tr("Restart now"))
        self._stop = flat_button(tr("Stop"))
        self._skip = flat_button(tr("Skip this version"))
        self._back = flat_button("")
        self._lay_out()
        self._connect()
        self._show(updates.status)

    def _connect(self) -> None:
        updates = self._updates
        self._look.clicked.connect(updates.look_now)
        self._get.clicked.connect(updates.fetch)
        self._restart.clicked.connect(updates.restart)
        self._stop.clicked.connect(updates.stop)
        self._skip.clicked.connect(self._on_skip)
        self._back.clicked.connect(updates.go_back)
        updates.changed.connect(self._show)

    def _lay_out(self) -> None:
        words = QVBoxLayout(self._trouble)
        words.setContentsMargins(12, 10, 12, 10)
        words.setSpacing(4)
        words.addWidget(self._message)
        words.addWidget(self._remedy)
        offer = QVBoxLayout(self._offer)
        offer.setContentsMargins(16, 12, 16, 12)
        offer.setSpacing(8)
        for part in (self._version, self._notes, self._bar, self._progress):
            offer.addWidget(part)
        every = (self._look, self._get, self._restart, self._stop, self._skip, self._back)
        for button in every:
            button.setAutoDefault(False)
        buttons = QWidget()
        buttons.setLayout(Flow(*every))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        for line in (self._standing, self._looked, self._offer, self._trouble, buttons):
            column.addWidget(line)

    def _show(self, status: Status) -> None:
        phase, offer = status.phase, status.offer
        self._standing.setText(_standing(status))
        self._looked.setText(_looked(status))
        self._looked.setVisible(bool(status.looked))
        self._offer.setVisible(offer is not None)
        if offer is not None:
            self._version.setText(_about(offer))
            notes = offer.notes.get(QLocale().name()[:2], offer.notes.get("en", ""))
            self._notes.setText(visible(clean(notes)).strip())
            self._notes.setVisible(bool(notes.strip()))
        self._show_progress(status)
        self._trouble.setVisible(status.trouble is not None)
        if status.trouble is not None:
            self._message.setText(status.trouble.message)
            self._remedy.setText(status.trouble.remedy)
        can_get = offer is not None and not offer.needs_installer
        is_open = phase in (Phase.FOUND, Phase.FAILED)
        self._look.setVisible(not phase.is_busy)
        self._get.setVisible(is_open and can_get)
        self._restart.setVisible(bool(status.next_version) and not phase.is_busy)
        self._stop.setVisible(phase.is_busy)
        self._skip.setVisible(is_open and offer is not None and not offer.is_unwanted)
        self._back.setText(tr("Back to {version}", version=status.previous))
        self._back.setVisible(bool(status.previous) and not phase.is_busy)

    def _show_progress(self, status: Status) -> None:
        """Without a total the bar only says that something happens."""
        is_coming = status.phase in (Phase.FETCHING, Phase.INSTALLING)
        done = status.progress
        self._bar.setVisible(is_coming)
        self._progress.setVisible(is_coming and done is not None)
        self._bar.setRange(0, STEPS if done and done.total else 0)
        if done and done.total:
            self._bar.setValue(round(STEPS * done.done / done.total))
            self._progress.setText(
                tr("{done} of {total}", done=size_text(done.done), total=size_text(done.total))
            )

    def _on_skip(self) -> None:
        if (offer := self._updates.status.offer) is not None:
            self._updates.skip(offer.version)


def _standing(status: Status) -> str:
    version = status.running
    match status.phase:
        case Phase.LOOKING:
            return tr("This is Redraft {version}. Looking for a newer one.", version=version)
        case Phase.FETCHING:
            return tr("This is Redraft {version}. A newer one is being fetched.", version=version)
        case Phase.INSTALLING:
            return tr("This is Redraft {version}. A newer one is being installed.", version=version)
        case Phase.READY:
            return tr(
                "This is Redraft {version}. Redraft {next} starts with the next start.",
                version=version,
                next=status.next_version,
            )
    if status.phase is Phase.IDLE and status.looked:
        return tr("This is Redraft {version}, the newest one.", version=version)
    return tr("This is Redraft {version}.", version=version)


def _looked(status: Status) -> str:
    then = QDateTime.fromSecsSinceEpoch(round(status.looked))
    when = QLocale().toString(then, QLocale.FormatType.ShortFormat)
    return tr("Last looked: {when}", when=when)


def _about(offer: Offer) -> str:
    day = QLocale().toString(QDate.fromString(offer.released, "yyyy-MM-dd"))
    words = tr("Redraft {version} of {day}", version=offer.version, day=day)
    if offer.needs_installer:
        return words + "\n" + tr("It has to be installed with its installer.")
    if offer.size:
        words += " · " + size_text(offer.size)
    if offer.is_unwanted:
        words += "\n" + tr("Not wanted, or it did not start here.")
    return words
