"""Time and memory of preparing a model, and of loading what was prepared.

    python -m tests.benchmarks.quantize [--layers 2] [--folder DIR] [--device cpu]

Writes random bfloat16 weights in the real sizes: the whole embedding, and some of the 30 layers
(1.6 GB each), then prepares them with the real command in a process of its own. `peak_rss_gb` is of
that process. Loading reads every blob into memory, with the pages of its files dropped before
(`cold`) and in the system's memory (`warm`; `warm_cpu` is the thread's own time). `projected` is
for the real model, by the bytes of the source. Target: at most 4 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.checkpoint.durable import read_pieces
from engine.checkpoint.prepared import open_prepared, read_blob
from engine.config import load_config, parse_config
from engine.model.fields import text_shapes
from tests.benchmarks.record import record

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = PROJECT / "tests" / "engine" / "data" / "diffusiongemma_26b_config.json"
TARGETS = {"peak_rss_gb": 4.0}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--weights", default="int4")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source, target = Path(folder) / "source", Path(folder) / "model"
        size = write_random(source, options.layers)
        (shard,) = source.glob("*.safetensors")
        hashing = timed(lambda: hash_file(shard))
        outcome, peak = quantize(source, target, options.weights, options.device)
        record(
            "quantize",
            {
                "targets": TARGETS,
                "note": "random weights; other programs ran on the PC",
                "on": torch.cuda.get_device_name() if options.device == "cuda" else "cpu",
                "cores_used": len(os.sched_getaffinity(0)),
                "weights": options.weights,
                "layers": options.layers,
                "source_gb": round(size / 1e9, 2),
                "prepared_gb": round(outcome["bytes"] / 1e9, 2),
                "seconds": outcome["seconds"],
                "hashing_seconds": round(hashing, 1),
                "peak_rss_gb": round(peak / 1e9, 2),
                "projected": projected(options.layers, target, outcome["seconds"] / size),
                "loading_seconds": loading(target),
            },
        )


def write_random(folder: Path, layers: int) -> int:
    """A checkpoint of the real sizes; returns its bytes. Written tensor by tensor."""
    data = json.loads(CONFIG.read_text())
    kinds = ["sliding_attention"] * (layers - 1) + ["full_attention"]
    data["text_config"] |= {"num_hidden_layers": layers, "layer_types": kinds}
    data["vision_config"] = None
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(data))
    shapes, header, end = text_shapes(parse_config(data)), {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": (end, end + size)}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            for part in torch.empty(math.prod(shape), dtype=torch.bool).split(1 << 24):
                numbers = torch.randn(len(part)).mul_(shape[-1] ** -0.5).bfloat16()
                file.write(numbers.view(torch.uint8).numpy().data)
    return end


def quantize(source: Path, target: Path, weights: str, device: str) -> tuple[dict[str, Any], int]:
    """The outcome of the real command, and the most memory it held, in bytes."""
    command = [sys.executable, "-m", "engine", "quantize", str(source), str(target)]
    process = subprocess.Popen(
        [*command, "--weights", weights, "--device", device, "--json"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    outcome = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return outcome, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def projected(layers: int, target: Path, seconds_per_byte: float) -> dict[str, float]:
    """The real model: 25 sliding and 5 full layers."""
    sizes = {file.stem: file.stat().st_size for file in target.glob("*.safetensors")}
    sliding, full = sizes["layer-00"], sizes[f"layer-{layers - 1:02}"]
    shapes = text_shapes(parse_config(json.loads(CONFIG.read_text())))
    source = sum(2 * math.prod(shape) for shape in shapes.values())
    return {
        "source_gb": round(source / 1e9, 2),
        "prepared_gb": round((sizes["top"] + 25 * sliding + 5 * full) / 1e9, 2),
        "minutes": round(seconds_per_byte * source / 60, 1),
    }


def loading(folder: Path) -> dict[str, float]:
    def load(verify: bool) -> None:
        found = open_prepared(folder, load_config(folder))
        for name in found.blobs:
            read_blob(found, name, device=torch.device("cpu"), dtype=torch.bfloat16, verify=verify)

    drop_pages(folder)
    # In this order: the first reading brings the pages back.
    return {
        "cold": round(timed(lambda: load(False)), 2),
        "warm": round(min(timed(lambda: load(False)) for _ in range(3)), 2),
        "warm_cpu": round(timed(lambda: load(False), time.thread_time), 2),
        "warm_verified": round(timed(lambda: load(True)), 2),
    }


def drop_pages(folder: Path) -> None:
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def hash_file(file: Path) -> None:
    digest = hashlib.sha256()
    for piece in read_pieces(file):
        digest.update(piece)


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


if __name__ == "__main__":
    main()
