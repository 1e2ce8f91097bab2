"""What the check-up says, of this PC and of PCs that this one is not."""

from __future__ import annotations

import getpass
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from engine.doctor import TritonFacts, judge, kernels_finding, triton_finding, without_user
from engine.facts import gather, parse_gpus, try_kernel
from engine.kernels.selection import Choice, Selection
from engine.messages import Finding, Hardware, MemoryHolder
from engine.messages import FindingState as State
from engine.messages.plain import from_plain, to_plain
from tests.pcs import FACTS, GIB, PCS

GOOD = TritonFacts(version="3.7.1")


def finding(pc: Hardware, name: str) -> Finding:
    return next(each for each in pc.findings if each.name == name)


@pytest.mark.parametrize(
    ("pc", "name", "state", "words"),
    [
        ("rtx_4090", "gpu", State.GOOD, "Fits"),
        ("rtx_3060", "gpu", State.LIMITED, "too little memory"),
        ("busy_4090", "gpu", State.LIMITED, "Not enough free"),
        ("no_gpu", "gpu", State.LIMITED, "demo model"),
        ("old_gpu", "gpu", State.MISSING, "Too old"),
        ("cpu_build", "gpu", State.MISSING, "cannot use it"),
        ("little_disk", "disk", State.LIMITED, "17 GB"),
        ("no_disk", "disk", State.MISSING, "not there"),
        ("no_compiler", "triton", State.LIMITED, "C compiler"),
    ],
)
def test_a_pc(pc: str, name: str, state: State, words: str) -> None:
    found = finding(PCS[pc], name)
    assert found.state is state
    assert words in found.meaning
    assert bool(found.remedy) == (state is not State.GOOD)


def test_where_models_run() -> None:
    assert (PCS["rtx_4090"].device, PCS["rtx_4090"].free) == ("cuda", 23010 << 20)
    assert (PCS["no_gpu"].device, PCS["no_gpu"].free) == ("cpu", 9 * GIB)
    assert PCS["old_gpu"].device == PCS["cpu_build"].device == "cpu"
    assert "game.exe" in finding(PCS["busy_4090"], "gpu").remedy


def test_this_pc_is_examined_and_its_report_crosses_processes(tmp_path: Path) -> None:
    found = judge(gather(tmp_path / "not there yet"))
    assert {"system", "memory", "disk", "torch", "gpu", "triton"} == {
        f.name for f in found.findings
    }
    assert found.memory_total > found.memory_free > 0
    assert from_plain(Hardware, to_plain(found)) == found


def test_the_report_names_nobody() -> None:
    secrets = [getpass.getuser(), platform.node(), str(Path.home())]
    words = f"at {Path.home()}/models of {getpass.getuser()}, on {platform.node()}"
    assert not [each for each in secrets if each in without_user(words).replace("<name>", "")]
    holders = (MemoryHolder(name=f"{getpass.getuser()}", size=8 * GIB),)
    busy = FACTS["busy_4090"]
    report = judge(replace(busy, gpus=(replace(busy.gpus[0], holders=holders),))).report
    assert "held by <name> 8.0 GiB" in report


def test_what_the_driver_says() -> None:
    lines = [
        "NVIDIA GeForce RTX 4090, 24564, 23010, 580.95.05, 8.9",
        "NVIDIA GeForce GTX 1080, 8192, 8000, 580.95.05, 6.1",
        "NVIDIA Something, [N/A], [N/A], 580.95.05, [N/A]",
    ]
    found = parse_gpus(lines, (), torch_can=True)
    assert [(gpu.memory_total >> 20, gpu.capability, gpu.is_usable) for gpu in found] == [
        (24564, (8, 9), True),
        (8192, (6, 1), False),
    ]
    assert not any(gpu.is_usable for gpu in parse_gpus(lines, (), torch_can=False))


def test_a_kernel_is_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Triton's interpreter; and with a Triton that cannot be imported."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert try_kernel() == ""
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert try_kernel() == "there is no Triton"


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
