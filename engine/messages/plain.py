"""Messages as JSON and back, for what crosses from one process to another."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

Message = TypeVar("Message")


def to_plain(value: Any) -> Any:
    """A message as values that JSON knows. Bytes have no place there and raise TypeError."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [to_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def from_plain(kind: type[Message], data: Any) -> Message:
    """The message of that kind again. Raises ValueError for what is none."""
    return typing.cast("Message", _read(kind, data))


def _read(kind: Any, data: Any) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_dataclass(kind, data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(data, list):
        if arguments[1:] == (Ellipsis,):
            return tuple(_read(arguments[0], each) for each in data)
        return tuple(_read(each, value) for each, value in zip(arguments, data, strict=True))
    if origin in (types.UnionType, typing.Union):
        if data is None and type(None) in arguments:
            return None
        return _read(next(each for each in arguments if each is not type(None)), data)
    if kind is float and type(data) is int:
        return float(data)
    if isinstance(kind, type) and type(data) is kind:
        return data
    raise ValueError(f"{data!r:.80} is no {kind}")


def _read_dataclass(kind: type, data: Any) -> Any:
    hints = typing.get_type_hints(kind)
    if not isinstance(data, dict) or not data.keys() <= hints.keys():
        raise ValueError(f"{data!r:.80} is no {kind.__name__}")
    try:
        return kind(**{name: _read(hints[name], value) for name, value in data.items()})
    except TypeError as fault:  # a field is missing
        raise ValueError(str(fault)) from fault
