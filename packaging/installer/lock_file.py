"""A lock file: one exact version a package, each with the hashes of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from project import normalised

_ENTRY = re.compile(r"^([A-Za-z0-9][\w.-]*)==([\w.!+-]+)(?:\s*;\s*([^\\\n]*\S))?\s*\\?$")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Entry:
    name: str  # normalised
    version: str
    hashes: tuple[str, ...]  # sorted, `sha256:` and 64 hexadecimal digits
    marker: str = ""

    def text(self) -> str:
        marker = f" ; {self.marker}" if self.marker else ""
        lines = [f"{self.name}=={self.version}{marker}"]
        lines += [f"    --hash={each}" for each in self.hashes]
        return " \\\n".join(lines) + "\n"


def parse(text: str) -> tuple[Entry, ...]:
    """The entries of a lock as uv and pip write it. Raises `ValueError` on anything else."""
    found: list[Entry] = []
    for block in re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n?", "", text)):
        if not block.strip():
            continue
        first, *rest = block.strip().splitlines()
        match = _ENTRY.match(first.strip())
        hashes = _HASH.findall("\n".join(rest))
        if match is None or len(hashes) != len(rest):
            raise ValueError(f"not an entry of a lock: {first!r}")
        found.append(
            Entry(
                name=normalised(match[1]),
                version=match[2],
                hashes=tuple(sorted(hashes)),
                marker=match[3] or "",
            )
        )
    return tuple(found)


def write(entries: Iterable[Entry], comment: str) -> str:
    """The lock's text: sorted, so that equal entries give equal bytes."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + "".join(each.text() for each in sorted(entries, key=lambda each: each.name))
