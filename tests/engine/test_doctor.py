"""What the check-up says of Triton and the kernels, for PCs that are not this one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.doctor import TritonFacts, kernels_finding, triton_finding
from engine.kernels.selection import Choice, Selection
from engine.messages import FindingState as State

GOOD = TritonFacts(version="3.7.1")


@pytest.mark.parametrize(
    ("changed", "state", "words"),
    [
        ({}, State.GOOD, "Compiles"),
        ({"has_gpu": False, "version": "", "has_compiler": False}, State.GOOD, "Not needed"),
        ({"version": "", "why_not": "Triton cannot be imported (x)"}, State.LIMITED, "imported"),
        ({"why_not": "this GPU is too old for them"}, State.LIMITED, "too old"),
        ({"has_compiler": False}, State.LIMITED, "C compiler"),
        ({"trial": "it took too long"}, State.LIMITED, "did not run: it took too long"),
        ({"has_folder": False}, State.GOOD, "one of its own"),
    ],
    ids=str,
)
def test_triton(changed: dict[str, object], state: State, words: str) -> None:
    has_gpu = bool(changed.get("has_gpu", True))
    facts = {name: value for name, value in changed.items() if name != "has_gpu"}
    found = triton_finding(replace(GOOD, **facts), has_gpu=has_gpu)  # type: ignore[arg-type]
    assert found.state is state
    assert words in found.meaning
    assert found.value


def test_kernels() -> None:
    good = Choice(name="norm", uses_kernel=True)
    bad = Choice(name="experts", uses_kernel=False, why="a kernel computed wrong numbers")
    found = kernels_finding(Selection(choices=(good, bad)))
    assert found.state is State.LIMITED
    assert found.value == "1 of 2 operations fast"
    assert "experts: a kernel computed wrong numbers" in found.meaning
    assert kernels_finding(Selection(choices=(good,))).state is State.GOOD
