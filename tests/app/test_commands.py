"""The command one means is on top."""

from __future__ import annotations

import pytest

from app.state.commands import Command, matching

TITLES = (
    "New chat",
    "Open settings",
    "Show the log",
    "Find in this chat",
    "Stop",
    "Copy the last answer",
    "Rename chat",
    "Über Wälder und Seen",
    "Delete recordings",
)
COMMANDS = [Command(id=title, title=title, run=list, group="Chat") for title in TITLES]


def found(query: str, recent: tuple[str, ...] = ()) -> list[str]:
    return [command.title for command in matching(query, COMMANDS, recent)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("stop", "Stop"),
        ("set", "Open settings"),
        ("nc", "New chat"),
        ("ftc", "Find in this chat"),
        ("cla", "Copy the last answer"),
        ("chat find", "Find in this chat"),
        ("wald", "Über Wälder und Seen"),
        ("uber", "Über Wälder und Seen"),
        ("ÜBER", "Über Wälder und Seen"),
        ("rnm", "Rename chat"),
        ("  LOG ", "Show the log"),
    ],
)
def test_a_few_letters_are_enough(query: str, first: str):
    assert found(query)[0] == first


def test_without_letters_all_are_there_the_recent_ones_first():
    assert found("") == list(TITLES)
    shown = found("", ("Stop", "Rename chat", "gone"))
    assert shown[:2] == ["Stop", "Rename chat"]
    assert sorted(shown) == sorted(TITLES)


def test_recent_use_decides_between_equals_only():
    assert found("chat", ("Rename chat",))[0] == "Rename chat"
    assert found("new", ("Rename chat",))[0] == "New chat"


def test_what_does_not_fit_is_not_there():
    assert found("xyzzy") == []
    assert found("chat xyzzy") == []


def test_typing_on_never_brings_something_back():
    for title in TITLES:
        before = set(TITLES)
        for end in range(1, len(title) + 1):
            now = set(found(title[:end]))
            assert title in now
            assert now <= before, title[:end]
            before = now


@pytest.mark.parametrize("query", ["", " ", "%", "((", "\\", "\ud800", "a" * 5000])
def test_any_query_is_borne(query: str):
    found(query)
