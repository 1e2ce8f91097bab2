"""Loading a prepared model from disk to the device, as the engine does it: files of the real layout.

The files hold no real numbers. Written just now they lie in the system's memory, so this is the time
without the disk; `written_s` says what the disk took.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.checkpoint.blob import Blob
from engine.checkpoint.manifest import FileRecord, Manifest
from engine.checkpoint.prepared import Prepared, plan_blobs, read_blob
from engine.quant.scheme import SCHEMES
from tests.benchmarks.gpu_rig import Rig

_PIECE = bytes(16 << 20)


def loading_section(rig: Rig) -> dict[str, Any]:
    blobs = plan_blobs(rig.model.config, SCHEMES["int4"], "bfloat16")
    size = sum(blob.size for blob in blobs.values())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if shutil.disk_usage(folder).free < 1.2 * size:
            return {"left_out": f"no room for {size} bytes in {folder}"}
        began = time.perf_counter()
        for blob in blobs.values():
            _write(folder, blob)
        written = time.perf_counter() - began
        prepared = Prepared(folder=folder, manifest=_manifest(blobs), blobs=blobs)

        def load() -> None:
            for name in blobs:
                read_blob(prepared, name, device=rig.model.device, dtype=rig.model.dtype)
            rig.wait()

        seconds = rig.seconds(load)
    return {
        "bytes": size,
        "written_s": round(written, 2),
        "load_s": round(seconds, 2),
        "gigabytes_s": round(size / seconds / 1e9, 2),
    }


def _write(folder: Path, blob: Blob) -> None:
    with (folder / blob.file_name).open("wb") as file:
        file.write(blob.header)
        left = blob.data_size
        while left:
            left -= file.write(_PIECE[: min(left, len(_PIECE))])


def _manifest(blobs: dict[str, Blob]) -> Manifest:
    files = tuple(
        FileRecord(name=blob.file_name, size=blob.size, sha256="") for blob in blobs.values()
    )
    return Manifest(scheme=SCHEMES["int4"], plain_dtype="bfloat16", source=(), files=files)
