"""Prepares a model: from a checkpoint to our own files, one blob at a time.

Nothing but one field is in memory at a time. What is finished is noted, so that a job that was
killed or cancelled goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoint.blob import Blob
from engine.checkpoint.durable import PIECE, sole_writer, write_file
from engine.checkpoint.journal import LOCK, Target
from engine.checkpoint.manifest import FileRecord, Manifest, SourceFile
from engine.checkpoint.opening import open_checkpoint
from engine.checkpoint.origin import check_unchanged, describe, with_hash
from engine.checkpoint.prepared import is_prepared, plan_blobs
from engine.checkpoint.source import SourceTensor
from engine.config import load_config
from engine.convert import convert, fit
from engine.faults import disk_fault, no_room
from engine.load import Report, model_folder
from engine.messages import EngineFault, ErrorKind
from engine.model.fields import fields, text_shapes, vision_shapes
from engine.quant.scheme import Scheme, find_scheme
from engine.quant.tensors import Matrix, parts_of

_MARGIN = 1 << 30  # bytes left free on the disk, for everybody else's sake


@dataclass(frozen=True, kw_only=True)
class Outcome:
    size: int  # bytes of the prepared model
    exact: int  # fields whose numbers were taken over without rounding
    rounded: int  # the others


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A checkpoint, and how it will be stored."""

    folder: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, SourceTensor]
    scheme: Scheme
    plain_dtype: str
    device: torch.device  # that does the arithmetic

    def of(self, blob: Blob) -> list[SourceTensor]:
        """The tensors that a blob is made from."""
        return [self.tensors[name] for stored in blob.fields for name, _ in stored.field.sources]


class _Progress:
    """Counts bytes, and ends the job where the user wants it to end."""

    def __init__(self, report: Report, cancelled: Callable[[], bool]) -> None:
        self._report, self._cancelled = report, cancelled

    def go_to(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        self.advance(0)

    def advance(self, size: int) -> None:
        if self._cancelled():
            raise stopped()
        self._done = min(self._done + size, self._total)
        self._report("weights", self._done, self._total)


def prepare(
    source: str | Path,
    target: Path,
    weights: str,
    report: Report,
    cancelled: Callable[[], bool],
    *,
    device: str = "cpu",
) -> Outcome:
    """Writes the checkpoint `source` to the folder `target`. weights: a scheme, as in `SCHEMES`.

    report(what, done, total) is called with bytes. Raises EngineFault when the source is damaged or
    unknown, the target in use or not ours, the disk full, or the job cancelled. Then the target is
    no model, and the same call goes on where this one stopped.
    """
    progress = _Progress(report, cancelled)
    found, blobs = _open(model_folder(source), weights, torch.device(device))
    place = Target(folder=target, blobs=blobs)
    try:
        place.check()
        target.mkdir(parents=True, exist_ok=True)
        with sole_writer(target / LOCK):
            place.check()
            manifest = _write(found, place, progress)
    except BlockingIOError as fault:
        raise EngineFault(
            ErrorKind.IN_USE,
            "This model is being prepared already.",
            "Wait until that is done.",
            str(target),
        ) from fault
    except OSError as fault:
        raise disk_fault(fault) from fault
    with suppress(OSError):  # a lock that stays does no harm
        (target / LOCK).unlink()
    return Outcome(
        size=sum(record.size for record in manifest.files),
        exact=sum(record.exact for record in manifest.files),
        rounded=sum(record.rounded for record in manifest.files),
    )


def stopped() -> EngineFault:
    """The job was ended by its user."""
    return EngineFault(
        ErrorKind.CANCELLED,
        "Preparing the model was stopped.",
        "Start it again with the same folders: it goes on where it stopped.",
    )


def _open(folder: Path, weights: str, device: torch.device) -> tuple[_Source, dict[str, Blob]]:
    if is_prepared(folder):
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "This model is prepared already.",
            "Choose the checkpoint that it was made from.",
            str(folder),
        )
    config = load_config(folder)
    tensors = open_checkpoint(folder, text_shapes(config), vision_shapes(config))
    scheme = fit(find_scheme(weights), config, tensors)
    plain = [
        tensors[name].stored_as
        for blob in fields(config).values()
        for field in blob
        if scheme.way(field.role) is None
        for name, _ in field.sources
    ]
    # Nothing plain is rounded: float32 holds whatever bfloat16 does not.
    plain_dtype = "bfloat16" if set(plain) == {"BF16"} else "float32"
    ending = next(iter(tensors.values())).file.suffix
    source = _Source(
        folder=folder,
        files=tuple(sorted(folder.glob(f"*{ending}"))),
        tensors=tensors,
        scheme=scheme,
        plain_dtype=plain_dtype,
        device=device,
    )
    return source, plan_blobs(config, scheme, plain_dtype)


def _write(source: _Source, target: Target, progress: _Progress) -> Manifest:
    fresh, old = target.begin(
        Manifest(
            scheme=source.scheme,
            plain_dtype=source.plain_dtype,
            source=describe(source.files),
            files=(),
        ),
        source.folder,
    )
    total = _size(source, target.blobs.values(), fresh.source)
    progress.go_to(0, total)
    finished = target.finished(old, progress.advance)
    journal = target.save(replace(fresh, source=old.source, files=fresh.files + finished))
    target.clear(journal)
    names = {record.name for record in finished}
    missing = [blob for blob in target.blobs.values() if blob.file_name not in names]
    _check_room(target.folder, sum(blob.size for blob in missing))
    progress.go_to(total - _size(source, missing, journal.source), total)
    for blob in missing:
        # Read for its hash, a shard is in the system's memory when its tensors are asked for.
        journal = _with_hashes(journal, source, {t.file.name for t in source.of(blob)}, progress)
        record = _write_blob(source, target.folder, blob, progress)
        journal = target.save(replace(journal, files=(*journal.files, record)))
    journal = _with_hashes(journal, source, {file.name for file in source.files}, progress)
    check_unchanged(journal.source, source.folder)
    target.save(journal)
    target.complete()
    return journal


def _size(source: _Source, blobs: Iterable[Blob], files: Iterable[SourceFile]) -> int:
    """Bytes to read: files whose hash is not known, and the tensors of the blobs."""
    unknown = sum(file.size for file in files if file.sha256 is None)
    return unknown + sum(tensor.size for blob in blobs for tensor in source.of(blob))


def _with_hashes(
    journal: Manifest, source: _Source, names: set[str], progress: _Progress
) -> Manifest:
    return replace(
        journal,
        source=tuple(
            with_hash(file, source.folder, progress.advance)
            if file.name in names and file.sha256 is None
            else file
            for file in journal.source
        ),
    )


def _write_blob(source: _Source, folder: Path, blob: Blob, progress: _Progress) -> FileRecord:
    exact: list[bool] = []
    pieces = _pieces(source, blob, progress, exact)
    written = write_file(folder / blob.file_name, pieces)
    return FileRecord(
        name=blob.file_name,
        size=written.size,
        sha256=written.sha256,
        exact=sum(exact),
        rounded=len(exact) - sum(exact),
    )


def _pieces(
    source: _Source, blob: Blob, progress: _Progress, exact: list[bool]
) -> Iterator[bytes | memoryview]:
    """The bytes of a blob's file. Notes in `exact` whether each field was taken over as it is."""
    yield blob.header
    end = 0
    for stored in blob.fields:
        converted = convert(
            stored.field,
            source.tensors,
            source.scheme.way(stored.field.role),
            plain_dtype=getattr(torch, source.plain_dtype),
            device=source.device,
            advance=progress.advance,
        )
        exact.append(converted.is_exact)
        parts = _parts(converted.matrix)
        for key, tensor in stored.tensors.items():
            data = _bytes_of(parts[key])
            assert len(data) == tensor.part.nbytes
            yield bytes(tensor.offset - end)
            yield from (data[start : start + PIECE] for start in range(0, len(data), PIECE))
            end = tensor.offset + len(data)


def _parts(matrix: Matrix) -> dict[str, Tensor]:
    return {"": matrix} if isinstance(matrix, Tensor) else parts_of(matrix)


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _MARGIN:
        raise no_room(free, size + _MARGIN, folder)
