"""Kernels on trial at the start: only those that fail are left out, whatever way they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.kernels import portable
from engine.kernels.activations import HALF
from engine.kernels.cache_folder import VARIABLE, choose_folder, is_writable, usual_folder
from engine.kernels.norms import Reader, norm, norm_plain
from engine.kernels.selection import Operation, Selection, choose, notice
from engine.messages import EngineFault, ErrorKind

CPU = torch.device("cpu")
PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "usual"))


def sample(device: torch.device) -> tuple[Tensor, ...]:
    return (torch.linspace(-3, 4, 600, device=device).view(20, 30),)


def double(x: Tensor) -> Tensor:
    return 2 * x


def operation(name: str, kernel: Callable[..., object], reference=double) -> Operation:
    return Operation(name=name, kernel=kernel, reference=reference, sample=sample, tolerance=1e-3)


def run(folder: Path, *operations: Operation, versions: str = "1", **limits: float) -> Selection:
    return choose(operations, CPU, None, folder, versions, **limits)


def fails(error: BaseException) -> Callable[[Tensor], Tensor]:
    def kernel(x: Tensor) -> Tensor:
        raise error

    return kernel


def test_a_real_kernel_is_chosen_and_a_wrong_one_beside_it_is_not(tmp_path: Path) -> None:
    if reason := portable.why_not(CPU):
        pytest.skip(reason)
    reader = Reader(factor=torch.linspace(0.5, 1.5, 30), form=HALF)

    def by_kernel(x: Tensor) -> Tensor:
        return norm(x, reader, 1e-6)

    def by_torch(x: Tensor) -> Tensor:
        return norm_plain(x, reader, 1e-6)

    def without_eps(x: Tensor) -> Tensor:
        return norm(x, reader, 0.5)

    found = run(
        tmp_path,
        operation("norm", by_kernel, by_torch),
        operation("wrong", without_eps, by_torch),
    )
    assert [choice.name for choice in found.left_out] == ["wrong"]
    assert found.uses_kernel("norm")
    assert "wrong numbers" in found.left_out[0].why


WRONG: dict[str, Callable[[Tensor], object]] = {
    "a little off": lambda x: 2.01 * x,
    "one number": lambda x: (2 * x).index_fill(0, torch.tensor([19]), 1.0),
    "no number": lambda x: 2 * x.masked_fill(x == x.max(), torch.nan),
    "shape": lambda x: 2 * x[:, :-1],
    "twice": lambda x: (2 * x, 2 * x),
}


@pytest.mark.parametrize("how", WRONG)
def test_wrong_numbers_are_seen_however_few(tmp_path: Path, how: str) -> None:
    found = run(tmp_path, operation("bad", WRONG[how]), operation("good", lambda x: x + x))
    assert [choice.name for choice in found.left_out] == ["bad"]


def test_integers_have_to_be_equal(tmp_path: Path) -> None:
    def ranks(x: Tensor) -> Tensor:
        return x.argsort(-1)

    found = run(
        tmp_path,
        operation("same", lambda x: ranks(x).int(), ranks),
        operation("other", lambda x: ranks(x) + (x > 3.99), ranks),
    )
    assert [choice.name for choice in found.left_out] == ["other"]


def test_one_that_raises_or_hangs_costs_itself_alone(tmp_path: Path) -> None:
    for_ever = threading.Event()

    def hangs(x: Tensor) -> Tensor:
        for_ever.wait(20)
        return x

    found = run(
        tmp_path,
        operation("raises", fails(RuntimeError("PassManager::run failed"))),
        operation("hangs", hangs),
        operation("good", double),
        each_s=2.0,
    )
    for_ever.set()
    assert [choice.name for choice in found.left_out] == ["raises", "hangs"]
    assert found.uses_kernel("good")
    told = notice(found)
    assert told is not None
    assert told.kind is ErrorKind.SLOWER
    assert "failed its test" in told.message
    assert "too long" in told.detail
    assert "PassManager" not in told.message + told.remedy
    assert notice(run(tmp_path, operation("good", double))) is None


def test_the_whole_trial_ends_in_time(tmp_path: Path) -> None:
    for_ever = threading.Event()

    def hangs(x: Tensor) -> Tensor:
        for_ever.wait(20)
        return x

    operations = [operation(f"{number}", hangs) for number in range(50)]
    found = run(tmp_path, *operations, each_s=0.1, all_s=0.3)
    for_ever.set()
    assert len(found.left_out) == 50
    assert found.left_out[-1].why == "the tests of the kernels took too long"


def test_where_no_kernel_can_run_none_is_tried(tmp_path: Path) -> None:
    found = choose(
        [operation("never", fails(AssertionError()))], CPU, "this GPU is too old for them", tmp_path, "1"
    )  # fmt: skip
    assert found.left_out[0].why == "this GPU is too old for them"
    assert not list(tmp_path.iterdir())
    told = notice(found)
    assert told is not None
    assert "too old" in told.detail


def test_without_a_compiler_the_user_is_told_to_get_one(tmp_path: Path) -> None:
    build = pytest.importorskip("triton.runtime.build")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CC", raising=False)
        patch.setenv("PATH", str(tmp_path))

        def compiles(x: Tensor) -> Tensor:
            build._build("empty", "x.c", str(tmp_path), [], [], [], [])
            return x

        found = run(tmp_path, operation("any", compiles))
    assert "no C compiler" in found.left_out[0].why
    told = notice(found)
    assert told is not None
    assert "compiler" in told.remedy


def test_a_lost_gpu_ends_the_trial_and_the_next_start_leaves_that_kernel_out(
    tmp_path: Path,
) -> None:
    lost = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    operations = (operation("bad", fails(lost)), operation("good", double))
    with pytest.raises(EngineFault) as fault:
        run(tmp_path, *operations)
    assert fault.value.error.kind is ErrorKind.ENGINE_LOST
    found = run(tmp_path, *operations)
    assert [choice.name for choice in found.left_out] == ["bad"]
    assert "last start" in found.left_out[0].why
    with pytest.raises(EngineFault):  # a new driver is a new chance
        run(tmp_path, *operations, versions="2")


CRASH = """
import sys, os, pathlib
sys.path.insert(0, {project!r})
from tests.engine.test_selection import double, operation, run
run(pathlib.Path(sys.argv[1]), operation("good", double), operation("bad", lambda x: os.abort()))
"""


def test_a_kernel_that_ends_the_process_is_left_out_by_the_next(tmp_path: Path) -> None:
    line = [sys.executable, "-c", CRASH.format(project=str(PROJECT)), str(tmp_path)]
    done = subprocess.run(line, capture_output=True, check=False, timeout=120)
    assert done.returncode != 0
    found = run(tmp_path, operation("good", double), operation("bad", fails(AssertionError())))
    assert [choice.name for choice in found.left_out] == ["bad"]
    assert not found.left_out[0].has_raised


def reads_cache(x: Tensor) -> Tensor:
    """As Triton: what was compiled once is read again, else it is made."""
    file = Path(os.environ[VARIABLE]) / "kernel.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"shared": 1}))
    assert json.loads(file.read_text())["shared"] == 1
    return 2 * x


@pytest.mark.parametrize("chosen", ["usual", ""])
@pytest.mark.parametrize("garbage", [b"", b"\x00\xff" * 99, b"{}", b'{"shared":'])
def test_garbage_in_the_cache_is_gone_round(tmp_path: Path, garbage: bytes, chosen: str) -> None:
    own = tmp_path / "data"
    first = tmp_path / chosen if chosen else own / "triton"
    first.mkdir(parents=True)
    (first / "kernel.json").write_bytes(garbage)
    for _ in range(2):  # the next start knows
        os.environ[VARIABLE] = str(first) if chosen else ""
        found = run(own, operation("cached", reads_cache), operation("good", double))
        assert not found.left_out
        assert usual_folder() == own / "triton-anew"
    assert (first / "kernel.json").read_bytes() == garbage  # may not be ours to remove


def test_what_is_compiled_lies_in_our_folder_unless_another_is_chosen(tmp_path: Path) -> None:
    for chosen, used in (("", tmp_path / "triton"), (tmp_path / "mine", tmp_path / "mine")):
        os.environ[VARIABLE] = str(chosen)
        assert not run(tmp_path, operation("cached", reads_cache)).left_out
        assert usual_folder() == used
        assert (used / "kernel.json").is_file()


def test_a_folder_that_cannot_be_written_is_not_used(tmp_path: Path) -> None:
    own, occupied = tmp_path / "own", tmp_path / "a file"
    occupied.write_text("no folder")
    for bad in (occupied, occupied / "cache"):
        assert not is_writable(bad)
        os.environ[VARIABLE] = str(bad)
        assert choose_folder(own) == own
    good = tmp_path / "Ünï 名前" / "cache"
    os.environ[VARIABLE] = str(good)
    assert choose_folder(own) == (good if sys.platform != "win32" else own)
    assert not list(good.iterdir())
    os.environ[VARIABLE] = str(occupied / "cache")
    found = run(tmp_path / "data", operation("cached", reads_cache))
    assert not found.left_out
    assert usual_folder() == tmp_path / "data" / "triton"


@pytest.mark.parametrize("book", ["", "[]", "null", '{"versions": 3}', "\x00", '{"fatal": [1]}'])
def test_a_book_of_trials_that_cannot_be_read_is_begun_anew(tmp_path: Path, book: str) -> None:
    (tmp_path / "kernels.json").write_text(book)
    assert not run(tmp_path, operation("good", double)).left_out


def test_without_a_place_for_the_book_the_trial_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = run(tmp_path / "file" / "data", operation("good", double))
    assert not found.left_out
