"""A file's bytes as lines of text, and back to the same bytes.

In a document every line ends with a line feed. What ended it in the file is kept beside the text,
so that an untouched line is written as it was read.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

# What Qt begins a new line at. The place in this list stands for the ending in `FileText.mixed`.
ENDINGS = ("\n", "\r\n", "\r", "\u2029", "\ufdd0", "\ufdd1")
_DIGITS = {ending: str(place) for place, ending in enumerate(ENDINGS)}
_ENDING = re.compile("\r\n|[\n\r\u2029\ufdd0\ufdd1]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SLICE = 250_000  # letters that are searched at a time
CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b"))
MOST_CONTROLS = 0.01  # of the bytes; a file with more of them is no text
MATCHED_LINES = 2_000  # changed lines that are matched one by one; beyond that in their order


class NotTextError(Exception):
    """These bytes are not a text that can be shown and written back."""


@dataclass(frozen=True, kw_only=True)
class FileText:
    """A text, and what is needed to write it as it was. `text` has line feeds alone."""

    text: str = ""
    codec: str = "utf-8"
    bom: bytes = b""
    newline: str = "\n"  # of new lines
    mixed: str = ""  # a digit for each line ending, an index into ENDINGS; empty if all are alike


def decode(data: bytes) -> FileText:
    """Raises NotTextError for bytes that no encoding here gives back unchanged."""
    bom, codec = next(((bom, codec) for bom, codec in _BOMS if data.startswith(bom)), (b"", ""))
    body = data[len(bom) :]
    if not codec and _is_binary(body):
        raise NotTextError
    for each in [codec] if codec else ["utf-8", "latin-1"]:
        try:
            text = body.decode(each)
        except UnicodeDecodeError:
            continue
        found = _with_line_feeds(text, each, bom)
        if encode(found.text, found) == (data, False):
            return found
    raise NotTextError


def encode(text: str, like: FileText) -> tuple[bytes, bool]:
    """The bytes of `text` in the manner of the file it came from.

    The second value says that this was not possible: the encoding of the file lacks a letter, and
    the bytes are UTF-8.
    """
    endings = _endings_of(text, like)
    whole = _joined(text, endings) if endings else text.replace("\n", like.newline)
    try:
        return like.bom + whole.encode(like.codec), False
    except UnicodeEncodeError:
        return whole.encode("utf-8", "replace"), True


def _with_line_feeds(text: str, codec: str, bom: bytes) -> FileText:
    if not any(each[0] in text for each in ENDINGS[1:]):
        return FileText(text=text, codec=codec, bom=bom)
    endings: list[str] = []
    plain: list[str] = []
    for part in _slices(text):
        endings += _ENDING.findall(part)
        plain.append(_ENDING.sub("\n", part))
    kinds = Counter(endings)
    return FileText(
        text="".join(plain),
        codec=codec,
        bom=bom,
        newline=kinds.most_common(1)[0][0],
        mixed="".join(map(_DIGITS.__getitem__, endings)) if len(kinds) > 1 else "",
    )


def _slices(text: str) -> Iterator[str]:
    """The text in parts, never cut in an ending: a search through all of it holds every thread."""
    start = 0
    while start < len(text):
        end = start + SLICE
        end += text[end - 1 : end + 1] == "\r\n"
        yield text[start:end]
        start = end


def _is_binary(body: bytes) -> bool:
    if 0 in body:
        return True
    return len(body) - len(body.translate(None, CONTROLS)) > MOST_CONTROLS * len(body)


def _joined(text: str, endings: list[str]) -> str:
    lines = text.split("\n")
    return "".join(map("".join, zip(lines, [*endings, ""], strict=True)))


def _endings_of(text: str, like: FileText) -> list[str]:
    """What each line of `text` ends with; empty where all lines end alike.

    A line that was in the file ends as it did there; a new one as most lines do.
    """
    if not like.mixed:
        return []
    old, new = like.text.split("\n"), text.split("\n")
    known = [ENDINGS[int(digit)] for digit in like.mixed]
    made = [like.newline] * (len(new) - 1)
    for old_line, new_line in _same_places(old, new):
        if old_line < len(known) and new_line < len(made):
            made[new_line] = known[old_line]
    return made


def _same_places(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Pairs of lines that stand for each other."""
    least = min(len(old), len(new))
    head = next((i for i in range(least) if old[i] != new[i]), least)
    room = least - head
    tail = next((i for i in range(room) if old[-1 - i] != new[-1 - i]), room)
    pairs = [(i, i) for i in range(head)]
    middle, changed = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(middle), len(changed)) <= MATCHED_LINES:
        steps = SequenceMatcher(None, middle, changed, autojunk=False).get_opcodes()
    else:
        steps = [("replace", 0, len(middle), 0, len(changed))]
    for _, from_old, to_old, from_new, to_new in steps:
        count = min(to_old - from_old, to_new - from_new)
        pairs += [(head + from_old + i, head + from_new + i) for i in range(count)]
    pairs += [(len(old) - 1 - i, len(new) - 1 - i) for i in range(tail)]
    return pairs
