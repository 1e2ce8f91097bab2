from __future__ import annotations

import random

import pytest

from engine.messages import Channel
from engine.text.channels import ChannelState, labels, split
from engine.text.tokenizer import Tokenizer

THINKING = ChannelState.begin(thinking=True)
PLAIN = ChannelState.begin(thinking=False)


def markup(tokenizer: Tokenizer, text: str) -> list[int]:
    """`text` as ids, with its special tokens as such."""
    ids: list[int] = []
    while text:
        found = [(text.find(name), name) for name in tokenizer.markup if name in text]
        at, name = min(found) if found else (len(text), "")
        ids += tokenizer.encode(text[:at]) + ([tokenizer.markup[name]] if name else [])
        text = text[at + len(name) :]
    return ids


def texts(tokenizer: Tokenizer, text: str, state: ChannelState) -> tuple[str, str]:
    found = labels(tokenizer, markup(tokenizer, text), state)
    return found.text(Channel.THOUGHT), found.text(Channel.ANSWER)


@pytest.mark.parametrize(
    ("output", "thought", "answer"),
    [
        ("<|channel>thought\nI add.<channel|>It is 4.<turn|>", "I add.", "It is 4."),
        ("<|channel>thought\n<channel|>It is 4.", "", "It is 4."),
        ("<|channel>thought\n\nI add.\n<channel|>4", "I add.\n", "4"),
        ("It is 4.<turn|>", "", "It is 4."),
        ("<|channel>I add.<channel|>4", "I add.", "4"),  # no name
        ("<|channel>thought\nI add", "I add", ""),  # not finished
        ("4<channel|>5", "", "45"),  # closed but never opened
        ("<|channel>thought\na<|channel>thought\nb<channel|>c", "ab", "c"),
        ("<|channel>thought<channel|>c", "", "c"),
        ("a thought\nis free", "", "a thought\nis free"),
        ("one <|tool_call>call:f{a:1}<tool_call|> two", "", "one  two"),
        ("one <|tool_call>call:f{a:1<turn|>", "", "one "),
    ],
)
def test_channels(tokenizer: Tokenizer, output: str, thought: str, answer: str) -> None:
    assert texts(tokenizer, output, PLAIN) == (thought, answer)
    assert texts(tokenizer, output, THINKING) == (thought, answer)


@pytest.mark.parametrize("opening", ["x", "<mask>", ""])
def test_the_name_does_not_show_while_its_markup_is_missing(
    tokenizer: Tokenizer, opening: str
) -> None:
    draft = f"{opening}thought\nI add.<channel|>4"
    assert texts(tokenizer, draft, THINKING) == ("I add.", "4")


def test_every_cut_into_canvases_gives_the_same(tokenizer: Tokenizer) -> None:
    ids = markup(tokenizer, "<|channel>thought\nI add \U0001f642.<channel|>It is 4.<turn|>")
    whole = labels(tokenizer, ids, PLAIN)
    for cut in range(1, len(ids)):
        first = labels(tokenizer, ids[:cut], PLAIN)
        second = labels(tokenizer, ids[cut:], first.state)
        assert first.channels + second.channels == whole.channels
        assert first.hidden + second.hidden == whole.hidden
        assert second.state == whole.state
        for channel in Channel:
            assert first.text(channel) + second.text(channel) == whole.text(channel)


def test_an_unfinished_character_waits_and_does_not_spoil_what_follows(
    tokenizer: Tokenizer,
) -> None:
    begun = tokenizer.encode("\U0001f642")[:2]
    first = labels(tokenizer, [*tokenizer.encode("a"), *begun], PLAIN)
    assert first.text(Channel.ANSWER) == "a"
    second = labels(tokenizer, tokenizer.encode("bc"), first.state)
    assert second.text(Channel.ANSWER) == "\ufffdbc"
    assert second.state.unfinished == b""


def test_split_gives_the_ids_of_each_channel(tokenizer: Tokenizer) -> None:
    thought, answer = tokenizer.encode("I add \U0001f642"), tokenizer.encode("It is 4.")
    ids = markup(tokenizer, "<|channel>thought\n") + thought
    ids += [tokenizer.special.channel_end, *answer, tokenizer.special.turn_end]
    assert split(tokenizer, ids) == [(Channel.THOUGHT, thought), (Channel.ANSWER, answer)]
    assert split(tokenizer, []) == []


def test_any_canvas_can_be_labelled(tokenizer: Tokenizer) -> None:
    draw = random.Random(3)
    heavy = sorted(tokenizer.markup_ids)
    for _ in range(300):
        ids = [
            draw.choice(heavy) if draw.random() < 0.3 else draw.randrange(tokenizer.vocab_size)
            for _ in range(48)
        ]
        state = draw.choice([PLAIN, THINKING])
        found = labels(tokenizer, ids, state)
        assert len(found.pieces) == len(found.channels) == len(found.hidden) == len(ids)
        shown = "".join(found.pieces)
        assert not any(name in shown for name in tokenizer.markup)
        assert len(shown) == len(found.text(Channel.THOUGHT)) + len(found.text(Channel.ANSWER))
