"""The two edits from the command line, through a file and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import edit_commands
from engine.editing.forms import has_form
from engine.messages import Schema, Strength
from engine.pipeline import Pipeline


def test_holes_say_lengths_forms_and_hints() -> None:
    marked = "a [[5]] b [[number]] c [[JSON]] d [[what]] e [[...]]f"
    text, spans = edit_commands.find_holes(marked, None)
    assert text == "a  b  c  d  e f"
    assert [span.length_hint for span in spans] == [5, None, None, None, None]
    assert [span.schema for span in spans] == [None, Schema.NUMBER, Schema.JSON, None, None]
    assert [span.hint for span in spans] == ["", "number", "JSON", "what", ""]
    assert [text[: span.start].split()[-1] for span in spans] == ["a", "b", "c", "d", "e"]


def test_a_number_is_put_into_a_file(demo: Pipeline, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("Ada has 12 apples and Ben has [[number]] pears.", encoding="utf-8")
    outcome = edit_commands.infill(demo, file, instruction="", tokens=None, alternatives=2, seed=1)
    for proposal in outcome["proposals"]:
        assert has_form(Schema.NUMBER, proposal["texts"][0])
    assert outcome["document"].startswith("Ada has 12 apples and Ben has ")
    assert outcome["document"].endswith(" pears.")


@pytest.mark.parametrize("strength", [each.value for each in Strength])
def test_a_rewrite_at_each_strength(demo: Pipeline, tmp_path: Path, strength: str) -> None:
    file = tmp_path / "note.txt"
    text = "Hi. Hey Karl, can you send me the lamp? Bye."
    file.write_text(text, encoding="utf-8")
    outcome = edit_commands.rewrite(
        demo,
        file,
        where="4:39",
        instruction="Make this more formal",
        strength=strength,
        alternatives=1,
        seed=1,
    )
    assert outcome["document"].startswith("Hi. ")
    assert outcome["document"].endswith(" Bye.")
    assert len(outcome["document"]) > len("Hi.  Bye.")
