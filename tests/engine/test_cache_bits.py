"""A cache of eight bits: what it takes, how far it is from an exact one, and what a model makes of it."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from engine.generate import steps
from engine.load import load_model
from engine.memory import plan
from engine.messages import LoadRequest
from engine.model.attention import attend
from engine.model.cache import KVCache
from engine.pipeline import load_pipeline
from engine.quant.scheme import SCHEMES
from engine.sizes import SLACK
from tests.engine.geometries import build, random_config, real_config
from tests.engine.kernels.network import config, fused, random_model
from tests.seeds import new_seed

SEED = new_seed()
CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_the_plan_is_what_is_built(seed: int) -> None:
    draw = random.Random(seed)
    made, dtype, context = random_config(draw), draw.choice(["float32", "bfloat16"]), 5000
    model = build(made, SCHEMES["int4"], dtype)
    found = plan(made, SCHEMES["int4"], context=context, dtype=dtype, device="cpu", cache_bits=8)
    cache = model.new_cache(context, bits=8)
    assert found.kv_cache == cache.bytes_used
    cache.mark(1)
    for _ in range(4):
        model.prefill(torch.zeros(min(SLACK, context - cache.length), dtype=torch.int64), cache)
    assert cache.snapshot_bytes <= found.snapshots


def test_the_real_model_saves_half_of_its_prefix() -> None:
    whole, half = (
        plan(
            real_config(), SCHEMES["int4"], context=262_144, dtype="bfloat16", device="cuda",
            cache_bits=bits,
        )
        for bits in (16, 8)
    )  # fmt: skip
    assert half.kv_cache < 0.51 * whole.kv_cache
    assert half.total < whole.total - 1.5e9


def normed(*shape: int) -> Tensor:
    x = torch.randn(*shape)
    return x / x.square().mean(dim=-1, keepdim=True).sqrt()


@pytest.mark.parametrize("seed", range(3))
def test_it_follows_an_exact_cache_wherever_that_goes(seed: int) -> None:
    """Appending, cutting, coming back to marks: the same tokens, each within half a step."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    made = random_config(random.Random(5))
    exact, coarse = (KVCache(made, 9000, CPU, torch.float32, bits) for bits in (16, 8))
    for _ in range(12):
        count = draw.choice([1, 40, 700, SLACK])
        if exact.length + count > 9000 or draw.random() < 0.3:
            length = draw.randint(0, exact.length)
            assert exact.cut(length) == coarse.cut(length)
        else:
            for each in (exact, coarse):
                each.mark(exact.length)
                each.reserve(count)
            for index, layer in enumerate(made.layers):
                own = normed(2, layer.num_kv_heads, count, layer.head_dim)
                for each in (exact, coarse):
                    each.extend(index, *own)
            for each in (exact, coarse):
                each.append([0] * count)
        for index in range(len(made.layers)):
            for one, other in zip(coarse.read(index), exact.read(index), strict=True):
                assert one.shape == other.shape
                step = other.abs().amax(dim=-1, keepdim=True) / 127 if one.numel() else one
                assert ((one - other).abs() <= 0.501 * step).all()


def test_the_error_of_an_attention_stays_below_its_bound() -> None:
    """Scores are off by at most e = half a step · |q|₁, so weights by a factor of up to e^2e."""
    torch.manual_seed(1)
    made = config(False)
    layer, prefix, new = made.layers[0], 200, 9
    exact, coarse = (KVCache(made, 256, CPU, torch.float32, bits) for bits in (16, 8))
    old = normed(2, layer.num_kv_heads, prefix, layer.head_dim)
    own = normed(2, layer.num_kv_heads, new, layer.head_dim)
    for each in (exact, coarse):
        each.extend(0, *old)
        each.append([0] * prefix)
    queries = 0.3 * normed(new, made.num_heads, layer.head_dim)
    wanted, found = (attend(queries, *each.extend(0, *own)) for each in (exact, coarse))
    half_step = old.abs().amax() / 254
    off = half_step * queries.abs().sum(dim=-1).amax()
    values = torch.cat((old[1], own[1]), dim=1).abs().amax()
    bound = half_step + values * (torch.exp(2 * off) - 1)
    error = (found - wanted).abs().amax()
    assert 0 < error <= bound < 1


def test_what_is_behind_the_prefix_is_exact() -> None:
    made = config(True)
    cache = KVCache(made, 64, CPU, torch.float32, bits=8)
    layer = made.layers[0]
    own = normed(2, layer.num_kv_heads, 7, layer.head_dim)
    for found, given in zip(cache.extend(0, *own), own, strict=True):
        assert torch.equal(found, given)


@pytest.mark.parametrize("bits", [16, 8])
def test_kernels_read_it_as_the_plain_way_does(bits: int) -> None:
    """Both passes: a prompt in two chunks beyond the window, and a canvas behind it."""
    model = random_model(config(True, False))
    found = []
    for each in (model, fused(model, ("attend", "attend_causal", "store"), bits=16)):
        cache = each.new_cache(64, bits)
        each.prefill(torch.arange(23) % 7, cache, chunk=13)
        hidden = each.decode(torch.arange(10).view(2, 5), cache, None)
        found.append([hidden, *(part for layer in (0, 1) for part in cache.read(layer))])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3 if bits == 16 else 2e-2)


def test_the_demo_model_says_much_the_same() -> None:
    model = load_model("demo")
    prompt = torch.arange(3, 260) % 500 + 200
    firsts = []
    for bits in (16, 8):
        cache = model.new_cache(512, bits)
        firsts.append(next(steps(model, prompt, max_new_tokens=64, seed=2, cache=cache)))
    one, other = firsts
    assert (one.argmax == other.argmax).float().mean() >= 0.97
    assert (one.entropy - other.entropy).abs().mean() <= 0.05


def test_a_model_is_loaded_with_it() -> None:
    sizes = []
    for bits in (16, 8):
        request = LoadRequest(model="demo", device="cpu", max_context=4096, cache_bits=bits)
        pipeline = load_pipeline(request, lambda *_: None, lambda: False)
        sizes.append(pipeline.ready(1).memory_bytes)
        pipeline.close()
    made = load_model("demo").config
    saved = sum(
        2 * layer.num_kv_heads * (places + made.canvas_length) * (4 * layer.head_dim - layer.head_dim - 4)
        for layer in made.layers
        for places in [min(4096, made.sliding_window + SLACK) if layer.is_sliding else 4096]
    )  # fmt: skip
    assert sizes[0] - sizes[1] == saved
