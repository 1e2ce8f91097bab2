"""What `pyproject.toml` says about Redraft, and which of its needs make a window."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class BuildError(Exception):
    """Why there is no installer: plain sentences for who builds it."""


@dataclass(frozen=True, kw_only=True)
class Updates:
    """Where installed copies look for newer ones, and whose signatures they believe."""

    url: str
    keys: tuple[str, ...]  # public ones, ed25519, in base64


@dataclass(frozen=True, kw_only=True)
class Project:
    name: str
    version: str
    description: str
    licence: str  # an SPDX expression
    requires_python: str
    gui: tuple[str, ...]  # requirements that come along with an installer
    engine: tuple[str, ...]  # requirements that the app installs by itself, see app/state/setup
    updates: Updates | None = None  # none: what is built does not look for updates


def read_project(root: Path = ROOT, updates: Updates | None = None) -> Project:
    """Raises `BuildError` if the engine's layer names what is not a dependency.

    `updates` go before those of the file.
    """
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    about = table["project"]
    named = {normalised(name) for name in table["tool"]["redraft"]["engine-layer"]}
    needed = {normalised(name_of(each)): each for each in about["dependencies"]}
    if strangers := named - needed.keys():
        raise BuildError(f"no dependencies, but in engine-layer: {', '.join(sorted(strangers))}")
    named_feed = table["tool"]["redraft"].get("updates")
    if updates is None and named_feed:
        updates = Updates(url=named_feed["url"], keys=tuple(named_feed["keys"]))
    return Project(
        name=about["name"],
        version=about["version"],
        description=about["description"],
        licence=about["license"],
        requires_python=about["requires-python"],
        gui=tuple(each for name, each in needed.items() if name not in named),
        engine=tuple(each for name, each in needed.items() if name in named),
        updates=updates,
    )


def name_of(requirement: str) -> str:
    """The name in a requirement such as `PySide6-Essentials>=6.8,<6.12`."""
    match = re.match(r"[A-Za-z0-9][\w.-]*", requirement)
    if match is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    return match.group()


def normalised(name: str) -> str:
    """A package's name as indexes and locks spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()
