"""Cut back, restored, written on: the cache is what a fresh one of the same tokens would be."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import engine.model.snapshots
from engine.config import ModelConfig
from engine.memory import snapshot_bytes
from engine.messages import ChatRequest, Finished, LoadRequest, Role, Sampling, Turn
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.model.snapshots import NEAR
from engine.pipeline import Pipeline, load_pipeline
from engine.quant.scheme import SCHEMES
from engine.sizes import SLACK, SNAPSHOTS
from tests.engine.geometries import build, random_config
from tests.engine.text import gemma_like
from tests.engine.tiny import cases, random_reference, save

DEMO = Path(__file__).parents[2] / "assets" / "demo_model"
CPU = torch.device("cpu")


def small(window: int, seed: int) -> ModelConfig:
    """Three layers whose keys are cheap to write down."""
    drawn = random_config(random.Random(seed))
    sliding = replace(drawn.layers[-1], is_sliding=True, head_dim=2, num_kv_heads=2)
    full = replace(sliding, is_sliding=False, head_dim=4, num_kv_heads=1)
    return replace(drawn, layers=(sliding, full, sliding), sliding_window=window, canvas_length=16)


class Written:
    """A cache, and beside it every token's keys and values in plain lists: what it must hold."""

    def __init__(self, config: ModelConfig, max_tokens: int) -> None:
        self.config = config
        self.cache = KVCache(config, max_tokens, CPU, torch.float32)
        self.ids: list[int] = []
        self.values = [torch.empty(2, layer.num_kv_heads, 0, layer.head_dim) for layer in config.layers]  # fmt: skip

    def append(self, ids: list[int]) -> None:
        self.cache.reserve(len(ids))
        for index, layer in enumerate(self.config.layers):
            new = torch.randn(2, layer.num_kv_heads, len(ids), layer.head_dim)
            self.cache.extend(index, new[0], new[1])
            self.values[index] = torch.cat((self.values[index], new), dim=2)
        self.cache.append(ids)
        self.ids += ids

    def left(self, length: int) -> None:
        self.ids = self.ids[:length]
        self.values = [values[:, :, :length] for values in self.values]

    def check(self) -> None:
        assert self.cache.ids == self.ids
        for index, layer in enumerate(self.config.layers):
            begin = (
                max(0, len(self.ids) - self.config.sliding_window + 1) if layer.is_sliding else 0
            )
            held = torch.stack(self.cache.read(index))
            assert torch.equal(held, self.values[index][:, :, begin:])


def test_any_sequence_of_writing_marking_and_cutting_keeps_every_bit() -> None:
    restored = 0
    for seed in range(40):
        torch.manual_seed(seed)
        restored += play(random.Random(seed), small((4, 17, 256, 900)[seed % 4], seed))
    assert restored >= 20


def play(draw: random.Random, config: ModelConfig) -> int:
    """Sixty random moves; returns how often a snapshot was the way back."""
    room = draw.choice([1500, 9000, 20_000, 20_000])
    both = Written(config, room)
    cache, restored = both.cache, 0
    for _ in range(60):
        length = len(both.ids)
        match draw.choice(["write"] * 6 + ["mark"] * 3 + ["cut", "branch"]):
            case "write":
                count = min(draw.choice([1, 16, 300, SLACK]), room - length)
                both.append([draw.randrange(700) for _ in range(count)])
            case "mark":
                for _ in range(draw.randint(1, 5)):
                    cache.mark(draw.randint(max(0, length - 900), length + 500))
            case "cut":
                wanted = draw.randint(max(0, length - 5000), length)
                must_move = not cache._holds(wanted)
                left = cache.cut(wanted)
                assert left == wanted or must_move
                restored += must_move and left > 0
                both.left(left)
            case "branch":
                at = draw.randint(0, length)
                both.left(cache.keep_prefix([*both.ids[:at], 999, 999]))
        both.check()
        assert cache.snapshot_bytes <= snapshot_bytes(config, room, "float32")
    return restored


def test_a_marked_place_is_reached_again_and_a_forgotten_one_is_not() -> None:
    both = Written(small(64, 0), 30_000)
    cache = both.cache
    both.append(list(range(1000)))
    cache.mark(700)
    for _ in range(6):
        both.append(list(range(SLACK)))
    assert cache.cut(5000) == 700
    both.left(700)
    both.check()
    both.append([5] * 4 * NEAR)
    for _ in range(3):
        both.append([6] * SLACK)
    assert cache.keep_prefix(both.ids[:690]) == 0  # the place is gone with its tokens
    assert cache.snapshot_bytes == 0


def test_a_mark_further_on_stays_until_its_place_is_written() -> None:
    """The prompt is read up to there by two calls that keep the same prefix."""
    both = Written(small(64, 0), 30_000)
    both.append([1] * 650)
    both.cache.mark(700)
    assert both.cache.keep_prefix([*both.ids, 2]) == 650
    both.append([2] * 350)
    for _ in range(6):
        both.append([3] * SLACK)
    assert both.cache.cut(5000) == 700
    both.left(700)
    both.check()


def test_where_two_prompts_part_a_third_one_may() -> None:
    """Edits in the middle of one long text: only the first of them reads its front again."""
    both = Written(small(64, 1), 30_000)
    text = [at % 600 for at in range(10_000)]

    def read(prompt: list[int]) -> int:
        reused = both.cache.keep_prefix(prompt)
        both.left(reused)
        while (at := len(both.ids)) < len(prompt):
            both.append(prompt[at : at + SLACK])
        both.check()
        return reused

    edits = [[*text[:4321], 600 + number, *text[4322:]] for number in range(5)]
    assert [read(edit) for edit in edits] == [0, 0, 4321, 4321, 4321]


def test_what_is_kept_is_bounded() -> None:
    config = small(32, 2)
    cache = Written(config, 200_000)
    for _ in range(60):
        start = len(cache.ids)
        for at in range(1, SLACK // NEAR):
            cache.cache.mark(start + at * NEAR)
        cache.append([1] * SLACK)
    one = snapshot_bytes(config, 200_000, "float32") // SNAPSHOTS
    assert cache.cache.snapshot_bytes == SNAPSHOTS * one
    short = KVCache(config, 32 + SLACK, CPU, torch.float32)
    short.mark(10)
    assert snapshot_bytes(config, short.max_tokens, "float32") == short.snapshot_bytes == 0


def test_without_memory_for_a_copy_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(window: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(engine.model.snapshots, "_to_host", refuse)
    both = Written(small(64, 3), 30_000)
    both.append([1] * 1000)
    both.cache.mark(700)
    for _ in range(3):
        both.append([2] * SLACK)
    both.check()
    assert both.cache.snapshot_bytes == 0
    assert both.cache.cut(700) == 0


@pytest.fixture(scope="module", params=[5, 9])
def model(request) -> Model:
    config = replace(random_config(random.Random(request.param)), vocab_size=700)
    sliding = tuple(replace(layer, is_sliding=True) for layer in config.layers[:-1])
    config = replace(config, layers=(*sliding, config.layers[-1]), sliding_window=99)
    torch.manual_seed(request.param)
    return build(config, SCHEMES["source"])


def test_a_restored_prefix_is_that_of_a_fresh_prefill_in_the_same_chunks(model: Model) -> None:
    ids = torch.randint(700, (3 * SLACK,), generator=torch.Generator().manual_seed(0))
    canvas = torch.arange(model.config.canvas_length)
    cache, fresh = model.new_cache(4 * SLACK), model.new_cache(4 * SLACK)
    cache.mark(777)
    for chunk in (ids[:777], ids[777 : 777 + SLACK], ids[777 + SLACK :], ids[:9]):
        model.prefill(chunk, cache)
    assert cache.cut(2500) == 777
    for chunk in (ids[:777], ids[50:350]):
        model.prefill(chunk, fresh)
    model.prefill(ids[50:350], cache)
    assert cache.ids == fresh.ids
    for layer in range(len(model.config.layers)):
        assert torch.equal(torch.stack(cache.read(layer)), torch.stack(fresh.read(layer)))
    assert torch.equal(model.denoise(canvas, cache, None), model.denoise(canvas, fresh, None))
    assert torch.equal(model.score(canvas, cache), model.score(canvas, fresh))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("long")
    gemma_like.build(made)
    shutil.copy(DEMO / "chat_template.jinja", made)
    config = cases(8)[1].config(vocab_size=700)
    config.text_config.max_position_embeddings = 16_384
    return save(random_reference(config, 11), made)


def load(folder: Path) -> Pipeline:
    request = LoadRequest(model=str(folder), device="cpu", max_context=16_384)
    return load_pipeline(request, lambda what, done, total: None, lambda: False)


def reused(pipeline: Pipeline, *texts: str) -> tuple[int, int]:
    """Tokens of the prompt that were taken from the cache, and all; questions and answers in turn."""
    turns = [Turn.of(Role.MODEL if at % 2 else Role.USER, text) for at, text in enumerate(texts)]
    quick = Sampling(max_denoising_steps=1, stop_ids=())
    request = ChatRequest(turns=tuple(turns), sampling=quick, seed=1, max_new_tokens=64)
    *_, end = pipeline.run(1, request, lambda: False)
    assert isinstance(end, Finished)
    return end.usage.reused_tokens, end.usage.prompt_tokens


def test_answering_again_and_other_words_read_little_again(folder: Path) -> None:
    pipeline = load(folder)
    first, answer, second = "one two " * 150, "so it is " * 100, "and then " * 150
    reused(pipeline, first)
    reused(pipeline, first, answer, second)
    long_after = [first, answer, second, "yes " * 300, "more of it " * 300]
    reused(pipeline, *long_after)
    kept, whole = reused(pipeline, first, answer, second)  # answered again, though much came behind
    assert whole - kept <= NEAR
    kept, whole = reused(pipeline, first, answer, "quite another question")
    assert whole - kept <= NEAR + len("quite another question")
    prompt = pipeline.loaded.cache.ids[:whole]
    fresh = load(folder)
    reused(fresh, first, answer, "quite another question")
    canvas = torch.arange(pipeline.loaded.model.config.canvas_length)
    logits = []
    for each in (pipeline, fresh):
        each.loaded.cache.keep_prefix(prompt)
        assert each.loaded.cache.ids == prompt
        logits.append(each.loaded.model.denoise(canvas, each.loaded.cache, None))
    assert (logits[0] - logits[1]).abs().max() <= 1e-4
