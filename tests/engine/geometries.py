"""Random geometries of the network, built in memory, and the peak of what they allocate."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from engine.config import LayerConfig, ModelConfig, SamplingConfig, parse_config
from engine.model.fields import Field, fields, stored_as
from engine.model.network import Model
from engine.model.weights import from_blobs
from engine.quant.layouts import Part
from engine.quant.scheme import Scheme
from engine.quant.tensors import Matrix, empty_parts, from_parts

REAL_CONFIG = Path(__file__).parent / "data" / "diffusiongemma_26b_config.json"
SAMPLING = SamplingConfig(
    max_denoising_steps=48,
    t_min=0.4,
    t_max=0.8,
    entropy_bound=0.1,
    stability_threshold=1,
    confidence_threshold=1e-9,
    stop_ids=(),
)


def real_config() -> ModelConfig:
    return parse_config(json.loads(REAL_CONFIG.read_text()))


def random_config(draw: random.Random) -> ModelConfig:
    """A small network; every size its own, and none of them round."""

    def layer(is_sliding: bool) -> LayerConfig:
        dim = head_dim if is_sliding else 2 * head_dim
        kv = draw.choice([kv for kv in (1, 2, 4) if heads % kv == 0])
        return LayerConfig(
            is_sliding=is_sliding,
            head_dim=dim,
            num_kv_heads=kv,
            rope_theta=10_000.0,
            rotated_dims=dim // 2,
        )

    heads, head_dim = draw.choice([2, 4, 8]), draw.choice([8, 16, 32, 64])
    experts = draw.randint(2, 17)
    return replace(
        real_config(),
        vocab_size=draw.randint(300, 20_000),
        hidden_size=16 * draw.randint(1, 24),
        intermediate_size=16 * draw.randint(1, 40),
        moe_intermediate_size=16 * draw.randint(1, 24),
        num_experts=experts,
        top_k_experts=draw.randint(1, min(4, experts)),
        num_heads=heads,
        layers=(*(layer(draw.random() < 0.7) for _ in range(draw.randint(1, 3))), layer(False)),
        sliding_window=draw.randint(8, 1500),
        canvas_length=draw.randint(16, 256),
    )


def build(config: ModelConfig, scheme: Scheme, dtype: str = "float32") -> Model:
    """A model of random weights."""
    blobs = {
        blob: {field.name: _random(field, scheme, dtype) for field in some}
        for blob, some in fields(config).items()
    }
    return Model(config, SAMPLING, from_blobs(config, blobs))


def _random(field: Field, scheme: Scheme, dtype: str) -> Matrix:
    stored = stored_as(field, scheme, dtype)
    if isinstance(stored, Part):
        return torch.randn(stored.shape).mul_(0.05).to(getattr(torch, dtype))
    parts = empty_parts(stored, torch.device("cpu"))
    for name, part in parts.items():
        if name in ("scale", "exponents"):
            part.fill_(0.01 if name == "scale" else 0)
        else:
            part.random_(0, 100)
    return from_parts(stored, parts, field.name)


def peak_bytes(work: Callable[[], object]) -> int:
    """The most that work() holds at a time of what it asked torch's allocator for."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        peak = max(peak, live)
    return peak
