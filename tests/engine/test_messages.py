"""Every message is frozen, built by keywords, and survives pickling unchanged."""

from __future__ import annotations

import dataclasses
import enum
import pickle
import subprocess
import sys
import types
import typing

import pytest

from engine import messages

MESSAGES = [
    member
    for member in vars(messages).values()
    if isinstance(member, type) and dataclasses.is_dataclass(member)
]
PLAIN = {str: "text \u202e\U0001f600", int: 3, float: 0.5, bool: True, bytes: b"\x00\xff"}


def example(annotation: object) -> object:
    """A value of an annotated type, as full as it can be."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return next(iter(annotation))
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return build(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return tuple(example(each) for each in arguments if each is not Ellipsis)
    if origin in (types.UnionType, typing.Union):
        return example(arguments[0])
    raise AssertionError(f"no example for {annotation}")


def build(message: type) -> object:
    hints = typing.get_type_hints(message)
    return message(**{f.name: example(hints[f.name]) for f in dataclasses.fields(message)})


def test_the_module_has_messages():
    assert len(MESSAGES) >= 30


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.__name__)
def test_survives_pickling(message):
    original = build(message)
    assert pickle.loads(pickle.dumps(original)) == original


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.__name__)
def test_is_frozen_and_built_by_keywords(message):
    original = build(message)
    fields = dataclasses.fields(message)
    if not fields:
        return
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(original, fields[0].name, None)
    with pytest.raises(TypeError):
        message(*(getattr(original, each.name) for each in fields))


def test_every_event_names_its_request():
    events = typing.get_args(messages.Event)
    assert set(messages.TERMINAL) < set(events)
    assert all("request_id" in typing.get_type_hints(event) for event in events)


def test_a_fault_carries_its_error():
    fault = messages.EngineFault(messages.ErrorKind.PROMPT_EMPTY, "Nothing to say.", "Type a word.")
    assert fault.error.message == str(fault) == "Nothing to say."
    assert fault.error.remedy == "Type a word."


def test_needs_the_standard_library_only():
    code = (
        "import sys, engine.service; "
        "heavy = {'torch', 'numpy', 'transformers', 'tokenizers', 'PySide6', 'app'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
