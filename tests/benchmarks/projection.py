"""From the bytes and operations of a step to tokens a second, for GPUs that nobody here has: a projection.

    python -m tests.benchmarks.projection

    step = Σ over parts: max(bytes / (bandwidth · share), operations / (rate · share)) + FIXED
    tokens a second = canvas / (canvas / per forward · step + encoding)

encoding, of a settled canvas, is COMMIT · step for others; of ours it is what the next canvas' first step
takes longer for twice the rows with the same weights, or a pass of its own without the vocabulary.

Each part is kernels of its own, so what one leaves idle no other uses. Experts are multiplied in tiles
that are not full, hence PADDING. A share of 0.85 of bandwidth and rate gives what others have measured
with vLLM on an RTX 4090 and on an L40S within 15 %; their tokens per forward were not published, 17 is
assumed. That is calibrated to two figures, not proven. Whether our kernels are as good nobody has
measured; the second share, 0.6, is what a Triton kernel for experts that nobody has tuned may be left with
(one that was tuned reached 0.75 of an H200's bandwidth).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from engine.config import ModelConfig, parse_config
from tests.benchmarks.gpu_rig import CONFIG
from tests.benchmarks.record import record
from tests.benchmarks.step_cost import (
    AWQ,
    INT4,
    NVFP4,
    VOCABULARY,
    Bits,
    Cost,
    merged_cost,
    step_cost,
)

SHARES = {"as good as vLLM's": 0.85, "not tuned": 0.6}
FIXED = 1.5e-3  # seconds: short kernels, and waiting for the host
PADDING = 1.45
COMMIT = 0.75  # of a step, for encoding a settled canvas
TOLERANCE = 0.15


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """Dense rates of the data sheet."""

    bandwidth: float  # bytes a second
    half: float  # bfloat16 operations a second, summed in float32
    int8: float


RTX_3090 = Gpu(bandwidth=936e9, half=71e12, int8=284e12)
RTX_4090 = Gpu(bandwidth=1008e9, half=165e12, int8=661e12)
RTX_5090 = Gpu(bandwidth=1792e9, half=209.5e12, int8=838e12)
L40S = Gpu(bandwidth=864e9, half=362e12, int8=733e12)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How an engine stores and multiplies."""

    bits: Bits
    int8_products: bool  # else 16 bits everywhere
    logits_passes: int  # of float32 numbers of all tokens, written and read again
    dense_conditioning: bool


OURS = Engine(bits=INT4, int8_products=True, logits_passes=0, dense_conditioning=False)
OURS_DENSE = Engine(bits=INT4, int8_products=True, logits_passes=0, dense_conditioning=True)
VLLM_AWQ = Engine(bits=AWQ, int8_products=False, logits_passes=6, dense_conditioning=True)
VLLM_NVFP4 = Engine(bits=NVFP4, int8_products=False, logits_passes=6, dense_conditioning=True)


@dataclass(frozen=True, kw_only=True)
class Published:
    """A figure that somebody has measured, and what it was measured on."""

    what: str
    gpu: Gpu
    engine: Engine
    context: int
    per_forward: float  # tokens; where it was not published, the mean over code and chat
    tokens_s: float


PUBLISHED = (
    Published(
        what="vLLM, AWQ with groups of 32, RTX 4090, 2K", gpu=RTX_4090, engine=VLLM_AWQ,
        context=2048, per_forward=17, tokens_s=570,
    ),
    Published(
        what="vLLM, NVFP4, L40S, 550 tokens", gpu=L40S, engine=VLLM_NVFP4, context=550,
        per_forward=17, tokens_s=581,
    ),
)  # fmt: skip


def step_seconds(
    config: ModelConfig, gpu: Gpu, engine: Engine, context: int, share: float
) -> float:
    costs = step_cost(config, engine.bits, context, dense_conditioning=engine.dense_conditioning)
    passes = engine.logits_passes * 4 * config.canvas_length * config.vocab_size
    return passes / (gpu.bandwidth * share) + _seconds(costs, gpu, engine, share)


def encoding_seconds(
    config: ModelConfig, gpu: Gpu, engine: Engine, context: int, share: float
) -> tuple[float, float]:
    """Of a settled canvas: what the next one's first step takes longer for it, and a pass of its own."""
    costs = step_cost(config, engine.bits, context, dense_conditioning=engine.dense_conditioning)
    both, alone = merged_cost(costs), {part: costs[part] for part in costs.keys() - VOCABULARY}
    longer = _seconds(both, gpu, engine, share) - _seconds(costs, gpu, engine, share)
    return longer, _seconds(alone, gpu, engine, share)


def _seconds(costs: dict[str, Cost], gpu: Gpu, engine: Engine, share: float) -> float:
    found = FIXED
    for part, cost in costs.items():
        rate = gpu.int8 if engine.int8_products and part != "scores" else gpu.half
        padding = PADDING if part == "experts" else 1.0
        found += max(cost.bytes / gpu.bandwidth, padding * cost.operations / rate) / share
    return found


def tokens_a_second(config: ModelConfig, step: float, per_forward: float, encoding: float) -> float:
    """step, encoding: seconds."""
    return config.canvas_length / (step * config.canvas_length / per_forward + encoding)


def projected(config: ModelConfig, gpu: Gpu, engine: Engine, share: float) -> dict[str, Any]:
    found = {}
    for context in (0, 4096, 32_768, 262_144):
        step = step_seconds(config, gpu, engine, context, share)
        longer, alone = encoding_seconds(config, gpu, engine, context, share)
        found[str(context)] = {
            "step_ms": round(1e3 * step, 1),
            "encoding_ms": round(1e3 * longer, 1),
            "encoding_ms_in_a_pass_of_its_own": round(1e3 * alone, 1),
            "tokens_s": _rates(config, step, longer),
            "tokens_s_with_two_passes": _rates(config, step, alone),
        }
    return found


def _rates(config: ModelConfig, step: float, encoding: float) -> dict[int, int]:
    """By tokens per forward."""
    return {per: round(tokens_a_second(config, step, per, encoding)) for per in (14, 17, 20)}


def checked(config: ModelConfig) -> dict[str, Any]:
    """What the formula gives for published figures."""
    found = {}
    for each in PUBLISHED:
        step = step_seconds(config, each.gpu, each.engine, each.context, max(SHARES.values()))
        own = tokens_a_second(config, step, each.per_forward, COMMIT * step)
        found[each.what] = {
            "published_tokens_s": each.tokens_s, "formula_tokens_s": round(own),
            "off": round(own / each.tokens_s - 1, 3),
        }  # fmt: skip
    return found


def main() -> None:
    config = parse_config(json.loads(CONFIG.read_text()))
    gpus = {"RTX 3090": RTX_3090, "RTX 4090": RTX_4090, "RTX 5090": RTX_5090}
    record(
        "projection",
        {
            "kind": "projection: no figure of this file was measured by us",
            "formula_against_published": checked(config),
            "projected": {
                f"{name}, {conditioning} self-conditioning, kernels {words}": projected(
                    config, gpu, engine, share
                )
                for name, gpu in gpus.items()
                for conditioning, engine in (("sparse", OURS), ("dense", OURS_DENSE))
                for words, share in SHARES.items()
            },
        },
    )


if __name__ == "__main__":
    main()
