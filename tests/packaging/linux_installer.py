"""Installs the packages for Linux on a fresh system and starts them as a user would; needs root.

    python -m tests.packaging.linux_installer --work DIR [--wheels DIR]
    python -m tests.packaging.linux_installer --work DIR --suite trixie --window
    python -m tests.packaging.linux_installer --work DIR --wheels DIR --python-archive FILE
    python -m tests.packaging.linux_installer --work DIR --suite noble --archive URL --keyring FILE --window

Builds both packages twice, makes a Debian 12 in DIR/system with debootstrap, installs the .deb with
apt, and lets an ordinary user with an empty home start Redraft on a virtual screen: from the first
start to the first answer of the demo model, a second start, starts without network and with an old
driver, removal. Then the same with the .run. Pictures are left in DIR/pictures: look at them.

`--wheels` is a folder with the wheels of engine-cpu-linux for the Python there; without it the engine
is fetched. `--window` wants no engine, for a Python that has no such wheels at hand.
`--python-archive` carries a Python along and wants the system to have none; then the .run without
one has to fetch it, from this PC. Times depend on what else the PC does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.linux_system import files, inside, system
from tests.packaging.linux_user import SCREEN, User, is_painted, wait, xdotool

ROOT = Path(__file__).parents[2]
LARGEST = 130_000_000  # bytes of a package
FIRST, SECOND = 20.0, 5.0  # seconds to the window
BEN = "/home/ben/.local/bin/redraft"
QUESTION = "Hello! Who are you?"
NEEDED = ("debootstrap", "Xvfb", "xdotool", "import", "dpkg-deb", "unshare")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--packages", type=Path, help="a folder with packages, instead of new ones")
    parser.add_argument("--suite", default="bookworm", help="of Debian, or of the archive")
    parser.add_argument("--archive", default="", help="the address of an Ubuntu's packages")
    parser.add_argument("--keyring", type=Path, help="the keys of that archive")
    parser.add_argument("--window", action="store_true", help="no further than the window")
    parser.add_argument("--python-archive", type=Path)
    options = parser.parse_args()
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"Install {', '.join(missing)} first.")
    work = options.work.resolve()
    (work / "pictures").mkdir(parents=True, exist_ok=True)
    carried = options.python_archive
    if options.packages:
        deb, run = (next(options.packages.glob(f"*.{kind}")) for kind in ("deb", "run"))
    else:
        deb, run = (build(kind, work, carried) for kind in ("deb", "run"))
    lives = see_window if options.window else live
    fresh = system(work, options.suite, options.wheels, options.archive, options.keyring)
    with screen(), fresh as root:
        install_deb(root, deb)
        assert not carried or not (root / "usr/bin/python3").exists()
        lives(User(root, "anna", "redraft", work, options.wheels))
        remove_deb(root)  # what it depended on stays
        install_run(root, run)
        lives(User(root, "ben", BEN, work, options.wheels))
        if carried:
            fetch_python(root, carried, User(root, "ben", BEN, work, options.wheels))
        uninstall_run(root)
    say("all of it worked; now look at the pictures")


def say(words: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {words}\n")
    sys.stdout.flush()


# --- the packages ---------------------------------------------------------------------------------


def build(kind: str, work: Path, python_archive: Path | None) -> Path:
    """The package; built twice from one copy of the source, to the same bytes."""
    source = work / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "dist")
    )
    built = []
    for name in ("one", "two"):
        command = [sys.executable, "build_installer.py", kind, "--output", str(work / name)]
        if python_archive:
            command += ["--python-archive", str(python_archive.resolve())]
        subprocess.run(command, cwd=source, check=True, stdout=subprocess.DEVNULL)
        (path,) = (work / name).glob(f"*.{kind}")
        built.append(path)
    assert built[0].read_bytes() == built[1].read_bytes(), f"two builds of .{kind} differ"
    size = built[0].stat().st_size
    assert size <= LARGEST, size
    say(f"{built[0].name}: {size / 1e6:.1f} MB, the same bytes twice")
    return built[0]


# --- the system -----------------------------------------------------------------------------------


@contextmanager
def screen() -> Iterator[None]:
    server = subprocess.Popen(["Xvfb", SCREEN, "-screen", "0", "1280x860x24"])
    time.sleep(1)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def install_deb(root: Path, package: Path) -> None:
    shutil.copy(package, root / "tmp")
    inside(root, "apt-get", "update")
    inside(root, "useradd", "--create-home", "anna")
    started = time.monotonic()
    inside(root, "apt-get", "install", "--yes", "--no-install-recommends", f"/tmp/{package.name}")
    say(f"apt has installed it with all it needs after {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    inside(root, "apt-get", "install", "--yes", "--reinstall", f"/tmp/{package.name}")
    say(f"the package alone takes {time.monotonic() - started:.0f} s")


def remove_deb(root: Path) -> None:
    inside(root, "apt-get", "purge", "--yes", "redraft")
    left = {each for each in files(root) if "redraft" in each.lower()}
    own = {each for each in left if each.startswith(("/home/anna/", "/tmp/", "/var/log/"))}
    assert left == own, left - own
    say("after the removal nothing is left outside of the user's home")


def install_run(root: Path, package: Path) -> None:
    inside(root, "useradd", "--create-home", "ben")
    shutil.copy(package, root / "tmp")
    User(root, "ben", f"/tmp/{package.name}").wait_for_end()
    say(".run has installed it")


def uninstall_run(root: Path) -> None:
    before = files(root / "home/ben")
    User(root, "ben", "/home/ben/.local/share/redraft/program/uninstall").wait_for_end()
    left = sorted(files(root / "home/ben"))
    assert any("chats.sqlite" in each for each in left)
    assert not [each for each in left if "/program/" in each or "/layers/" in each]
    say(f"uninstalled: {len(left)} of {len(before)} files are left")
    User(root, "ben", "/tmp/nothing").remove_home()


# --- what they do ---------------------------------------------------------------------------------


def see_window(user: User) -> None:
    """The first start without an engine, and the second."""
    no_network(user)
    say(f"the second window after {window_of(user, SECOND):.1f} s")
    user.end()


def live(user: User) -> None:
    """From the first start to the last; each is seen."""
    say(f"the first window after {window_of(user, FIRST):.1f} s")
    user.picture("1-setting-up")
    wait(lambda: "made the cpu layer" in user.said(), 300)
    say("the engine is made")
    time.sleep(20)
    user.picture("2-ready")
    xdotool("mousemove", "24", "28", "click", "1")  # the chat
    xdotool("mousemove", "740", "695", "click", "1")
    xdotool("type", QUESTION)
    xdotool("key", "Return")
    wait(lambda: user.answers() > 0, 60)
    time.sleep(2)
    user.picture("3-answer")
    user.end()
    say(f"the second window after {window_of(user, SECOND):.1f} s")
    user.picture("4-second-start")
    user.end()
    old_driver(user)
    no_network(user)


def old_driver(user: User) -> None:
    tools = user.home / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "nvidia-smi").write_text("#!/bin/sh\necho 535.183.01, 8.9\n", encoding="utf-8")
    (tools / "nvidia-smi").chmod(0o755)
    window_of(user, SECOND, PATH=f"/home/{user.home.name}/bin:/usr/bin:/bin")
    time.sleep(3)
    xdotool("mousemove", "24", "157", "click", "1")
    time.sleep(1)
    user.picture("5-old-driver")
    user.end()


def no_network(user: User) -> None:
    """A first start with no network and no wheels: the window is there and says what is missing."""
    for name in ("layers", "cache", "runtime"):
        shutil.rmtree(user.home / ".local/share/redraft" / name, ignore_errors=True)
    seconds = window_of(user, FIRST, prefix=("/usr/bin/unshare", "--net"), REDRAFT_WHEELS="")
    say(f"without network the first window comes after {seconds:.1f} s")
    wait(lambda: "cannot be reached" in user.said(), 120)
    time.sleep(1)
    user.picture("6-no-network")
    user.end()


def fetch_python(root: Path, archive: Path, user: User) -> None:
    """A first start with no Python at all: uv fetches one, here from a file that it is told of."""
    data = user.home / ".local/share/redraft"
    for path in (data / "python", data / "runtime", data / "program/python"):
        shutil.rmtree(path)
    (root / "mirror").mkdir()
    shutil.copy(archive, root / "mirror")
    offer = {
        "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu",
        "major": 3, "minor": 12, "patch": 0, "prerelease": "", "variant": None, "build": "1",
        "url": f"file:///mirror/{archive.name}", "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
    }  # fmt: skip
    offers = json.dumps({"cpython-3.12.0-linux-x86_64-gnu": offer})
    (root / "mirror/offers.json").write_text(offers, encoding="utf-8")
    uv = data / "program/uv"
    uv.rename(uv.with_name("uv.real"))
    told = "export UV_PYTHON_DOWNLOADS_JSON_URL=/mirror/offers.json"
    uv.write_text(f'#!/bin/sh\n{told}\nexec "$(dirname "$0")/uv.real" "$@"\n', encoding="utf-8")
    uv.chmod(0o755)
    seconds = window_of(user, FIRST, prefix=("/usr/bin/unshare", "--net"))
    say(f"with a Python that was fetched the first window comes after {seconds:.1f} s")
    user.picture("7-fetched-python")
    user.end()


def window_of(user: User, most: float, prefix: tuple[str, ...] = (), **variables: str) -> float:
    """Starts Redraft; seconds until its window is painted."""
    started = time.monotonic()
    user.start(prefix, **variables)
    wait(is_painted, 60)
    seconds = time.monotonic() - started
    if seconds > most:
        say(f"slower than the {most:.0f} s it should take")
    return seconds


if __name__ == "__main__":
    main()
