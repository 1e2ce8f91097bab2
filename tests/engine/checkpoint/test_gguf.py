"""GGUF files against gguf-py: the same numbers, and every lie of a header refused."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from engine.checkpoint.files import read_bytes
from engine.checkpoint.gguf import open_gguf
from engine.checkpoint.gguf_blocks import FORMATS
from engine.checkpoint.gguf_header import read_header
from engine.checkpoint.source import GroupedIntegers
from engine.config import parse_config
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import text_shapes
from tests.engine.checkpoint.written import real_config, text
from tests.engine.checkpoint.written_gguf import MIXES, gguf_name, stored_weights, write_gguf

Q = gguf.GGMLQuantizationType


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "model.gguf"
    write_gguf(file, "Q4_K_M")
    return file.read_bytes()


def fault_of(action: Callable[[], object]) -> EngineFault:
    with pytest.raises(EngineFault) as caught:
        action()
    assert caught.value.error.message.endswith(".")
    return caught.value


@pytest.mark.parametrize("mix", MIXES)
def test_the_same_numbers_as_gguf_py(tmp_path: Path, mix: str) -> None:
    file = tmp_path / "model.gguf"
    meant = write_gguf(file, mix)
    tensors = open_gguf(file, text()).tensors
    assert tensors.keys() == meant.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor.read(), meant[name]), name
        assert tensor.read().shape == tensor.shape == text()[name]


@pytest.mark.parametrize(
    "kind", [Q.F32, Q.F16, Q.BF16, Q.Q5_0, Q.Q8_0, Q.Q4_K, Q.Q5_K, Q.Q6_K], ids=lambda q: q.name
)
def test_random_blocks(kind: Q) -> None:
    data = stored_weights(np.random.default_rng(int(kind)), (9, 512), kind)
    meant = torch.from_numpy(gguf.dequantize(data, kind))
    block = FORMATS[int(kind)]
    assert (block.weights, block.size) == gguf.GGML_QUANT_SIZES[kind]
    assert block.name == kind.name
    raw = torch.from_numpy(np.ascontiguousarray(data).view(np.uint8).reshape(-1, block.size))
    stored = block.decode(raw)
    if isinstance(stored, GroupedIntegers):
        assert stored.values.dtype == torch.int8
        assert int(stored.values.min()) >= stored.grouping.low
        assert int(stored.values.max()) <= stored.grouping.high
        stored = stored.dequantize()
    assert torch.equal(stored.reshape(9, 512), meant)


def test_slices_are_parts_of_the_whole(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    write_gguf(file, "Q4_K_M")
    tensors = open_gguf(file, text()).tensors
    for name in ("model.decoder.layers.1.experts.down_proj", "model.decoder.embed_tokens.weight"):
        tensor = tensors[name]
        rows = [tensor.read(row, row + 1) for row in range(tensor.shape[0])]
        assert torch.equal(torch.cat(rows), tensor.read())
        stored = tensor.read_stored(1, 3)
        assert isinstance(stored, GroupedIntegers)
        assert stored.grouping == tensor.grouping
        assert stored.scales.shape[-1] * stored.grouping.group_size == tensor.shape[-1]
        for start, stop in ((-1, 1), (2, 2), (0, tensor.shape[0] + 1)):
            with pytest.raises(IndexError):
                tensor.read(start, stop)


def test_settings_are_kept_without_the_tokenizer(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    write_gguf(file, "F16")
    settings = open_gguf(file, text()).settings
    assert settings["general.architecture"] == "diffusion-gemma"
    assert settings["diffusion-gemma.attention.head_count_kv"] == (2, 1)
    assert settings["diffusion-gemma.attention.sliding_window_pattern"] == (True, False)
    assert settings["diffusion.canvas_length"] == 256
    assert settings["diffusion-gemma.final_logit_softcapping"] == 30.0
    assert "tokenizer.ggml.tokens" not in settings


def test_the_published_names() -> None:
    """691 tensors of the network and `rope_freqs` make the 692 of the published files."""
    config = parse_config(real_config())
    names = {gguf_name(name) for name in text_shapes(config)}
    assert len(names) == len(text_shapes(config)) == 691


# --- headers that lie -----------------------------------------------------------------------------


def pack_string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def setting(key: str, value: str) -> bytes:
    return pack_string(key) + struct.pack("<I", 8) + pack_string(value)


def entry(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return pack_string(name) + dimensions + struct.pack("<IQ", kind, offset)


def header(*entries: bytes, settings: tuple[bytes, ...] = (), tensors: int | None = None) -> bytes:
    settings = (setting("general.architecture", "diffusion-gemma"), *settings)
    count = len(entries) if tensors is None else tensors
    start = b"GGUF" + struct.pack("<IQQ", 3, count, len(settings))
    data = start + b"".join(settings) + b"".join(entries)
    return data + bytes(-len(data) % 32)


FOUR = entry("a", (4,))
LIES = {
    "empty": b"",
    "magic": b"GGML" + header(FOUR)[4:] + bytes(32),
    "version": header(FOUR)[:4] + struct.pack("<I", 1) + header(FOUR)[8:] + bytes(32),
    "big-endian": header(FOUR)[:4] + struct.pack(">I", 3) + header(FOUR)[8:] + bytes(32),
    "count of tensors": header(FOUR, tensors=2**60) + bytes(32),
    "one tensor too many": header(FOUR, tensors=2) + bytes(32),
    "count of settings": header(FOUR)[:16] + struct.pack("<Q", 2**60) + header(FOUR)[24:],
    "length of a key": header(FOUR)[:24] + struct.pack("<Q", 2**63) + header(FOUR)[32:],
    "length of a list": header(
        FOUR, settings=(pack_string("x") + struct.pack("<IIQ", 9, 6, 2**61),)
    ),
    "length of a list of texts": header(
        FOUR, settings=(pack_string("x") + struct.pack("<IIQ", 9, 8, 2**61),)
    ),
    "list of lists": header(FOUR, settings=(pack_string("x") + struct.pack("<IIQ", 9, 9, 1),)),
    "type of a setting": header(FOUR, settings=(pack_string("x") + struct.pack("<I", 77),)),
    "setting twice": header(FOUR, settings=(setting("x", "1"), setting("x", "1"))) + bytes(32),
    "alignment": header(
        FOUR, settings=(pack_string("general.alignment") + struct.pack("<II", 4, 24),)
    )
    + bytes(64),
    "alignment of zero": header(
        FOUR, settings=(pack_string("general.alignment") + struct.pack("<II", 4, 0),)
    )
    + bytes(32),
    "alignment as text": header(FOUR, settings=(setting("general.alignment", "x"),)) + bytes(32),
    "text that is not UTF-8": header(FOUR).replace(b"diffusion-", b"diffusion\xff") + bytes(32),
    "no dimensions": header(entry("a", ())) + bytes(32),
    "many dimensions": header(entry("a", (1,) * 5)) + bytes(32),
    "length zero": header(entry("a", (4, 0))) + bytes(32),
    "huge shape": header(entry("a", (2**40, 2**40))) + bytes(32),
    "overflowing shape": header(entry("a", (2**63, 2, 1, 1))) + bytes(32),
    "unknown type": header(entry("a", (4,), kind=23)) + bytes(32),
    "half a block": header(entry("a", (48,), kind=8)) + bytes(64),
    "offset behind the end": header(entry("a", (4,), offset=2**62)) + bytes(32),
    "offset with a gap": header(entry("a", (4,), offset=32)) + bytes(64),
    "overlap": header(FOUR, entry("b", (4,))) + bytes(64),
    "name twice": header(FOUR, entry("a", (4,), offset=32)) + bytes(64),
    "name that cannot be shown": header(entry("a\n", (4,))) + bytes(32),
    "data cut off": header(FOUR) + bytes(8),
    "data left over": header(FOUR) + bytes(96),
}


@pytest.mark.parametrize("lie", LIES)
def test_headers_that_lie(tmp_path: Path, lie: str) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(LIES[lie])
    tracemalloc.start()
    try:
        fault = fault_of(lambda: read_header(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
    error = fault.error
    assert error.kind in (ErrorKind.MODEL_BROKEN, ErrorKind.MODEL_UNSUPPORTED)
    assert str(file) in error.detail


def test_the_honest_header_they_were_made_from(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(header(FOUR) + bytes(16))
    [found] = read_header(file)[1]
    assert (found.name, found.shape, found.size) == ("a", (4,), 16)
    file.write_bytes(header(FOUR) + bytes(32))
    assert read_header(file)[1] == [found]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999999])
def test_truncated_files(whole: bytes, tmp_path: Path, share: float) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(whole[: int(len(whole) * share)])
    fault = fault_of(lambda: open_gguf(file, text()))
    assert fault.error.kind is ErrorKind.MODEL_BROKEN


def test_a_file_cut_after_its_header_was_read(whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(whole)
    tensors = open_gguf(file, text()).tensors
    file.write_bytes(whole[: len(whole) // 2])
    fault = fault_of(lambda: [tensor.read() for tensor in tensors.values()])
    assert fault.error.kind is ErrorKind.MODEL_BROKEN
    file.unlink()
    assert fault_of(lambda: read_bytes(file, 0, 1)).error.kind is ErrorKind.MODEL_BROKEN


@pytest.mark.parametrize("number", [0x7E00, 0x7C00, 0xFC00], ids=["nan", "inf", "-inf"])
def test_scales_that_are_no_numbers(whole: bytes, tmp_path: Path, number: int) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(whole)
    for found in read_header(file)[1]:
        scale = {"Q6_K": 208, "Q4_K": 2, "Q5_0": 0, "Q8_0": 0}.get(found.format.name)
        if scale is None:
            continue
        at = found.offset + found.size - found.format.size + scale
        file.write_bytes(whole[:at] + struct.pack("<H", number) + whole[at + 2 :])
        damaged = [
            tensor
            for tensor in open_gguf(file, text()).tensors.values()
            if gguf_name(tensor.name) == found.name
        ]
        fault = fault_of(damaged[0].read)
        assert found.name in fault.error.detail
        assert fault.error.kind is ErrorKind.MODEL_BROKEN


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda shapes: shapes.pop("model.decoder.norm.weight"), "model.decoder.norm.weight"),
        (lambda shapes: shapes.update(extra=(3,)), "extra"),
        (lambda shapes: shapes.update({"model.decoder.norm.weight": (9,)}), "(9,)"),
    ],
)
def test_left_over_missing_and_misshapen_tensors_are_named(
    whole: bytes, tmp_path: Path, change: Callable[[dict], object], named: str
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(whole)
    shapes = dict(text())
    change(shapes)
    assert named in fault_of(lambda: open_gguf(file, shapes)).error.message


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b"diffusion-gemma", b"diffusion-gemmo", "diffusion-gemmo"),
        (b"blk.1.attn_q.weight", b"blk.7.attn_q.weight", "model.decoder.layers.1.self_attn.q_proj"),
        (b"blk.1.attn_q.weight", b"blk.0.attn_q.weight", "twice"),
        (b"rope_freqs.weight", b"rope_weird.weight", "rope_weird.weight"),
    ],
)
def test_names_that_do_not_belong(
    whole: bytes, tmp_path: Path, old: bytes, new: bytes, named: str
) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(whole.replace(old, new))
    error = fault_of(lambda: open_gguf(file, text())).error
    assert named in error.message + error.detail
    assert str(file) in error.detail


def test_two_names_for_one_tensor(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    entries = entry("token_embd", (4,)), entry("token_embd.weight", (4,), offset=32)
    file.write_bytes(header(*entries) + bytes(64))
    message = fault_of(lambda: open_gguf(file, text())).error.message
    assert "it has model.decoder.embed_tokens.weight twice" in message


def test_another_version_of_the_block_layouts(whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    key = b"general.quantization_version" + struct.pack("<I", 4)
    assert whole.count(key) == 1
    file.write_bytes(whole.replace(key + struct.pack("<I", 2), key + struct.pack("<I", 3)))
    assert fault_of(lambda: open_gguf(file, text())).error.kind is ErrorKind.MODEL_UNSUPPORTED


def test_faults_say_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(LIES["unknown type"])
    error = fault_of(lambda: read_header(file)).error
    assert "a is stored in the GGUF type 23" in error.message
    assert "Q4_K" in error.message
    assert error.remedy.endswith(".")
    assert json.dumps(error.detail)
