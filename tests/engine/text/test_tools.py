from __future__ import annotations

import json

import pytest

from engine.text.tokenizer import Tokenizer
from engine.text.tools import CallSyntaxError, calls, parse

Q = '<|"|>'


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("call:f{}", {}),
        (f"call:f{{city:{Q}Oslo{Q},days:3}}", {"city": "Oslo", "days": 3}),
        (f"call:f{{a:true,b:[1,{Q}x{Q},null],c:{{d:-1.5}}}}", {"a": True, "b": [1, "x", None], "c": {"d": -1.5}}),
        (f"call:f{{code:{Q}if (a) {{ b, c }}{Q}}}", {"code": "if (a) { b, c }"}),
        (f"call:f{{text:{Q}she said \"no\"\nand left{Q}}}", {"text": 'she said "no"\nand left'}),
        ('call:f(city="Oslo", days=3)', {"city": "Oslo", "days": 3}),
        ("call:f(city='Oslo')", {"city": "Oslo"}),
        ('call:f{"city": "Oslo", "deep": {"a": [1, 2]}}', {"city": "Oslo", "deep": {"a": [1, 2]}}),
        ("call:f{unit:celsius}", {"unit": "celsius"}),
        (" call:f { a : 1 } ", {"a": 1}),
        ("call:f{a:NaN}", {"a": "NaN"}),
        ("call:f()", {}),
    ],
)  # fmt: skip
def test_calls_are_read(text: str, arguments: dict[str, object]) -> None:
    name, found = parse(text)
    assert name == "f"
    assert json.loads(found) == arguments


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f{}",
        "call:{}",
        "call:f",
        "call:f{a}",
        "call:f{a:}",
        "call:f{a:1",
        "call:f{a:1)",
        "call:f{a:1}{b:2}",
        "call:f{a:1 b:2}",
        f"call:f{{a:{Q}open}}",
        'call:f{a:"open}',
        "call:f{a:[1,2}",
        "call:f{a:" + "[" * 5000 + "}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CallSyntaxError):
        parse(text)


def test_calls_are_found_in_ids(tokenizer: Tokenizer) -> None:
    special = tokenizer.special
    one = [
        special.call_start,
        *tokenizer.encode("call:f{city:"),
        special.quote,
        *tokenizer.encode("Troms\u00f8"),
        special.quote,
        *tokenizer.encode("}"),
    ]
    ids = [*tokenizer.encode("Wait."), *one, special.call_end, *one, special.response_start]
    expected = ("f", '{"city": "Troms\u00f8"}')
    assert calls(tokenizer, ids) == [expected, expected]
    assert calls(tokenizer, one) == [expected]
    assert calls(tokenizer, tokenizer.encode("call:f{}")) == []
