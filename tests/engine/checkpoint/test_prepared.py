"""Our own files against the safetensors library, and every way in which they may be spoilt."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from engine.checkpoint.prepared import Prepared, open_prepared, read_blob, verify_files
from engine.config import load_config, load_sampling
from engine.load import load_model
from engine.messages import EngineFault, ErrorKind
from engine.model.network import Model
from engine.model.weights import all_tensors, from_blobs
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.scheme import Way
from engine.quant.tensors import parts_of
from tests.engine.checkpoint.mutations import mutated, mutated_json
from tests.engine.checkpoint.sources import content, copy, prepared, random_bits, write_source
from tests.engine.checkpoint.written import KINDS, tiny_settings, write_compressed
from tests.engine.checkpoint.written_gguf import write_gguf

CPU = torch.device("cpu")
LAYER = "layer-01.safetensors"
SCHEMES = ("source", "int4", "int4-small", "int8")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "model"
    prepared(source, folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return copy(whole, tmp_path / "model")


def opened(folder: Path) -> Prepared:
    return open_prepared(folder, load_config(folder))


def read_all(folder: Path, *, verify: bool = False, dtype: torch.dtype = torch.float32) -> Model:
    found = opened(folder)
    blobs = {
        name: read_blob(found, name, device=CPU, dtype=dtype, verify=verify) for name in found.blobs
    }
    config = load_config(folder)
    return Model(config, load_sampling(folder), from_blobs(config, blobs))


def fault_of(action: Callable[[], object]) -> EngineFault:
    with pytest.raises(EngineFault) as caught:
        action()
    error = caught.value.error
    assert error.message.endswith(".")
    assert (error.message + error.remedy).isprintable()
    return caught.value


# --- what is written is what is read --------------------------------------------------------------


@pytest.mark.parametrize("weights", SCHEMES)
def test_the_library_reads_the_same_tensors(source: Path, tmp_path: Path, weights: str) -> None:
    prepared(source, tmp_path / "model", weights)
    found = opened(tmp_path / "model")
    plain = load_file(source / "model-00001-of-00002.safetensors") | load_file(
        source / "model-00002-of-00002.safetensors"
    )
    for blob in found.blobs.values():
        tensors = load_file(found.folder / blob.file_name)
        for stored in blob.fields:
            field, way = stored.field, found.manifest.scheme.way(stored.field.role)
            weight = torch.cat([plain[name] for name, _ in field.sources])
            if way is None:
                assert torch.equal(tensors.pop(field.name), weight)
                continue
            quantise = quantise_int4 if way.bits == 4 else quantise_int8
            meant = parts_of(quantise(weight, name="", shared_input=field.shared_input))
            for key, part in meant.items():
                assert torch.equal(tensors.pop(f"{field.name}.{key}"), part), field.name
        assert all(name.endswith(".before") and not t.any() for name, t in tensors.items())


def test_every_tensor_is_aligned(whole: Path) -> None:
    for blob in opened(whole).blobs.values():
        data = (whole / blob.file_name).read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        with safe_open(whole / blob.file_name, "pt") as file:
            assert set(file.keys()) == header.keys()
        assert start % 64 == 0
        kept = [entry for name, entry in header.items() if not name.endswith(".before")]
        assert len(kept) > 5
        assert all(entry["data_offsets"][0] % 64 == 0 for entry in kept)


@pytest.mark.parametrize("weights", SCHEMES)
@pytest.mark.parametrize("verify", [False, True])
def test_the_model_is_the_one_quantised_while_loading(
    source: Path, tmp_path: Path, weights: str, verify: bool
) -> None:
    prepared(source, tmp_path / "model", weights)
    ours, meant = read_all(tmp_path / "model", verify=verify), load_model(source, weights=weights)
    pairs = zip(all_tensors(ours.weights), all_tensors(meant.weights), strict=True)
    assert all(torch.equal(one, other) and one.dtype == other.dtype for one, other in pairs)
    prompt, canvas = torch.arange(7), torch.arange(16)
    logits = []
    for model in (ours, meant):
        cache = model.new_cache(64)
        model.prefill(prompt, cache)
        logits.append(model.denoise(canvas, cache, None))
    assert torch.equal(*logits)
    assert logits[0].std() > 0


@pytest.mark.parametrize(
    ("kind", "experts"),
    [
        ("int4-group32", Way(bits=4, group_size=32)),
        ("int8-dynamic", Way(bits=4)),
        ("nvfp4", Way(bits=4)),
        ("Q4_K_M", Way(bits=4)),
        ("Q8_0", Way(bits=4)),
    ],
)
def test_builds_in_other_formats(tmp_path: Path, kind: str, experts: Way) -> None:
    """What fits our layouts keeps its own way of being stored."""
    settings = tiny_settings()
    if kind in KINDS:
        write_compressed(tmp_path, kind, torch.bfloat16)
        settings |= json.loads((tmp_path / "config.json").read_text())
    else:
        write_gguf(tmp_path / "model.gguf", kind)
    (tmp_path / "config.json").write_text(json.dumps(settings))
    outcome = prepared(tmp_path, tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "COMPLETE").read_text())
    assert Way(**manifest["scheme"]["experts"]) == experts
    if kind == "int4-group32":  # it leaves the embedding and the self-conditioning in 16 bits
        assert outcome.rounded == 3
    ours = read_all(tmp_path / "model", verify=True)
    meant = load_model(tmp_path, weights="int4")
    pairs = zip(all_tensors(ours.weights), all_tensors(meant.weights), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_blob_is_one_piece_of_memory(whole: Path) -> None:
    found = opened(whole)
    blob = found.blobs["layer-00"]
    matrices = read_blob(found, "layer-00", device=CPU, dtype=torch.bfloat16).values()
    tensors = [
        tensor
        for matrix in matrices
        for tensor in ([matrix] if isinstance(matrix, torch.Tensor) else parts_of(matrix).values())
    ]
    assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == 1
    assert tensors[0].untyped_storage().nbytes() == blob.data_size
    assert all(tensor.data_ptr() % 64 == 0 for tensor in tensors)
    assert all(tensor.is_contiguous() for tensor in tensors)


def test_reading_is_followed_and_can_be_ended(whole: Path) -> None:
    found, sizes = opened(whole), []
    read_blob(found, "top", device=CPU, dtype=torch.float32, advance=sizes.append)
    assert sum(sizes) == found.blobs["top"].data_size
    checked: list[int] = []
    verify_files(found, checked.append)
    assert (
        sum(checked)
        == found.size
        == sum(len(data) for data in content(whole).values()) - (len(content(whole)["COMPLETE"]))
    )

    def stop(_size: int) -> None:
        raise StopIteration

    with pytest.raises(StopIteration):
        verify_files(found, stop)


def test_a_note_beside_the_files_does_no_harm(folder: Path) -> None:
    (folder / "README.md").write_text("From a friend.")
    (folder / ".DS_Store").write_bytes(b"\0")
    read_all(folder, verify=True)


# --- what is spoilt is found ----------------------------------------------------------------------


def test_ten_thousand_flipped_bits_are_found(folder: Path) -> None:
    """One bit at a time, in every file, the manifest too, anywhere."""
    files = content(folder)
    flips = found = 0
    for seed, (name, data) in enumerate(files.items()):
        count = max(250, 10_600 * len(data) // sum(map(len, files.values())))
        with (folder / name).open("r+b", buffering=0) as file:
            for byte, bit in random_bits(len(data), count, seed):
                file.seek(byte)
                file.write(bytes([data[byte] ^ 1 << bit]))
                flips += 1
                try:
                    verify_files(opened(folder), lambda _size: None)
                except EngineFault:
                    found += 1
                file.seek(byte)
                file.write(data[byte : byte + 1])
    assert flips >= 10_000
    assert found == flips
    verify_files(opened(folder), lambda _size: None)


def test_flipped_bits_are_found_while_loading(folder: Path) -> None:
    file = folder / LAYER
    data = file.read_bytes()
    for byte, bit in random_bits(len(data), 300, 1):
        file.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])
        assert LAYER in fault_of(lambda: read_all(folder, verify=True)).error.message
    file.write_bytes(data)


def cut(folder: Path) -> None:
    os.truncate(folder / LAYER, 15_000)


def cut_header(folder: Path) -> None:
    os.truncate(folder / LAYER, 300)


def empty(folder: Path) -> None:
    os.truncate(folder / LAYER, 0)


def extend(folder: Path) -> None:
    with (folder / LAYER).open("ab") as file:
        file.write(b"\0")


def swap(folder: Path) -> None:
    (folder / LAYER).rename(folder / "x")
    (folder / "layer-00.safetensors").rename(folder / LAYER)
    (folder / "x").rename(folder / "layer-00.safetensors")


def exchange(folder: Path) -> None:
    """For the same layer of another model, the same in size and header."""
    other = write_source(folder.parent / "other", seed=1)
    prepared(other, folder.parent / "prepared")
    (folder / LAYER).write_bytes((folder.parent / "prepared" / LAYER).read_bytes())


def make_folder(folder: Path) -> None:
    (folder / LAYER).unlink()
    (folder / LAYER).mkdir()


@pytest.mark.parametrize(
    ("spoil", "named", "reason"),
    [
        (lambda f: (f / "COMPLETE").unlink(), "", "not been prepared to the end"),
        (lambda f: (f / "COMPLETE").rename(f / "progress.json"), "", "prepared to the end"),
        (lambda f: (f / LAYER).unlink(), LAYER, "missing"),
        (lambda f: (f / "config.json").write_text((f / "config.json").read_text() + " "), "", ""),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json", "missing"),
        (lambda f: (f / LAYER).rename(f / "layer-02.safetensors"), "layer-02", "belong"),
        (lambda f: (f / "layer-02.safetensors").write_bytes(b""), "layer-02", "belong"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "model.safetensors", "belong"),
        (lambda f: (f / f"{LAYER}.part").write_bytes(b""), f"{LAYER}.part", "belong"),
        (lambda f: (f / "progress.json").write_bytes(b""), "progress.json", "belong"),
        (lambda f: (f / "processor_config.json").write_text("{}"), "processor_", "belong"),
        (cut, LAYER, "bytes instead of"),
        (cut_header, LAYER, "bytes instead of"),
        (empty, LAYER, "bytes instead of"),
        (extend, LAYER, "bytes instead of"),
        (swap, "layer-00", "bytes instead of"),
        (exchange, LAYER, "changed"),
        (make_folder, LAYER, "no file"),
    ],
)
def test_folders_that_are_not_as_they_were(
    folder: Path, spoil: Callable[[Path], object], named: str, reason: str
) -> None:
    spoil(folder)
    error = fault_of(lambda: read_all(folder, verify=True)).error
    assert error.kind is ErrorKind.MODEL_BROKEN
    assert named in error.message
    assert reason in error.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / LAYER).unlink()
    os.mkfifo(folder / LAYER)
    assert "no file" in fault_of(lambda: opened(folder)).error.message


def test_a_file_cut_after_it_was_opened(folder: Path) -> None:
    found = opened(folder)
    cut(folder)
    fault = fault_of(lambda: read_blob(found, "layer-01", device=CPU, dtype=torch.float32))
    assert "too early" in fault.error.message


# --- files whose hashes are right, and that are wrong all the same --------------------------------


def reseal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _m: None) -> None:
    """A manifest that is true to the files, as somebody would make it who knows the format."""
    file = folder / "COMPLETE"
    manifest = json.loads(file.read_text())
    del manifest["sha256"]
    for record in manifest["files"]:
        data = (folder / record["name"]).read_bytes()
        record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    change(manifest)
    seal = hashlib.sha256(json.dumps(manifest, indent=1).encode() + b"\n").hexdigest()
    file.write_text(json.dumps(manifest | {"sha256": seal}, indent=1) + "\n")


def rewrite(folder: Path, change: Callable[[dict[str, Any], bytearray], object]) -> None:
    """A layer with another header or other numbers."""
    data = (folder / LAYER).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header, numbers = json.loads(data[8:start]), bytearray(data[start:])
    change(header, numbers)
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(-(-(len(text) + 8) // 64) * 64 - 8)
    (folder / LAYER).write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    reseal(folder)


def put(name: str, number: bytes) -> Callable[[dict[str, Any], bytearray], object]:
    def change(header: dict[str, Any], numbers: bytearray) -> None:
        end = header[name]["data_offsets"][1]
        numbers[end - len(number) : end] = number

    return change


def test_resealing_is_not_what_is_found(folder: Path) -> None:
    rewrite(folder, lambda _header, _numbers: None)
    read_all(folder, verify=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda h, _n: h.pop("qkv.scale"), "qkv.scale"),
        (
            lambda h, n: h.update(more={"dtype": "U8", "shape": [0], "data_offsets": [len(n)] * 2}),
            "",
        ),
        (lambda h, _n: h["qkv.codes"].update(shape=[40, 64]), "qkv.codes"),
        (lambda h, _n: h["qkv.codes"].update(dtype="U8"), "qkv.codes"),
        (lambda h, _n: h["down.scale"].update(data_offsets=[0, 160]), "down.scale"),
        (lambda h, _n: h.update({"o.codes2": h.pop("o.codes")}), "o.codes"),
        (put("qkv.scale", b"\0\0\xc0\x7f"), "qkv"),
        (put("down.scale", b"\0\0\x80\xff"), "down"),
        (put("experts_gate_up.scale", b"\x80\x7f"), "experts_gate_up"),
        (put("experts_down.exponents", b"\x09"), "experts_down"),
        (put("router", b"\xc0\x7f"), "router"),
        (put("decoder_scalar", b"\x80\xff"), "decoder_scalar"),
    ],
)
def test_tensors_that_are_not_as_they_must_be(
    folder: Path, change: Callable[[dict[str, Any], bytearray], object], named: str
) -> None:
    rewrite(folder, change)
    message = fault_of(lambda: read_all(folder)).error.message
    assert LAYER in message
    assert named in message


def test_a_tensor_that_appears_twice(folder: Path) -> None:
    data = (folder / LAYER).read_bytes()
    name, twin = b'"input_norm"', b'"q_norm"'
    entry = data[data.index(twin) : data.index(b"}", data.index(twin)) + 2]
    text = data.replace(name, entry + name, 1)[8 : 8 + int.from_bytes(data[:8], "little")]
    (folder / LAYER).write_bytes(data[:8] + text + data[8 + len(text) :])
    reseal(folder)
    assert LAYER in fault_of(lambda: read_all(folder)).error.message


def ways(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["scheme"]["experts"].update(changes)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (ways(group_size=48), ErrorKind.MODEL_UNSUPPORTED),
        (ways(group_size=128), ErrorKind.MODEL_UNSUPPORTED),
        (ways(scale_dtype="float8_e4m3fn"), ErrorKind.MODEL_UNSUPPORTED),
        (ways(group_size=32), ErrorKind.MODEL_BROKEN),
        (ways(bits=8), ErrorKind.MODEL_BROKEN),
        (ways(bits=3), ErrorKind.MODEL_BROKEN),
        (ways(group_size="64"), ErrorKind.MODEL_BROKEN),
        (ways(trick=1), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(version=2), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(version="1"), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(trick=1), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(plain_dtype="float64"), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(plain_dtype=["bfloat16"]), ErrorKind.MODEL_BROKEN),
        (lambda m: m["scheme"].pop("mlp"), ErrorKind.MODEL_BROKEN),
        (lambda m: m["scheme"].update(mlp=None), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(scheme=[]), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"].pop(), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"].pop(0), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"].append(m["files"][0]), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"][0].update(name="../config.json"), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"][0].update(name="model.safetensors"), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"][0].update(size=1 << 63), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"][-1].update(size=-1), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"][-1].update(size=True), ErrorKind.MODEL_BROKEN),
        (lambda m: m["files"][-1].update(sha256="0" * 63), ErrorKind.MODEL_BROKEN),
        (lambda m: m["source"][0].update(size=None), ErrorKind.MODEL_BROKEN),
        (lambda m: m.update(files={}), ErrorKind.MODEL_BROKEN),
    ],
)
def test_manifests_that_disagree_with_the_files(
    folder: Path, change: Callable[[dict[str, Any]], object], kind: ErrorKind
) -> None:
    reseal(folder, change)
    assert fault_of(lambda: read_all(folder)).error.kind is kind


def test_manifests_never_raise_anything_else(folder: Path) -> None:
    """Mutated bytes, and well-formed manifests with a right seal and other values."""
    file, rng = folder / "COMPLETE", random.Random(3)
    data = file.read_bytes()
    refused = 0
    for turn in range(600):
        if turn % 3 == 0:
            file.write_bytes(mutated(data, rng))
        else:
            manifest = json.loads(data)
            del manifest["sha256"]
            manifest = json.loads(mutated_json(json.dumps(manifest).encode(), rng))
            seal = hashlib.sha256(json.dumps(manifest, indent=1).encode() + b"\n").hexdigest()
            file.write_text(json.dumps({**manifest, "sha256": seal}, indent=1) + "\n")
        try:
            opened(folder)
        except EngineFault:
            refused += 1
    assert refused > 400


def test_the_reader_asks_for_no_more_than_the_plan(folder: Path) -> None:
    """A header that lies about its length is read no further than the one that must be there."""
    data = (folder / LAYER).read_bytes()
    (folder / LAYER).write_bytes((1 << 62).to_bytes(8, "little") + data[8:])
    reseal(folder)
    assert LAYER in fault_of(lambda: opened(folder)).error.message
