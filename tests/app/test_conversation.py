"""A conversation as a tree, as context for the model, and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest

from app.state.conversation import (
    Conversation,
    Message,
    interrupted,
    message_from_json,
    message_to_json,
    new_id,
    turns,
)
from engine.messages import EngineError, ErrorKind, FinishReason, Role
from tests.fakes import usage

ERROR = EngineError(kind=ErrorKind.INTERNAL, message="It broke.", remedy="Again.", detail="trace")


def asked(text, **more):
    return Message(**{"id": new_id(), "parent": None, "role": Role.USER, "text": text} | more)


def answered(text="", **more):
    return asked(text, **{"role": Role.MODEL} | more)


def texts(messages, system_prompt=""):
    return [(turn.role, turn.parts[0].text) for turn in turns(messages, system_prompt)]


def test_the_context_is_what_was_said():
    messages = (asked("a"), answered("b"), asked("c"), answered(is_open=True))
    said = [(Role.USER, "a"), (Role.MODEL, "b"), (Role.USER, "c")]
    assert texts(messages) == said
    assert texts(messages, "Be kind.") == [(Role.SYSTEM, "Be kind."), *said]


def test_a_question_without_an_answer_is_left_out():
    messages = (asked("bad"), answered(error=ERROR), asked("good"), answered(is_open=True))
    assert texts(messages) == [(Role.USER, "good")]


def test_what_a_stopped_or_failed_answer_had_stays_in_the_context():
    messages = (
        asked("a"), answered("half", reason=FinishReason.STOPPED),
        asked("b"), answered("part", error=ERROR),
        asked("c"), answered(is_open=True),
    )  # fmt: skip
    assert [text for _, text in texts(messages)] == ["a", "half", "b", "part", "c"]


def test_branches_against_a_plain_list_of_all_paths():
    """Random growing and going to and fro; a dictionary of whole paths says what must be shown."""
    rng = Random(4)
    tree = Conversation()
    paths: dict[str | None, tuple[str, ...]] = {None: ()}
    order: dict[str | None, list[str]] = {}
    for _ in range(300):
        if paths and rng.random() < 0.4 and tree.messages:
            chosen = rng.choice(list(tree.messages))
            tree = tree.showing(chosen)
            end = chosen
            while end in order:
                end = order[end][-1]
            assert tree.leaf == end
        parent = rng.choice(
            [None, tree.leaf, *rng.sample(list(tree.messages), min(3, len(tree.messages)))]
        )
        message = asked("x", parent=parent)
        tree = tree.with_message(message)
        paths[message.id] = (*paths[parent], message.id)
        order.setdefault(parent, []).append(message.id)
        assert tuple(each.id for each in tree.path) == paths[message.id]
        assert tree.variants(message.id) == tuple(order[parent])
        cut = tree.ending_at(parent)
        assert tuple(each.id for each in cut.path) == paths[parent]
        assert cut.messages == tree.messages


def test_replacing_a_message_keeps_its_place_and_the_branch():
    first, second = asked("a"), asked("b")
    tree = Conversation().with_message(first).with_message(second)
    changed = tree.with_message(replace(first, text="A"))
    assert changed.leaf == second.id
    assert changed.variants(second.id) == (first.id, second.id)
    assert changed.messages[first.id].text == "A"
    assert tree.messages[first.id].text == "a"


def test_an_answer_to_nothing_is_refused():
    with pytest.raises(ValueError, match="not here"):
        Conversation().with_message(answered("b", parent="nobody"))


def test_survives_json():
    for message in (
        asked("\u202e 日本語 \U0001f600", created=12.5),
        answered("b", thought="hm", thought_seconds=2.5, reason=FinishReason.END, usage=usage()),
        answered(error=ERROR, was_empty=True, has_recording=True),
        answered("so far", is_open=True, parent="q"),
    ):
        assert message_from_json(json.loads(json.dumps(message_to_json(message)))) == message


def test_an_interrupted_answer_comes_back_as_stopped():
    answer = interrupted(answered("so far", is_open=True))
    assert answer.text == "so far"
    assert answer.reason is FinishReason.STOPPED
    assert not answer.is_open


@pytest.mark.parametrize(
    "row",
    [
        3, "text", {"a": 1}, [3], {}, {"id": "a", "role": "user"},
        {"id": "a", "role": "king", "text": ""}, {"id": "a", "role": "user", "text": 3},
        {"id": "a", "role": "user", "text": "", "error": {"kind": "x"}},
        {"id": "a", "role": "user", "text": "", "usage": {"seed": 1}},
    ],
)  # fmt: skip
def test_anything_else_is_refused(row):
    with pytest.raises(ValueError, match=r"."):
        message_from_json(row)
