"""Messages cross from one process to another as JSON and are the same there."""

from __future__ import annotations

import json
import random

import pytest

from engine.messages import (
    Checked,
    EngineError,
    ErrorKind,
    Hardware,
    ImagePart,
    JobKind,
    JobOptions,
    JobRequest,
    ModelEntry,
    ModelFormat,
    ModelState,
    PreparedModel,
)
from engine.messages.plain import from_plain, to_plain
from tests.pcs import PCS

ENTRY = ModelEntry(
    id="a/b@v1",
    name="ünï 名前 😀",
    format=ModelFormat.GGUF,
    weights="GGUF Q4_K_M",
    state=ModelState.PARTLY_HERE,
    size=1 << 40,
    schemes=("int4", "int8"),
)
MESSAGES = [
    ENTRY,
    *PCS.values(),
    PreparedModel(model=ENTRY, source="/x", source_size=3, exact=1, rounded=2),
    Checked(path="/x", files=3, damaged=("a", "b"), missing=()),
    EngineError(kind=ErrorKind.IN_USE, message="m", remedy="r"),
    JobRequest(kind=JobKind.PREPARE, model="demo", also=("/a",), options=JobOptions(token="t")),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_a_message_is_the_same_on_the_other_side(message: object) -> None:
    assert from_plain(type(message), json.loads(json.dumps(to_plain(message)))) == message


def is_refused(data: object) -> bool:
    try:
        from_plain(Hardware, data)
    except ValueError:
        return True
    return False


def test_what_is_no_message_is_refused() -> None:
    """Every value replaced by one of another kind, one after the other, and keys added and lost."""
    draw, plain = random.Random(1), to_plain(PCS["busy_4090"])
    assert from_plain(Hardware, plain) == PCS["busy_4090"]
    strange = [object(), {"x": 1}, [[]], "no such thing", None, 1.5]
    for _ in range(500):
        spoiled = json.loads(json.dumps(plain))
        at = spoiled
        while True:
            key = draw.choice(list(at) if isinstance(at, dict) else list(range(len(at))))
            if not isinstance(at[key], dict | list) or not at[key] or draw.random() < 0.2:
                break
            at = at[key]
        old, at[key] = at[key], draw.choice(strange)
        if type(old) is type(at[key]):  # a text for a text
            continue
        assert is_refused(spoiled)
    for spoiled in ({}, [], {**plain, "more": 1}, {"findings": []}):
        assert is_refused(spoiled)


def test_a_token_is_in_no_text_for_people() -> None:
    request = JobRequest(kind=JobKind.DOWNLOAD, options=JobOptions(token="hf_secret"))
    assert "hf_secret" not in repr(request)


def test_bytes_have_no_place() -> None:
    with pytest.raises(TypeError):
        to_plain(ImagePart(data=b"x"))
