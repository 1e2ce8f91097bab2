"""Names that come from the network become paths inside of one folder, or are refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from engine.checkpoint.durable import NOTE, PART
from engine.messages import EngineFault, ErrorKind

BLOCKS = ".blocks"  # the ending of the journal of a file that is not finished
LOCK = "download.lock"
LOCKS = (LOCK, "prepare.lock")  # of whoever writes in a folder
OTHER = "other-way.tmp"  # a folder; see engine.store.other_way
RECORD = "download.json"  # written last: what a complete folder holds

# What Windows cannot have in a name; a name is refused on every system alike.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]|[. ]$|^ ')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.I)
_LONGEST = 180  # UTF-8 bytes of one name, with room for our own endings


def paths_in(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Where each file goes. Raises EngineFault for a name that may not be one of ours.

    names: as the hub spells them, with "/" between folders.
    """
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for name in names:
        same = unicodedata.normalize("NFC", name).casefold()  # one file on Windows and macOS
        if not _is_safe(name) or same in seen:
            raise _refused(name)
        seen.add(same)
        found[name] = folder.joinpath(*name.split("/"))
    if any(parent in seen for same in seen for parent in _parents(same)):
        raise _refused(next(iter(found)))
    return found


def part_of(path: Path) -> Path:
    return path.with_name(path.name + PART)


def blocks_of(path: Path) -> Path:
    return path.with_name(path.name + BLOCKS)


def _is_safe(name: str) -> bool:
    if any(unicodedata.category(each) == "Cs" for each in name):  # no UTF-8, so no name
        return False
    pieces = name.split("/")
    if pieces[0].casefold() in (LOCK, RECORD, NOTE, OTHER) or name.casefold().endswith(
        (PART, BLOCKS)
    ):
        return False
    return all(
        piece not in ("", ".", "..")
        and not _FORBIDDEN.search(piece)
        and not _DEVICES.fullmatch(piece)
        and len(piece.encode()) <= _LONGEST
        for piece in pieces
    )


def _parents(name: str) -> Iterable[str]:
    pieces = name.split("/")
    return ("/".join(pieces[:count]) for count in range(1, len(pieces)))


def _refused(name: str) -> EngineFault:
    return EngineFault(
        ErrorKind.BAD_REQUEST,
        "This model has a file whose name is not safe on this PC.",
        "Choose another model.",
        ascii(name),
    )
