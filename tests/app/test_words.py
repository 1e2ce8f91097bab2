"""Everything Redraft says is in every catalogue, and nothing else is.

`python -m tests.app.test_words` prints what is missing and what nobody says any more.
"""

from __future__ import annotations

import ast
import json
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.paths import ASSETS
from app.words import LANGUAGES, Words, load_words
from engine.config import load_config
from engine.messages import EngineFault
from engine.service import NOTHING_LOADED

PROJECT = ASSETS.parent
FOLDER = ASSETS / "languages"
FOREIGN = [language for language in LANGUAGES if language != "en"]
ENGINE_TEXTS = {
    "EngineFault": (1, 2),
    "EngineError": ("message", "remedy"),
    "WayOut": ("words",),
    "Choice": ("why", "remedy"),
    "Finding": ("value", "meaning", "remedy"),
    "ModelEntry": ("note",),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(folder: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((PROJECT / folder).rglob("*.py")):
        if path != PROJECT / "app" / "words.py":
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def app_keys() -> tuple[set[str], list[str]]:
    """The keys of every tr() and plural(), and the places of those that are no literals."""
    keys, wrong = set(), []
    for path, tree in sources("app"):
        for node in ast.walk(tree):
            count = {"tr": 1, "plural": 2}.get(called(node), 0)
            if not count:
                continue
            texts = [each.value for each in node.args[:count] if isinstance(each, ast.Constant)]
            if len(texts) == count and all(isinstance(text, str) for text in texts):
                keys.add("|".join(texts))
            else:
                wrong.append(f"{path.relative_to(PROJECT)}:{node.lineno}")
    return keys, wrong


def template(node: ast.expr) -> str | None:
    """A literal as it is, an f-string with a number for each field; fields side by side are one."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    text, count, was_field = "", 0, False
    for part in node.values:
        is_field = isinstance(part, ast.FormattedValue)
        if not is_field:
            text += part.value
        elif not was_field:
            text += f"{{{count}}}"
            count += 1
        was_field = is_field
    return text


def fields(node: ast.expr) -> Iterator[str]:
    """The names that an expression shows as they are."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from fields(part.value)


def said(call: ast.Call) -> Iterator[ast.expr]:
    """The message and the remedy of a call that builds an error."""
    for place in ENGINE_TEXTS[called(call)]:
        if isinstance(place, int) and place < len(call.args):
            yield call.args[place]
        yield from (each.value for each in call.keywords if each.arg == place)


def engine_keys() -> set[str]:
    """What the engine can tell the user: its errors, the phrases they are built of, its stages."""
    keys: set[str | None] = set()
    trees = [tree for _, tree in sources("engine")]
    everywhere = [node for tree in trees for node in ast.walk(tree) if called(node)]
    for tree in trees:
        keys |= set(values_found(tree))
        calls = [node for node in ast.walk(tree) if called(node)]
        keys |= {template(call.args[0]) for call in calls if called(call) == "report" and call.args}
        keys |= {
            template(text) for call in calls if called(call) in ENGINE_TEXTS for text in said(call)
        }
        for function in ast.walk(tree):
            if isinstance(function, Function):
                is_private = function.name.startswith("_")
                keys |= set(handed_in(function, calls if is_private else everywhere))
    keys |= {model["note"] for model in models_on_offer()}
    # a name out of a configuration file is no language
    return {key for key in keys if key and re.search(r"[A-Za-z]{2}", key) and not is_code(key)}


def models_on_offer() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((ASSETS / "catalogue.json").read_text("utf-8"))[
        "models"
    ]
    return found


def values_found(tree: ast.Module) -> Iterator[str | None]:
    """What the check-up of a PC has found: made before it is handed to what builds a finding."""
    builds_findings = any(called(node) == "Finding" for node in ast.walk(tree))
    for node in ast.walk(tree) if builds_findings else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "value":
            yield template(node.value)


def handed_in(function: Function, calls: list[ast.Call]) -> Iterator[str | None]:
    """What a helper that builds errors is called with, where it shows that."""
    names = [argument.arg for argument in function.args.args]
    shown = {
        name
        for node in ast.walk(function)
        if called(node) in ENGINE_TEXTS
        for text in said(node)
        for name in fields(text)
    }
    for call in calls:
        if called(call) == function.name:
            yield from (
                template(value)
                for name, value in zip(names, call.args, strict=False)
                if name in shown
            )


def is_code(key: str) -> bool:
    return (" " not in re.sub(r" = \{\d+\}$", "", key) and "." in key) or (
        "_" in key and " " not in key
    )


def keys() -> set[str]:
    return app_keys()[0] | engine_keys()


def catalogue(language: str) -> dict[str, str]:
    return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_every_text_is_a_literal():
    found, wrong = app_keys()
    assert len(found) > 100  # the walk finds something
    assert not wrong, "tr() and plural() take literal texts only"


def test_the_walk_finds_what_the_engine_says():
    found = engine_keys()
    assert "The model folder has no {0}." in found  # an f-string
    assert "Download the model again." in found  # a remedy
    assert "This model cannot see images." in found  # handed to a helper
    assert NOTHING_LOADED.message in found  # a keyword
    assert "weights" in found  # a stage of loading


@pytest.mark.parametrize("language", FOREIGN)
def test_a_catalogue_has_every_text_and_no_other(language: str):
    there = set(catalogue(language))
    assert not keys() - there, "not translated"
    assert not there - keys(), "nobody says this any more"


@pytest.mark.parametrize("language", FOREIGN)
def test_translations_fill_in_the_same_things(language: str):
    for key, text in catalogue(language).items():
        assert text.strip(), key
        assert key.count("|") == text.count("|"), key
        pairs = zip(key.split("|"), text.split("|"), strict=True)
        if "|" in key:
            assert {"count"} <= set(placeholders(text.split("|")[1])), key
        for one, other in pairs:
            assert set(placeholders(one)) == set(placeholders(other)), key


@pytest.mark.parametrize("language", FOREIGN)
def test_translations_keep_the_spaces_around(language: str):
    for key, text in catalogue(language).items():
        assert (key[:1].isspace(), key[-1:].isspace()) == (text[:1].isspace(), text[-1:].isspace())


def test_an_error_of_the_engine_is_shown_in_german(tmp_path: Path):
    with pytest.raises(EngineFault) as caught:
        load_config(tmp_path)
    german = load_words("de")
    error = caught.value.error
    assert "config.json" in german.tr_engine(error.message)
    for text in (error.message, error.remedy, NOTHING_LOADED.message, NOTHING_LOADED.remedy):
        assert german.tr_engine(text) != text


def test_an_error_inside_another_is_translated_too():
    words = Words({"It failed. {0}": "Fehler. {0}", "No {0} here.": "{0} fehlt hier."})
    assert words.tr_engine("It failed. No file {x} here.") == "Fehler. file {x} fehlt hier."
    assert words.tr_engine("Something else {0}") == "Something else {0}"


def test_the_more_telling_template_wins():
    words = Words({"{0} is bad": "a", "The file {0} is bad": "b"})
    assert words.tr_engine("The file x is bad") == "b"
    assert words.tr_engine("x is bad") == "a"


def test_english_is_said_as_it_is_written():
    words = load_words("en")
    assert words.tr("Stop") == words.tr_engine("Stop") == "Stop"
    assert words.plural("{count} step", "{count} steps", 1) == "1 step"
    assert words.plural("{count} step", "{count} steps", 0) == "0 steps"


def test_numbers_are_written_as_the_language_does():
    english, german = load_words("en"), load_words("de")
    assert english.number(1_234_567) == "1,234,567"
    assert german.number(1_234_567) == "1.234.567"
    assert [words.number(1234.56, 1) for words in (english, german)] == ["1,234.6", "1.234,6"]
    assert german.number(0.5, 2) == "0,50"


def test_a_language_without_a_file_is_english(tmp_path: Path):
    assert load_words("de", tmp_path).tr("Close") == "Close"
    (tmp_path / "de.json").write_text("{", encoding="utf-8")
    assert load_words("de", tmp_path).tr("Close") == "Close"


if __name__ == "__main__":
    for each in FOREIGN:
        path = FOLDER / f"{each}.json"
        known = set(catalogue(each)) if path.exists() else set()
        missing = {"missing": sorted(keys() - known), "stale": sorted(known - keys())}
        sys.stdout.write(json.dumps({each: missing}, indent=1, ensure_ascii=False) + "\n")
