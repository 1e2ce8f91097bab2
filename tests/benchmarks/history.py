"""How fast a large history answers, and what is lost when the program is killed.

    python -m tests.benchmarks.history [--chats 10000] [--megabytes 1000] [--kills 1000] [--folder DIR]

Builds a history of made-up chats with the frequencies of words of a language (Zipf), a part of it
in Chinese characters, then measures with the file out of the system's memory (`cold`) and in it:
opening with the list of chats, searches from the rarest word to the most common one, and switching
to another chat. Targets: 1.5 s, 100 ms, 100 ms. Then a writing process is killed again and again.
The folder needs about five times the size of the text and is removed afterwards.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from app.state.conversation import Message
from app.state.history.history import History
from engine.messages import Role
from tests.app.killing import inspect, kill_once
from tests.benchmarks.record import record

SEED = 7
WORDS = 50_000
MESSAGE_WORDS = 90  # on average
CHINESE_SHARE = 0.05
RUNS = 50
KILLS_A_FILE = 50
CHATS_A_COMMIT = 100
SYLLABLES = [
    "ba",
    "co",
    "di",
    "fu",
    "gre",
    "hal",
    "in",
    "jor",
    "ka",
    "lem",
    "mo",
    "nes",
    "or",
    "pra",
    "qui",
    "ro",
    "sta",
    "tu",
    "ul",
    "ver",
    "wo",
    "xi",
    "yo",
    "zen",
    "th",
    "er",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chats", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "chats.sqlite"
        speed = measure(path, build(path, options.chats, options.megabytes))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        kills = kill(Path(folder), options.kills)
    record("history", {**speed, "kills": kills})


# --- speed ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Built:
    chats: list[str]  # their ids
    characters: int
    seconds: float


def measure(path: Path, built: Built) -> dict[str, Any]:
    forget(path)
    cold_open = timed(lambda: open_and_list(path))
    warm_open = [timed(lambda: open_and_list(path)) for _ in range(RUNS // 10)]
    forget(path)
    history = History.open(path)
    chooser = random.Random(SEED)
    cold_load = [timed(lambda: history.load(chooser.choice(built.chats))) for _ in range(RUNS)]
    searches = {
        kind: summary([timed(partial(history.search, query)) for query in queries])
        for kind, queries in all_queries(vocabulary()).items()
    }
    figures = {
        "chats": len(built.chats),
        "text_mb": round(built.characters / 1e6),
        "file_mb": round(path.stat().st_size / 1e6),
        "build_s": round(built.seconds),
        "open_and_list_ms": {"cold": round(cold_open), **summary(warm_open)},
        "switch_ms": {
            "cold": summary(cold_load),
            "warm": summary(
                [timed(lambda: history.load(chooser.choice(built.chats))) for _ in range(RUNS)]
            ),
        },
        "search_ms": searches,
        "save_ms": summary([timed(partial(save_one, history, number)) for number in range(RUNS)]),
    }
    history.close()
    return figures


def vocabulary() -> list[str]:
    """From the most common word to the rarest: short ones first, as in a language."""
    chooser = random.Random(SEED)
    words: dict[str, None] = dict.fromkeys(("the", "of", "and", "to", "a", "in", "is", "that"))
    while len(words) < WORDS:
        length = 2 + min(3, len(words) // 200)
        words["".join(chooser.choices(SYLLABLES, k=chooser.randint(1, length)))] = None
    return list(words)


def build(path: Path, chats: int, megabytes: int) -> Built:
    chooser = np.random.default_rng(SEED)
    rank = np.arange(1, WORDS + 1)
    likely = 1 / (rank + 2.7)
    cumulated = np.cumsum(likely / likely.sum())
    table = np.array(vocabulary(), dtype=object)
    characters = np.array([chr(0x4E00 + n) for n in range(3_000)], dtype=object)
    total, began, ids = 0, time.monotonic(), []
    history = History.open(path)
    tune(history, hash_bytes=64_000_000)  # one commit for many chats: only the building is faster
    for chat in range(chats):
        if chat % CHATS_A_COMMIT == 0:
            history._db.execute("COMMIT" if history._db.in_transaction else "SELECT 1")
            history._db.execute("BEGIN IMMEDIATE")
        share = (megabytes * 1e6 - total) / (chats - chat)  # what this chat should have
        room = share * chooser.lognormal(-0.3, 0.8) if chats - chat > 1 else share
        messages: list[Message] = []
        while room > 0:
            length = 1 + int(chooser.exponential(MESSAGE_WORDS))
            picked = np.searchsorted(cumulated, chooser.random(length))
            if chooser.random() < CHINESE_SHARE:
                text = "".join(characters[picked % 3_000]) + "。"
            else:
                text = " ".join(table[np.minimum(picked, WORDS - 1)])
            number = len(messages)
            messages.append(
                Message(
                    id=f"{chat:x}-{number:x}".rjust(32, "0"),
                    parent=messages[-1].id if messages else None,
                    role=Role.MODEL if number % 2 else Role.USER,
                    text=text,
                )
            )
            room -= len(text)
            total += len(text)
        chat_id = f"{chat:032x}"
        history.save(chat_id, messages, messages[-1].id if messages else None)
        ids.append(chat_id)
    history._db.execute("COMMIT")
    tune(history, hash_bytes=1_048_576)
    history.close()
    return Built(chats=ids, characters=total, seconds=time.monotonic() - began)


def tune(history: History, hash_bytes: int) -> None:
    """How much the index of words collects in memory; a million bytes is what it always has."""
    history._db.execute(
        "INSERT INTO message_words (message_words, rank) VALUES ('hashsize', ?)", (hash_bytes,)
    )


def all_queries(words: list[str]) -> dict[str, list[str]]:
    """From the easiest to the hardest kind."""
    chooser = random.Random(SEED)
    common, rare = words[:60], words[5_000:]

    def some(make: Callable[[], str]) -> list[str]:
        return [make() for _ in range(RUNS)]

    return {
        "rare_word": some(lambda: chooser.choice(rare) + " "),
        "absent_word": some(lambda: "q" * chooser.randint(5, 9) + "zz"),
        "very_common_word": common[:RUNS],
        "two_common_words": some(lambda: " ".join(chooser.sample(common, 2))),
        "five_common_words": some(lambda: " ".join(chooser.sample(common, 5))),
        "common_and_rare_word": some(lambda: f"{chooser.choice(common)} {chooser.choice(rare)}"),
        "two_rare_words": some(lambda: " ".join(chooser.sample(rare, 2))),
        **{
            f"{length}_letters": some(lambda length=length: chooser.choice(rare)[:length])
            for length in (1, 2, 3, 4, 5, 6)
        },
        "common_and_3_letters": some(
            lambda: f"{chooser.choice(common)} {chooser.choice(rare)[:3]}"
        ),
        "one_character": some(lambda: chr(0x4E00 + chooser.randrange(3_000))),
        "two_common_characters": some(
            lambda: "".join(chr(0x4E00 + chooser.randrange(20)) for _ in range(2))
        ),
        "four_common_characters": some(
            lambda: "".join(chr(0x4E00 + chooser.randrange(20)) for _ in range(4))
        ),
    }


def open_and_list(path: Path) -> None:
    history = History.open(path)
    history.chats()
    history.close()


def save_one(history: History, number: int) -> None:
    text = "a question of usual length " * 4
    message = Message(id=f"new-{number}", parent=None, role=Role.USER, text=text)
    history.save("new", [message], message.id)


def forget(path: Path) -> None:
    """Asks the system to drop the file from its memory."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


def summary(times: Iterable[float]) -> dict[str, float]:
    times = list(times)
    return {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)}


# --- kills ----------------------------------------------------------------------------------------


def kill(folder: Path, kills: int) -> dict[str, int]:
    """Each file is killed many times; at its end all that was ever confirmed is looked for."""
    chooser = random.Random(SEED)
    confirmed = lost = damaged = 0
    lines: list[str] = []
    for run in range(kills):
        path = folder / f"{run // KILLS_A_FILE}.sqlite"
        if run % KILLS_A_FILE == 0:
            lines.clear()
        outcome = kill_once(path, run, chooser)
        lines += [line for line in outcome.confirmed if line.startswith("m")]
        confirmed += len(outcome.confirmed)
        lost += outcome.lost
        damaged += not outcome.is_whole
        if run % KILLS_A_FILE == KILLS_A_FILE - 1 or run == kills - 1:
            lost += inspect(path, lines).lost
            path.unlink()
    return {"kills": kills, "confirmed_writes": confirmed, "lost": lost, "damaged_files": damaged}


if __name__ == "__main__":
    main()
