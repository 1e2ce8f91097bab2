"""A step of transformers in its fastest settings, with random bfloat16 weights, where these fit beside ours.

Its generate is timed with few and with more steps; the difference is free of what is done once.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import torch

from tests.benchmarks.gpu_rig import CONFIG, Rig

PROMPT = 1024  # tokens
FEW, MORE = 2, 8  # steps
BYTES = 54e9  # of the real model's weights with its vision tower, and of its temporary tensors
NO_STOP = 1e-9


def transformers_section(rig: Rig) -> dict[str, Any]:
    device = rig.model.device
    if device.type == "cuda" and not rig.is_tiny and torch.cuda.mem_get_info()[0] < BYTES:
        return {"left_out": "its 52 GB of weights do not fit beside ours"}
    reference = _reference(rig)
    prompt = rig.prompt(rig.size(PROMPT))[None].to(device)

    found: dict[str, Any] = {"prompt": prompt.shape[1], "dtype": str(reference.dtype)}
    for attention, experts in itertools.product(("sdpa",), ("grouped_mm", "batched_mm")):
        if rig.is_late:
            found["left_out"] = f"from {experts} on, for want of time"
            break
        reference.set_attn_implementation(attention)
        try:
            reference.set_experts_implementation(experts)
            _seconds(rig, reference, prompt, FEW)
            few, more = (_seconds(rig, reference, prompt, count) for count in (FEW, MORE))
        except (RuntimeError, ValueError, NotImplementedError) as error:
            found[f"{attention}+{experts}"] = f"{type(error).__name__}: {error}"[:200]
        else:
            found[f"{attention}+{experts}"] = {
                "step_ms": round(1e3 * (more - few) / (MORE - FEW), 2)
            }
        rig.release()
    del reference
    rig.release()
    return found


def _seconds(rig: Rig, reference: Any, prompt: torch.Tensor, count: int) -> float:
    """For a canvas of so many steps."""
    options = {"eos_token_id": None, "confidence_threshold": NO_STOP, "max_denoising_steps": count}
    canvas = reference.config.canvas_length
    return rig.seconds(lambda: reference.generate(prompt, max_new_tokens=canvas, **options))


def _reference(rig: Rig) -> Any:
    from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

    if rig.is_tiny:
        from tests.engine.tiny import cases

        config, dtype = cases(1)[0].config(), torch.float32
    else:
        config, dtype = (
            DiffusionGemmaConfig.from_dict(json.loads(CONFIG.read_text())),
            torch.bfloat16,
        )
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(rig.model.device):
            return DiffusionGemmaForBlockDiffusion(config).eval()
    finally:
        torch.set_default_dtype(usual)
