"""Three words that say how to read the canvas, painted as the canvas paints them."""

from __future__ import annotations

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.ui.canvas.canvas import Canvas
from app.ui.theme import Theme, interface_font
from app.words import tr
from engine.messages import Channel, Draft, TokenState

_SPACE = "     "


class Legend(QWidget):
    """A thin row of samples, as wide as its words; of text that is given, too, if there is any."""

    def __init__(
        self, theme: Theme, parent: QWidget | None = None, *, has_given: bool = False
    ) -> None:
        super().__init__(parent)
        self._has_given = has_given
        self._canvas = Canvas(theme, font=interface_font)
        self._samples: tuple[tuple[str, TokenState], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        theme.changed.connect(self._show)
        self.set_still(False)

    def set_still(self, is_still: bool) -> None:
        """The samples of still mode, where a dot stands for all that is not sure."""
        if is_still:
            text = tr("Dots stand where the model is not sure yet.")
            unsure: tuple[tuple[str, TokenState], ...] = (("• • •", TokenState.NOISE),)
        else:
            text = tr(
                "Faint words are still being searched, dotted words are nearly sure, "
                "and words in full ink are sure."
            )
            unsure = ((tr("unsure"), TokenState.NOISE), (tr("nearly"), TokenState.PROVISIONAL))
        given = ((tr("given"), TokenState.PINNED),) if self._has_given else ()
        self._samples = (*unsure, (tr("sure"), TokenState.ACCEPTED), *given)
        self.setToolTip(text)
        self.setAccessibleName(text)
        self._canvas.setAccessibleName(text)
        self._show()

    def _show(self) -> None:
        pieces: list[str] = []
        states: list[TokenState] = []
        for word, state in self._samples:
            pieces += [word, _SPACE]
            states += [state, TokenState.SETTLED]
        metrics = QFontMetrics(interface_font())
        self._canvas.setFixedWidth(metrics.horizontalAdvance("".join(pieces)) + 2)
        self._canvas.show_draft(
            Draft(
                request_id=0,
                canvas=0,
                step=1,
                max_steps=1,
                pieces=tuple(pieces),
                confidence=bytes([150] * len(pieces)),
                states=bytes(states),
                channels=bytes([Channel.ANSWER] * len(pieces)),
            )
        )
