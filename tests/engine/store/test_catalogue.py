"""The catalogue that ships, and what becomes of it when a maintainer refreshes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.memory import plan_wish, read_wish
from engine.messages import EngineFault, ModelFormat
from engine.store.catalogue import CATALOGUE, list_offer, read_catalogue
from engine.store.hub import Hub
from tests.engine.store.fake_hub import COMMIT, FakeHub

FILES = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(200)),
    "x-Q4_K_M.gguf": b"GGUF of four bits",
    "x-Q8_0.gguf": b"GGUF of eight bits",
    "tokenizer.json": b"{ }",
    "modeling.py": b"print()",
    "sub/model.safetensors": b"of something else",
}


def test_what_ships_is_whole() -> None:
    offers, damaged = read_catalogue()
    assert damaged is None
    kinds = {offer.weights.split()[0] for offer in offers}
    assert kinds == {"BF16", "NVFP4", "INT4", "FP8", "INT8", "GGUF"}
    assert len({offer.folder for offer in offers}) == len(offers)
    for offer in offers:
        assert offer.note
        assert offer.size > 16e9
        assert (offer.format is ModelFormat.GGUF) == bool(offer.settings)
        wish = read_wish(Path(offer.config_file), weights="int4", context=32_768)
        assert 17e9 < plan_wish(wish).total < 24e9
    shards = (
        51_647_562_456  # of the original, by its own index; beside them headers and a tokenizer
    )
    assert 0 < next(o.size for o in offers if o.weights == "BF16") - shards < 40e6


def test_only_what_belongs_to_a_model_is_fetched() -> None:
    offers, _ = read_catalogue()
    with FakeHub(files=FILES, repos=tuple({o.repo for o in offers})) as fake:
        for offer in offers:
            if offer.weights in ("GGUF Q5_K_M", "GGUF Q6_K"):  # not in this repository
                with pytest.raises(EngineFault, match="no weights"):
                    list_offer(Hub(endpoint=fake.endpoint), offer)
                continue
            names = {each.name for each in list_offer(Hub(endpoint=fake.endpoint), offer).files}
            if offer.format is ModelFormat.SAFETENSORS:
                assert names == {"config.json", "model.safetensors", "tokenizer.json"}
            else:
                (gguf,) = [name for name in FILES if offer.weights.split()[1] in name]
                assert names == {"config.json", "tokenizer.json", gguf}


def test_a_refreshed_catalogue_pins_what_the_hub_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "catalogue.json"
    content = json.loads(CATALOGUE.read_bytes())
    content["models"] = [m for m in content["models"] if m["id"] in ("26b-bf16", "26b-gguf-q4-k-m")]
    file.write_text(json.dumps(content))
    repos = tuple({model["repo"] for model in content["models"]})
    large = {"model.safetensors", "x-Q4_K_M.gguf"}
    with FakeHub(files=dict(FILES), large=large, repos=repos) as fake:
        arguments = ["catalogue", "--refresh", "--endpoint", fake.endpoint, "--file", str(file)]
        assert main(arguments) == 0
        assert "26b-bf16" in capsys.readouterr().out
        (plain, packed), damaged = read_catalogue(file)
        assert damaged is None
        assert (plain.revision, packed.revision) == (COMMIT, COMMIT)
        known = [(each.name, each.size, each.sha256) for each in plain.digests]
        assert known == [("model.safetensors", 200, fake.sha256("model.safetensors"))]
        hub = Hub(endpoint=fake.endpoint)
        assert list_offer(hub, plain).commit == COMMIT
        first = file.read_bytes()
        assert main(arguments) == 0  # nothing is new
        assert file.read_bytes() == first
        # a hub that has other bytes under the same name is not believed
        fake.files["model.safetensors"] = bytes(200)
        with pytest.raises(EngineFault, match="offers another model"):
            list_offer(hub, plain)
        assert main(["catalogue", "--file", str(file)]) == 0
    assert json.loads(file.read_bytes())["models"][0]["digests"]
