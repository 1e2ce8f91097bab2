"""A real GPU that is full, and one that is broken for good; snapshots through pinned memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.messages import ErrorKind, Failed, Finished, LoadRequest
from engine.model.network import Model
from engine.pipeline import Pipeline, load_pipeline
from engine.sizes import SLACK
from tests.engine.campaign import REQUESTS, Session, make, told, with_empty_cache

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tiny"))


def load(folder: Path) -> Pipeline:
    request = LoadRequest(model=str(folder), device="cuda", max_context=8192)
    return load_pipeline(request, lambda what, done, total: None, lambda: False)


def take_all() -> list[torch.Tensor]:
    """Ballast: all that is free, in ever smaller pieces."""
    held, size = [], torch.cuda.mem_get_info()[0]
    while size > 512:
        try:
            held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            size //= 2
    return held


def test_a_full_gpu_is_said_and_the_next_answer_is_as_new(folder: Path) -> None:
    pipeline = load(folder)
    expected = told(Session(with_empty_cache(pipeline)).ask(REQUESTS[0]))
    session = Session(with_empty_cache(pipeline))
    ballast = take_all()
    end = session.ask(REQUESTS[0])[-1]
    assert isinstance(end, Failed)
    assert end.error.kind is ErrorKind.OUT_OF_MEMORY
    del ballast
    torch.cuda.empty_cache()
    assert told(session.ask(REQUESTS[0])) == expected
    before = torch.cuda.memory_allocated()
    for _ in range(5):
        assert isinstance(session.ask(REQUESTS[0])[-1], Finished)
    assert torch.cuda.memory_allocated() == before


BREAKS = """
import sys, os, pathlib, torch
sys.path.insert(0, sys.argv[1])
from engine.messages import ErrorKind
from engine.model.network import Model
from tests.engine.campaign import REQUESTS, Session
from tests.gpu.test_survival import load
session = Session(load(pathlib.Path(sys.argv[2])))
decode = Model.decode
def bad(self, canvas, cache, soft):
    torch.zeros(4, device="cuda")[canvas.clamp(min=1 << 20)]  # far out of range: an assertion there
    torch.cuda.synchronize()
Model.decode = bad
kinds = [session.ask(REQUESTS[0])[-1].error.kind]
Model.decode = decode
kinds.append(session.ask(REQUESTS[0])[-1].error.kind)
assert session.service.stop(10)
print(*(kind.value for kind in kinds), flush=True)
os._exit(0)
"""


def test_a_broken_gpu_is_lost_for_the_process_and_there_for_the_next(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BREAKS, str(PROJECT), str(folder)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == [ErrorKind.ENGINE_LOST.value] * 2
    assert isinstance(Session(load(folder)).ask(REQUESTS[0])[-1], Finished)


def test_a_restored_prefix_is_that_of_a_fresh_prefill(folder: Path) -> None:
    model: Model = load(folder).loaded.model
    ids = torch.arange(3 * SLACK, device="cuda") % 600
    cache, fresh = model.new_cache(4 * SLACK), model.new_cache(4 * SLACK)
    cache.mark(777)
    for chunk in (ids[:777], ids[777 : 777 + SLACK], ids[777 + SLACK :], ids[:9]):
        model.prefill(chunk, cache)
    assert cache.snapshot_bytes > 0
    assert cache.cut(2500) == 777
    model.prefill(ids[:777], fresh)
    for each in (cache, fresh):
        model.prefill(ids[50:350], each)
    for layer in range(len(model.config.layers)):
        found, wanted = (torch.stack(each.read(layer)) for each in (cache, fresh))
        torch.testing.assert_close(found, wanted)
