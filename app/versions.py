"""Which version of Redraft a start runs: the installed one, or a newer one that an update brought.

Updates lie beside each other in `DATA/versions`, each a folder with the files of an installed one. A
small file says which of them is to run (see app.pointer); it is followed only to a version that is
newer than the installed one. The standard library alone: this is asked before Qt is there, and the
launcher of Linux has a copy.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app.pointer import Pointer, alone, is_held, lock, read_pointer, write_pointer
from app.pointer import is_newer as is_newer
from app.pointer import is_version as is_version

MOST_STARTS = 2  # that do not come as far as a window, before a version is left


@dataclass(frozen=True, kw_only=True)
class State:
    """`current`: what the next start runs; `previous`: where `go_back` leads, "" for nowhere.

    `failed`: versions that did not start here, or that the user went back from; not to be offered
    by themselves. `left`: the one of them that the user has not been told of yet, or "".
    """

    current: str
    previous: str = ""
    failed: tuple[str, ...] = ()
    left: str = ""


def version_of(folder: Path) -> str:
    """What the files in a folder say they are; "" where they do not say."""
    try:
        found = json.loads((folder / "version.json").read_text(encoding="utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) and is_version(found) else ""


@dataclass(frozen=True)
class Versions:
    """The versions in `folder`, as the version `own` sees them.

    Every method but `state`, `is_whole` and the names may raise OSError, and has changed nothing
    then. Several processes may use the folder at once.
    """

    folder: Path
    own: str

    def path(self, version: str) -> Path:
        """Where a version lies when it is whole. Raises ValueError for what is no version."""
        if not is_version(version):
            raise ValueError(f"not a version: {version!r}")
        return self.folder / version

    def staging(self, version: str) -> Path:
        """Where it is put together before that."""
        return self.path(version).with_name(f"{version}.part")

    def is_whole(self, version: str) -> bool:
        """Whether it could be started."""
        if not is_version(version) or version_of(self.path(version)) != version:
            return False
        return _can_start(self.path(version))

    def state(self) -> State:
        pointer = self._read()
        return State(
            current=self._current(pointer),
            previous=self._before(pointer),
            failed=pointer.failed,
            left=pointer.left,
        )

    def use(self, version: str) -> None:
        """From the next start on this one runs. Raises ValueError if it is not newer, or not whole."""
        if not is_newer(version, self.own) or not self.is_whole(version):
            raise ValueError(f"{version} cannot follow {self.own}")
        with self._alone():
            before = self._read()
            self._write(
                Pointer(
                    current=version,
                    previous=self.own,
                    is_confirmed=False,
                    failed=tuple(each for each in before.failed if each != version),
                    base=before.base,
                )
            )

    def confirm(self) -> None:
        """The window is there: this version starts, and the user has been told what did not."""
        if not self._file.exists():
            return
        with self._alone():
            pointer = self._read()
            confirmed = replace(pointer, left="")
            if pointer.current == self.own:
                confirmed = replace(confirmed, starts=0, is_confirmed=True)
            self._write(confirmed, instead_of=pointer)

    def withdraw(self) -> None:
        """This start was none: another window was there and has been shown."""
        if self._file.exists():
            with self._alone():
                pointer = self._read()
                self._write(replace(pointer, starts=0), instead_of=pointer)

    def go_back(self) -> None:
        """From the next start on the previous one runs. Raises ValueError where there is none."""
        with self._alone():
            pointer = self._read()
            previous = self._before(pointer)
            if not previous:
                raise ValueError("there is nothing to go back to")
            self._write(_without(pointer, previous))

    def begin(self) -> None:
        """Until this process ends, other starts of a version that is new do not count: somebody who
        waits for the first window may click again.
        """
        pointer = self._read()
        if pointer.current == self.own and not pointer.is_confirmed:
            with suppress(OSError):
                lock(self._starting, wait=False)  # for good

    def choose(self, base: Path) -> Path | None:
        """For the installed version, in `base`: the folder to start instead; None to go on itself.

        A version that has not come as far as a window `MOST_STARTS` times is left for the one
        before it, and so is one that is not whole.
        """
        pointer = self._read()
        if pointer == Pointer() or (pointer.is_confirmed and self._is_settled(pointer, base)):
            return self._newer(pointer)
        with self._alone():
            before = pointer = self._read()
            is_under_way = is_held(self._starting)  # and may yet show its window
            while self._newer(pointer) and not self._may_start(pointer, is_under_way):
                pointer = replace(_without(pointer, pointer.previous), left=pointer.current)
            if self._newer(pointer) and not pointer.is_confirmed and not is_under_way:
                pointer = replace(pointer, starts=pointer.starts + 1)
            self._write(replace(pointer, base=str(base)), instead_of=before)
        return self._newer(pointer)

    def holds(self, folder: Path) -> bool:
        """Whether that is one of the versions here, rather than the installed one."""
        return folder.resolve().parent == self.folder.resolve()

    def base(self) -> Path | None:
        """The folder of the installed Redraft, as its last start said."""
        pointer = self._read()
        return Path(pointer.base) if pointer.base else None

    def tidy(self) -> frozenset[str]:
        """Removes all but this version, the one that the next start runs, the one before that, and
        what may yet be used. Returns the versions that have something here, and this one.
        """
        if self.folder.is_dir():
            with alone(self.folder / "install.lock", wait=False) as is_alone:
                if is_alone:
                    self._remove_others()
        names = [path.name for path in self.folder.glob("*")]
        return frozenset(self._used() | {each.removesuffix(".part") for each in names})

    def _used(self) -> set[str]:
        state = self.state()
        return {self.own, state.current, state.previous}

    def _remove_others(self) -> None:
        state, used = self.state(), self._used()
        for path in self.folder.iterdir():
            version = path.name.removesuffix(".part")
            is_to_come = is_newer(version, self.own) and is_newer(version, state.current)
            if is_to_come and version not in state.failed:
                continue
            if is_version(version) and path.name not in used:
                shutil.rmtree(path, ignore_errors=True)

    # --- the small file ---------------------------------------------------------------------------

    @property
    def _file(self) -> Path:
        return self.folder / "current.json"

    @property
    def _starting(self) -> Path:
        return self.folder / "starting.lock"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.folder / "current.lock"):
            yield

    def _read(self) -> Pointer:
        return read_pointer(self._file)

    def _write(self, pointer: Pointer, instead_of: Pointer | None = None) -> None:
        if pointer != instead_of:
            write_pointer(self._file, pointer)

    # --- what follows from it ---------------------------------------------------------------------

    def _newer(self, pointer: Pointer) -> Path | None:
        return self.path(pointer.current) if is_newer(pointer.current, self.own) else None

    def _may_start(self, pointer: Pointer, is_under_way: bool = False) -> bool:
        has_failed = not pointer.is_confirmed and pointer.starts >= MOST_STARTS
        return (not has_failed or is_under_way) and self.is_whole(pointer.current)

    def _is_settled(self, pointer: Pointer, base: Path) -> bool:
        """Whether there is nothing to write: the usual start."""
        is_known = pointer.base == str(base)
        return is_known and (self._newer(pointer) is None or self._may_start(pointer))

    def _installed(self, pointer: Pointer) -> str:
        """The version that the installer brought."""
        return (version_of(Path(pointer.base)) if pointer.base else "") or self.own

    def _current(self, pointer: Pointer) -> str:
        installed = self._installed(pointer)
        return pointer.current if is_newer(pointer.current, installed) else installed

    def _before(self, pointer: Pointer) -> str:
        """What going back would start: a version that is there, or the installed one."""
        current, installed = self._current(pointer), self._installed(pointer)
        for each in (pointer.previous, installed):
            is_there = each == installed or (is_newer(each, installed) and self.is_whole(each))
            if is_there and is_newer(current, each):
                return each
        return ""


def _without(pointer: Pointer, previous: str) -> Pointer:
    """The current version is left for the previous one."""
    failed = (*(each for each in pointer.failed if each != pointer.current), pointer.current)
    return Pointer(current=previous, failed=failed, base=pointer.base)


def _can_start(folder: Path) -> bool:
    if sys.platform == "win32":
        return windows_can_start(folder)
    return (folder / "redraft").is_file() and (folder / "launch.py").is_file()


def windows_can_start(folder: Path) -> bool:
    """Whether the environment in there is one, and the Python it was made of is still installed."""
    try:
        lines = (folder / "env" / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False
    homes = [line.partition("=")[2].strip() for line in lines if line.startswith("home ")]
    is_there = (folder / "env" / "Scripts" / "pythonw.exe").is_file()
    return is_there and any((Path(home) / "python.exe").is_file() for home in homes)
