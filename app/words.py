"""What the app says, in the user's language.

The English text is the key: `tr("Stop")`, `tr("Canvas {number}", number=3)`. A language is one JSON
file in `assets/languages`; a text that it lacks is shown in English. Chosen once, at the start.

The engine speaks English and knows no languages. Its sentences are in the same file, with numbers
where it fills something in: "The model folder has no {0}."; `tr_engine` finds them again.
"""

from __future__ import annotations

import json
import logging
import re
from functools import cached_property
from pathlib import Path

from app.paths import ASSETS

log = logging.getLogger(__name__)

LANGUAGES = {"en": "English", "de": "Deutsch"}  # what people call their own language
_MARKS = {"de": ".,"}  # between thousands, before decimals; English where nothing is said
_NUMBERED = re.compile(r"\{\d+\}")


class Words:
    """One language. `plural` keys hold both forms, joined by a bar: "{count} step|{count} steps"."""

    def __init__(self, texts: dict[str, str] | None = None, marks: str = ",.") -> None:
        self._texts = texts or {}
        self._marks = str.maketrans(",.", marks)

    def tr(self, text: str, **values: object) -> str:
        found = self._texts.get(text, text)
        return found.format(**values) if values else found

    def plural(self, one: str, many: str, count: int, **values: object) -> str:
        forms = self._texts.get(f"{one}|{many}", f"{one}|{many}").split("|")
        return forms[0 if count == 1 else 1].format(count=count, **values)

    def number(self, value: float, decimals: int = 0) -> str:
        return f"{value:,.{decimals}f}".translate(self._marks)

    def tr_engine(self, text: str) -> str:
        if text in self._texts:
            return self._texts[text]
        for pattern, translated in self._templates:
            if found := pattern.fullmatch(text):
                return translated.format(*(self.tr_engine(part) for part in found.groups()))
        return text

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        """The engine's sentences with something in them, those with the most words first."""
        keys = [key for key in self._texts if _NUMBERED.search(key)]
        keys.sort(key=lambda key: len(_NUMBERED.sub("", key)), reverse=True)
        return [(_pattern(key), self._texts[key]) for key in keys]


def _pattern(key: str) -> re.Pattern[str]:
    words = [re.escape(part) for part in _NUMBERED.split(key)]
    return re.compile("(.*?)".join(words), re.DOTALL)


def load_words(language: str, folder: Path = ASSETS / "languages") -> Words:
    """The words of a language; English where its file is missing or cannot be read."""
    if language == "en":
        return Words()
    try:
        texts = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
        return Words(texts, _MARKS.get(language, ",."))
    except (OSError, ValueError):
        log.exception("no words for language %r", language)
        return Words()


_chosen = Words()


def choose_language(language: str) -> None:
    """Before the first widget is built: widgets do not change their words later."""
    global _chosen  # noqa: PLW0603  (the one language of this process)
    _chosen = load_words(language)


def tr(text: str, **values: object) -> str:
    """`text` in the chosen language, `{name}` filled from `values`."""
    return _chosen.tr(text, **values)


def plural(one: str, many: str, count: int, **values: object) -> str:
    """`one` or `many` with `{count}`, as the chosen language counts."""
    return _chosen.plural(one, many, count, **values)


def number(value: float, decimals: int = 0) -> str:
    """A number as the chosen language writes it: 1,234.5 or 1.234,5."""
    return _chosen.number(value, decimals)


def tr_engine(text: str) -> str:
    """A sentence of the engine (an error's message or remedy, a stage of loading) in the chosen
    language; as it is where nobody has translated it.
    """
    return _chosen.tr_engine(text)
