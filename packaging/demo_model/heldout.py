"""Held-out items for measuring: unseen templates, unseen combinations, no eight words in a row that
occur in the training texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import chat
import corpus
from documents import sentence_document
from functions import function_document
from rewriting import ASKED, Rewrite, rewrite
from wording import Document

COMMON = frozenset(
    """a an the and or but of to in on at by for with from is are was were be been has have had it
    its he she his her him they them their this that these those there then than so as not no one
    said who what when where will would can could i you we my your our me us""".split()
)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def runs(text: str, length: int = 8) -> set[tuple[str, ...]]:
    """All runs of `length` words in a text."""
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def training_runs(seed: int, count: int) -> set[tuple[str, ...]]:
    """Runs of eight words in `count` training texts of each kind."""
    rng = Random(seed)
    seen: set[tuple[str, ...]] = set()
    for _ in range(count):
        seen |= runs(corpus.document(rng, "train").text)
        seen |= runs(corpus.conversation(rng, "train").answer)
        seen |= runs(rewrite(rng, "train").before)
    return seen


def shares_content(document: Document, gap: tuple[int, int]) -> bool:
    """Whether a content word of the gap stands behind it too."""
    start, end = gap
    inside = set(words(document.text[start:end])) - COMMON
    return bool(inside & set(words(document.text[end:])))


def gap_items(
    rng: Random, seen: set[tuple[str, ...]]
) -> Iterator[tuple[Document, tuple[int, int]]]:
    """Documents with one gap that its suffix decides: a third without a shared content word."""
    wanted = ("recurring", "semantic", "code")
    number = 0
    while True:
        kind = wanted[number % 3]
        document = (function_document if kind == "code" else sentence_document)(rng, "held")
        if document.kind != kind or runs(document.text) & seen:
            continue
        gap = rng.choice(document.gaps)
        if kind == "semantic" and shares_content(document, gap):
            continue
        number += 1
        yield document, gap


def conversations(rng: Random) -> Iterator[chat.Conversation]:
    """Facts have one right answer, so only their questions are new; stories and the rest are new as
    a whole."""
    while True:
        yield corpus.conversation(rng, "held")


def rewrites(rng: Random, seen: set[tuple[str, ...]]) -> Iterator[Rewrite]:
    """The rules in turn."""
    rules = tuple(ASKED)
    number = 0
    while True:
        change = rewrite(rng, "held")
        if change.rule != rules[number % len(rules)] or runs(change.before) & seen:
            continue
        number += 1
        yield change
