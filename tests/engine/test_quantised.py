"""The network on quantised weights, against itself on plain ones and on the numbers they stand for."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from statistics import mean

import pytest
import torch
from torch import Tensor

from engine.generate import generate, steps
from engine.load import DEMO, load_model, model_folder
from engine.messages import EngineFault, ErrorKind, LoadRequest, Role, Turn
from engine.model.network import Model
from engine.model.weights import LayerWeights, ModelWeights, all_tensors
from engine.pipeline import load_pipeline
from engine.prepare import prepare
from engine.quant.layouts import bits_per_weight
from engine.quant.tensors import Int4Tensor, Int8Tensor, dequantise
from engine.text.prompt import chat_ids
from engine.text.template import ChatTemplate
from engine.text.tokenizer import Tokenizer
from engine.verify import verify
from tests.engine.followed import Followed

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


@pytest.mark.parametrize(
    "question", ["Tell me a story about a fox.", "Who is the baker?", "My name is Mara.", "Hello!"]
)
def test_the_same_words_in_nearly_every_place(question: str) -> None:
    """In every denoising step, on the same canvas and with the same self-conditioning."""
    source, quantised = load_model("demo"), load_model("demo", weights="int4")
    folder = model_folder("demo")
    tokenizer, template = Tokenizer.load(folder), ChatTemplate.load(folder)
    prompt = torch.tensor(chat_ids(tokenizer, template, (Turn.of(Role.USER, question),)))
    both = Followed(source, quantised)
    generate(both, prompt, max_new_tokens=source.config.canvas_length, seed=1)
    assert len(both.agreements) > 1
    assert mean(both.agreements) >= 0.98


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
