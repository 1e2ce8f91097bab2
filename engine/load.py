"""Assembly: a model folder becomes a `Model` on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from engine.checkpoint.opening import open_checkpoint
from engine.config import ModelConfig, load_config, load_sampling
from engine.convert import Sources, convert, fit
from engine.folders import DEMO as DEMO
from engine.folders import model_folder as model_folder
from engine.model.fields import Field, fields, text_shapes, vision_shapes
from engine.model.network import Model
from engine.model.weights import from_blobs
from engine.quant.scheme import Scheme, find_scheme
from engine.quant.tensors import Matrix

Report = Callable[[str, int, int], None]
Check = Callable[[ModelConfig, Scheme], None]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


class Cancelled(Exception):
    """Raised by a `report` callback to end a load."""


def load_model(
    path: str | Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str = "source",
    report: Report | None = None,
    check: Check | None = None,
) -> Model:
    """Loads a model folder in any format that `engine.checkpoint` reads.

    path: its folder, or "demo". device: a torch device. dtype: "float32", "bfloat16", or "float64"
    for checks. weights: a scheme of `engine.quant.scheme`; "source" makes all weights plain numbers.
    report(what, done, total) is called with bytes as the weights arrive; check, before the first of
    them, with how they will be stored: it may raise.
    Raises EngineFault with a sentence for the user when anything is missing, left over or damaged.
    """
    folder = model_folder(path)
    wanted = find_scheme(weights)
    config, sampling = load_config(folder), load_sampling(folder)
    sources = open_checkpoint(folder, text_shapes(config), vision_shapes(config))
    scheme = fit(wanted, config, sources)
    if check is not None:
        check(config, scheme)
    blobs = _read(
        config,
        sources,
        scheme,
        torch.device(device),
        _DTYPES[dtype],
        report or _silent,
    )
    return Model(config, sampling, from_blobs(config, blobs))


def _read(
    config: ModelConfig,
    sources: Sources,
    scheme: Scheme,
    device: torch.device,
    dtype: torch.dtype,
    report: Report,
) -> dict[str, dict[str, Matrix]]:
    """All fields of the network by blob and name."""
    total, done = sum(source.size for source in sources.values()), 0
    report("weights", 0, total)

    def advance(size: int) -> None:
        nonlocal done
        done += size
        report("weights", min(done, total), total)

    def read(field: Field) -> Matrix:
        nonlocal done
        whole = done + sum(sources[name].size for name, _ in field.sources)
        way = scheme.way(field.role)
        found = convert(field, sources, way, plain_dtype=dtype, device=device, advance=advance)
        done = whole
        report("weights", done, total)
        return found.matrix

    return {
        blob: {field.name: read(field) for field in some} for blob, some in fields(config).items()
    }


def _silent(what: str, done: int, total: int) -> None:
    pass
