"""A conversation as context for the model, and on disk."""

from __future__ import annotations

import json

import pytest

from app.state.conversation import Message, from_json, to_json, turns
from engine.messages import EngineError, ErrorKind, FinishReason, Role
from tests.fakes import usage

ERROR = EngineError(kind=ErrorKind.INTERNAL, message="It broke.", remedy="Again.", detail="trace")


def asked(text):
    return Message(role=Role.USER, text=text)


def answered(text="", **more):
    return Message(role=Role.MODEL, text=text, **more)


def texts(messages):
    return [(turn.role, turn.parts[0].text) for turn in turns(messages)]


def test_the_context_is_what_was_said():
    messages = (asked("a"), answered("b"), asked("c"), answered(is_open=True))
    assert texts(messages) == [(Role.USER, "a"), (Role.MODEL, "b"), (Role.USER, "c")]


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


def test_survives_json():
    messages = (
        asked("\u202e 日本語 \U0001f600"),
        answered("b", thought="hm", reason=FinishReason.END, usage=usage()),
        asked("c"),
        answered(error=ERROR),
    )
    assert from_json(json.loads(json.dumps(to_json(messages)))) == messages


def test_an_interrupted_answer_comes_back_as_stopped():
    _, answer = from_json(to_json((asked("a"), answered("so far", is_open=True))))
    assert answer.text == "so far"
    assert answer.reason is FinishReason.STOPPED
    assert not answer.is_open


@pytest.mark.parametrize(
    "data",
    [
        3, "text", {"a": 1}, [3], [{}], [{"role": "user"}], [{"role": "king", "text": ""}],
        [{"role": "user", "text": 3}, {"role": "model", "text": ""}],
        [{"role": "user", "text": "alone"}],
        [{"role": "model", "text": "a"}, {"role": "user", "text": "b"}],
        [{"role": "user", "text": ""}, {"role": "model", "text": "", "error": {"kind": "x"}}],
        [{"role": "user", "text": ""}, {"role": "model", "text": "", "usage": {"seed": 1}}],
    ],
)  # fmt: skip
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        from_json(data)
