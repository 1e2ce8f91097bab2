"""What may be wrong where new text meets old, and with new text as a whole."""

from __future__ import annotations

import re
from collections import Counter

from engine.editing.borders import is_word
from engine.messages import Check, CheckKind

NEAR = 240  # characters on each side that are looked at
SHORTEST = 3  # characters other than blanks that make a repetition
MUCH = 20_000  # characters; the brackets of a longer original are not counted
PLAIN = 6  # so many make one even if a word is cut

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|[\w.+-]+@[\w-]+\.[\w.]+")
_QUOTED = re.compile(
    r"\"[^\"\n]{2,}\"|\u201c[^\u201d\n]{2,}\u201d|\u201e[^\u201c\n]{2,}\u201c|`[^`\n]+`"
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


def overlap_behind(new: str, after: str) -> int:
    """How many characters at the end of `new` are said once more at the beginning of `after`.

    Blanks between the two count as one. 0 where the repetition is too short to be one.
    """
    head = after[:NEAR].lstrip()
    if not head:
        return 0
    for start in range(max(0, len(new) - NEAR), len(new)):
        repeated = new[start:].strip()
        if _weight(repeated) < SHORTEST:
            break
        is_plain = _is_edge(head, len(repeated)) or _weight(repeated) >= PLAIN
        if head.startswith(repeated) and _is_edge(new, start) and is_plain:
            return len(new) - start
    return 0


def overlap_before(before: str, new: str) -> int:
    """How many characters at the beginning of `new` stand at the end of `before` already."""
    tail = before[-NEAR:].rstrip()
    if not tail:
        return 0
    for end in range(min(len(new), NEAR), 0, -1):
        repeated = new[:end].strip()
        if _weight(repeated) < SHORTEST:
            break
        is_plain = _is_edge(tail, len(tail) - len(repeated)) or _weight(repeated) >= PLAIN
        if tail.endswith(repeated) and _is_edge(new, end) and is_plain:
            return end
    return 0


def seam_checks(before: str, new: str, after: str, span: int, original: str = "") -> list[Check]:
    """What is wrong at the two borders of one span.

    `original` is what stood there: what it did itself, the new text may do as well.
    """
    found: list[Check] = []
    if count := overlap_behind(new, after):
        found.append(_check(CheckKind.REPEATS_AFTER, span, new[-count:].strip()))
    if count := overlap_before(before, new):
        found.append(_check(CheckKind.REPEATS_BEFORE, span, new[:count].strip()))
    joins = ((before, original or after), (original or before, after))
    for (left, right), (old_left, old_right) in zip(
        ((before, new), (new, after)), joins, strict=True
    ):
        kind = _cut(left, right)
        if kind is not None and _cut(old_left, old_right) is None:
            found.append(_check(kind, span, f"{_last_word(left)}|{_first_word(right)}"))
    if number := _shortened_number(new, before[-NEAR:] + " " + after[:NEAR]):
        found.append(_check(CheckKind.CUT_NUMBER, span, number))
    if len(original) <= MUCH and _balance(new) != _balance(original):
        left, right = before[-NEAR:], after[:NEAR]
        if _balance(left + new + right) and not _balance(left + original + right):
            found.append(_check(CheckKind.BRACKETS, span, "".join(sorted(_balance(new)))))
    return found


def lost(original: str, new: str, span: int) -> list[Check]:
    """Numbers, addresses and quotations of the original that the new text does not have."""
    found: list[Check] = []
    for pattern in (_ADDRESS, _QUOTED, _NUMBER):
        had, has = Counter(pattern.findall(original)), Counter(pattern.findall(new))
        found += [_check(CheckKind.LOST, span, words) for words in (had - has)]
    return found


def _check(kind: CheckKind, span: int, text: str) -> Check:
    return Check(kind=kind, span=span, text=text)


def _weight(text: str) -> int:
    return sum(not character.isspace() for character in text)


def _is_edge(text: str, at: int) -> bool:
    """Whether no word is cut between `at` - 1 and `at`."""
    return not 0 < at < len(text) or not (is_word(text[at - 1]) and is_word(text[at]))


def _cut(left: str, right: str) -> CheckKind | None:
    """Whether a word or a number runs through the border between the two."""
    if not left or not right:
        return None
    near, far = left[-1], right[0]
    if near.isdigit() and (far.isdigit() or (far in ".,:" and right[1:2].isdigit())):
        return CheckKind.CUT_NUMBER
    if near in ".,:" and left[-2:-1].isdigit() and far.isdigit():
        return CheckKind.CUT_NUMBER
    if is_word(near) and is_word(far) and not (_is_wide(near) or _is_wide(far)):
        return CheckKind.CUT_WORD
    return None


def _shortened_number(new: str, around: str) -> str:
    """A number that `new` ends with and that stands around it with more digits: 5,60 for 5,607."""
    numbers = list(_NUMBER.finditer(new))
    if not numbers or numbers[-1].end() != len(new.rstrip()):
        return ""
    digits = _digits(numbers[-1][0])
    longer = (_digits(found) for found in _NUMBER.findall(around))
    if len(digits) >= SHORTEST and any(n.startswith(digits) and n != digits for n in longer):
        return numbers[-1][0]
    return ""


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)


def _is_wide(character: str) -> bool:
    """Whether it belongs to a script that puts no blanks between words."""
    code = ord(character)
    return (
        0x0E00 <= code <= 0x0EFF  # Thai, Lao
        or 0x1000 <= code <= 0x109F  # Burmese
        or 0x1780 <= code <= 0x17FF  # Khmer
        or 0x3040 <= code <= 0x30FF
        or 0x3400 <= code <= 0x9FFF
        or 0x20000 <= code <= 0x3FFFF
    )


def _balance(text: str) -> frozenset[str]:
    """The brackets that are not closed, or not opened, in a text."""
    stack: list[str] = []
    wrong: set[str] = set()
    for character in text:
        if character in _PAIRS.values():
            stack.append(character)
        elif character in _PAIRS:
            if stack and stack[-1] == _PAIRS[character]:
                stack.pop()
            else:
                wrong.add(character)
    return frozenset(wrong | set(stack))


def _last_word(text: str) -> str:
    return re.split(r"\s", text[-24:])[-1]


def _first_word(text: str) -> str:
    return re.split(r"\s", text[:24])[0]
