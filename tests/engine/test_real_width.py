"""Two layers of the 26B model at full width: 128 experts, heads of 256 and 512, window 1024."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion, DynamicCache

from engine.config import load_sampling, parse_config
from engine.model.fields import text_shapes
from engine.model.network import Model
from engine.model.weights import assemble
from tests.engine.tiny import VISION, randomise

REAL_CONFIG = Path(__file__).parent / "data" / "diffusiongemma_26b_config.json"
VOCABULARY = 512


def slice_of_the_real_config() -> dict:
    """One sliding and one full layer; everything else but the vocabulary as published."""
    data = json.loads(REAL_CONFIG.read_text())
    data["text_config"] |= {
        "vocab_size": VOCABULARY,
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
    }
    data["vision_config"] = dict(VISION)
    return data


@pytest.mark.skipif(psutil.virtual_memory().total < 14 << 30, reason="the weights alone take 7 GiB")
@torch.no_grad()
def test_logits_at_full_width() -> None:
    data = slice_of_the_real_config()
    config = DiffusionGemmaConfig(**json.loads(json.dumps(data)))
    with torch.device("meta"):
        reference = DiffusionGemmaForBlockDiffusion(config).eval()
    reference.to_empty(device="cpu")
    reference.tie_weights()
    reference.init_weights()
    randomise(reference, seed=3)
    reference.set_experts_implementation("grouped_mm")
    # The engine runs on the very same tensors: two copies would not fit into CI's memory.
    data["vision_config"] = {**VISION, "standardize": False}
    ours = parse_config(data)
    state = reference.state_dict()
    tensors = {name: state[name] for name in text_shapes(replace(ours, vision=None))}
    model = Model(ours, load_sampling(Path("/nonexistent")), assemble(ours, tensors))
    del state, tensors

    generator = torch.Generator().manual_seed(1)
    prompt = torch.randint(VOCABULARY, (1100,), generator=generator)  # longer than the window
    canvas = torch.randint(VOCABULARY, (1, 256), generator=generator)
    theirs = DynamicCache(config=config.get_text_config(decoder=True))
    reference.model.encoder(input_ids=prompt[None], past_key_values=theirs)
    cache = model.new_cache(1100)
    model.prefill(prompt, cache, chunk=700)
    previous = None
    for _ in range(2):
        expected = reference(
            decoder_input_ids=canvas, past_key_values=theirs, self_conditioning_logits=previous
        ).logits
        found = model.denoise(canvas, cache, previous)
        assert (found - expected).abs().max() <= 1e-4
        assert expected.std() > 0.5  # flat logits would agree too easily
        previous, canvas = expected / 0.7, expected.argmax(dim=-1)
