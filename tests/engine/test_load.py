"""Checkpoints that are whole, and every way in which one may not be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoint.opening import open_checkpoint
from engine.checkpoint.safetensors import index_checkpoint, read_tensors
from engine.config import load_config, parse_config
from engine.load import load_model
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import text_shapes, vision_shapes
from engine.model.weights import assemble
from tests.engine.tiny import cases, random_reference, save

CASE = cases(8)[2]
REAL_CONFIG = Path(__file__).parent / "data" / "diffusiongemma_26b_config.json"
NAMES = Path(__file__).parents[3] / "shared" / "data" / "diffusiongemma-26B-A4B-it.tensors.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(random_reference(CASE.config(), 5), tmp_path_factory.mktemp("original"))


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


def fault_of(action: Callable[[], object]) -> EngineFault:
    with pytest.raises(EngineFault) as caught:
        action()
    error = caught.value.error
    for sentence in (error.message, error.remedy):
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert "Traceback" not in sentence
    return caught.value


def change_config(folder: Path, change: Callable[[dict], None]) -> None:
    path = folder / "config.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_every_tensor_is_read_as_the_library_reads_it(original: Path) -> None:
    expected = load_file(original / "model.safetensors")
    entries = index_checkpoint(original)
    assert entries.keys() == expected.keys()
    for entry, tensor in read_tensors(list(entries.values())):
        assert torch.equal(tensor, expected[entry.name])


def test_shards_and_half_precision(original: Path, tmp_path: Path) -> None:
    reference = random_reference(CASE.config(), 5).to(torch.bfloat16)
    reference.save_pretrained(tmp_path, max_shard_size="200KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    model = load_model(tmp_path)
    assert torch.equal(
        model.weights.embedding, reference.model.decoder.embed_tokens.weight.detach().float()
    )


def test_progress_counts_every_byte(original: Path) -> None:
    seen: list[tuple[int, int]] = []
    load_model(original, report=lambda what, done, total: seen.append((done, total)))
    text = text_shapes(load_config(original))
    size = sum(e.size for name, e in index_checkpoint(original).items() if name in text)
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)


def test_the_real_geometry_maps_every_tensor() -> None:
    config = parse_config(json.loads(REAL_CONFIG.read_text()))
    shapes = text_shapes(config) | vision_shapes(config)
    assert len(shapes) == 1047
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 25_823_781_228
    tensors = {
        name: torch.empty(shape, device="meta", dtype=torch.bfloat16)
        for name, shape in text_shapes(config).items()
    }
    weights = assemble(config, tensors)
    assert not tensors
    assert weights.layers[0].qkv.shape == (8192, 2816)  # 4096 + 2048 + 2048
    assert weights.layers[5].qkv.shape == (9216, 2816)  # 8192 + 1024, values are the keys
    assert weights.layers[29].experts_gate_up.shape == (128, 1408, 2816)


@pytest.mark.skipif(not NAMES.is_file(), reason="the published list of tensors is not at hand")
def test_the_real_names_and_shapes() -> None:
    config = parse_config(json.loads(REAL_CONFIG.read_text()))
    published = {name: tuple(info["shape"]) for name, info in json.loads(NAMES.read_text()).items()}
    assert text_shapes(config) | vision_shapes(config) == published


def test_missing_folder_and_missing_files(folder: Path, tmp_path: Path) -> None:
    fault = fault_of(lambda: load_model(tmp_path / "nowhere"))
    assert fault.error.kind is ErrorKind.MODEL_MISSING
    (folder / "model.safetensors").unlink()
    fault = fault_of(lambda: load_model(folder))
    assert fault.error.kind is ErrorKind.MODEL_MISSING
    assert "model.safetensors" in fault.error.message
    (folder / "config.json").unlink()
    assert "config.json" in fault_of(lambda: load_model(folder)).error.message


@pytest.mark.parametrize("kept", [0, 4, 100, 5000, -1])
def test_truncated_weights(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert fault_of(lambda: load_model(folder)).error.kind is ErrorKind.MODEL_BROKEN


def test_a_file_cut_after_its_header_was_read(folder: Path) -> None:
    entries = list(index_checkpoint(folder).values())
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    assert fault_of(lambda: list(read_tensors(entries))).error.kind is ErrorKind.MODEL_BROKEN


def test_damaged_headers_never_raise_anything_else(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    length = 8 + int.from_bytes(whole[:8], "little")
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(0, length, (300,), generator=generator).tolist()
    values = torch.randint(0, 256, (300,), generator=generator).tolist()
    config = load_config(folder)
    for place, value in zip(places, values, strict=True):
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        try:
            open_checkpoint(folder, text_shapes(config), vision_shapes(config))
        except EngineFault:
            continue


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_no_numbers(folder: Path, bad: float) -> None:
    name = "model.decoder.layers.0.mlp.down_proj.weight"
    change_tensors(folder, lambda tensors: tensors[name][3].fill_(bad))
    fault = fault_of(lambda: load_model(folder))
    assert fault.error.kind is ErrorKind.MODEL_BROKEN
    assert name in fault.error.message


def test_left_over_missing_and_misshapen_tensors_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()

    change_tensors(folder, lambda tensors: tensors.update(surprise=torch.zeros(3)))
    assert "surprise" in fault_of(lambda: load_model(folder)).error.message

    path.write_bytes(whole)
    change_tensors(folder, lambda tensors: tensors.pop("model.decoder.norm.weight"))
    assert "model.decoder.norm.weight" in fault_of(lambda: load_model(folder)).error.message

    path.write_bytes(whole)
    name = "model.decoder.layers.1.router.proj.weight"
    change_tensors(folder, lambda tensors: tensors.update({name: torch.zeros(9, 64)}))
    message = fault_of(lambda: load_model(folder)).error.message
    assert name in message
    assert "(9, 64)" in message


def test_integers_instead_of_weights(folder: Path) -> None:
    name = "model.decoder.norm.weight"
    change_tensors(
        folder, lambda tensors: tensors.update({name: torch.zeros(64, dtype=torch.int8)})
    )
    fault = fault_of(lambda: load_model(folder))
    assert fault.error.kind is ErrorKind.MODEL_UNSUPPORTED
    assert name in fault.error.message


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c.update(model_type="gemma3"), "gemma3"),
        (lambda c: c.update(architectures=["LlamaForCausalLM"]), "LlamaForCausalLM"),
        (lambda c: c["text_config"].update(new_trick=1), "new_trick"),
        (lambda c: c.update(other_trick=1), "other_trick"),
        (lambda c: c["vision_config"].update(third_trick=1), "third_trick"),
        (lambda c: c["text_config"].update(attention_bias=True), "attention_bias"),
        (lambda c: c["text_config"].update(hidden_activation="relu"), "relu"),
        (lambda c: c["text_config"].pop("num_experts"), "num_experts"),
        (lambda c: c["text_config"].update(hidden_size="big"), "hidden_size"),
        (lambda c: c["text_config"].update(hidden_size=-4), "hidden_size"),
        (lambda c: c.pop("text_config"), "text_config"),
        (lambda c: c["text_config"]["per_layer_config"]["1"].update(bias=1), "bias"),
        (
            lambda c: c["text_config"]["rope_parameters"]["full_attention"].update(factor=8),
            "factor",
        ),
    ],
)
def test_configurations_that_are_not_understood(folder: Path, change, named: str) -> None:
    change_config(folder, change)
    fault = fault_of(lambda: load_model(folder))
    assert fault.error.kind is ErrorKind.MODEL_UNSUPPORTED
    assert named in fault.error.message


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": NaN', "\x00", "[" * 100_000])
def test_configuration_files_that_are_no_configuration(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert fault_of(lambda: load_model(folder)).error.kind is ErrorKind.MODEL_BROKEN


def test_an_index_that_points_outside_of_the_folder(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"model.decoder.norm.weight": "../other.safetensors"}})
    )
    assert fault_of(lambda: load_model(folder)).error.kind is ErrorKind.MODEL_BROKEN
