"""What is said before the window is there, in the language of the session."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging import linux_rig

PACKAGING = linux_rig.ROOT / "packaging"
SOURCES = ("linux/launch.py", "bootstrap_qt.py", "bootstrap_system.py")
SAYING = ("SetupError", "progress", "translated")  # called with a sentence
GIVING = ("explanation", "in_plain_words")  # return one
OF_WINDOWS = "Microsoft"


def sentences() -> Iterator[str]:
    """All that can be said, with something filled in."""
    why = importlib.import_module("bootstrap_qt").WHY
    for name in SOURCES:
        for node in ast.walk(ast.parse((PACKAGING / name).read_text("utf-8"))):
            found: list[ast.expr] = []
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
                found = node.args[:1]
            elif isinstance(node, ast.FunctionDef) and node.name in GIVING:
                returned = [each for each in ast.walk(node) if isinstance(each, ast.Return)]
                found = [each.value for each in returned if each.value is not None]
            for expression in found:
                text = "".join(filled(expression, why))
                if text and OF_WINDOWS not in text:
                    yield text


def filled(expression: ast.expr, why: str) -> Iterator[str]:
    if isinstance(expression, ast.Constant):
        yield expression.value
    for number, part in enumerate(getattr(expression, "values", ())):
        if isinstance(part, ast.Constant):
            yield part.value
        else:
            yield why if ast.unparse(part.value) == "why" else f"<{number}>"


@pytest.fixture
def words():
    return importlib.import_module("launch_words")


def test_every_sentence_has_a_translation_and_none_is_left_over(words, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    said = set(sentences())
    assert len(said) > 10  # the walk finds something
    for text in said:
        german = words.translated(text)
        assert german != text, "not translated"
        values = [each for each in re.findall(r"<\d+>", text) if f".{each}" not in text]
        assert [each for each in values if each not in german] == []
    assert len(words.GERMAN) == len(said), "nobody says this any more"


@pytest.mark.parametrize(
    ("variables", "is_german"),
    [
        ({"LANG": "de_AT.UTF-8"}, True),
        ({"LANG": "C.UTF-8", "LC_MESSAGES": "de_DE.UTF-8"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, False),
        ({"LANG": ""}, False),
    ],
)
def test_the_script_and_the_launcher_speak_one_language(tmp_path: Path, variables, is_german):
    program = linux_rig.program(tmp_path / "program")
    (program / "uv").unlink()
    home = tmp_path / "home"
    home.mkdir()
    done = linux_rig.start(program, home, **variables)
    assert ("ist beschädigt. Installiere Redraft noch einmal." in done.stderr) is is_german
    header = (PACKAGING / "linux" / "run_header.sh").read_text("utf-8").replace("@LINES@", "1")
    (tmp_path / "it.run").write_text(header, encoding="utf-8")
    done = subprocess.run(
        ["sh", tmp_path / "it.run"],
        env=linux_rig.variables(home, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("Diese Datei ist beschädigt." in done.stderr) is is_german


def test_sizes_are_written_as_the_language_does(words, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de")
    text = (
        "Redraft needs 0.7 GB in /home/a.b, and 0.1 GB are free. Free some space, then start again."
    )
    assert words.translated(text).startswith(
        "Redraft braucht 0,7 GB in /home/a.b, und 0,1 GB sind frei."
    )
