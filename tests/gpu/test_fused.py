"""Fused layers and the step as a CUDA graph on a real GPU, in bfloat16."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.denoise import Constraints, StepResult
from engine.generate import steps
from engine.graph import Graphs, cuda_capture
from engine.kernels.operations import NAMES
from engine.load import fuse, load_model
from engine.model.network import Model
from tests.engine.kernels.network import fused, likeness_of_layers

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PROMPT = torch.arange(3, 60)
OPTIONS = {"seed": 3, "noise": "counter", "sampling": {"max_denoising_steps": 6, "stop_ids": ()}}


@pytest.fixture(scope="module")
def plain() -> Model:
    return load_model("demo", device="cuda", dtype="bfloat16", weights="int4")


@pytest.fixture(scope="module")
def model(plain: Model) -> Model:
    return fused(plain)


def run(model: Model, graphs: Graphs, tokens: int = 256, **options) -> list[StepResult]:
    return list(
        steps(model, PROMPT, max_new_tokens=tokens, graphs=graphs, **{**OPTIONS, **options})
    )


def test_every_operation_passes_its_trial(plain: Model, tmp_path: Path) -> None:
    found, selection = fuse(plain, tmp_path)
    assert selection is not None
    assert [choice.name for choice in selection.choices if choice.uses_kernel] == list(NAMES)
    assert found.fused is not None


def test_each_layer_is_the_plain_one(plain: Model) -> None:
    assert min(likeness_of_layers(plain, PROMPT.cuda(), NAMES)) >= 0.999


@pytest.mark.parametrize("batch", [1, 3])
def test_a_replay_is_the_step_operation_by_operation(model: Model, batch: int) -> None:
    """Bit by bit, over two canvases, and for a second answer of the same graph."""
    graphs = Graphs(cuda_capture())
    tokens = 256 if batch == 1 else 128
    for seed in (3, 4):
        replayed = run(model, graphs, tokens, seed=seed, batch=batch)
        eager = run(model, Graphs(), tokens, seed=seed, batch=batch)
        for one, other in zip(replayed, eager, strict=True):
            for name in ("argmax", "sampled", "accepted", "entropy", "stop"):
                assert torch.equal(getattr(one, name), getattr(other, name)), (name, one.step)


@pytest.mark.parametrize("bits", [16, 8])
def test_a_canvas_encoded_in_the_next_ones_first_step_is_one_encoded_alone(
    model: Model, bits: int
) -> None:
    """Keys and values behind the prompt, and the words of that step; up to how products round."""
    results, kept = [], []
    for merges in (True, False):
        cache = model.new_cache(512, bits)
        steps_made = run(model, Graphs(cuda_capture(), merges=merges), 256, cache=cache)
        results.append(next(each for each in steps_made if each.canvas == 1))
        assert cache.length == len(PROMPT) + 128
        kept.append([torch.cat(cache.read(at)) for at in range(len(model.config.layers))])
    for one, other in zip(*kept, strict=True):
        assert torch.cosine_similarity(one.flatten(), other.flatten(), dim=0) >= 0.999
    assert (results[0].argmax == results[1].argmax).float().mean() >= 0.95
    assert (results[0].entropy - results[1].entropy).abs().median() <= 0.05


def test_graphs_of_several_lengths_share_their_memory(model: Model) -> None:
    """The prompt is read alone: how many rows come with it may decide how it is rounded."""
    graphs, cache = Graphs(cuda_capture(), merges=False), model.new_cache(512)
    pins = torch.full((128,), -1)
    wanted = [run(model, Graphs(merges=False), 128, pins=pins[:size]) for size in (128, 37, 64)]
    for _ in range(2):
        for size, expected in zip((128, 37, 64), wanted, strict=True):
            found = run(model, graphs, 128, pins=pins[:size], cache=cache)
            assert torch.equal(found[-1].argmax, expected[-1].argmax)


def test_much_the_same_words_as_by_plain_torch(model: Model, plain: Model) -> None:
    found, wanted = run(model, Graphs(cuda_capture()), 128), run(plain, Graphs(), 128)
    assert (found[0].argmax == wanted[0].argmax.cpu()).float().mean() >= 0.95


def test_memory_comes_back(model: Model) -> None:
    def once() -> int:
        graphs = Graphs(cuda_capture())
        run(model, graphs)
        graphs.clear()
        del graphs
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        return torch.cuda.memory_allocated()

    once()
    assert once() == once()


def test_watched_ids_by_the_graph_are_those_of_the_plain_step(model: Model, plain: Model) -> None:
    watch = torch.arange(128)[:, None] * 3 + torch.arange(2)
    options = {"constraints": Constraints(watch=watch), "tokens": 128}
    found, wanted = run(model, Graphs(cuda_capture()), **options), run(plain, Graphs(), **options)
    ours, theirs = found[0].watched, wanted[0].watched
    assert ours is not None
    assert theirs is not None
    assert (ours - theirs.cpu()).abs().median() <= 0.1
