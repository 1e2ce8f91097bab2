"""The canvas: shaped as text, told apart without colour, and without a jump when it settles."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QRect, QRectF
from PySide6.QtGui import QColor, QImage, QRegion
from PySide6.QtWidgets import QWidget

from app.ui.canvas.canvas import Canvas
from app.ui.canvas.layout import CanvasLayout, draft_text, units
from app.ui.text_view import TextView
from app.ui.theme import LIGHT, reading_font
from engine.messages import Channel, Draft, TokenState
from tests.fakes import draft

ARABIC = "السلام عليكم"
HINDI = "क्षत्रिय हिन्दी"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
STORY = (
    "Once upon a time a small fox found a lantern by the river, and it was dark.\n\n"
    "“Can you wake it?” asked the fox. AVATAR office, and a longish line that has to wrap once."
)
SCRIPTS = {"english": STORY, "arabic": ARABIC, "hindi": HINDI, "family": f"{FAMILY} ok e\u0301"}


def mixed(text: str, states: list[TokenState], *, size: int = 1, **more) -> Draft:
    """`text` cut into pieces of `size` characters, with the states in turn."""
    pieces = tuple(text[i : i + size] for i in range(0, len(text), size))
    return draft(1, pieces, tuple(states[i % len(states)] for i in range(len(pieces))), **more)


def picture(widget: QWidget, width: int = 500, height: int = 200) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(LIGHT.window))
    widget.render(image, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    return image


@pytest.fixture
def canvas(qtbot, theme) -> Canvas:
    widget = Canvas(theme)
    qtbot.addWidget(widget)
    widget.resize(500, 10)
    widget.show()
    return widget


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_settled_canvas_looks_exactly_like_ordinary_text(qtbot, theme, canvas, name, size):
    """Whatever the pieces: letters join, kern and stack as they do in the finished message."""
    canvas.show_draft(mixed(SCRIPTS[name], [TokenState.SETTLED], size=size))
    qtbot.waitUntil(lambda: canvas.shown_text == SCRIPTS[name])
    view = TextView(SCRIPTS[name], "Answer")
    qtbot.addWidget(view)
    view.resize(500, 10)
    view.show()
    assert picture(canvas) == picture(view)
    assert canvas.height() == view.height()


@pytest.mark.parametrize("name", SCRIPTS)
def test_states_change_how_strong_the_text_is_never_its_shape(canvas, name):
    """Where the settled text has no ink, no unsure piece has any either, underlines aside."""
    text = SCRIPTS[name].replace("\n", " ")  # a line end that is noise is not one
    layout = CanvasLayout(reading_font())
    layout.set_width(500)
    layout.show("", mixed(text, [TokenState.SETTLED]))
    settled = [[run.positions() for run in line.glyphs] for line in layout.lines(everywhere())]
    layout.show("", mixed(text, [TokenState.NOISE, TokenState.ACCEPTED, TokenState.PROVISIONAL]))
    unsure = [[run.positions() for run in line.glyphs] for line in layout.lines(everywhere())]
    assert settled == unsure


def everywhere() -> QRectF:
    return QRectF(-1000, -1000, 100_000, 100_000)


def grey(image: QImage, box: QRect) -> tuple[int, int]:
    """How dark the letters are at most, and how dark the row below the letters is on average."""
    letters = range(box.top(), box.top() + 17)
    darkness = [
        255 - image.pixelColor(x, y).lightness() for y in letters for x in range(40)
    ]  # fmt: skip
    below = [
        255 - image.pixelColor(x, y).lightness()
        for y in range(box.top() + 20, box.top() + 24)
        for x in range(40)
    ]
    return max(darkness), max(below)


def test_states_are_told_apart_without_colour(qtbot, canvas):
    seen = {}
    for state in (
        TokenState.NOISE, TokenState.PROVISIONAL, TokenState.ACCEPTED, TokenState.SETTLED,
        TokenState.PINNED,
    ):  # fmt: skip
        canvas.show_draft(draft(1, ("mmmmmm",), (state,), confidence=128))
        qtbot.waitUntil(lambda: not canvas._is_stale)
        seen[state] = grey(picture(canvas), QRect(0, 0, 40, 24))
    noise, provisional = seen[TokenState.NOISE], seen[TokenState.PROVISIONAL]
    accepted, settled = seen[TokenState.ACCEPTED], seen[TokenState.SETTLED]
    assert noise[0] < provisional[0] < accepted[0] <= settled[0]
    assert noise[1] < 10  # no line
    assert settled[1] < 10
    assert provisional[1] > 25  # dots
    assert accepted[1] > 25  # a line
    assert seen[TokenState.PINNED] not in (noise, provisional, accepted, settled)


def test_confidence_makes_noise_stronger(qtbot, canvas):
    dark = []
    for confidence in (0, 70, 140, 255):
        canvas.show_draft(draft(1, ("mmmmmm",), (TokenState.NOISE,), confidence=confidence))
        qtbot.waitUntil(lambda: not canvas._is_stale)
        dark.append(grey(picture(canvas), QRect(0, 0, 40, 24))[0])
    assert dark == sorted(dark)
    assert len(set(dark)) == 4


def test_what_lies_behind_the_end_is_not_shown():
    states = (TokenState.ACCEPTED, TokenState.NOISE, TokenState.BEYOND_END)
    text, _ = draft_text(draft(1, ("An end", ".", " and more"), states))
    assert text == "An end."


def test_thoughts_are_not_shown():
    text, stretches = draft_text(draft(1, ("hm", "hm"), channel=Channel.THOUGHT))
    assert (text, stretches) == ("", [])


def test_a_canvas_can_show_the_thoughts_instead():
    both = replace(draft(1, ("hm", "yes")), channels=bytes([Channel.THOUGHT, Channel.ANSWER]))
    assert draft_text(both, Channel.THOUGHT)[0] == "hm"
    assert draft_text(both)[0] == "yes"


def test_line_ends_in_noise_move_nothing():
    pieces = ("a", "\n\n", "b", "\u2028", "c")
    for state, shown in (
        (TokenState.NOISE, "a  b c"),
        (TokenState.PROVISIONAL, "a\n\nb\nc"),
        (TokenState.ACCEPTED, "a\n\nb\nc"),
    ):
        assert draft_text(draft(1, pieces, (state,) * 5))[0] == shown


def test_a_grapheme_of_two_pieces_is_one(canvas):
    """The border moves behind the grapheme, so no part of it is veiled on its own."""
    states = (TokenState.SETTLED, TokenState.NOISE, TokenState.NOISE)
    for whole, rest in ((FAMILY, ""), ("e\u0301", ""), ("\U0001f1e9\U0001f1ea", "")):
        text, stretches = draft_text(draft(1, (whole[:1], whole[1:], "x"), states))
        assert text == f"{whole}x{rest}"
        assert [(each.start, each.end) for each in stretches] == [
            (0, units(whole)),
            (units(whole), units(whole) + 1),
        ]


def test_bidi_controls_and_surrogates_cannot_disturb_the_page(qtbot, canvas):
    canvas.show_draft(draft(1, ("a\u202e", "b\ud800", "c\x00\r", "\u2029d")))
    qtbot.waitUntil(lambda: canvas.shown_text == "a\ufffdb\ufffdc\ufffd \nd")


def test_laying_out_what_changed_gives_the_same_as_all_anew():
    chooser = random.Random(11)
    words = [*STORY.split(" "), ARABIC, HINDI, FAMILY, "\n", "\n\n", "e\u0301"]
    states = list(TokenState)[:4]
    layout = CanvasLayout(reading_font())
    layout.set_width(300)
    committed = ""
    for step in range(120):
        if chooser.random() < 0.2:
            committed += " ".join(chooser.choices(words, k=5))
        elif chooser.random() < 0.1:  # a replay goes back
            committed = committed[: chooser.randrange(len(committed) + 1)]
        if chooser.random() < 0.05:
            layout.set_width(chooser.choice((200, 300, 401)))
        pieces = tuple(" " + word for word in chooser.choices(words, k=12))
        now = draft(1, pieces, tuple(chooser.choices(states, k=12)), step=step)
        layout.show(committed, now if step % 7 else None)
        fresh = CanvasLayout(reading_font())
        fresh.set_width(round(layout._document.textWidth()))
        fresh.show(committed, now if step % 7 else None)
        assert described(layout) == described(fresh)


def described(layout: CanvasLayout) -> list[object]:
    return [
        (
            line.box,
            [run.positions() for run in line.glyphs],
            line.patches,
            line.underlined,
        )
        for line in layout.lines(everywhere())
    ]


def test_the_height_only_grows_while_the_answer_is_written(qtbot, canvas):
    heights = []
    for words in (5, 80, 20, 120, 3, 60):
        canvas.show_draft(draft(1, (" word",) * words))
        qtbot.waitUntil(lambda: not canvas._is_stale)
        heights.append(canvas.height())
    assert heights == sorted(heights)
    assert heights[-1] > heights[0]
    canvas.show_committed("Short.")
    qtbot.waitUntil(lambda: canvas.shown_text == "Short.")
    assert canvas.height() == heights[-1]


def test_drafts_faster_than_the_screen_are_never_laid_out(qtbot, canvas):
    shown = []
    show = canvas._layout.show
    canvas._layout.show = lambda *given: (shown.append(given), show(*given))
    began = time.monotonic()
    for step in range(200):
        canvas.show_draft(draft(1, (f"step {step}",)))
    seconds = time.monotonic() - began
    qtbot.waitUntil(lambda: canvas.shown_text == "step 199")
    assert len(shown) <= seconds / 0.016 + 2


def test_only_what_is_asked_for_is_painted(canvas):
    layout = CanvasLayout(reading_font())
    layout.set_width(200)
    layout.show("word " * 400, None)
    every = list(layout.lines(everywhere()))
    some = list(layout.lines(QRectF(0, 100, 200, 50)))
    assert 2 <= len(some) <= 4 < len(every)
    assert all(line in every for line in some)


def test_the_accessible_name_is_the_settled_text(qtbot, canvas):
    for step in range(1, 5):
        canvas.show_draft(draft(1, (f"noise {step}",), step=step))
        canvas.show_now()
        assert canvas.accessibleName() == "The answer is being written"
    canvas.show_committed("Settled.")
    canvas.show_draft(draft(1, ("more noise",), canvas=1))
    canvas.show_now()
    assert canvas.accessibleName() == "Settled."


def test_a_replay_shows_any_step_in_any_order(canvas, theme, qtbot):
    steps = [("", "one two"), ("One two. ", "three\nfour"), ("One two. Three\nfour. ", "five")]
    chooser = random.Random(2)
    for _ in range(30):
        committed, text = chooser.choice(steps)
        step = draft(1, (text,), (TokenState.ACCEPTED,))
        canvas.show_step(committed, step)
        canvas.show_now()
        assert canvas.shown_text == committed + text
        fresh = CanvasLayout(reading_font())
        fresh.set_width(canvas.width())
        fresh.show(committed, step)
        assert described(canvas._layout) == described(fresh)
        assert canvas.text_height == fresh.height <= canvas.height()


def test_a_new_text_size_is_taken_over_at_once(qtbot, canvas, theme):
    canvas.show_draft(draft(1, (" word",) * 60))
    canvas.show_now()
    before = canvas.text_height
    theme.set_sizes(reading_points=18, interface_scale=1.0)
    try:
        assert canvas.text_height > 1.8 * before
        assert canvas.height() >= canvas.text_height
        assert canvas.shown_text == " word" * 60
    finally:
        theme.set_sizes(reading_points=12, interface_scale=1.0)


def test_a_long_committed_text_costs_nothing_per_draft(qtbot, canvas):
    """A draft behind 40,000 characters is laid out without touching them."""
    canvas.show_committed("A paragraph of ordinary length that wraps once or twice.\n" * 700)
    qtbot.waitUntil(lambda: not canvas._is_stale)
    blocks = canvas._layout._blocks
    before = [id(block) for block in blocks]
    canvas.show_draft(draft(1, (" a", " b")))
    qtbot.waitUntil(lambda: canvas.shown_text.endswith(" a b"))
    assert [id(block) for block in blocks[:699]] == before[:699]
