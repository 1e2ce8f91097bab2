"""A file that a newer version of Redraft has changed, met by an older one that somebody went back to.

The older version takes the copy from before the change and goes on with it. The newer file is set
aside, and brought in by the next version that can read it: what was written since is not lost.
"""

from __future__ import annotations

from pathlib import Path

from app.state.history.copies import copy_of, version_in
from app.state.history.faults import in_plain_words
from app.state.history.salvage import salvaged_of, take_place
from app.state.history.schema import newest
from app.words import tr

ASIDE = "newer"


def chats_as_they_were(path: Path) -> str:
    """`take_copy` for the history: one sentence about it, or "" where there is no copy.

    Raises HistoryError.
    """
    with in_plain_words(path):
        if not take_copy(path, newest()):
            return ""
    return tr(
        "Your chats are as they were before the newer version of Redraft. What was written in that "
        "one is kept, and is there again with the next update."
    )


def take_copy(path: Path, number: int) -> bool:
    """Puts the copy that tables of version `number` can read in the place of the file.

    False where there is none. Raises OSError. After a kill in between it is called again.
    """
    copy = copy_of(path, number)
    if not copy.is_file():
        copy = salvaged_of(path)
    if not copy.is_file():
        return False
    take_place(copy, path, ASIDE)
    return True


def set_aside_earlier(path: Path, number: int) -> list[Path]:
    """The files that were set aside and can be read by tables of version `number`, oldest first."""
    pattern = f"{path.stem}.{ASIDE}-*{path.suffix}"
    found = [each for each in sorted(path.parent.glob(pattern)) if ".imported-" not in each.name]
    return [
        each for each in found if ".unreadable-" not in each.name and version_in(each) <= number
    ]
