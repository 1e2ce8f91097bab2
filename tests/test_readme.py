"""The README's tree is the project's, and what it links to exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def paths_in_the_tree() -> set[str]:
    """The tree's lines as paths; two spaces of indent are one folder."""
    block = re.search(r"```\n(app/.*?)```", README, re.DOTALL)
    assert block is not None
    found: set[str] = set()
    folders: list[str] = []
    for line in block[1].splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name.rstrip("/")]
        found.add("/".join(folders))
    return found


def test_every_path_in_the_tree_exists() -> None:
    assert not sorted(path for path in paths_in_the_tree() if not (ROOT / path).exists())


def test_every_source_file_is_in_the_tree() -> None:
    files = {
        str(path.relative_to(ROOT).as_posix())
        for folder in ("app", "engine", "packaging")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py"
    }
    assert not sorted(files - paths_in_the_tree())


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:app|engine|tests|assets|packaging)/[\w./]*)`", README))
    assert named
    assert not sorted(name for name in named if not (ROOT / name).exists())
