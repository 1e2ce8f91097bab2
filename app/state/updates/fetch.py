"""Brings the files of a version into one folder: from the installation that runs, else from the feed.

A file is there when its bytes are the manifest's; whatever else lies there is made anew. So it can
be killed at any moment, and goes on with the next file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from app.state.setup.making import Cancelled
from app.state.setup.trouble import no_room, trouble_of
from app.state.updates import trouble
from app.state.updates.client import Client, Interrupted
from app.state.updates.install import UpdateFailed
from app.state.updates.manifest import Manifest, RemoteFile
from app.state.updates.status import Fetched

MARGIN = 50_000_000  # bytes that stay free
TRIES = 4  # of one file
PAUSE = 1.0  # seconds before the second try; each further one waits twice as long
PERIOD = 0.2  # seconds between two reports
_PIECE = 1 << 20  # bytes

IsCancelled = Callable[[], bool]
Report = Callable[[Fetched], None]


def missing(manifest: Manifest, *folders: Path) -> tuple[RemoteFile, ...]:
    """The files that none of the folders has, as far as names and sizes tell."""
    return tuple(
        each for each in manifest.files if not any(_looks_there(folder, each) for folder in folders)
    )


def fetch(
    client: Client,
    manifest: Manifest,
    staging: Path,
    installed: Path,
    report: Report,
    is_cancelled: IsCancelled,
) -> None:
    """Fills the folder `staging`. Raises `UpdateFailed` or `Cancelled`."""
    try:
        staging.mkdir(parents=True, exist_ok=True)
        _remove_strangers(manifest, staging)
        wanted = [each for each in manifest.files if not _is_there(staging, each, is_cancelled)]
        _check_room(wanted, staging)
        rest = [each for each in wanted if not _take(each, installed, staging, is_cancelled)]
        meter = _Meter(report, sum(each.size for each in rest))
        for each in rest:
            _fetch_one(client, each, staging, meter, is_cancelled)
        for each in manifest.files:
            (staging / each.path).chmod(0o755 if each.executable else 0o644)
    except OSError as error:
        raise UpdateFailed(trouble_of(error)) from error


def _fetch_one(
    client: Client, file: RemoteFile, staging: Path, meter: _Meter, is_cancelled: IsCancelled
) -> None:
    pause = PAUSE
    for left in reversed(range(TRIES)):
        before = meter.done
        try:
            pieces = client.pieces(f"files/{file.sha256}")
            _write(staging / file.path, file, meter.counted(_until(pieces, is_cancelled)))
        except Interrupted:
            if is_cancelled():
                raise Cancelled from None
            if not left:
                raise
            meter.done = before
            _wait(pause, is_cancelled)
            pause *= 2
        else:
            return


def _write(path: Path, file: RemoteFile, pieces: Iterable[bytes]) -> None:
    """Raises `UpdateFailed` for other bytes than those of `file`; nothing of them stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("wb") as out:
            for piece in pieces:
                size += len(piece)
                if size > file.size:
                    raise UpdateFailed(trouble.wrong_file())
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        if size != file.size or digest.hexdigest() != file.sha256:
            raise UpdateFailed(trouble.wrong_file())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _take(file: RemoteFile, installed: Path, staging: Path, is_cancelled: IsCancelled) -> bool:
    """Whether the installation has the file; it is copied then."""
    source = installed / file.path
    if not _looks_there(installed, file):
        return False
    try:
        _write(staging / file.path, file, _until(_pieces_of(source), is_cancelled))
    except UpdateFailed:
        return False  # the same name and size, but other bytes
    return True


def _is_there(folder: Path, file: RemoteFile, is_cancelled: IsCancelled) -> bool:
    if not _looks_there(folder, file):
        return False
    digest = hashlib.sha256()
    for piece in _until(_pieces_of(folder / file.path), is_cancelled):
        digest.update(piece)
    return digest.hexdigest() == file.sha256


def _looks_there(folder: Path, file: RemoteFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _until(pieces: Iterable[bytes], is_cancelled: IsCancelled) -> Iterator[bytes]:
    for piece in pieces:
        if is_cancelled():
            raise Cancelled
        yield piece


def _wait(seconds: float, is_cancelled: IsCancelled) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_cancelled():
            raise Cancelled
        time.sleep(0.05)


def _check_room(files: Iterable[RemoteFile], folder: Path) -> None:
    needed = MARGIN + sum(each.size for each in files)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UpdateFailed(no_room(needed, free))


def _remove_strangers(manifest: Manifest, staging: Path) -> None:
    """What an earlier try for other files has left; links are never followed."""
    files = {each.path for each in manifest.files}
    folders = {parent.as_posix() for path in files for parent in Path(path).parents}
    for top, names, others in os.walk(staging):
        inside = Path(top).relative_to(staging)
        for name in [*others, *names]:
            path, place = Path(top, name), (inside / name).as_posix()
            is_kept = place in (folders if path.is_dir() else files)
            if is_kept and not path.is_symlink():
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
                names.remove(name)
            else:
                path.unlink()


class _Meter:
    """Reports what has come, not more often than anybody could see."""

    def __init__(self, report: Report, total: int) -> None:
        self.done = 0
        self._total = total
        self._report = report
        self._next = 0.0
        self._tell()

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.done += len(piece)
            if time.monotonic() >= self._next or self.done == self._total:
                self._tell()
            yield piece

    def _tell(self) -> None:
        self._next = time.monotonic() + PERIOD
        self._report(Fetched(done=min(self.done, self._total), total=self._total))
