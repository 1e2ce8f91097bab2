"""A hub on loopback with a small model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.store.fake_hub import FakeHub
from tests.engine.store.small_model import FILES, LARGE


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub(files=dict(FILES), large={LARGE, "sub/model-00002.safetensors"}) as fake:
        yield fake
