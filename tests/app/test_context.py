"""The meter's arithmetic, against a tokenizer and against itself."""

from __future__ import annotations

import itertools

import pytest

from app.paths import ASSETS
from app.state.context import Level, characters_per_token, context_use, estimate
from app.state.conversation import Message, new_id
from engine.messages import Role, Usage
from engine.text.tokenizer import Tokenizer


def usage(prompt: int, new: int, reused: int = 0) -> Usage:
    return Usage(
        seed=1,
        prompt_tokens=prompt,
        reused_tokens=reused,
        new_tokens=new,
        canvases=1,
        denoising_steps=8,
        prefill_seconds=0.1,
        denoise_seconds=0.2,
        total_seconds=0.3,
    )


def said(role: Role, text: str, counted: Usage | None = None, thought: str = "") -> Message:
    return Message(id=new_id(), parent=None, role=role, text=text, usage=counted, thought=thought)


def use(messages=(), unsent: str = "", system: str = "", context: int = 4096):
    return context_use(
        context=context,
        canvas_length=256,
        system_prompt=system,
        messages=tuple(messages),
        unsent=unsent,
    )


def test_an_empty_chat_is_all_room():
    empty = use()
    assert (empty.used, empty.room, empty.level) == (0, 4096, Level.FINE)


def test_what_the_engine_counted_is_taken_as_it_is():
    chat = (said(Role.USER, "a" * 900), said(Role.MODEL, "b" * 80, usage(310, 25, reused=128)))
    found = use(chat)
    assert (found.used, found.reused) == (335, 128)


def test_the_parts_are_the_whole_for_any_chat():
    texts = ("", "short", "x" * 3000)
    for system, unsent, middle in itertools.product(texts, repeat=3):
        chat = (
            said(Role.USER, "hello"),
            said(Role.MODEL, "there", usage(90, 4)),
            said(Role.USER, middle),
        )
        found = use(chat, unsent, system)
        parts = (found.system, found.earlier, found.question, found.room)
        assert min(parts) >= 0
        assert sum(parts) == found.total or found.room == 0
        assert 0 <= found.share <= 1


def test_more_text_never_takes_less():
    counts = [use(unsent="a" * length).used for length in range(0, 3000, 37)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_thought_is_not_sent_again():
    plain = use((said(Role.USER, "q"), said(Role.MODEL, "a" * 50, usage(20, 100))))
    thought = use((said(Role.USER, "q"), said(Role.MODEL, "a" * 50, usage(20, 100), "t" * 150)))
    assert (plain.used, thought.used) == (120, 45)


@pytest.mark.parametrize(
    ("length", "level"),
    [(0, Level.FINE), (4 * 800, Level.FINE), (4 * 3400, Level.NEARLY_FULL), (4 * 3900, Level.FULL)],
)
def test_it_says_when_it_is_nearly_full(length: int, level: Level):
    assert use(unsent="a" * length).level is level


def test_full_is_where_the_engine_refuses():
    """One canvas has to fit behind the prompt (engine.pipeline, _budget)."""
    exact = (said(Role.USER, "q"), said(Role.MODEL, "a", usage(4096 - 256 - 1, 1)))
    over = (said(Role.USER, "q"), said(Role.MODEL, "a", usage(4096 - 256, 1)))
    assert use(exact).level is Level.NEARLY_FULL
    assert use(over).level is Level.FULL


def test_it_learns_how_long_a_token_is_from_the_chat():
    """Against the demo model's own tokenizer, in a language that it knows badly."""
    tokenizer = Tokenizer.load(ASSETS / "demo_model")
    story = "Mara nahm die silberne Lampe und ging zum Hafen hinunter, wo die Boote lagen. " * 6
    answer = "Die Lampe war alt, und niemand im Dorf wusste, wer sie gemacht hatte. " * 4
    question = "Was hat sie dort gefunden, und wer hat am Ende des Stegs auf sie gewartet? " * 3
    counts = [len(tokenizer.encode(text)) for text in (story, answer, question)]
    chat = (said(Role.USER, story), said(Role.MODEL, answer, usage(counts[0] + 6, counts[1])))
    rate = characters_per_token("", chat)
    assert abs(estimate(question, rate) - counts[2]) <= 0.2 * counts[2] + 6
    unlearned = estimate(question, characters_per_token("", ()))
    assert abs(estimate(question, rate) - counts[2]) < abs(unlearned - counts[2])
