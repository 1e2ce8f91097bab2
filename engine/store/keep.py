"""Deleting and moving the models that Redraft has put on a disk itself; never anybody else's."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from engine.checkpoint.durable import read_pieces, sole_writer, sync_folder, write_file
from engine.faults import disk_fault, no_room
from engine.folders import free_at, require_disk
from engine.messages import Deleted, EngineFault, ErrorKind, ModelEntry, Moved, Place
from engine.service import Cancelled, JobReport
from engine.store.entries import folder_entry
from engine.store.library import find_offer
from engine.store.names import LOCKS
from engine.store.troubles import in_use

_GONE = ".deleted-"  # the beginning of a folder's name while it is being deleted
_MOVING = ".moving-"
_PATIENCE = 5.0  # seconds until a download that has just been paused lets go of its folder
_SPARE = 1 << 30  # bytes that stay free on the disk


def folder_of(model: str, home: Path) -> Path:
    """The folder of ours that an id or a path names. Raises EngineFault."""
    path = Path(model)
    if path.is_absolute() and path.is_dir():
        return path
    return home / find_offer(model, home).folder


def delete(model: str, home: Path) -> Deleted:
    """Deletes a model of ours, or what is there of one. Raises EngineFault."""
    folder = folder_of(model, home)
    _check_ours(folder, home)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    gone = home / f"{_GONE}{secrets.token_hex(4)}"
    try:
        with _alone(folder):
            folder.rename(gone)  # at once: half a model is none
        for each in home.glob(f"{_GONE}*"):
            shutil.rmtree(each)
        sync_folder(home)
    except OSError as fault:
        raise disk_fault(fault) from fault
    return Deleted(path=str(folder), freed=size)


def move(model: str, home: Path, report: JobReport, cancelled: Cancelled) -> Moved:
    """Moves a model of ours into the folder `home`. What is there stays until all is copied.

    Raises EngineFault; cancelled, everything is as it was.
    """
    source = Path(model)
    _check_ours(source, source.parent)
    target = home / source.name
    require_disk(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                f"There is a {target.name} in that folder already.",
                "Choose another folder, or delete it there first.",
                str(target),
            )
        with _alone(source):
            if not _renamed(source, target):
                _copy(source, target, report, cancelled)
        if source.exists():
            shutil.rmtree(source)
        entry = folder_entry(target, Place.REDRAFT)
    except OSError as fault:
        raise disk_fault(fault) from fault
    assert isinstance(entry, ModelEntry)
    return Moved(model=entry)


def _check_ours(folder: Path, home: Path) -> None:
    entry = None
    with suppress(OSError):
        is_inside = folder.is_dir() and folder.parent.resolve() == home.resolve()
        entry = folder_entry(folder, Place.REDRAFT) if is_inside else None
    if entry is None or not entry.is_ours or folder.is_symlink():
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "Redraft deletes and moves only models that it keeps itself.",
            "Use the program that has put this one there.",
            str(folder),
        )


def _renamed(source: Path, target: Path) -> bool:
    """Whether one disk holds both places: then a move is only another name."""
    try:
        source.rename(target)
    except OSError:
        return False
    return True


def _copy(source: Path, target: Path, report: JobReport, cancelled: Cancelled) -> None:
    """Files with all their bytes, then the folder's name. Raises EngineFault, OSError."""
    files = [path for path in source.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    free = free_at(target.parent)
    if free < total + _SPARE:
        raise no_room(free, total + _SPARE, target.parent)
    partial, done = target.with_name(f"{_MOVING}{target.name}"), 0

    def pieces(file: Path) -> Iterator[memoryview]:
        nonlocal done
        for piece in read_pieces(file):
            if cancelled():
                raise EngineFault(
                    ErrorKind.CANCELLED,
                    "Moving the model was stopped.",
                    "It is still where it was.",
                )
            done += len(piece)
            report("Moving", done, total, file=file.name)
            yield piece

    try:
        for file in files:
            place = partial / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_file(place, pieces(file))
        partial.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else writes in the folder. Waits a little for who is about to end."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        with ExitStack() as stack:
            try:
                for name in LOCKS:
                    if (folder / name).exists():
                        stack.enter_context(sole_writer(folder / name))
            except BlockingIOError as fault:
                if time.monotonic() > deadline:
                    raise in_use(folder) from fault
            else:
                yield
                return
        time.sleep(0.1)
