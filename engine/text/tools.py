"""Tool calls in a model's output: `<|tool_call>call:name{city:<|"|>Oslo<|"|>,days:3}<tool_call|>`.

Keys are bare at every depth, strings stand between quote tokens. Models also write ordinary quotes
and parentheses, `call:name(city="Oslo")`; that is read too, and nothing is guessed beyond it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from engine.text.tokenizer import MARKUP, Tokenizer

QUOTE = MARKUP["quote"]
HEAD = re.compile(r"\s*call:(?P<name>[\w.-]+)\s*(?P<open>[{(])")
KEY = re.compile(r"\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s:={}()\[\],\"]+))\s*[:=]")
WORD = re.compile(r"[^,{}\[\]()\s]+")
MAX_DEPTH = 50
CLOSING = {"{": "}", "(": ")", "[": "]"}


class CallSyntaxError(ValueError):
    """The text is no tool call. The message names the place."""


def calls(tokenizer: Tokenizer, ids: Sequence[int]) -> list[tuple[str, str]]:
    """Every tool call in `ids` as (name, arguments as JSON). Raises `CallSyntaxError`.

    A call whose end is missing because the turn ended is read to the end of the turn.
    """
    special = tokenizer.special
    ends = (special.call_end, special.turn_end, special.response_start)
    found: list[tuple[str, str]] = []
    start: int | None = None
    for index, token in enumerate([*ids, special.call_end]):
        if token == special.call_start:
            start = index + 1
        elif token in ends and start is not None:
            found.append(parse(tokenizer.decode_with_markup(ids[start:index])))
            start = None
    return found


def parse(text: str) -> tuple[str, str]:
    """One call, without the tokens around it, as (name, arguments as JSON)."""
    head = HEAD.match(text)
    if head is None:
        raise CallSyntaxError(f"no 'call:name{{' at the start of {text[:40]!r}")
    arguments, end = _fields(text, head.end(), CLOSING[head["open"]], 0)
    if text[end:].strip():
        raise CallSyntaxError(f"text behind the call: {text[end : end + 40]!r}")
    return head["name"], json.dumps(arguments, ensure_ascii=False)


def _fields(text: str, at: int, closing: str, depth: int) -> tuple[dict[str, Any], int]:
    """The pairs of an object from `at` to behind its `closing`."""
    result: dict[str, Any] = {}
    at = _skip(text, at)
    while not text.startswith(closing, at):
        key = KEY.match(text, at)
        if key is None:
            raise _error(text, at, "a key")
        name = key["quoted"] or key["bare"].replace(QUOTE, "")
        result[name], at = _value(text, key.end(), depth)
        at = _behind_comma(text, at, closing)
    return result, at + 1


def _items(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    result: list[Any] = []
    at = _skip(text, at)
    while not text.startswith("]", at):
        item, at = _value(text, at, depth)
        result.append(item)
        at = _behind_comma(text, at, "]")
    return result, at + 1


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth > MAX_DEPTH:
        raise CallSyntaxError("the arguments are nested too deeply")
    at = _skip(text, at)
    if text.startswith(QUOTE, at):
        return _between(text, at + len(QUOTE), QUOTE)
    match text[at : at + 1]:
        case "{":
            return _fields(text, at + 1, "}", depth + 1)
        case "[":
            return _items(text, at + 1, depth + 1)
        case '"':
            return _json_string(text, at)
        case "'":
            return _between(text, at + 1, "'")
    return _word(text, at)


def _between(text: str, at: int, quote: str) -> tuple[str, int]:
    end = text.find(quote, at)
    if end < 0:
        raise _error(text, at, "the end of a string")
    return text[at:end], end + len(quote)


def _json_string(text: str, at: int) -> tuple[Any, int]:
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, at)
    except ValueError as error:
        raise _error(text, at, "a string") from error


def _word(text: str, at: int) -> tuple[Any, int]:
    """A number, true, false or null; any other bare word is the string it spells."""
    word = WORD.match(text, at)
    if word is None:
        raise _error(text, at, "a value")
    try:
        return json.loads(word[0], parse_constant=str), word.end()
    except ValueError:
        return word[0], word.end()


def _behind_comma(text: str, at: int, closing: str) -> int:
    at = _skip(text, at)
    if text.startswith(",", at):
        return _skip(text, at + 1)
    if not text.startswith(closing, at):
        raise _error(text, at, f"',' or '{closing}'")
    return at


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _error(text: str, at: int, wanted: str) -> CallSyntaxError:
    return CallSyntaxError(f"expected {wanted} at {text[at : at + 40]!r}")
