"""Assembly: a model folder becomes a `Model` on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoint.safetensors import TensorEntry, index_checkpoint, read_tensors
from engine.config import ModelConfig, load_config, load_sampling
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import text_shapes, vision_shapes
from engine.model.network import Model
from engine.model.weights import assemble

Report = Callable[[str, int, int], None]

DEMO = "demo"
_DEMO_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "demo_model"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


class Cancelled(Exception):
    """Raised by a `report` callback to end a load."""


def model_folder(path: str | Path) -> Path:
    """The folder of a model; "demo" is the bundled one. Raises EngineFault if there is none."""
    folder = _DEMO_FOLDER if str(path) == DEMO else Path(path).expanduser()
    if not folder.is_dir():
        raise EngineFault(
            ErrorKind.MODEL_MISSING,
            f"There is no model folder {folder}.",
            "Check its name, or start Redraft with the demo model.",
        )
    return folder


def load_model(
    path: str | Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str = "source",
    report: Report | None = None,
) -> Model:
    """Loads a checkpoint in the Hugging Face safetensors layout.

    path: its folder, or "demo". device: a torch device. dtype: "float32", "bfloat16", or "float64"
    for checks. weights: "source" keeps the checkpoint's own values.
    report(what, done, total) is called with bytes as the weights arrive.
    Raises EngineFault with a sentence for the user when anything is missing, left over or damaged.
    """
    folder = model_folder(path)
    if weights != "source":
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            f"There are no weights of kind {weights!r}.",
            "Load the model with its own weights.",
        )
    config, sampling = load_config(folder), load_sampling(folder)
    entries = match_tensors(config, index_checkpoint(folder))
    tensors = _read(entries, torch.device(device), _DTYPES[dtype], report or _silent)
    return Model(config, sampling, assemble(config, tensors))


def match_tensors(config: ModelConfig, entries: dict[str, TensorEntry]) -> list[TensorEntry]:
    """The entries of the text network, after every tensor of the checkpoint has been accounted for.

    The vision tower is checked by name and shape and left on disk. Raises EngineFault naming the
    first tensor that is missing, left over, or of another shape.
    """
    text, vision = text_shapes(config), vision_shapes(config)
    expected = text | vision
    missing = sorted(expected.keys() - entries.keys())
    if missing:
        raise _mismatch(f"it lacks the tensor {missing[0]}", len(missing))
    left_over = sorted(entries.keys() - expected.keys())
    if left_over:
        raise _mismatch(f"it has an unknown tensor {left_over[0]}", len(left_over))
    for name, shape in expected.items():
        if entries[name].shape != shape:
            raise _mismatch(f"{name} has the shape {entries[name].shape} instead of {shape}", 1)
    return [entries[name] for name in text]


def _read(
    entries: list[TensorEntry], device: torch.device, dtype: torch.dtype, report: Report
) -> dict[str, Tensor]:
    total, done = sum(entry.size for entry in entries), 0
    report("weights", 0, total)
    tensors: dict[str, Tensor] = {}
    for entry, tensor in read_tensors(entries):
        # One NaN or infinity makes the sum NaN or infinite; much cheaper than looking at each.
        if not torch.isfinite(tensor.sum(dtype=torch.float32)):
            raise EngineFault(
                ErrorKind.MODEL_BROKEN,
                f"The model is damaged: {entry.name} holds values that are no numbers.",
                "Download the model again.",
                str(entry.file),
            )
        tensors[entry.name] = tensor.to(device=device, dtype=dtype)
        done += entry.size
        report("weights", done, total)
    return tensors


def _mismatch(what: str, count: int) -> EngineFault:
    others = f" ({count - 1} more like it)" if count > 1 else ""
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        f"This model does not fit its own description: {what}{others}.",
        "Choose a DiffusionGemma model, or download this one again.",
    )


def _silent(what: str, done: int, total: int) -> None:
    pass
