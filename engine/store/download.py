"""Files of a repository into a folder: resumable, checked, never half there.

`download` is the one way in. A file has its name only when its digest is right; until then it is a
`.part` with a journal beside it. The record of all files is written last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

import httpx2

from engine.checkpoint.durable import read_pieces, rename, sole_writer
from engine.faults import disk_fault, no_room
from engine.messages import EngineFault, ErrorKind
from engine.store.fetch import Patience, Source, fetch, open_client
from engine.store.hub import Hub, Listing, RemoteFile
from engine.store.lines import Lines
from engine.store.names import LOCK, OTHER, part_of, paths_in
from engine.store.other_way import fetch_other_way
from engine.store.pace import TICK, Control, Pace
from engine.store.part import BLOCK, PartFile
from engine.store.record import Fetched, clear, read_record, write_record
from engine.store.troubles import in_use, paused, wrong_content

_PAUSED = ErrorKind.CANCELLED


@dataclass(frozen=True, kw_only=True)
class Settings:
    at_once: int = 3  # files
    block: int = BLOCK  # bytes, see engine.store.part
    spare: int = 1 << 30  # bytes that stay free on the disk
    other_way: bool = True  # whether to try it, see engine.store.other_way
    patience: Patience = field(default_factory=Patience)


def download(
    hub: Hub,
    listing: Listing,
    folder: Path,
    control: Control = Control(),
    settings: Settings = Settings(),
) -> tuple[Fetched, ...]:
    """Fetches the files of `listing`, several at once, and goes on where it stopped before.

    A folder is for one listing: what another one has left unfinished there is removed at the end.
    A file that is there and right is kept; one of that name with other content is replaced.
    Raises EngineFault: paused, no access, no connection, wrong content, a disk that is full.
    """
    paths = paths_in(folder, (file.name for file in listing.files))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(sole_writer(folder / LOCK))
            known = read_record(folder)
            shutil.rmtree(folder / OTHER, ignore_errors=True)  # of one that was killed
            job = _Job(
                folder=folder,
                client=stack.enter_context(open_client(settings.patience)),
                lines=Lines(),
                hub=hub,
                listing=listing,
                paths=paths,
                known=known,
                pace=Pace(control, sum(file.size for file in listing.files)),
                settings=settings,
            )
            _check_room(folder, job)
            fetched = _fetch_all(job)
            write_record(folder, listing, fetched)
            clear(folder, paths.values())
            job.pace.finish()
            return fetched
    except BlockingIOError as fault:
        raise in_use(folder) from fault
    except OSError as fault:
        raise disk_fault(fault) from fault


def discard(folder: Path) -> None:
    """Removes what a download that will not go on has left unfinished. Raises EngineFault."""
    try:
        with sole_writer(folder / LOCK):
            clear(folder)
    except BlockingIOError as fault:
        raise in_use(folder) from fault
    except OSError as fault:
        raise disk_fault(fault) from fault


@dataclass(frozen=True, kw_only=True)
class _Job:
    folder: Path
    client: httpx2.Client
    lines: Lines
    hub: Hub
    listing: Listing
    paths: dict[str, Path]
    known: dict[str, Fetched]  # of an earlier download into the folder, by name
    pace: Pace
    settings: Settings


class _Digest:
    """The SHA-256 of a file, and whether its bytes are the ones wanted."""

    def __init__(self, file: RemoteFile) -> None:
        self._sha256 = hashlib.sha256()
        # A git blob is hashed with a header. Source: git's documentation, "Git Internals", objects.
        head = f"blob {file.size}\0".encode()
        self._git = None if file.sha256 else hashlib.sha1(head, usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        self._sha256.update(data)
        if self._git is not None:
            self._git.update(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def found(self) -> str:
        """To be compared with `RemoteFile.digest`."""
        return self._git.hexdigest() if self._git is not None else self.sha256


def _fetch_all(job: _Job) -> tuple[Fetched, ...]:
    with ThreadPoolExecutor(job.settings.at_once, thread_name_prefix="download") as pool:
        tasks = [pool.submit(_fetch_file, job, file) for file in job.listing.files]
        while not _is_over(tasks) and not job.pace.stopped:
            wait(tasks, timeout=TICK, return_when=FIRST_EXCEPTION)
        if not all(task.done() for task in tasks):
            job.pace.end()
            job.lines.cut()
            pool.shutdown(cancel_futures=True)
    faults = [fault for task in tasks if not task.cancelled() and (fault := task.exception())]
    # Where one fails, the others pause.
    faults.sort(key=lambda each: isinstance(each, EngineFault) and each.error.kind is _PAUSED)
    if faults:
        raise faults[0]
    if any(task.cancelled() for task in tasks):
        raise paused()
    return tuple(task.result() for task in tasks)


def _is_over(tasks: list[Future[Fetched]]) -> bool:
    done = [task for task in tasks if task.done()]
    return len(done) == len(tasks) or any(task.exception() for task in done)


def _fetch_file(job: _Job, file: RemoteFile) -> Fetched:
    job.pace.check()
    path, known = job.paths[file.name], job.known.get(file.name)
    digest = _hash_present(job, file, path)
    if digest is not None and digest.found == file.digest:
        if known is None or known.sha256 != digest.sha256:
            return Fetched(name=file.name, size=file.size, sha256=digest.sha256)
        return known
    block = job.settings.block
    with PartFile(path, size=file.size, digest=file.digest, block=block) as part:
        if path.is_file() and not part.hashes and _may_repair(known, file, part):
            part.adopt(known.blocks)
        digest = _assemble(job, file, part)
        if digest.found != file.digest:  # every block is as it arrived: it arrived wrong
            part.forget()
            job.pace.repaired(file.name)
            digest = _assemble(job, file, part)
        if digest.found != file.digest:
            part.forget()
            return _fetch_other_way(job, file, wrong=digest.found)
        blocks = tuple(part.hashes[index] for index in range(part.count))
        part.finish()
    return Fetched(name=file.name, size=file.size, sha256=digest.sha256, block=block, blocks=blocks)


def _fetch_other_way(job: _Job, file: RemoteFile, wrong: str) -> Fetched:
    """wrong: the digest with which the file arrived. Raises EngineFault where this fails, too."""
    if not job.settings.other_way:
        raise wrong_content(file.name, file.digest, wrong)
    place = job.folder / OTHER / file.digest
    place.mkdir(parents=True, exist_ok=True)
    try:
        found = fetch_other_way(job.hub, job.listing, file, place, job.pace.check)
        digest = _hash_present(job, file, found) if found is not None else None
        if found is None or digest is None or digest.found != file.digest:
            raise wrong_content(file.name, file.digest, digest.found if digest else wrong)
        with found.open("r+b") as stream:
            os.fsync(stream.fileno())
        rename(found, job.paths[file.name])
    finally:
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):
            place.parent.rmdir()  # stays while another file is on its way
    return Fetched(name=file.name, size=file.size, sha256=digest.sha256)


def _hash_present(job: _Job, file: RemoteFile, path: Path) -> _Digest | None:
    """Of the file that has the name already, where it has the right length."""
    if not path.is_file() or path.stat().st_size != file.size:
        return None
    digest, done = _Digest(file), 0
    for piece in read_pieces(path):
        digest.update(piece)
        done += len(piece)
        job.pace.check()
        job.pace.reached(file.name, done)
    return digest


def _may_repair(known: Fetched | None, file: RemoteFile, part: PartFile) -> TypeGuard[Fetched]:
    """Whether the record has the blocks of the very file that is wanted."""
    return (
        known is not None
        and file.sha256 in ("", known.sha256)
        and known.size == file.size
        and known.block == part.block
        and len(known.blocks) == part.count
    )


def _assemble(job: _Job, file: RemoteFile, part: PartFile) -> _Digest:
    """Makes every block be there, in order, and hashes the file on the way."""
    digest, index = _Digest(file), 0
    while index < part.count:
        job.pace.check()
        was_known, data = index in part.hashes, part.read(index)
        if data is None:
            if was_known:
                job.pace.repaired(file.name)
            index = _fetch_run(job, file, part, index, digest)
        else:
            digest.update(data)
            index += 1
            job.pace.reached(file.name, part.span(index - 1)[1])
    return digest


def _fetch_run(job: _Job, file: RemoteFile, part: PartFile, index: int, digest: _Digest) -> int:
    """Fetches the blocks from `index` to the next that the journal knows; returns that one."""
    end = next((each for each in range(index, part.count) if each in part.hashes), part.count)
    at, last = part.span(index)[0], part.span(end - 1)[1]
    source = Source(client=job.client, lines=job.lines, hub=job.hub, listing=job.listing, file=file)
    block = hashlib.sha256()
    with closing(fetch(source, at, last, job.settings.patience, job.pace.pause)) as pieces:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                stop = part.span(index)[1]
                head, view = view[: stop - at], view[stop - at :]
                part.write(at, head)
                block.update(head)
                digest.update(head)
                at += len(head)
                if at == stop:
                    part.note(index, block.hexdigest())
                    index, block = index + 1, hashlib.sha256()
            job.pace.arrived(file.name, at, len(piece))
    return end


def _check_room(folder: Path, job: _Job) -> None:
    """Raises EngineFault where what is missing does not fit on the disk."""
    needed = job.settings.spare
    for file in job.listing.files:
        path = job.paths[file.name]
        present = max((_allocated(each) for each in (path, part_of(path))), default=0)
        needed += max(file.size - present, 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise no_room(free, needed, folder)


def _allocated(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
