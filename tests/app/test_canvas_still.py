"""Still mode: only what is sure, even gaps, and nothing that comes and goes."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from app.ui.canvas.canvas import STILL_SECONDS, Canvas
from app.ui.canvas.layout import draft_text
from app.ui.canvas.still import GAP, GAPS_BEHIND, Stillness
from engine.messages import Channel, Draft, TokenState
from tests.fakes import draft

NOISE, NEARLY, SURE, SETTLED, PINNED, BEYOND = TokenState
WORDS = (" a", " fox", " lamp", "\n", "ing", ".", " river")


@pytest.fixture
def canvas(qtbot, theme) -> Canvas:
    widget = Canvas(theme)
    widget.set_still(True)
    qtbot.addWidget(widget)
    widget.resize(500, 10)
    widget.show()
    return widget


def shown(stillness: Stillness, given: Draft) -> str:
    return draft_text(stillness.calm(given))[0]


def test_unsure_words_are_even_dots(qtbot, canvas):
    canvas.show_draft(draft(1, ("The", " fox", " sees", " it"), (SURE, NOISE, NEARLY, SURE)))
    qtbot.waitUntil(lambda: canvas.shown_text == f"The{GAP}{GAP} it")


def test_all_dots_look_alike_and_sure_words_are_plain():
    given = draft(1, ("a", "b", "c", "d", "e"), (NOISE, SURE, NEARLY, SETTLED, PINNED))
    given = replace(given, confidence=bytes([3, 90, 200, 255, 255]))
    calm = Stillness().calm(given)
    _, stretches = draft_text(calm)
    assert len({stretch.look for stretch in stretches if stretch.look.state is NOISE}) == 1
    assert bytes(calm.states) == bytes([NOISE, SETTLED, NOISE, SETTLED, PINNED])


def test_a_word_that_was_accepted_stays_until_the_model_changes_it():
    stillness = Stillness()
    steps = [
        (("a", " b", " c"), (SURE, SURE, NOISE), f"a b{GAP}"),
        (("a", " b", " c"), (SURE, NEARLY, NOISE), f"a b{GAP}"),
        (("a", " x", " c"), (SURE, NOISE, NOISE), f"a{GAP}{GAP}"),
        (("a", " b", " c"), (SURE, NEARLY, NEARLY), f"a{GAP}{GAP}"),
        (("a", " b", " c"), (SETTLED, SETTLED, SETTLED), "a b c"),
    ]
    for number, (pieces, states, wanted) in enumerate(steps, 1):
        assert shown(stillness, draft(1, pieces, states, step=number)) == wanted


def test_a_new_canvas_begins_anew_and_so_does_going_back():
    for again in ({"canvas": 1, "step": 9}, {"step": 2}, {"candidate": 1, "step": 9}):
        stillness = Stillness()
        assert shown(stillness, draft(1, ("a",), (SURE,), step=8)) == "a"
        assert shown(stillness, draft(1, ("a",), (NEARLY,), **again)) == GAP


def test_what_lies_behind_the_last_word_is_a_few_dots():
    states = (SURE, NOISE, SURE, *[NOISE] * 200)
    given = draft(1, ("a", " b", " c", *[" d"] * 200), states)
    assert shown(Stillness(), given) == f"a{GAP} c" + GAP * GAPS_BEHIND
    assert shown(Stillness(), draft(1, (" d",) * 200, (NOISE,) * 200)) == GAP * GAPS_BEHIND


def test_nothing_unsure_is_ever_shown():
    """Against a second method: a list of all that was ever accepted at a position."""
    chooser = random.Random(4)
    for _ in range(40):
        stillness = Stillness()
        accepted: dict[int, set[str]] = {position: set() for position in range(20)}
        for step in range(1, 20):
            given = draft(
                1,
                tuple(chooser.choice(WORDS) for _ in range(20)),
                tuple(chooser.choices(list(TokenState), k=20)),
                step=step,
            )
            given = replace(given, channels=bytes(chooser.choices(list(Channel), k=20)))
            calm = stillness.calm(given)
            for position in range(20):
                state, piece = given.states[position], given.pieces[position]
                if state in (SURE, SETTLED):
                    accepted[position].add(piece)
                    assert calm.pieces[position] == piece
                if calm.pieces[position] != GAP:
                    assert calm.pieces[position] == piece
                    assert piece in accepted[position] or state == PINNED
            assert calm.channels == given.channels


def test_it_changes_no_oftener_than_can_be_read(qtbot, canvas):
    laid_out = []
    show = canvas._layout.show
    canvas._layout.show = lambda *given: (laid_out.append(given), show(*given))
    began = time.monotonic()
    for step in range(1, 60):
        canvas.show_draft(draft(1, (f"step {step}",), (SURE,), step=step))
        qtbot.wait(2)
    seconds = time.monotonic() - began
    assert len(laid_out) <= seconds / STILL_SECONDS + 2
    qtbot.waitUntil(lambda: canvas.shown_text == "step 59")


def test_it_can_be_switched_while_an_answer_is_written(qtbot, canvas):
    canvas.show_draft(draft(1, ("The", " fox"), (SURE, NOISE)))
    qtbot.waitUntil(lambda: canvas.shown_text == f"The{GAP}")
    canvas.set_still(False)
    qtbot.waitUntil(lambda: canvas.shown_text == "The fox")
    canvas.set_still(True)
    qtbot.waitUntil(lambda: canvas.shown_text == f"The{GAP}")


def test_the_committed_text_is_all_that_a_screen_reader_is_told(canvas):
    canvas.show_committed("Done. ")
    for step in range(1, 4):
        canvas.show_draft(draft(1, ("The", " fox"), (SURE, NOISE), step=step))
        canvas.show_now()
        assert canvas.accessibleName() == "Done. "
