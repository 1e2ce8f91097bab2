"""What a gap of the editor asks of the engine."""

from __future__ import annotations

import pytest

from app.state.editor.gaps import Length, find_gaps
from app.state.editor.order import schema_of
from engine.messages import Schema


def test_lengths_are_ranges_that_follow_each_other() -> None:
    ranges = [length.tokens for length in (Length.SHORT, Length.MEDIUM, Length.LONG)]
    assert Length.AUTO.tokens is None
    assert ranges[0] is not None
    assert ranges[0][0] == 1
    for low, high in filter(None, ranges):
        assert low < high
    assert [each[1] for each in ranges[:2] if each] == [each[0] for each in ranges[1:] if each]


@pytest.mark.parametrize(
    ("mark", "schema"),
    [
        ("[[number]]", Schema.NUMBER),
        ("[[ Date ]]", Schema.DATE),
        ("[[LIST]]", Schema.LIST),
        ("[[line]]", Schema.LINE),
        ("[[json]]", Schema.JSON),
        ("[[a number of boats]]", None),
        ("[[...]]", None),
        ("____", None),
    ],
)
def test_a_hint_of_one_word_may_name_a_form(mark: str, schema: Schema | None) -> None:
    (gap,) = find_gaps(mark)
    assert schema_of(gap.hint) is schema
