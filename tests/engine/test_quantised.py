"""The network on quantised weights, against itself on plain ones and on the numbers they stand for."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.generate import generate, steps
from engine.load import DEMO, load_model, model_folder
from engine.messages import EngineFault, ErrorKind, LoadRequest
from engine.model.network import Model
from engine.model.weights import LayerWeights, ModelWeights, all_tensors
from engine.pipeline import load_pipeline
from engine.prepare import prepare
from engine.quant.layouts import bits_per_weight
from engine.quant.tensors import Int4Tensor, Int8Tensor, dequantise
from engine.verify import verify

PROMPT = torch.arange(3, 60)


def plain(model: Model) -> Model:
    """The same network with every quantised weight written out."""

    def write_out(part: ModelWeights | LayerWeights) -> dict[str, Tensor]:
        return {
            field.name: dequantise(value)
            for field in fields(part)
            if isinstance(value := getattr(part, field.name), Int4Tensor | Int8Tensor)
        }

    layers = tuple(replace(layer, **write_out(layer)) for layer in model.weights.layers)
    weights = replace(model.weights, layers=layers, **write_out(model.weights))
    return Model(model.config, model.sampling, weights)


@pytest.mark.parametrize("weights", ["int4", "int4-small", "int8"])
def test_the_same_as_with_the_numbers_written_out(weights: str) -> None:
    quantised = load_model("demo", weights=weights)
    written = plain(quantised)
    assert quantised.bytes_used < 0.3 * written.bytes_used
    options = {"max_new_tokens": 64, "seed": 3, "sampling": {"max_denoising_steps": 6}}
    for one, other in zip(
        steps(quantised, PROMPT, **options), steps(written, PROMPT, **options), strict=True
    ):
        assert torch.equal(one.argmax, other.argmax)
        torch.testing.assert_close(one.entropy, other.entropy, rtol=1e-3, atol=1e-3)
    cache, other_cache = quantised.new_cache(80), written.new_cache(80)
    quantised.prefill(PROMPT, cache)
    written.prefill(PROMPT, other_cache)
    found, expected = quantised.score(PROMPT, cache), written.score(PROMPT, other_cache)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_same_words_in_nearly_every_place() -> None:
    """One step on the same canvas: what the weights lose changes hardly any word."""
    source, quantised = load_model("demo"), load_model("demo", weights="int4")
    generator = torch.Generator().manual_seed(4)
    caches = {model: model.new_cache(80) for model in (source, quantised)}
    same = []
    for model, cache in caches.items():
        model.prefill(PROMPT, cache)
    for _ in range(12):
        done = torch.tensor(
            generate(source, PROMPT, max_new_tokens=128, seed=len(same)).token_ids[:128]
        )
        canvas = torch.nn.functional.pad(done, (0, source.config.canvas_length - len(done)))
        noise = torch.randint(source.config.vocab_size, canvas.shape, generator=generator)
        is_noise = torch.rand(canvas.shape, generator=generator) < 0.3
        canvas = torch.where(is_noise, noise, canvas)
        argmaxes = [m.denoise(canvas, cache, None).argmax(-1) for m, cache in caches.items()]
        same.append((argmaxes[0] == argmaxes[1]).float().mean())
    assert torch.stack(same).mean() >= 0.98


def test_experts_cost_little_and_no_plain_copy_stays() -> None:
    model = load_model("demo", weights="int4")
    for layer in model.weights.layers:
        assert isinstance(layer.experts_gate_up, Int4Tensor)
        assert isinstance(layer.experts_down, Int4Tensor)
        assert isinstance(layer.qkv, Int8Tensor)
        assert isinstance(layer.router, Tensor)
        assert bits_per_weight(layer.experts_gate_up.layout) <= 4.6
        assert bits_per_weight(layer.experts_down.layout) <= 4.6


def test_a_request_can_ask_for_them() -> None:
    request = LoadRequest(model="demo", weights="int4")
    pipeline = load_pipeline(request, lambda what, done, total: None, lambda: False)
    assert isinstance(pipeline.loaded.model.weights.embedding, Int8Tensor)
    plain = load_pipeline(LoadRequest(model="demo"), lambda what, done, total: None, lambda: False)
    saved = plain.ready(1).memory_bytes - pipeline.ready(2).memory_bytes
    assert saved == plain.loaded.model.bytes_used - pipeline.loaded.model.bytes_used > 5_000_000
    plain.close()
    pipeline.close()


def test_a_prepared_model_is_the_one_that_is_quantised_while_loading(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    prepare(model_folder(DEMO), folder, "int4", lambda what, done, total: None, lambda: False)
    seen: list[tuple[int, int]] = []
    prepared = load_model(folder, report=lambda what, done, total: seen.append((done, total)))
    quantised = load_model(DEMO, weights="int4")
    pairs = zip(all_tensors(prepared.weights), all_tensors(quantised.weights), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] >= quantised.bytes_used * 0.9
    assert seen == sorted(seen)
    outcome = verify(str(folder), lambda what, done, total: None, lambda: False)
    assert outcome["files_unchanged"] == len(list(folder.iterdir())) - 1
    with pytest.raises(EngineFault) as caught:
        verify(str(folder), lambda what, done, total: None, lambda: True)
    assert caught.value.error.kind is ErrorKind.CANCELLED
    file = folder / "layer-02.safetensors"
    data = bytearray(file.read_bytes())
    data[-1000] ^= 1
    file.write_bytes(data)
    with pytest.raises(EngineFault, match=r"layer-02\.safetensors"):
        verify(str(folder), lambda what, done, total: None, lambda: False)
