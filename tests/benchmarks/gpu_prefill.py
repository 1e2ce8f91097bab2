"""Prompts of several lengths read into the cache, and that what comes of them are numbers."""

from __future__ import annotations

from typing import Any

import torch

from tests.benchmarks.gpu_rig import Rig

LENGTHS = (2048, 8192, 32_768, 262_144)


def prefill_section(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    warm = rig.prompt(rig.size(LENGTHS[0]))
    rig.model.prefill(warm, rig.model.new_cache(len(warm)))  # compiles
    speed = 0.0
    for length in LENGTHS:
        tokens = rig.size(length)
        if rig.is_late or (speed and rig.lasts(2 * tokens / speed)):
            found["left_out"] = f"from {length} on, for want of time"
            break
        prompt = rig.prompt(tokens)
        cache = rig.model.new_cache(tokens + rig.model.config.canvas_length)
        seconds = rig.seconds(lambda cache=cache, prompt=prompt: rig.model.prefill(prompt, cache))
        score = rig.model.score(prompt[:8], cache)
        assert bool(torch.isfinite(score).all())
        speed = tokens / seconds
        found[str(length)] = {
            "tokens": tokens, "seconds": round(seconds, 4), "tokens_s": round(speed),
            "driver_bytes": rig.driver_bytes(),
        }  # fmt: skip
        del cache
        rig.release()
    return found
