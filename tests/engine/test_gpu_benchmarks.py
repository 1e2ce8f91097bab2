"""What an unattended run on a GPU will do, from end to end in small and without one: no typo waits there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tests.benchmarks.gpu_step import SECTIONS, main
from tests.gpu.everything import LEAST, Part, parts, run


def test_every_section_gives_figures(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    given = ["--random-weights", "--geometry", "tiny", "--minutes", "30", "--out", str(out)]
    assert main(given) == 0
    found = json.loads(out.read_text())
    assert {"date", "device", "versions", "weights_bytes"} <= found.keys()
    for name in SECTIONS:
        assert found[name].keys() - {"section_s"}, name
        assert "left_out" not in found[name], name
    behind = found["step"]["4096 tokens, 16 bits"]
    assert behind["replay_is_eager"] is True
    assert behind["step_ms_dense"] > 0
    assert found["replies"]["1000 tokens"]["seconds"] > found["replies"]["60 tokens"]["seconds"]


def test_parts_are_begun_while_there_is_time_and_say_what_came_of_them(tmp_path: Path) -> None:
    def part(code: str) -> Part:
        return Part(name="a", command=[sys.executable, "-c", code], share=1.0, log="log.txt")

    later = time.monotonic() + 60
    assert run(part("print('well')"), tmp_path, later) == "passed"
    assert (tmp_path / "log.txt").read_text() == "well\n"
    assert run(part("raise SystemExit(3)"), tmp_path, later) == "failed with code 3"
    assert "want of time" in run(part(""), tmp_path, time.monotonic() + LEAST / 2)


WITHOUT_QT = """
import os, sys
sys.path.insert(0, ".")
sys.modules["PySide6"] = None
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
import pytest
raise SystemExit(pytest.main([*sys.argv[1:], "--collect-only"]))
"""


def test_the_tests_of_the_gpu_are_found_without_qt(tmp_path: Path) -> None:
    (tests, *_) = parts("tiny", tmp_path, 9.0)
    command = [sys.executable, "-c", WITHOUT_QT, *tests.command[3:]]
    done = Part(name="a", command=command, share=1.0, log="log.txt")
    found = run(done, tmp_path, time.monotonic() + 600)
    assert found == "passed", (tmp_path / "log.txt").read_text()
