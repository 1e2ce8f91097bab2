"""The training network computes what the published class computes, and exports it unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import export
import pytest
import torch
from network import Network, NetworkConfig
from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

SLIDING, FULL = "sliding_attention", "full_attention"
VOCAB, CANVAS = 192, 16


def tiny(layer_types: tuple[str, ...], window: int) -> Network:
    """A small network whose weights are all random, those of the norms included."""
    network = Network(
        NetworkConfig(vocab_size=VOCAB, layer_types=layer_types, sliding_window=window)
    )
    network.initialise(3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() == 1:
                weight.mul_(0.5 + torch.rand(weight.shape, generator=generator))
    return network.eval()


def reference(network: Network) -> DiffusionGemmaForBlockDiffusion:
    """transformers' class with the same weights."""
    settings = export.config(network.config.as_dict()) | {"canvas_length": CANVAS}
    config = DiffusionGemmaConfig(
        **{key: settings[key] for key in ("text_config", "vision_config", "canvas_length")}
    )
    model = DiffusionGemmaForBlockDiffusion(config).eval()
    weights = {f"model.decoder.{name}": value for name, value in network.state_dict().items()}
    answer = model.load_state_dict(weights, strict=False)
    assert not answer.unexpected_keys
    model.tie_weights()
    return model


@pytest.mark.parametrize(
    ("layer_types", "window", "prompt"),
    [
        ((SLIDING, FULL), 64, 9),
        ((SLIDING, SLIDING, FULL), 12, 40),
        ((SLIDING, FULL, SLIDING, FULL), 8, 23),
    ],
)
@torch.no_grad()
def test_logits_equal_transformers(layer_types: tuple[str, ...], window: int, prompt: int) -> None:
    network = tiny(layer_types, window)
    model = reference(network)
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(VOCAB, (1, prompt), generator=generator)
    canvas = torch.randint(VOCAB, (1, CANVAS), generator=generator)
    before = 3 * torch.randn(1, CANVAS, VOCAB, generator=generator)

    # Padding behind the prompt must not be seen.
    padded = torch.cat((ids, torch.full((1, 7), 5)), dim=1)
    encoded = network.encode(padded, torch.tensor([prompt]))
    first = network.logits(network.decode(canvas, encoded)[0])
    later = network.logits(network.decode(canvas, encoded, network.soften(before))[0])

    want_first = model(input_ids=ids, decoder_input_ids=canvas)
    want_later = model(input_ids=ids, decoder_input_ids=canvas, self_conditioning_logits=before)
    torch.testing.assert_close(first, want_first.logits, atol=2e-5, rtol=0)
    torch.testing.assert_close(later, want_later.logits, atol=2e-5, rtol=0)
    torch.testing.assert_close(
        encoded.hidden[:, :prompt], want_first.encoder_last_hidden_state, atol=2e-5, rtol=0
    )


def test_wanted_positions_are_a_selection() -> None:
    network = tiny((SLIDING, FULL), 64)
    prompt = network.encode(torch.tensor([[1, 2, 3]]), torch.tensor([3]))
    canvas = torch.arange(32).view(2, 16)
    wanted = torch.rand(2, 16) < 0.4
    everything, _ = network.decode(canvas, prompt)
    some, _ = network.decode(canvas, prompt, wanted=wanted)
    torch.testing.assert_close(some, everything[wanted])


def test_gradients_equal_plain_autograd() -> None:
    """The hand-written backward pass of the norm is that of its formula."""
    from network import RMSNorm

    x = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: RMSNorm.apply(a, b, 1e-6), (x, weight))


def test_export_loads_in_transformers(tmp_path: Path) -> None:
    network = tiny((SLIDING, FULL), 64)
    state = {
        "config": network.config.as_dict(),
        "network": network.state_dict(),
        "average": {},
        "step": 1,
    }
    checkpoint, folder = tmp_path / "checkpoint.pt", tmp_path / "model"
    torch.save(state, checkpoint)
    export.export(checkpoint, folder)
    model, report = DiffusionGemmaForBlockDiffusion.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(report.values())
    assert json.loads((folder / "config.json").read_text())["canvas_length"] == 128
    saved = model.state_dict()["model.decoder.layers.1.self_attn.q_proj.weight"]
    own = network.layers[1].self_attn.q_proj.weight
    torch.testing.assert_close(saved, own.to(saved.dtype))
