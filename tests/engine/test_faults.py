"""A device that fails at any operator of any request: one plain end, and the next one is as new.

The long version is `python -m tests.benchmarks.faults`.
"""

from __future__ import annotations

import errno
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import engine.survival
from engine.device import Holder, parse_holders
from engine.faults import error_of, is_lost, is_out_of_memory
from engine.memory import GIB
from engine.messages import Committed, ErrorKind, Finished
from engine.model.network import Model
from engine.sizes import SMALL, USUAL
from engine.survival import shortage
from tests.engine.campaign import REQUESTS, Session, campaign, fresh, make, says, told
from tests.engine.geometries import peak_bytes
from tests.fakes import PATIENCE

INJECTIONS = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def _quiet() -> Iterator[None]:
    """A traceback for each of a thousand faults would take longer than the faults."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_quiet")
def test_any_operator_may_fail(folder: Path) -> None:
    ends = campaign(folder, INJECTIONS, seed=random.randrange(1 << 30))
    assert ends["out of memory: finished"] > 0
    assert ends["out of memory: out_of_memory"] > 0
    assert ends["nan: model_broken"] > 0
    assert ends["lost: engine_lost"] > 0


def test_where_memory_runs_out_the_second_try_works_in_small(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that can afford only small pieces: it answers, and says nothing twice."""
    portions: list[object] = []
    session = Session(fresh(folder))
    expected = session.ask(REQUESTS[1])
    decode = Model.decode

    def scarce(self: Model, canvas, cache, soft):
        portions.append(self.portions)
        if self.portions == USUAL and len(portions) > 1:  # in the second canvas
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return decode(self, canvas, cache, soft)

    monkeypatch.setattr(Model, "decode", scarce)
    events = session.ask(REQUESTS[1])
    assert portions == [USUAL, USUAL, SMALL]
    said = [event for event in events if isinstance(event, Committed)]
    assert sorted({event.canvas for event in said}) == [0, 1]
    first = [event for event in expected if isinstance(event, Committed) and event.canvas == 0]
    assert [event.text for event in said if event.canvas == 0] == [event.text for event in first]
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.usage.canvases, end.usage.new_tokens) == (2, 32)
    monkeypatch.undo()
    assert told(session.ask(REQUESTS[1])) == told(expected)
    assert session.service.stop(PATIENCE)


def test_small_pieces_take_less_memory_and_give_the_same(folder: Path) -> None:
    model = fresh(folder).loaded.model
    ids = torch.arange(3, 700)
    peaks, hidden = [], []
    for each in (model, model.in_small()):
        cache = each.new_cache(1000)
        peaks.append(peak_bytes(lambda each=each, cache=cache: each.prefill(ids, cache)))
        hidden.append(each.denoise(torch.arange(16), cache, None))
    assert peaks[1] < 0.6 * peaks[0]
    assert (hidden[0] - hidden[1]).abs().max() <= 1e-4


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("Triton Error [CUDA]: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    RuntimeError("std::bad_alloc"),
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]
LOST = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: the launch timed out and was terminated"),
    RuntimeError("CUDA error: unknown error"),
    RuntimeError("Triton Error [CUDA]: misaligned address"),
]
OTHER = [
    RuntimeError("CUDA error: invalid argument"),
    RuntimeError("CUDA error: no kernel image is available for execution on the device"),
    ValueError("out of memory"),  # somebody's text
    OSError(errno.ENOSPC, "No space left on device"),
    KeyError("illegal memory access"),
    None,
]


def test_errors_are_known_by_their_words() -> None:
    for error in OUT_OF_MEMORY:
        assert is_out_of_memory(error)
        assert not is_lost(error)
        assert error_of(error).kind is ErrorKind.OUT_OF_MEMORY
    for error in LOST:
        assert is_lost(error)
        assert not is_out_of_memory(error)
        assert error_of(error).kind is ErrorKind.ENGINE_LOST
    for error in OTHER:
        assert error_of(error).kind is ErrorKind.INTERNAL


def test_torch_and_python_really_say_so() -> None:
    """The words of this torch on this machine, not those of a table."""
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 50, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    with pytest.raises(MemoryError) as full:
        bytearray(1 << 60)
    assert is_out_of_memory(full.value)


def test_who_has_the_memory_is_said() -> None:
    lines = ["1, 300", "999999999, 8192", "77, 5", "4, [N/A]", "No running processes found", ""]
    holders = parse_holders(lines, own_pid=77)
    assert [holder.bytes for holder in holders] == [8192 << 20, 300 << 20]
    assert holders[0].name == "process 999999999"
    game = Holder(name="game.exe", bytes=6 * GIB)
    told = shortage(3 * GIB, GIB, [game])
    assert "2.00 GiB" in told.message
    assert "game.exe" in told.remedy
    assert "6.0 GiB" in told.remedy
    assert "2.00 GiB" in shortage(3 * GIB, GIB, []).message
    assert "GiB" not in shortage(GIB, GIB, [game]).message


def test_an_overflow_is_told_at_the_end_of_the_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated: a Windows whose GPU is full, and steps that take a hundred times as long."""
    clock = [0.0]
    pace = [0.01]

    def tick() -> float:
        clock[0] += pace[0] / 2
        return clock[0]

    monkeypatch.setattr(engine.survival, "overflows", lambda device: True)
    monkeypatch.setattr(engine.survival, "stay_within_free", lambda device: None)
    monkeypatch.setattr(engine.survival, "free_share", lambda device: 0.001)
    monkeypatch.setattr(engine.survival, "perf_counter", tick)
    session = Session(fresh(folder))
    long = says("Hello", canvases=2, steps=8)
    assert session.ask(long)[-1].notice is None
    pace[0] = 1.0
    ends = [session.ask(long)[-1] for _ in range(3)]
    assert [end.notice is None for end in ends] == [False, True, True]
    assert ends[0].notice.kind is ErrorKind.SLOWER
    assert session.service.stop(PATIENCE)
