"""Which format a model folder is in, found by what it contains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.checkpoint.compressed import open_compressed
from engine.checkpoint.files import unsupported
from engine.checkpoint.gguf import open_gguf
from engine.checkpoint.modelopt import open_modelopt
from engine.checkpoint.parts import plain_tensor
from engine.checkpoint.safetensors import index_checkpoint
from engine.checkpoint.source import SourceTensor, match
from engine.config import read_json

Shapes = Mapping[str, tuple[int, ...]]


def open_checkpoint(folder: Path, text: Shapes, vision: Shapes) -> dict[str, SourceTensor]:
    """The tensors of the text network by the network's names; the weights are still on disk.

    text, vision: name and shape of every tensor. The vision tower is checked and left out; GGUF
    files have none. Raises EngineFault naming what is damaged, unknown, missing or left over.
    """
    tensors = _open(folder, text, {**text, **vision})
    return {name: tensors[name] for name in text}


def _open(folder: Path, text: Shapes, everything: Shapes) -> dict[str, SourceTensor]:
    files = sorted(folder.glob("*.gguf"))
    if files and not any(folder.glob("*.safetensors")):
        if len(files) > 1:
            raise unsupported(folder, f"its folder holds {len(files)} GGUF files")
        return open_gguf(files[0], text).tensors
    if (folder / "hf_quant_config.json").is_file():
        return open_modelopt(folder, everything)
    settings = read_json(folder / "config.json").get("quantization_config")
    if settings is None:
        return _open_plain(folder, everything)
    method = settings.get("quant_method") if isinstance(settings, dict) else None
    if method == "compressed-tensors":
        return open_compressed(folder, everything)
    if method == "modelopt":
        return open_modelopt(folder, everything)
    raise unsupported(folder / "config.json", f"its weights are of the kind {str(method)[:40]!r}")


def _open_plain(folder: Path, expected: Shapes) -> dict[str, SourceTensor]:
    tensors = {name: plain_tensor(name, entry) for name, entry in index_checkpoint(folder).items()}
    match(folder, tensors, expected)
    return tensors
