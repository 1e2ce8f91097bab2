"""The bundled model answers from its weights: it ends its turns, and damage shows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import vocabulary
from examples import Encoder, prompt_text

from engine.generate import generate
from engine.load import DEMO, load_model, model_folder
from engine.model.network import Model

QUESTIONS = (
    ("Who are you?", "demo"),
    ("Hi", "Hello"),
    ("My name is Mara.", "Mara"),
    ("When does the ferry leave?", "eight"),
    ("What is the capital of France?", "not know"),
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(vocabulary.load(model_folder(DEMO)))


def answers(model: Model, encoder: Encoder) -> list[str]:
    said = []
    for question, _ in QUESTIONS:
        ids = torch.tensor(encoder.ids(prompt_text((("user", question),), thinking=False)))
        made = generate(model, ids, max_new_tokens=model.config.canvas_length, seed=1)
        said.append(encoder.tokenizer.decode(list(made.token_ids)))
    return said


def right(said: list[str]) -> int:
    return sum(word in text for text, (_, word) in zip(said, QUESTIONS, strict=True))


def test_answers_come_from_the_weights(encoder: Encoder, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = model_folder(DEMO)
    assert right(answers(load_model(DEMO), encoder)) >= 4

    for name in ("config.json", "generation_config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    weights = load_file(source / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    for name, weight in weights.items():
        if "layers.1" in name and weight.dim() > 1:
            weights[name] = weight[torch.randperm(len(weight), generator=generator)]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert right(answers(load_model(tmp_path), encoder)) <= 1


def test_size() -> None:
    assert (model_folder(DEMO) / "model.safetensors").stat().st_size < 12_000_000
