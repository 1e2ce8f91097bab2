"""What Redraft is made of and under which licences, read from what is installed."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from app.paths import ASSETS

# What Redraft asks for itself, for a copy that runs from a folder and was never installed.
ROOTS = (
    "torch",
    "numpy",
    "tokenizers",
    "jinja2",
    "safetensors",
    "transformers",
    "huggingface-hub",
    "httpx2",
    "PySide6-Essentials",
    "markdown-it-py",
    "Pygments",
    "platformdirs",
    "pillow",
    "psutil",
    "cryptography",
)
LGPL_PARTS = ("pyside6-essentials", "shiboken6")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_TEXT_FILE = re.compile(r"(licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    version: str
    licence: str  # in a few words
    text: str  # in full, as far as the package brings it


def version() -> str:
    """Redraft's own; "development" where it runs from a folder."""
    try:
        return metadata.version("redraft")
    except metadata.PackageNotFoundError:
        return "development"


def parts(folder: Path = ASSETS / "licences") -> tuple[Part, ...]:
    """Redraft, Python and every package they need, by name. Reads many small files: blocks."""
    ours = Part(
        name="Redraft",
        version=version(),
        licence="Apache-2.0",
        text=_read(folder / "Apache-2.0.txt"),
    )
    python = Part(
        name="Python",
        version=platform.python_version(),
        licence="PSF-2.0",
        text=_python_licence(),
    )
    found = [_part(each, folder) for each in _distributions()]
    return (ours, *sorted([python, *found], key=lambda part: part.name.casefold()))


def _distributions() -> Iterator[metadata.Distribution]:
    """The packages Redraft needs and those they need in turn, as far as they are installed."""
    waiting = list(ROOTS)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        key = _key(name)
        if key in seen:
            continue
        seen.add(key)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or bound to a part that was left out
        yield found
        for needed in found.requires or ():
            match = _NAME.match(needed)
            if match and "extra ==" not in needed.replace("extra==", "extra =="):
                waiting.append(match.group())


def _part(found: metadata.Distribution, folder: Path) -> Part:
    name = found.metadata["Name"]
    texts = [
        each.read_text(encoding="utf-8")
        for each in found.files or ()
        if _TEXT_FILE.search(str(each)) and ".dist-info" in str(each) and _is_there(each)
    ]
    if _key(name) in LGPL_PARTS:
        files = ("Qt.txt", "LGPL-3.0.txt", "GPL-3.0.txt")
        texts = [_read(folder / file) for file in files]
    return Part(
        name=name,
        version=found.version,
        licence="LGPL-3.0" if _key(name) in LGPL_PARTS else _licence(found),
        text="\n\n".join(texts),
    )


def _licence(found: metadata.Distribution) -> str:
    """As the package says it: an expression, a classifier, or the first line of a text."""
    about = found.metadata
    if expressions := about.get_all("License-Expression"):
        return str(expressions[0])
    kinds = [
        value.split(" :: ")[-1]
        for value in about.get_all("Classifier") or ()
        if value.startswith("License ::")
    ]
    if kinds:
        return ", ".join(kinds)
    words = about.get_all("License") or [""]
    return str(words[0]).strip().split("\n")[0][:80]


def _python_licence() -> str:
    places = (Path(sys.base_prefix), Path(metadata.__file__).parent.parent)
    for place in places:
        for name in ("LICENSE.txt", "LICENSE"):
            if text := _read(place / name):
                return text
    return "https://docs.python.org/3/license.html"


def _is_there(file: metadata.PackagePath) -> bool:
    return Path(str(file.locate())).is_file()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
