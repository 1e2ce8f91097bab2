"""What a model would take of the memory here, by the length of its context; to be played with."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSlider, QVBoxLayout, QWidget

from app.settings import CACHE_BITS
from app.state.models.plan import Planner, PlanShown
from app.ui.controls import choice, heading, quiet_wheel, setting_row
from app.ui.models.plan_bar import PlanBar
from app.ui.theme import Theme
from app.ui.widgets import plain_label, restyle
from app.words import number, tr


class PlanView(QWidget):
    """The slider goes by doubling: 2,048 tokens to what the model can.

    Signals:
        changed(): another context or another precision.
    """

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._planner: Planner | None = None
        self._choices: tuple[int, ...] = ()
        self._bar = PlanBar(theme)
        self._verdict = plain_label()
        self._context = QSlider(Qt.Orientation.Horizontal)
        self._context.setAccessibleName(tr("Context length"))
        self._context.setPageStep(1)
        quiet_wheel(self._context)
        self._context.valueChanged.connect(self._show)
        self._tokens = plain_label(wrap=False)
        self._cache = choice([(bits, _bits_text(bits)) for bits in CACHE_BITS])
        self._cache.activated.connect(self._show)
        self._build()

    @property
    def context(self) -> int:
        """Tokens; 0 where the engine may choose."""
        return self._choices[self._context.value()] if self._choices else 0

    @property
    def planner(self) -> Planner | None:
        return self._planner

    @property
    def is_shown(self) -> bool:
        return self._planner is not None

    @property
    def cache_bits(self) -> int:
        return int(self._cache.currentData())

    @property
    def plan(self) -> PlanShown | None:
        if self._planner is None:
            return None
        return self._planner.plan(self.context, self.cache_bits)

    @property
    def verdict(self) -> str:
        return self._verdict.text()

    @property
    def text(self) -> str:
        return f"{self._tokens.text()}\n{self._verdict.text()}"

    def shows(self, context: int) -> bool:
        """Whether that many tokens are what is chosen, as far as the slider goes."""
        return self._context.value() == _place_of(context, self._choices)

    def show_planner(self, planner: Planner | None, *, context: int, cache_bits: int) -> None:
        """context: tokens to begin with; 0: the usual ones."""
        self._planner = planner
        self.setVisible(planner is not None)
        if planner is None:
            self._choices = ()
            return
        self._choices = planner.contexts
        wanted = context or planner.usual
        with QSignalBlocker(self._context), QSignalBlocker(self._cache):
            self._context.setRange(0, len(self._choices) - 1)
            self._context.setValue(_place_of(wanted, self._choices))
            self._context.setEnabled(len(self._choices) > 1)
            self._cache.setCurrentIndex(max(0, self._cache.findData(cache_bits)))
        self._show()

    def _show_tokens(self) -> None:
        words = tr("{tokens} tokens", tokens=number(self.context))
        self._tokens.setText(words)
        self._context.setAccessibleDescription(words)

    def _show(self, *_: object) -> None:
        planner, plan = self._planner, self.plan
        if planner is None or plan is None:
            return
        self._show_tokens()
        self._bar.show_plan(plan)
        self._verdict.setText(planner.verdict(self.context, self.cache_bits))
        self._verdict.setProperty("danger", not plan.fits)
        restyle(self._verdict)
        self.changed.emit()

    def _build(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addWidget(self._context, 1)
        line.addWidget(self._tokens)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(heading(tr("Memory, before anything is loaded")))
        layout.addWidget(self._bar)
        layout.addWidget(self._verdict)
        layout.addSpacing(4)
        name = plain_label(tr("Context length"))
        name.setBuddy(self._context)
        layout.addWidget(name)
        layout.addWidget(
            plain_label(tr("How much of a chat or a document the model has in view."), muted=True)
        )
        layout.addLayout(line)
        layout.addSpacing(4)
        layout.addWidget(
            setting_row(
                tr("Precision of the context"),
                tr("8 bit takes half the memory and may cost quality in long texts."),
                self._cache,
            )
        )


def _place_of(context: int, choices: tuple[int, ...]) -> int:
    """The longest choice that is no longer than that."""
    return max((place for place, each in enumerate(choices) if each <= context), default=0)


def _bits_text(bits: int) -> str:
    return tr("{number} bit", number=bits)
