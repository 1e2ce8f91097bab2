"""compressed-tensors checkpoints against their own library, and every contradiction refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.checkpoint.compressed import open_compressed
from engine.checkpoint.source import GroupedIntegers
from engine.messages import EngineFault, ErrorKind
from tests.engine.checkpoint.written import KINDS, everything, write_compressed

Q_PROJ = "model.decoder.layers.1.self_attn.q_proj"
EXPERT = "model.decoder.layers.0.experts.2.up_proj"
GATE_UP = "model.decoder.layers.0.experts.gate_up_proj"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folders: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp(kind)
            write_compressed(folders[kind], kind, torch.float32)
        return folders[kind]

    return folder


def fault_of(folder: Path, *, read: bool = False) -> EngineFault:
    def run() -> None:
        tensors = open_compressed(folder, everything())
        if read:
            for tensor in tensors.values():
                tensor.read()

    with pytest.raises(EngineFault) as caught:
        run()
    assert caught.value.error.message.endswith(".")
    assert str(folder) in caught.value.error.detail
    return caught.value


def changed(
    source: Path, folder: Path, change: Callable[[dict[str, Tensor]], object] = lambda tensors: None
) -> Path:
    """A copy of a checkpoint with other tensors, written by the safetensors library."""
    tensors = load_file(source / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text((source / "config.json").read_text())
    return folder


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_as_the_library(tmp_path: Path, kind: str, dtype: torch.dtype) -> None:
    meant = write_compressed(tmp_path, kind, dtype)
    tensors = open_compressed(tmp_path, everything())
    assert tensors.keys() == meant.keys()
    for name, tensor in tensors.items():
        found = tensor.read()
        assert found.dtype == torch.float32
        assert found.shape == tensor.shape == everything()[name]
        assert torch.equal(found.to(meant[name].dtype), meant[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_integers_are_given_as_they_are(written: Callable[[str], Path], kind: str) -> None:
    tensor = open_compressed(written(kind), everything())[GATE_UP]
    stored = tensor.read_stored(1, 3)
    if kind == "fp8-dynamic":
        assert tensor.grouping is None
        assert isinstance(stored, Tensor)
        return
    assert isinstance(stored, GroupedIntegers)
    assert stored.grouping == tensor.grouping
    assert stored.values.dtype == torch.int8
    assert stored.values.shape == (2, *tensor.shape[1:])
    assert tensor.grouping.low <= int(stored.values.min()) < 0 < int(stored.values.max())
    assert int(stored.values.max()) <= tensor.grouping.high
    assert (stored.zero_points is not None) == kind.endswith("zero")
    size = {"int4-channel": 256, "int8-dynamic": 256, "int8-zero": 256, "nvfp4": 16}.get(kind, 32)
    assert tensor.grouping.group_size == size
    assert stored.scales.shape == (*stored.values.shape[:-1], 256 // size)
    assert torch.equal(stored.dequantize(), tensor.read()[1:3])


@pytest.mark.parametrize("kind", ["int4-group32-zero", "fp8-dynamic", "nvfp4"])
def test_slices_are_parts_of_the_whole(written: Callable[[str], Path], kind: str) -> None:
    tensors = open_compressed(written(kind), everything())
    for name in (GATE_UP, f"{Q_PROJ}.weight"):
        tensor = tensors[name]
        halves = [tensor.read(0, 1), tensor.read(1, 2), tensor.read(2)]
        assert torch.equal(torch.cat(halves), tensor.read())


def test_shards(written: Callable[[str], Path], tmp_path: Path) -> None:
    """A matrix may have its parts in different files."""
    source = written("int4-group32")
    tensors = load_file(source / "model.safetensors")
    names = sorted(tensors)
    weight_map = {}
    for index in range(3):
        file = f"model-{index}.safetensors"
        save_file({name: tensors[name] for name in names[index::3]}, tmp_path / file)
        weight_map |= dict.fromkeys(names[index::3], file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (tmp_path / "config.json").write_text((source / "config.json").read_text())
    whole, split = (open_compressed(at, everything()) for at in (source, tmp_path))
    for name, tensor in split.items():
        assert torch.equal(tensor.read(), whole[name].read())
    (tmp_path / "model-1.safetensors").write_bytes((tmp_path / "model-2.safetensors").read_bytes())
    assert "twice" in fault_of(tmp_path).error.detail


# --- contradictions -------------------------------------------------------------------------------


def replaced(name: str, make: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors.update({name: make(tensors[name]).contiguous()})


@pytest.mark.parametrize(
    ("kind", "change", "named"),
    [
        ("int4-group32", lambda t: t.pop(f"{Q_PROJ}.weight_scale"), f"{Q_PROJ}.weight_scale"),
        ("int4-group32", lambda t: t.pop(f"{Q_PROJ}.weight_shape"), f"{Q_PROJ}.weight_shape"),
        ("int4-group32", lambda t: t.pop(f"{Q_PROJ}.weight_packed"), f"{Q_PROJ}.weight"),
        ("int4-group32", lambda t: t.update({f"{Q_PROJ}.weight": torch.ones(2)}), "unknown"),
        ("int4-group32", lambda t: t.update({f"{Q_PROJ}.weight_g_idx": torch.ones(2)}), "g_idx"),
        ("int4-group32", lambda t: t.update(surprise=torch.ones(2)), "surprise"),
        (
            "int4-group32",
            lambda t: [t.pop(name) for name in list(t) if name.startswith(EXPERT)],
            f"{EXPERT}.weight",
        ),
        (
            "int4-group32",
            lambda t: t.update(
                {
                    n.replace("experts.2", "experts.3"): x.clone()
                    for n, x in t.items()
                    if EXPERT in n
                }
            ),
            "experts.3",
        ),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_scale", lambda t: t[:, :-1]), "declares"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_scale", lambda t: t[:-1]), "weight_scale"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_scale", lambda t: t[0]), "weight_scale"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_scale", lambda t: t.int()), "weight_scale"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_packed", lambda t: t[:, :-1]), "declares"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_packed", lambda t: t.float()), "weight_packed"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_shape", lambda t: t * 2), "weight_packed"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_shape", lambda t: -t), "weight_packed"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_shape", lambda t: t << 55), "weight_packed"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_shape", lambda t: t[:1]), "weight_shape"),
        ("int4-group32", replaced(f"{Q_PROJ}.weight_shape", lambda t: t.float()), "weight_shape"),
        (
            "int4-group32-zero",
            replaced(f"{Q_PROJ}.weight_zero_point", lambda t: t[:-1]),
            "weight_zero_point",
        ),
        ("int4-group32-zero", lambda t: t.pop(f"{Q_PROJ}.weight_zero_point"), "declares"),
        ("int8-dynamic", replaced(f"{Q_PROJ}.weight", lambda t: t[:, 1:]), Q_PROJ),
        ("int8-dynamic", replaced(f"{Q_PROJ}.weight", lambda t: t[0]), f"{Q_PROJ}.weight"),
        ("int8-dynamic", replaced(f"{Q_PROJ}.weight", lambda t: t.view(torch.uint8)), Q_PROJ),
        ("fp8-dynamic", replaced(f"{Q_PROJ}.weight_scale", lambda t: t[1:]), "weight_scale"),
        ("fp8-dynamic", replaced(f"{Q_PROJ}.weight_scale", lambda t: t.t()), "weight_scale"),
        ("nvfp4", replaced(f"{EXPERT}.weight_scale", lambda t: t[:, 1:]), "weight_scale"),
        ("nvfp4", replaced(f"{EXPERT}.weight_scale", lambda t: t.float()), "weight_scale"),
        ("nvfp4", replaced(f"{EXPERT}.weight_packed", lambda t: t.int()), "weight_packed"),
        (
            "nvfp4",
            replaced(f"{EXPERT}.weight_global_scale", lambda t: t.repeat(2)),
            "weight_global_scale",
        ),
    ],
)
def test_parts_that_contradict_each_other(
    written: Callable[[str], Path], tmp_path: Path, kind: str, change, named: str
) -> None:
    error = fault_of(changed(written(kind), tmp_path, change)).error
    assert error.kind in (ErrorKind.MODEL_UNSUPPORTED, ErrorKind.MODEL_BROKEN)
    assert named in error.message


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("int4-group32", f"{EXPERT}.weight_scale"),
        ("int8-dynamic", f"{Q_PROJ}.weight_scale"),
        ("fp8-dynamic", f"{Q_PROJ}.weight_scale"),
        ("nvfp4", f"{EXPERT}.weight_global_scale"),
        ("int4-group32", "model.decoder.norm.weight"),
    ],
)
def test_numbers_that_are_none(
    written: Callable[[str], Path], tmp_path: Path, kind: str, name: str, bad: float
) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors[name].view(-1)[-1] = bad

    fault = fault_of(changed(written(kind), tmp_path, spoil), read=True)
    assert name.rpartition(".")[0] in fault.error.detail
    assert fault.error.kind is ErrorKind.MODEL_BROKEN


def test_a_scale_that_overflows(written: Callable[[str], Path], tmp_path: Path) -> None:
    folder = changed(
        written("int4-group32"), tmp_path, lambda t: t[f"{EXPERT}.weight_scale"].fill_(1e38)
    )
    assert EXPERT in fault_of(folder, read=True).error.detail


def test_bytes_that_are_no_eight_bit_float(written: Callable[[str], Path], tmp_path: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors[f"{Q_PROJ}.weight"].view(torch.uint8)[3, 5] = 0x7F

    folder = changed(written("fp8-dynamic"), tmp_path, spoil)
    assert Q_PROJ in fault_of(folder, read=True).error.detail


@pytest.mark.parametrize(
    "change",
    [
        lambda q: q.update(quant_method="gptq"),
        lambda q: q.pop("quant_method"),
        lambda q: q.update(quantization_status="frozen"),
        lambda q: q.update(config_groups={}),
        lambda q: q.update(config_groups=["W4A16"]),
        lambda q: q.update(config_groups={"a": None}),
        lambda q: q["config_groups"]["group_0"].pop("weights"),
        lambda q: q["config_groups"]["group_0"]["weights"].update(num_bits=3),
        lambda q: q["config_groups"]["group_0"]["weights"].update(num_bits=[4]),
        lambda q: q["config_groups"]["group_0"]["weights"].update(num_bits=8),
        lambda q: q["config_groups"]["group_0"]["weights"].update(type="float"),
        lambda q: q["config_groups"]["group_0"]["weights"].update(type={}),
        lambda q: q["config_groups"]["group_0"]["weights"].update(strategy="block"),
        lambda q: q["config_groups"]["group_0"]["weights"].update(strategy="tensor"),
        lambda q: q["config_groups"]["group_0"]["weights"].update(group_size=64),
        lambda q: q["config_groups"]["group_0"]["weights"].update(group_size=0),
        lambda q: q["config_groups"]["group_0"]["weights"].update(group_size=-32),
        lambda q: q["config_groups"]["group_0"]["weights"].update(group_size="32"),
        lambda q: q["config_groups"]["group_0"]["weights"].update(symmetric=False),
        lambda q: q["config_groups"]["group_0"]["weights"].update(symmetric=1),
        lambda q: q["config_groups"]["group_0"]["weights"].update(actorder="group"),
    ],
)
def test_declarations_that_are_not_understood(
    written: Callable[[str], Path], tmp_path: Path, change: Callable[[dict], object]
) -> None:
    changed(written("int4-group32"), tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    change(settings["quantization_config"])
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert fault_of(tmp_path).error.kind is ErrorKind.MODEL_UNSUPPORTED


def test_a_checkpoint_without_a_declaration(written: Callable[[str], Path], tmp_path: Path) -> None:
    changed(written("int4-group32"), tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "compressed-tensors" in fault_of(tmp_path).error.message


def test_a_matrix_in_two_ways(written: Callable[[str], Path], tmp_path: Path) -> None:
    """One expert left in sixteen bits cannot be joined with integers."""

    def unpack(tensors: dict[str, Tensor]) -> None:
        for part in ("packed", "scale", "shape"):
            tensors.pop(f"{EXPERT}.weight_{part}")
        tensors[f"{EXPERT}.weight"] = torch.ones(32, 256, dtype=torch.bfloat16)

    error = fault_of(changed(written("int4-group32"), tmp_path, unpack)).error
    assert f"{EXPERT}.weight is stored unlike" in error.message


def test_a_file_cut_after_its_header_was_read(
    written: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = changed(written("int8-dynamic"), tmp_path)
    tensors = open_compressed(folder, everything())
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(EngineFault) as caught:
        _ = [tensor.read() for tensor in tensors.values()]
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN
    assert fault_of(folder).error.kind is ErrorKind.MODEL_BROKEN
