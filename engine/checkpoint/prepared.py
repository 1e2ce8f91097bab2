"""Prepared models: our own files, in the layout the kernels read.

A folder with the settings of its source, a safetensors file for each blob of `engine.model.fields`,
and the manifest `COMPLETE`, which is written last: without it there is no model. A blob is read
into one piece of memory by few large reads, and its tensors are views of that.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoint.blob import Blob, StoredTensor, first_difference, plan_blob
from engine.checkpoint.durable import PART, read_pieces
from engine.checkpoint.manifest import COMPLETE, FileRecord, Manifest, read_manifest
from engine.config import ModelConfig
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import fields
from engine.quant.scheme import Scheme
from engine.quant.tensors import Matrix, from_parts

# What of a checkpoint's folder belongs to a model beside its weights, copied as it is.
SETTINGS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "processor_config.json",
    "preprocessor_config.json",
)
JOURNAL = "progress.json"
_PIECE = 32 << 20  # bytes read at once

Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A prepared model whose names, sizes and headers are as they must be. No number is read yet."""

    folder: Path
    manifest: Manifest
    blobs: Mapping[str, Blob]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(record.size for record in self.manifest.files)


def is_prepared(folder: Path) -> bool:
    """Whether a folder holds our own files, finished or not."""
    return (folder / COMPLETE).exists() or (folder / JOURNAL).exists()


def plan_blobs(config: ModelConfig, scheme: Scheme, plain_dtype: str) -> dict[str, Blob]:
    """All files of weights of a model, in order. Raises EngineFault for what has no layout."""
    return {
        name: plan_blob(name, members, scheme, plain_dtype)
        for name, members in fields(config).items()
    }


def open_prepared(folder: Path, config: ModelConfig) -> Prepared:
    """Opens a prepared model. config: of the folder's own config.json.

    Raises EngineFault naming the file, and the tensor where it is one, when anything is missing,
    left over, not finished, or not what the manifest and the configuration say.
    """
    manifest = _manifest(folder)
    blobs = plan_blobs(config, manifest.scheme, manifest.plain_dtype)
    records = {record.name: record for record in manifest.files}
    _check_names(folder, records, {blob.file_name for blob in blobs.values()})
    for name, record in records.items():
        size = _size(folder / name)
        if size != record.size:
            raise damaged(folder / name, f"has {size} bytes instead of {record.size}")
        if name in SETTINGS:
            check_hash(folder / name, record, lambda _size: None)
    for blob in blobs.values():
        check_header(folder / blob.file_name, blob)
    return Prepared(folder=folder, manifest=manifest, blobs=blobs)


def verify_files(prepared: Prepared, advance: Advance) -> None:
    """Compares every byte with the manifest. advance(bytes) follows the reading, and may raise.

    Raises EngineFault naming the first file that has changed.
    """
    for record in prepared.manifest.files:
        check_hash(prepared.folder / record.name, record, advance)


def read_blob(
    prepared: Prepared,
    name: str,
    *,
    device: torch.device,
    dtype: torch.dtype,
    verify: bool = False,
    advance: Advance = lambda _size: None,
) -> dict[str, Matrix]:
    """The fields of a blob on a device, fit for `engine.model.weights.from_blobs`.

    dtype: of plain tensors; those stored in it, and all quantised ones, share one piece of memory.
    verify: whether to compare what is read with the manifest's hash. advance(bytes) follows the
    reading, and may raise to end it. Raises EngineFault.
    """
    blob = prepared.blobs[name]
    file = prepared.folder / blob.file_name
    digest = hashlib.sha256() if verify else None
    buffer = _buffer(blob.data_size, device)
    try:
        _read(file, blob, memoryview(buffer.numpy().data), digest, advance)
    except OSError as fault:
        raise damaged(file, "cannot be read", str(fault)) from fault
    if digest and digest.hexdigest() != _record(prepared, file.name).sha256:
        raise damaged(file, "has changed since it was written")
    memory = buffer.to(device)
    return {
        stored.field.name: (
            _plain(file, stored.tensors[""], memory).to(dtype)
            if stored.layout is None
            else from_parts(
                stored.layout,
                {key: _view(tensor, memory) for key, tensor in stored.tensors.items()},
                f"{stored.field.name} ({file.name})",
            )
        )
        for stored in blob.fields
    }


def check_header(file: Path, blob: Blob) -> None:
    """Raises EngineFault unless the file has the size and the header of the blob."""
    size = _size(file)
    try:
        with file.open("rb") as stream:
            header = stream.read(len(blob.header))
    except OSError as fault:
        raise damaged(file, "cannot be read", str(fault)) from fault
    if header != blob.header:
        raise damaged(file, f"does not hold {first_difference(header, blob)} as it should")
    if size != blob.size:
        raise damaged(file, f"has {size} bytes instead of {blob.size}")


def check_hash(file: Path, record: FileRecord, advance: Advance) -> None:
    """Raises EngineFault unless the file is what the record says. advance(bytes) follows."""
    digest = hashlib.sha256()
    try:
        for piece in read_pieces(file):
            digest.update(piece)
            advance(len(piece))
    except OSError as fault:
        raise damaged(file, "cannot be read", str(fault)) from fault
    if digest.hexdigest() != record.sha256:
        raise damaged(file, "has changed since it was written")


def damaged(file: Path, why: str, detail: str = "") -> EngineFault:
    """A prepared model that must not be used."""
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        f"The prepared model cannot be used: {file.name} {why}.",
        "Prepare the model again.",
        f"{file}: {detail or why}",
    )


def _manifest(folder: Path) -> Manifest:
    if not (folder / COMPLETE).exists():
        raise EngineFault(
            ErrorKind.MODEL_BROKEN,
            "This model has not been prepared to the end.",
            "Prepare it again: what is finished is kept.",
            f"{folder}: no {COMPLETE}",
        )
    _size(folder / COMPLETE)
    try:
        return read_manifest(folder / COMPLETE)
    except OSError as fault:
        raise damaged(folder / COMPLETE, "cannot be read", str(fault)) from fault
    except ValueError as fault:
        raise damaged(folder / COMPLETE, "is damaged or of another version", str(fault)) from fault


def _check_names(folder: Path, records: Mapping[str, FileRecord], blobs: set[str]) -> None:
    needed = blobs | {"config.json"}
    for name in sorted(needed - records.keys()):
        raise damaged(folder / COMPLETE, f"does not list {name}")
    for name in sorted(records.keys() - blobs - set(SETTINGS)):
        raise damaged(folder / COMPLETE, f"lists the unknown file {name}")
    # Files that nobody can mistake for a part of the model, such as a note, may stay.
    for path in sorted(folder.iterdir()):
        is_ours = path.suffix in (".safetensors", PART) or path.name in (JOURNAL, *SETTINGS)
        if is_ours and path.name not in records:
            raise damaged(path, "does not belong to it")


def _size(file: Path) -> int:
    try:
        found = file.stat()
    except FileNotFoundError as fault:
        raise damaged(file, "is missing", str(fault)) from fault
    except OSError as fault:
        raise damaged(file, "cannot be read", str(fault)) from fault
    if not stat.S_ISREG(found.st_mode):
        raise damaged(file, "is no file")
    return found.st_size


def _record(prepared: Prepared, name: str) -> FileRecord:
    return next(record for record in prepared.manifest.files if record.name == name)


def _buffer(size: int, _device: torch.device) -> Tensor:
    """Memory that a blob is read into, uint8 [size]. The place for pinned memory of a GPU's host."""
    return torch.empty(size, dtype=torch.uint8)


def _read(
    file: Path,
    blob: Blob,
    target: memoryview,
    digest: hashlib._Hash | None,
    advance: Advance,
) -> None:
    with file.open("rb", buffering=0) as stream:
        header = stream.read(len(blob.header))
        if header != blob.header:
            raise damaged(file, f"does not hold {first_difference(header, blob)} as it should")
        if digest:
            digest.update(header)
        while target:
            count = stream.readinto(target[:_PIECE])
            if not count:
                raise damaged(file, f"ends {len(target)} bytes too early")
            if digest:
                digest.update(target[:count])
            target = target[count:]
            advance(count)
        if stream.read(1):
            raise damaged(file, "goes on behind its end")


def _plain(file: Path, stored: StoredTensor, memory: Tensor) -> Tensor:
    tensor = _view(stored, memory)
    # One NaN or infinity makes the sum NaN or infinite; much cheaper than looking at each.
    if not torch.isfinite(tensor.sum(dtype=torch.float64)):
        raise damaged(file, f"holds values in {stored.name} that are no numbers")
    return tensor


def _view(stored: StoredTensor, memory: Tensor) -> Tensor:
    part = stored.part
    data = memory[stored.offset : stored.offset + part.nbytes]
    return data.view(getattr(torch, part.dtype)).view(part.shape)
