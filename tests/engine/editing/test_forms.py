"""The forms of a gap's text: what has them, and that a model keeps to them."""

from __future__ import annotations

import datetime
import json
import random

import pytest

from engine.editing.forms import has_form, may_hold
from engine.messages import Proposal, Schema, Span
from engine.pipeline import Pipeline
from tests.engine.editing import fuzz
from tests.engine.editing.test_edit import QUICK, ask, of, outcome


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (
            Schema.NUMBER,
            ["7", "-3", "+3.50", "5,607", "1.234,5", "12 %", " 9 "],
            ["", "seven", "1.", ".5", "1 2", "3-4", "12px", "1e9", "\u0663"],
        ),
        (
            Schema.DATE,
            ["2026-11-21", "21.11.2026", "21/11/2026", "11/21/2026", "29.2.2024"],
            ["2026-13-01", "30.2.2024", "21.11/2026", "11.21.2026", "2026", "21.11.26", "today"],
        ),
        (Schema.LINE, ["one", " a line "], ["", "  ", "two\nlines", "a\u2028b", "a\x0bb"]),
        (
            Schema.LIST,
            ["- one", "- one\n- two", "* a\n\n* b", "1. a\n2) b", "  \u2022 deep"],
            ["", "one", "- one\ntwo", "-one", "- \n- b"],
        ),
        (
            Schema.JSON,
            ["{}", '{"a": [1, null]}', '"x"', "3", "[]\n"],
            ["", "{", "{'a': 1}", "NaN", "[Infinity]", "[1,]", "[" * 100_000],
        ),
    ],
    ids=lambda each: each.value if isinstance(each, Schema) else "",
)
def test_what_has_a_form(schema: Schema, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not has_form(schema, text)] == []
    assert [text for text in wrong if has_form(schema, text)] == []


def test_values_of_other_libraries_have_their_form() -> None:
    rng = random.Random(4)
    for _ in range(300):
        day = datetime.date(1, 1, 1) + datetime.timedelta(days=rng.randrange(3_000_000))
        number = rng.uniform(-1e9, 1e9)
        assert has_form(Schema.DATE, day.isoformat())
        assert has_form(Schema.NUMBER, f"{number:,.2f}")
        text = fuzz.document(rng, 6)
        assert has_form(Schema.JSON, json.dumps({text: [text, number]}))
        assert has_form(Schema.LINE, text) == (len(text.strip().splitlines()) == 1)


def test_a_text_of_the_form_is_never_barred_by_its_pieces() -> None:
    """However it may be cut into tokens."""
    rng = random.Random(5)
    whole = [
        (Schema.NUMBER, "-1,234.50"), (Schema.DATE, "21.11.2026"), (Schema.DATE, "2026-11-21"),
        (Schema.LINE, "a line, w\u00efth\tall"), (Schema.LIST, "- a\n- b"), (Schema.JSON, '{"a": 1}'),
    ]  # fmt: skip
    for schema, text in whole * 30:
        start = rng.randrange(len(text))
        assert may_hold(schema, text[start : rng.randrange(start, len(text)) + 1])


@pytest.mark.parametrize("schema", list(Schema))
def test_whatever_a_model_writes_has_the_form_or_is_not_proposed(
    random_model: Pipeline, schema: Schema
) -> None:
    """A random model writes anything: only forms that ids decide come out every time."""
    text, made = "There are  boats in it.", 0
    at = text.index("  boats") + 1
    for seed in range(4):
        span = Span(start=at, end=at, schema=schema, length_hint=1 + seed % 2)
        events = outcome(random_model, ask(text, span, seed=seed, sampling=QUICK))
        for proposal in of(events or [], Proposal):
            made += 1
            assert has_form(schema, proposal.texts[0])
    if schema in (Schema.NUMBER, Schema.LINE):
        assert made


def test_the_demo_model_puts_a_number_where_one_is_asked_for(demo: Pipeline) -> None:
    text = "Ada has 12 apples and Ben has  pears."
    at = text.index("  pears") + 1
    span = Span(start=at, end=at, schema=Schema.NUMBER)
    (proposal,) = of(outcome(demo, ask(text, span)) or [], Proposal)
    assert proposal.texts[0].strip("+-.,% ").replace(",", "").replace(".", "").isdecimal()
