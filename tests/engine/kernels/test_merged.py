"""One pass that encodes the canvas before and takes the first step of the next, against two passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from engine.fused_step import FusedStep
from engine.generate import generate
from engine.graph import Graphs
from engine.load import load_model
from engine.messages import FinishReason, Prefill
from engine.model.cache import KVCache
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.pipeline import Pipeline
from tests.engine.campaign import REQUESTS, Session, fresh, make, told
from tests.engine.kernels.network import VOCABULARY, config, fused, merged, random_model
from tests.engine.kernels.plain_vocabulary import plain_vocabulary
from tests.engine.kernels.test_graph import PROMPT, SCAN, FakeGraphs, agree, exact, run
from tests.fakes import PATIENCE

MARK = 1000  # tokens of a prefix that is wanted again


@dataclass(frozen=True, kw_only=True)
class Case:
    canvas: int = 16
    unread: int = 16  # tokens in front of it, behind the prefix
    prefix: int = 11
    window: int = 6
    bits: int = 16  # of the cache
    weights: str = "int4"


CASES = (
    Case(canvas=1, unread=1),
    Case(canvas=7, unread=7, window=40),
    Case(canvas=32, unread=32, prefix=50, weights="int8"),
    Case(canvas=33, unread=33, prefix=9, window=20, bits=8),
    Case(bits=8, weights="int4-small"),
    Case(unread=5, prefix=1, weights="source"),
    Case(prefix=2060, bits=8),  # the sliding layers move on
)


def model_of(case: Case, *sliding: bool, top_k: int = 2) -> Model:
    made = replace(
        config(*sliding), canvas_length=max(case.canvas, case.unread), sliding_window=case.window,
        top_k_experts=top_k,
    )  # fmt: skip
    return random_model(made, case.weights)


def drawn(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Ids of the prefix, of what is unread behind it, and of the canvas."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(VOCABULARY, (case.prefix + case.unread + case.canvas,), generator=generator)
    return ids.split((case.prefix, case.unread, case.canvas))


def filled(model: Model, case: Case) -> KVCache:
    cache = model.new_cache(4096, case.bits)
    cache.mark(MARK)
    model.prefill(drawn(case)[0], cache)
    return cache


def kept(cache: KVCache) -> list[Tensor]:
    """All that a new position can look back at."""
    return [
        part[:, slice(*cache.span(layer))].float()
        for layer in range(len(cache._layers))
        for part in cache.whole(layer).parts
    ]


def by_one_pass(model: Model, case: Case) -> tuple[Tensor, KVCache]:
    """Final hidden states of the next canvas, and the cache afterwards."""
    _, unread, canvas = drawn(case)
    cache = filled(model, case)
    return merged(model, cache, unread, canvas), cache


def by_two(model: Model, case: Case) -> tuple[Tensor, KVCache]:
    _, unread, canvas = drawn(case)
    cache = filled(model, case)
    model.prefill(unread, cache)
    return model.decode(canvas[None], cache, None)[0], cache


def same(found: tuple[Tensor, KVCache], wanted: tuple[Tensor, KVCache], tolerance: float) -> None:
    """Up to that tolerance, ten times of it where a code of the cache may be rounded either way."""
    cache, other = found[1], wanted[1]
    has_codes = cache.whole(0).key_scale is not None
    coarse = 10 * tolerance if has_codes else tolerance
    torch.testing.assert_close(found[0], wanted[0], rtol=tolerance, atol=coarse)
    assert cache.ids == other.ids
    assert cache.sliding_start == other.sliding_start
    for one, two in zip(kept(cache), kept(other), strict=True):
        is_code = has_codes and one.ndim == 3
        torch.testing.assert_close(one, two, rtol=tolerance, atol=1 if is_code else tolerance)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_pass_is_two(case: Case) -> None:
    """By plain operations, which round alike, and against the network's own two passes."""
    model = model_of(case, True, False, True, False)
    own = fused(model, (), bits=16)
    found = by_one_pass(own, case)
    again = by_two(own, case)
    same(found, again, 1e-4)
    same(found, by_two(model, case), 2e-3)
    assert found[1].cut(MARK) == again[1].cut(MARK) == min(MARK, case.prefix + case.unread)
    same(found, again, 1e-4)


def test_one_pass_by_kernels_is_two() -> None:
    """With rows of eight bits. All experts run, as a near tie of two would be another layer."""
    case = Case(canvas=5, unread=4, prefix=9, bits=8)
    own = fused(model_of(case, True, False, top_k=3))
    same(by_one_pass(own, case), by_two(own, case), 1e-4)


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(config(True, False))


class Passes:
    """How often the layers encoded for themselves, and how often in the pass of a step."""

    def __init__(self) -> None:
        self.alone = self.merged = 0
        encode, decode = FusedLayers.encode, FusedLayers.decode

        def encode_counted(layers: FusedLayers, *given: object, **options: object) -> object:
            self.alone += 1
            return encode(layers, *given, **options)

        def decode_counted(layers: FusedLayers, x, place, cache, last, unread=None) -> object:
            self.merged += unread is not None
            return decode(layers, x, place, cache, last, unread)

        self.patch = patch.multiple(FusedLayers, encode=encode_counted, decode=decode_counted)


def test_a_short_prompt_and_each_canvas_are_encoded_with_the_first_step_behind_them(
    model: Model,
) -> None:
    """The steps are the plain ones, their number and their results; a graph replays all others."""
    own, fake, passes = fused(model, SCAN, bits=16), FakeGraphs(), Passes()
    options = {"max_new_tokens": 48}
    with passes.patch, plain_vocabulary():
        found = list(run(own, graphs=exact(fake.capture), **options))
    assert agree(iter(found), run(model, **options)) == 3 * 4
    assert (passes.alone, passes.merged) == (0, 3)
    assert (fake.captured, fake.replayed) == (1, 3 * 3 - 1)  # the very first of its kind compiles


def test_where_it_is_not_wanted_there_are_two_passes(model: Model) -> None:
    """As asked for, without graphs that are kept, and where memory ran out."""
    own, options = fused(model, SCAN, bits=16), {"max_new_tokens": 32}
    passes, apart = Passes(), Graphs(None, -1.0, merges=False)
    with passes.patch, plain_vocabulary():
        for each, graphs in ((own, apart), (own, None), (own.in_small(), exact())):
            assert len(list(run(each, graphs=graphs, **options))) == 8
    assert (passes.alone, passes.merged) == (3 * 2, 0)


def test_a_canvas_left_behind_its_first_step_leaves_nothing_behind(model: Model) -> None:
    own, graphs = fused(model, SCAN, bits=16), exact(FakeGraphs().capture)
    cache, options = own.new_cache(64), {"max_new_tokens": 32}
    with plain_vocabulary():
        loop = run(own, graphs=graphs, cache=cache, **options)
        for result in loop:
            if result.canvas == 1:
                break
        loop.close()
        assert cache.length == len(PROMPT) + 16
        again = run(own, graphs=graphs, cache=cache, **options)
        assert agree(again, run(model, **options)) == 8


def test_a_cache_without_room_is_left_as_it_was(model: Model) -> None:
    own, cache = fused(model, SCAN, bits=16), model.new_cache(20)
    with plain_vocabulary(), pytest.raises(ValueError, match="exceed"):
        list(run(own, cache=cache, max_new_tokens=32))
    assert cache.ids == PROMPT.tolist()


def test_where_memory_runs_out_in_it_the_answer_is_that_of_two_passes(tmp_path: Path) -> None:
    """From the second canvas on, in small; and the next answer is a fresh engine's."""
    tiny, work = fresh(make(tmp_path)).loaded, FusedStep.work
    answers = []
    for merges in (True, False):
        loaded = replace(
            tiny, model=fused(tiny.model, SCAN, bits=16), graphs=Graphs(None, -1.0, merges=merges),
            cache=tiny.model.new_cache(tiny.context),
        )  # fmt: skip
        session, is_merged = Session(Pipeline(loaded, "tiny")), []

        def scarce(step: FusedStep, unread: Tensor | None = None, *, seen=is_merged) -> None:
            seen.append(unread is not None)
            if len(seen) == 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            work(step, unread)

        with plain_vocabulary():
            undisturbed = session.ask(REQUESTS[1])
            with patch.object(FusedStep, "work", scarce):
                answers.append(told(session.ask(REQUESTS[1])))
            assert is_merged == [False, merges, False]
            assert told(session.ask(REQUESTS[1])) == told(undisturbed)
        assert session.service.stop(PATIENCE)
    assert answers[0] == answers[1]
    assert FinishReason.LENGTH in answers[0]


def test_the_end_of_a_prompt_is_read_by_the_first_step(tmp_path: Path) -> None:
    """Where up to a canvas of it is new; the answer is the same."""
    tiny, passes = fresh(make(tmp_path)).loaded, Passes()
    loaded = replace(tiny, model=fused(tiny.model, SCAN, bits=16), graphs=exact())
    answers, read = [], []
    with passes.patch, plain_vocabulary():
        for _ in range(2):
            events = list(Pipeline(loaded, "tiny").run(1, REQUESTS[1], lambda: False))
            answers.append(told(events))
            read.append([event.done for event in events if isinstance(event, Prefill)][-1])
            loaded.cache.cut(read[0] - 5)
    assert answers[0] == answers[1]
    assert (read[1], passes.alone, passes.merged) == (read[0] - 5, 1, 1 + 2)


def test_the_demo_model_writes_the_same_in_as_many_steps() -> None:
    own = fused(load_model("demo", weights="int4"), SCAN, bits=16)
    prompt, sampling = torch.arange(40) % 64 + 400, {"stop_ids": (), "max_denoising_steps": 8}
    with plain_vocabulary():
        one, two = (
            generate(
                own, prompt, max_new_tokens=256, seed=2, sampling=sampling,
                graphs=Graphs(None, merges=merges),
            )
            for merges in (True, False)
        )  # fmt: skip
    assert one == two
    assert (one.canvases, len(one.token_ids)) == (2, 256)
