"""Random checkpoints in the Hugging Face layout, written by transformers itself."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

VISION = {
    "model_type": "gemma4_vision",
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "global_head_dim": 16,
    "position_embedding_size": 16,
    "patch_size": 4,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One random geometry and one generation on it."""

    seed: int
    canvas: int
    window: int
    heads: int
    kv_heads: int
    global_kv_heads: int
    experts: int
    top_k: int
    sliding_layers: int  # in front of each of the two full layers
    prompt: int
    canvases: int
    stop_ids: tuple[int, ...]
    entropy_bound: float
    confidence_threshold: float
    stability_threshold: int

    @property
    def name(self) -> str:
        return f"{self.seed}-canvas{self.canvas}-window{self.window}-prompt{self.prompt}"

    def config(self, vocab_size: int = 193) -> DiffusionGemmaConfig:
        text = {
            "vocab_size": vocab_size,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2 * (self.sliding_layers + 1),
            "layer_types": 2 * (["sliding_attention"] * self.sliding_layers + ["full_attention"]),
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "num_global_key_value_heads": self.global_kv_heads,
            "head_dim": 16,
            "global_head_dim": 32,
            "sliding_window": self.window,
            "num_experts": self.experts,
            "top_k_experts": self.top_k,
            "moe_intermediate_size": 32,
            "max_position_embeddings": 1024,
            "use_bidirectional_attention": "vision",
        }
        return DiffusionGemmaConfig(
            text_config=text, vision_config=dict(VISION), canvas_length=self.canvas
        )


def cases(count: int) -> list[Case]:
    """Geometries that together cover windows shorter and longer than the prompt, every ratio of
    heads, 2 to 8 experts, canvases of 8 to 64, early and late stops."""
    pick = itertools.cycle
    heads = pick([(4, 2, 1), (4, 4, 4), (4, 1, 2), (8, 2, 2), (2, 2, 1)])
    experts = pick([(2, 1), (4, 2), (8, 2), (8, 8), (3, 2), (6, 4), (5, 1)])
    sizes = pick([8, 16, 24, 64, 33, 48])
    windows = pick([4, 8, 64, 256, 17])
    prompts = pick([1, 2, 7, 29, 64, 131, 300, 16])
    stops = pick([(1, 106, 50), tuple(range(0, 193, 40)), (1,), tuple(range(5, 193, 23))])
    rules = pick([(0.1, 0.005, 1), (1.0, 0.8, 1), (0.3, 2.0, 2), (3.0, 3.0, 0)])
    found = []
    for seed in range(count):
        bound, confidence, stability = next(rules)
        all_heads, kv, global_kv = next(heads)
        total, active = next(experts)
        found.append(
            Case(
                seed=seed,
                canvas=next(sizes),
                window=next(windows),
                heads=all_heads,
                kv_heads=kv,
                global_kv_heads=global_kv,
                experts=total,
                top_k=active,
                sliding_layers=1 + seed % 2,
                prompt=next(prompts),
                canvases=1 + seed % 3,
                stop_ids=next(stops),
                entropy_bound=bound,
                confidence_threshold=confidence,
                stability_threshold=stability,
            )
        )
    return found


def random_reference(config: DiffusionGemmaConfig, seed: int) -> DiffusionGemmaForBlockDiffusion:
    """A reference model with weights that make every part of the network matter."""
    return randomise(DiffusionGemmaForBlockDiffusion(config).eval(), seed)


def randomise(model: DiffusionGemmaForBlockDiffusion, seed: int) -> DiffusionGemmaForBlockDiffusion:
    """Fills the text network with random weights.

    transformers' own initialisation leaves norms at one and logits flat, which would hide a norm
    left out or two experts mixed up.
    """
    torch.manual_seed(seed)
    scales = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for name, tensor in scales.items():
            if "vision" in name or "inv_freq" in name or "embed_scale" in name:
                continue
            if name.endswith("layer_scalar"):
                tensor.uniform_(0.5, 1.0)
            elif "q_norm" in name or "k_norm" in name:
                tensor.uniform_(0.6, 1.4).mul_(tensor.shape[0] ** -0.25)
            elif name.endswith("embed_tokens.weight"):
                tensor.normal_(0.0, 2.0 * tensor.shape[-1] ** -0.5)
            elif "post_" in name:
                # Branches as loud as the residual make the step chaotic: rounding differences
                # grow fourfold a step, and two right implementations drift apart.
                tensor.uniform_(0.1, 0.3)
            elif tensor.ndim == 1:
                tensor.uniform_(0.6, 1.4)
            elif "self_conditioning.down_proj" in name:
                tensor.normal_(0.0, 0.4 * tensor.shape[-1] ** -0.5)
            else:
                tensor.normal_(0.0, 1.3 * tensor.shape[-1] ** -0.5)
    return model


def save(model: DiffusionGemmaForBlockDiffusion, folder: Path) -> Path:
    """Writes the checkpoint by transformers' own code."""
    model.save_pretrained(folder)
    return folder
