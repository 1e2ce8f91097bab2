"""Starts an installed Redraft: makes the user's environment when it is missing, then becomes the app.

Runs on the system's Python, with the standard library alone. The environment lies in the user's
data folder and comes from the wheels beside this file, without network. It is built under another
name and renamed when it is whole, so a start that is cut off leaves nothing half done.

Where an update has brought a newer version (see app/versions.py), its own launcher is started instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # an isolated Python does not look beside the script
# On a full disk Python may leave half a file of bytecode, and stumble over it at every later start.
sys.dont_write_bytecode = True

from bootstrap_qt import check as check_qt  # noqa: E402
from bootstrap_system import SetupError, run  # noqa: E402
from launch_words import progress, tell, translated  # noqa: E402

from app.versions import Versions  # noqa: E402

OLDEST, NEWEST = (3, 11), (3, 14)
GLIBC = (2, 34)  # what the wheels of Qt are linked with
SPACE = 700_000_000  # bytes, for the environment
# Beginnings and names of variables that would lead Python, uv or Qt elsewhere.
FOREIGN = ("PYTHON", "PIP_", "UV_")
FOREIGN_NAMES = ("VIRTUAL_ENV", "CONDA_PREFIX", "QT_PLUGIN_PATH", "QT_QPA_PLATFORM_PLUGIN_PATH")


def main(arguments: Sequence[str]) -> int:
    clean(os.environ)
    data = data_folder()
    try:
        if "--remove" in arguments:
            remove(data)
            return 0
        if (newer := newer_version(data)) is not None:
            os.execv("/bin/sh", ["sh", str(newer / "redraft"), *arguments])
        if "--prepare" in arguments:
            return prepare(data)
        check_system()
        python = prepared(data, repair="--repair" in arguments)
    except SetupError as error:
        tell(str(error))
        return 1
    except OSError as error:
        tell(in_plain_words(error, data))
        return 1
    except KeyboardInterrupt:
        return 130
    # The app takes this process over, so that signals and the exit code are its own.
    rest = [each for each in arguments if each != "--repair"]
    os.execv(python, [str(python), "-I", "-m", "app", *rest])
    return 0


def newer_version(data: Path) -> Path | None:
    """The folder of the version that is to run instead of this one, which the installer brought."""
    try:
        versions = Versions(data / "versions", version())
        # One that is held there has been started instead of another one.
        return None if versions.holds(HERE) else versions.choose(HERE)
    except OSError:  # nothing can be written: then it cannot be counted how often that fails
        return None


def clean(environment: os._Environ[str]) -> None:
    """Without the variables of another Python, pip, uv or Qt."""
    for name in list(environment):
        if name.startswith(FOREIGN) or name in FOREIGN_NAMES:
            del environment[name]


def data_folder() -> Path:
    """Where the app keeps the user's data, as platformdirs finds it."""
    chosen = os.environ.get("XDG_DATA_HOME", "").strip()
    return (Path(chosen) if chosen else Path.home() / ".local" / "share") / "redraft"


def check_system() -> None:
    """Raises `SetupError` where Redraft cannot run."""
    if platform.machine() != "x86_64" or sys.maxsize < 2**32:
        raise SetupError(
            f"Redraft is built for 64-bit Intel and AMD processors (x86_64), and this system is "
            f"{platform.machine()}. Its source may run here: see the README."
        )
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SetupError(
            f"Redraft runs on Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, and this is Python "
            f"{platform.python_version()}. Install one of those and start again."
        )
    found = libc()
    if found < GLIBC:
        raise SetupError(
            "Redraft needs the C library glibc 2.34 or newer (Debian 12, Ubuntu 22.04, Fedora 35 "
            "and later). This system has an older or a different one."
        )


def libc() -> tuple[int, ...]:
    """The version of glibc; (0,) for another C library."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return tuple(map(int, version.split("."))) if name == "glibc" else (0,)
    except (ValueError, OSError):
        return (0,)


def prepared(data: Path, *, repair: bool = False) -> Path:
    """The environment's interpreter, made first where that is needed."""
    home = data / "runtime" / version()
    wanted = fingerprint(HERE)
    if repair or not is_complete(home, wanted):
        with progress("Redraft is being set up. This happens once and takes a few seconds."):
            make(home, wanted, HERE, repair=repair)
    return interpreter(home)


def prepare(data: Path) -> int:
    """The environment of an update, which will lie where this folder does, without `.part`.

    Opens no window: another version is running. Returns the exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # and so uv is ended, too
    home = data / "runtime" / version()
    place = HERE.with_name(HERE.name.removesuffix(".part"))
    try:
        check_system()
        if not is_complete(home, fingerprint(place)):
            make(home, fingerprint(place), place)
    except (SetupError, OSError) as error:
        log = home.parent / "setup.log"
        print(f"{log.read_text('utf-8', 'replace') if log.exists() else ''}{error}")
        return 1
    return 0


def make(home: Path, wanted: str, place: Path, *, repair: bool = False) -> None:
    """One start at a time. Raises `SetupError` or `OSError`."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with alone(home.parent / "lock"):
        if repair or not is_complete(home, wanted):  # another start may have made it by now
            build(home, wanted, place)


def build(home: Path, wanted: str, place: Path) -> None:
    """Beside `home`; then it takes its place. `place`: where this folder is found later."""
    free = shutil.disk_usage(home.parent).free
    if free < SPACE:
        raise SetupError(
            f"Redraft needs {SPACE / 1e9:.1f} GB in {home.parent}, and {free / 1e9:.1f} GB are "
            "free. Free some space, then start again."
        )
    part = home.with_name(home.name + ".part")
    log = home.parent / "setup.log"
    log.unlink(missing_ok=True)
    shutil.rmtree(part, ignore_errors=True)
    os.environ["UV_CACHE_DIR"] = str(home.parents[1] / "cache" / "uv")
    uv: list[str | Path] = [HERE / "uv", "--no-config", "--offline"]
    install = [*uv, "pip", "install", "--no-index", "--no-deps", "--require-hashes"]
    install += ["--python", part / "env", "--find-links", HERE / "wheels", "-r", gui_lock()]
    # All at once: written at some later start on a full disk, half a file would stay (Python 3.11).
    install += ["--compile-bytecode"]
    venv = [*uv, "venv", "--no-project", "--python", sys.executable, part / "env"]
    for step in (venv, install):
        if run(step, log) != 0:
            raise SetupError(
                f"Redraft could not be set up. Start it again; if it stays so, install it anew. "
                f"Details are in {log}."
            )
    del os.environ["UV_CACHE_DIR"]
    check_qt(part / "env" / "bin" / "python", offscreen=False)
    (part / "env" / "installed-from").write_text(str(place), encoding="utf-8")
    (part / "complete").write_text(wanted, encoding="utf-8")
    take_place(part, home)


def take_place(part: Path, home: Path) -> None:
    """`part` becomes `home`; what was there before goes."""
    old = home.with_name(home.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if home.exists():
        home.rename(old)
    part.rename(home)
    shutil.rmtree(old, ignore_errors=True)


def is_complete(home: Path, wanted: str) -> bool:
    try:
        return (home / "complete").read_text("utf-8") == wanted and interpreter(home).exists()
    except OSError:
        return False


def interpreter(home: Path) -> Path:
    return home / "env" / "bin" / "python"


def fingerprint(place: Path) -> str:
    """Changes with what is installed, where it lies, and with the system's Python."""
    digest = hashlib.sha256()
    for path in (HERE / "version.json", gui_lock()):  # the lock has the hash of every wheel
        digest.update(path.read_bytes())
    python = f"{os.path.realpath(sys.executable)} {platform.python_version()}"
    return f"{digest.hexdigest()}\n{place}\n{python}\n"


def version() -> str:
    return str(json.loads((HERE / "version.json").read_text("utf-8"))["version"])


def gui_lock() -> Path:
    return HERE / "locks" / "gui-linux.txt"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Waits until no other start of this user is at work. The system ends it with the process."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove(data: Path) -> None:
    """What Redraft has set up for this user goes; settings, chats and models stay."""
    for name in ("runtime", "versions", "layers", "cache", "kernels", "python"):
        shutil.rmtree(data / name, ignore_errors=True)
    print(translated(f"Removed. Settings, chats and models are kept in {data}."))


def in_plain_words(error: OSError, data: Path) -> str:
    if isinstance(error, FileNotFoundError) and str(error.filename or "").startswith(str(HERE)):
        return f"The installation in {HERE} is damaged. Install Redraft again."
    return (
        f"Redraft cannot set itself up in {data} ({error.strerror}). See that this folder can be "
        "written to, then start again."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
