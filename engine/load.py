"""Assembly: a model folder becomes a `Model` on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from engine.checkpoint.opening import open_checkpoint
from engine.checkpoint.prepared import Prepared, is_prepared, open_prepared, read_blob
from engine.config import ModelConfig, load_config, load_sampling
from engine.convert import Sources, convert, fit
from engine.device import nvidia_smi
from engine.folders import DEMO as DEMO
from engine.folders import model_folder as model_folder
from engine.kernels.operations import operations
from engine.kernels.portable import triton, why_not
from engine.kernels.samples import trials
from engine.kernels.selection import Selection, choose
from engine.model.fields import Field, fields, text_shapes, vision_shapes
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.model.weights import from_blobs
from engine.quant.scheme import Scheme, find_scheme
from engine.quant.tensors import Int8Tensor, Matrix, QuantisedTensor

Report = Callable[[str, int, int], None]
Check = Callable[[ModelConfig, Scheme], None]
Blobs = dict[str, dict[str, Matrix]]  # the fields of the network by name, by blob

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
    A prepared model keeps the weights it was prepared with.
    report(what, done, total) is called with bytes as the weights arrive; check, before the first of
    them, with how they will be stored: it may raise.
    Raises EngineFault with a sentence for the user when anything is missing, left over or damaged.
    """
    folder = model_folder(path)
    wanted = find_scheme(weights)
    config, sampling = load_config(folder), load_sampling(folder)
    check, report = check or _agree, report or _silent
    place = torch.device(device)
    if is_prepared(folder):
        prepared = open_prepared(folder, config)
        check(config, prepared.manifest.scheme)
        blobs = _read_prepared(prepared, place, _DTYPES[dtype], report)
    else:
        sources = open_checkpoint(folder, text_shapes(config), vision_shapes(config))
        scheme = fit(wanted, config, sources)
        check(config, scheme)
        blobs = _convert(config, sources, scheme, place, _DTYPES[dtype], report)
    return Model(config, sampling, from_blobs(config, blobs))


def fuse(model: Model, folder: Path, cache_bits: int = 16) -> tuple[Model, Selection | None]:
    """The model with fused layers where its GPU runs their kernels, and what came of the trial.

    folder: for what the trial has to remember and compile. cache_bits: of the cache's keys and
    values. None where nothing is tried: on a CPU, or for weights that are not quantised. Raises
    EngineFault where a kernel has cost the GPU.
    """
    experts = model.weights.layers[0].experts_gate_up
    if model.device.type != "cuda" or not isinstance(experts, QuantisedTensor):
        return model, None
    expert_bits = 8 if isinstance(experts, Int8Tensor) else 4
    selection = choose(
        trials(model.config, model.dtype, cache_bits, expert_bits),
        model.device,
        why_not(model.device),
        folder,
        _versions(model.device),
    )
    names = [choice.name for choice in selection.choices if choice.uses_kernel]
    if not names:
        return model, selection
    fused = FusedLayers(model.config, model.weights, operations(names))
    made = Model(model.config, model.sampling, model.weights, model.portions, fused)
    return made, selection


def _versions(device: torch.device) -> str:
    """Of all that compiled kernels depend on."""
    driver = ", ".join(nvidia_smi("--query-gpu=driver_version", "--format=csv,noheader"))
    own = triton.__version__ if triton is not None else ""
    return f"{own} {torch.__version__} {torch.cuda.get_device_name(device)} {driver}"


def _read_prepared(
    prepared: Prepared, device: torch.device, dtype: torch.dtype, report: Report
) -> Blobs:
    total = sum(blob.data_size for blob in prepared.blobs.values())
    done = 0
    report("weights", 0, total)

    def advance(size: int) -> None:
        nonlocal done
        done += size
        report("weights", done, total)

    return {
        name: read_blob(prepared, name, device=device, dtype=dtype, advance=advance)
        for name in prepared.blobs
    }


def _convert(
    config: ModelConfig,
    sources: Sources,
    scheme: Scheme,
    device: torch.device,
    dtype: torch.dtype,
    report: Report,
) -> Blobs:
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


def _agree(config: ModelConfig, scheme: Scheme) -> None:
    pass


def _silent(what: str, done: int, total: int) -> None:
    pass
