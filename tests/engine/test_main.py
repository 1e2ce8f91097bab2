"""The command line as a user meets it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def engine(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    )


def complaint(result: subprocess.CompletedProcess[str]) -> str:
    """The one plain sentence of a failed command."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    return result.stderr


def test_chat_with_the_demo_model() -> None:
    options = ("chat", "--prompt", "Hello!", "--seed", "1", "--json", "--device", "cpu")
    first, again = engine(*options), engine(*options)
    assert first.returncode == 0, first.stderr
    outcome = json.loads(first.stdout)
    assert outcome["reason"] in ("end", "canvas_exhausted")
    assert outcome["text"].strip()
    assert outcome["thought"] == ""
    assert outcome["steps"] >= outcome["canvases"] >= 1
    assert outcome["tokens_per_forward"] == round(outcome["tokens"] / outcome["steps"], 3)
    timeless = outcome | {"seconds": 0}
    assert timeless == json.loads(again.stdout) | {"seconds": 0}


def test_infill_with_the_demo_model(tmp_path: Path) -> None:
    text = "Mara has a red boat. On Monday she sailed it to the [[1]] and went home.\r\nÜmläut\n"
    file = tmp_path / "text.txt"
    file.write_bytes(text.encode())
    result = engine("infill", "--file", str(file), "--alternatives", "2", "--seed", "3", "--json")
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    before, after = text.split("[[1]]")
    assert outcome["document"].startswith(before)
    assert outcome["document"].endswith(after)
    assert outcome["document"] == before + outcome["proposals"][0]["text"] + after
    assert len(outcome["proposals"]) == 2
    assert outcome["proposals"][0]["score"] >= outcome["proposals"][1]["score"]
    assert outcome["proposals"][0]["seams"][0][0] == before[-16:]
    assert outcome["reason"] == "end"


def test_rewrite_with_the_demo_model(tmp_path: Path) -> None:
    text = "Ümläut. Paul taeks the green map and paints the map.\r\nEnd\n"
    file = tmp_path / "text.txt"
    file.write_bytes(text.encode())
    start, end = text.index("Paul"), text.index("\r")
    place = ("--file", str(file), "--range", f"{start}:{end}", "--seed", "3", "--json")
    corrected = engine("rewrite", *place)
    assert corrected.returncode == 0, corrected.stderr
    outcome = json.loads(corrected.stdout)
    assert outcome["document"] == text.replace("taeks", "takes")
    assert outcome["proposals"][0]["seams"] == [
        ["Ümläut. ", "Paul takes the g"],
        [" paints the map.", "\r\nEnd\n"],
    ]
    assert set(outcome) >= {"document", "proposals", "reason", "steps"}
    assert "not a part of this text" in complaint(engine("rewrite", *place[:3], "5:900"))


def test_doctor() -> None:
    result = engine("doctor", "--json")
    assert result.returncode == 0, result.stderr
    names = {finding["name"] for finding in json.loads(result.stdout)["findings"]}
    assert {"system", "memory", "disk", "torch"} <= names
    assert "memory" in engine("doctor").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("chat", "--prompt", "  "), "Write something"),
        (("chat", "--prompt", "Hi", "--model", "/no/such/folder"), "no model folder"),
        (("chat", "--prompt", "word " * 20_000), "tokens"),
        (("infill", "--file", "/no/such/file"), "cannot be read"),
        (("infill", "--file", str(ROOT / "LICENSE")), "no gap"),
        (("verify", "--model", "/no/such/folder"), "no model folder"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(arguments, words: str) -> None:
    assert words in complaint(engine(*arguments))


@pytest.mark.parametrize(
    "arguments", [(), ("sing",), ("chat",), ("chat", "--prompt", "x", "--seed", "-1")]
)
def test_wrong_usage(arguments) -> None:
    assert engine(*arguments).returncode == 2
