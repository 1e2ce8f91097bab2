"""A line above every place: a newer version is there, or ready. It asks once, and never insists."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.state.models.amounts import size_text
from app.state.updates.status import Offer, Phase, Status
from app.state.updates.updates import Updates
from app.ui.announce import announce
from app.ui.widgets import flat_button, plain_label
from app.words import tr


class UpdateBar(QWidget):
    """Follows `updates`. What is put off is not said again before the next start."""

    def __init__(self, updates: Updates, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._updates = updates
        self._before = updates.status.phase
        self._put_off: set[str] = set()  # what has been said of a version and sent away
        self._is_awaited = False  # the user has just said yes
        self._words = plain_label()
        self._do = QPushButton()
        self._do.clicked.connect(self._on_do)
        self._skip = flat_button(tr("Not this one"))
        self._skip.clicked.connect(self._on_skip)
        self._later = flat_button(tr("Later"))
        self._later.clicked.connect(self._on_later)
        card = QFrame()
        card.setObjectName("card")
        around = QVBoxLayout(self)
        around.setContentsMargins(10, 10, 10, 2)
        around.addWidget(card)
        layout = QHBoxLayout(card)
        layout.setContentsMargins(16, 8, 10, 8)
        layout.addWidget(self._words, 1)
        for button in (self._do, self._skip, self._later):
            layout.addWidget(button)
        self.hide()
        updates.changed.connect(self._show)
        self._show(updates.status)

    @property
    def text(self) -> str:
        return self._words.text()

    def ask_to_wait(self) -> None:
        """A restart would take something away that is on its way."""
        self._words.setText(tr("Something is being written. Restart when it is done."))
        self.show()

    def _show(self, status: Status) -> None:
        was_coming = self._before in (Phase.FETCHING, Phase.INSTALLING)
        self._before = status.phase
        words, act = "", ""
        if status.phase is Phase.READY:
            words, act = _ready(status), tr("Restart now")
        elif status.phase is Phase.FOUND and status.offer and not status.offer.is_unwanted:
            words = _found(status.offer)
            act = "" if status.offer.needs_installer else tr("Get it")
        elif status.phase is Phase.FAILED and status.trouble and was_coming:
            words = f"{status.trouble.message} {status.trouble.remedy}"
            act = tr("Try again")
        elif status.phase in (Phase.FETCHING, Phase.INSTALLING) and self._is_awaited:
            words = tr("Redraft is being fetched and installed. You can go on writing.")
        self._do.setVisible(bool(act))
        self._do.setText(act)
        self._skip.setVisible(status.phase is Phase.FOUND)
        self._later.setText(tr("Later") if act or status.phase is Phase.FOUND else tr("Hide"))
        is_new = words != self._words.text()
        self._words.setText(words)
        self.setVisible(bool(words) and words not in self._put_off)
        if is_new and self.isVisible():
            announce(self, words)

    def _on_do(self) -> None:
        if self._updates.status.phase is Phase.READY:
            self._updates.restart()
        else:
            self._is_awaited = True
            self._updates.fetch()

    def _on_skip(self) -> None:
        if (offer := self._updates.status.offer) is not None:
            self._updates.skip(offer.version)
        self.hide()

    def _on_later(self) -> None:
        self._put_off.add(self._words.text())
        self.hide()


def _found(offer: Offer) -> str:
    if offer.needs_installer:
        return tr(
            "Redraft {version} is there. It has to be installed with its installer.",
            version=offer.version,
        )
    return tr(
        "Redraft {version} is there ({size}).", version=offer.version, size=size_text(offer.size)
    )


def _ready(status: Status) -> str:
    return tr(
        "Redraft {version} is ready: it starts with the next start.", version=status.next_version
    )
