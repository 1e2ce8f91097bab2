from __future__ import annotations

from pathlib import Path

import pytest

from engine.text.template import ChatTemplate
from engine.text.tokenizer import Tokenizer
from tests.engine.text import gemma_like

DEMO = Path(__file__).parents[3] / "assets" / "demo_model"


@pytest.fixture(scope="session", params=["built", "demo"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model's folder, and one with a small tokenizer that nobody trained for it."""
    if request.param == "demo":
        return DEMO
    made = gemma_like.build(tmp_path_factory.mktemp("tokenizer"))
    template = (DEMO / "chat_template.jinja").read_text(encoding="utf-8")
    (made / "chat_template.jinja").write_text(template, encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.load(folder)


@pytest.fixture(scope="session")
def template(folder: Path) -> ChatTemplate:
    return ChatTemplate.load(folder)
