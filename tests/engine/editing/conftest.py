from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.messages import LoadRequest
from engine.pipeline import Pipeline, load_pipeline
from tests.engine.text import gemma_like
from tests.engine.tiny import cases, random_reference, save

DEMO = Path(__file__).parents[3] / "assets" / "demo_model"


def load(folder: str) -> Pipeline:
    request = LoadRequest(model=folder, device="cpu")
    return load_pipeline(request, lambda what, done, total: None, lambda: False)


@pytest.fixture(scope="session")
def demo() -> Pipeline:
    """The bundled model: it knows a little, so what it writes can be held against something."""
    return load("demo")


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A model of random weights: it writes anything, so every path is walked."""
    folder = tmp_path_factory.mktemp("random")
    gemma_like.build(folder)
    shutil.copy(DEMO / "chat_template.jinja", folder)
    save(random_reference(cases(8)[3].config(vocab_size=700), 12), folder)
    return load(str(folder))
