"""What the model thought before it answered: one line, folded, that opens."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from app.state.progress import thought_text
from app.state.text import shown
from app.ui.canvas.canvas import Canvas
from app.ui.text_view import QuietDocument, TextView, configure, replace_from
from app.ui.theme import Theme, interface_font
from app.ui.widgets import drop
from app.words import tr
from engine.messages import Channel, Draft


class ThoughtView(QWidget):
    """While the model thinks its thought comes into focus here; then it folds to its length."""

    def __init__(self, theme: Theme, *, is_still: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_still = is_still
        self._text = ""
        self._canvas: Canvas | None = None
        self._body: TextView | None = None
        self._line = QToolButton()
        self._line.setObjectName("fold")
        self._line.setCheckable(True)
        self._line.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._line.setCursor(Qt.CursorShape.PointingHandCursor)
        self._line.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._line.toggled.connect(self._on_toggled)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._layout.addWidget(self._line, 0, Qt.AlignmentFlag.AlignLeft)
        self._say_thinking(Qt.ArrowType.DownArrow)
        theme.changed.connect(self._on_theme_changed)

    @property
    def is_live(self) -> bool:
        """Whether one sees the model think."""
        return self._canvas is not None

    @property
    def is_open(self) -> bool:
        return self._line.isChecked()

    @property
    def text(self) -> str:
        """What is shown of the thought."""
        if self._canvas is not None:
            return self._canvas.shown_text
        return self._body.toPlainText() if self._body is not None and self.is_open else ""

    @property
    def title(self) -> str:
        """What the line says."""
        return self._line.text()

    def show_draft(self, draft: Draft) -> None:
        """The model is thinking."""
        self._live_canvas().show_draft(draft)

    def show_committed(self, text: str) -> None:
        """All it has thought so far; it has not ended yet."""
        self._live_canvas().show_committed(text)

    def fold(self) -> None:
        """The answer begins. What was thought is known when `settle` is called."""
        if self._canvas is not None:
            self._drop_canvas()
            self._say_thinking(Qt.ArrowType.RightArrow)

    def settle(self, text: str, seconds: float) -> None:
        """The thought is over: one line says how long it was."""
        if text == self._text and self._canvas is None:
            return
        self._text = text
        self._drop_canvas()
        self._line.setEnabled(True)
        self._line.setText(thought_text(len(text.split()), seconds))
        self._line.setToolTip(tr("Show what the model thought"))
        if self._body is not None:
            self._body.take(self._document())
        self._on_toggled(self.is_open)

    def set_still(self, is_still: bool) -> None:
        self._is_still = is_still
        if self._canvas is not None:
            self._canvas.set_still(is_still)

    def _live_canvas(self) -> Canvas:
        if self._canvas is None:
            self._line.setChecked(False)
            self._text = ""
            self._say_thinking(Qt.ArrowType.DownArrow)
            self._canvas = Canvas(self._theme, channel=Channel.THOUGHT, font=interface_font)
            self._canvas.set_still(self._is_still)
            self._layout.addWidget(self._canvas)
        return self._canvas

    def _drop_canvas(self) -> None:
        if self._canvas is not None:
            self._layout.removeWidget(self._canvas)
            drop(self._canvas)
            self._canvas = None

    def _say_thinking(self, arrow: Qt.ArrowType) -> None:
        self._line.setText(tr("Thinking"))
        self._line.setToolTip("")
        self._line.setArrowType(arrow)
        self._line.setEnabled(False)

    def _document(self) -> QTextDocument:
        document = QuietDocument()
        configure(document, interface_font())
        replace_from(document, 0, shown(self._text))
        return document

    def _on_toggled(self, is_open: bool) -> None:
        self._line.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        if is_open and self._body is None:
            self._body = TextView("", tr("Thought"), self)
            self._body.setObjectName("thought")
            self._body.take(self._document())
            self._layout.addWidget(self._body)
        if self._body is not None:
            self._body.setVisible(is_open)

    def _on_theme_changed(self) -> None:
        if self._body is not None:
            self._body.take(self._document())
