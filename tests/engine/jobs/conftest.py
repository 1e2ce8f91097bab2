"""The demo model on a hub on loopback, the real service, and an empty place for models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.folders import model_folder
from engine.jobs import run_job
from engine.lane import Client
from engine.service import EngineService
from tests.engine.jobs.driving import LARGE, NAMES
from tests.engine.store.fake_hub import FakeHub
from tests.fakes import PATIENCE, FakePipeline, answering


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: (model_folder("demo") / name).read_bytes() for name in NAMES}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with FakeHub(files={**files, "README.md": b"not wanted"}, large={LARGE}) as hub:
        hub.about = {"tags": ["license:apache-2.0"], "gated": False}
        yield hub


@pytest.fixture
def client() -> Iterator[Client]:
    service = EngineService(FakePipeline(answering("x")).load, run_job)
    client = service.connect(lambda: None)
    service.start()
    yield client
    assert service.stop(PATIENCE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for models; nothing of this PC's own is found."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "models"
