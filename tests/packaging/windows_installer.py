"""The whole installer for Windows, looked at: `python -m tests.packaging.windows_installer OUT`.

Builds it twice, installs it under Wine with its real wheels (uv replaced by a stand-in, since there
is no Python for Windows here), fills the disk, starts the real uv, and takes pictures of the wizard.
Needs the package index or REDRAFT_WHEELS, root for a small file system, and about six minutes.
Prints what it found, and fails at what should not be.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "packaging" / name) for name in ("windows", "installer", ".")]

import locks  # noqa: E402
import payload  # noqa: E402
import project as about  # noqa: E402
import wheels  # noqa: E402
import windows_setup  # noqa: E402
from platforms import LINUX, WINDOWS, WINDOWS_PYTHON  # noqa: E402

from tests.packaging.wine import screen as screens  # noqa: E402
from tests.packaging.wine.setups import (  # noqa: E402
    Wine,
    build_setup,
    build_stand_in,
    missing_tools,
    new_windows,
)

LARGEST = 130_000_000  # bytes of an installer
SLOWEST = 60  # seconds of an installation
STUB = """
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL ProcessPrng(PBYTE data, SIZE_T size) { return RtlGenRandom(data, size); }
"""


def main(out: Path) -> None:
    if missing := [*missing_tools(), *screens.missing_tools()]:
        raise SystemExit(f"needs {', '.join(missing)}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    setup = build_twice(out)
    work = out / "work"
    payload.assemble(about.read_project(), WINDOWS, work / "payload")
    fits_windows(work / "payload", out)
    uv = build_stand_in(out)
    wine = new_windows(out / "prefix")
    try:
        starts_uv(wine, work / "payload" / "uv.exe", out)
        real_setup_without_network(wine, setup)
        full = with_stand_in(work, uv, out)
        installs(wine, full, work / "payload")
        fills_the_disk(wine, full)
    finally:
        wine.end()
    pictures(wine, uv, out)


def build_twice(out: Path) -> Path:
    needed = ("app", "assets", "engine", "packaging")
    for name, source in (("one", ROOT), ("two", out / "one")):
        for folder in needed:  # the source at one moment, in two places
            shutil.copytree(source / folder, out / name / folder)
        for file in ("build_installer.py", "LICENSE", "pyproject.toml"):
            shutil.copy(source / file, out / name)
    for name in ("one", "two"):
        started = time.monotonic()
        command = [sys.executable, "build_installer.py", "windows"]
        subprocess.run(command, cwd=out / name, check=True)
        print(f"built in {time.monotonic() - started:.0f} s", flush=True)
    one, two = (next((out / name / "dist").glob("*.exe")) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes(), "two builds differ"
    assert one.stat().st_size <= LARGEST
    print(f"the same bytes twice, {one.stat().st_size / 1e6:.1f} MB")
    return one


def fits_windows(carried: Path, out: Path) -> None:
    """The lock and the wheels make an environment for Windows, without a network."""
    (wheel,) = wheels.fetch(_tools("linux"), LINUX)
    uv = wheels.unpack_uv(wheel, out / "uv")
    command = [
        uv, "pip", "install", "--no-config", "--offline", "--no-index", "--require-hashes",
        "--no-deps", "--python-platform", WINDOWS.uv, "--python-version", WINDOWS.pythons[0],
        "--find-links", carried / "wheels", "--target", out / "unpacked", "--quiet",
        "-r", carried / "locks" / "gui-windows.txt",
    ]  # fmt: skip
    subprocess.run([str(part) for part in command], check=True)
    assert (out / "unpacked" / "PySide6" / "Qt6Widgets.dll").is_file()
    print("uv makes the environment of the lock and the wheels, for Windows, offline")


def _tools(system: str) -> tuple[object, ...]:
    return tuple(locks.read(f"tools-{system}"))


def starts_uv(wine: Wine, uv: Path, out: Path) -> None:
    """The real uv; this Wine lacks one library, of which a stub has the one function."""
    (out / "stub.c").write_text(STUB)
    library = wine.drive / "windows" / "system32" / "bcryptprimitives.dll"
    command = ["x86_64-w64-mingw32-gcc", "-shared", "-o", library, out / "stub.c", "-ladvapi32"]
    subprocess.run([str(part) for part in command], check=True)
    done = subprocess.run(
        ["wine", uv, "python", "list", "--offline", "--no-config", "3.12"],
        env=wine.environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"cpython-{WINDOWS_PYTHON}-windows-x86_64" in done.stdout, done.stdout
    print(f"the real uv.exe runs and knows Python {WINDOWS_PYTHON} for Windows")


def real_setup_without_network(wine: Wine, setup: Path) -> None:
    """The real uv cannot fetch Python here: the installer says so and leaves nothing half."""
    started = time.monotonic()
    code = wine.run(setup, "/S")
    folder = wine.local / "Programs" / "Redraft"
    log = (folder / "setup.log").read_text(encoding="utf-16")
    assert code == 8, (code, log)
    assert [path.name for path in folder.iterdir() if path.name != "python"] == ["setup.log"]
    print(f"without a network: exit code 8 after {time.monotonic() - started:.1f} s; the log ends:")
    print("    " + "\n    ".join(log.strip().splitlines()[-4:]))


def with_stand_in(work: Path, uv: Path, out: Path) -> Path:
    shutil.copy(uv, work / "payload" / "uv.exe")
    project = replace(about.read_project(), version="99.0")
    return windows_setup.pack(project, work, out)


def installs(wine: Wine, setup: Path, carried: Path) -> None:
    started = time.monotonic()
    assert wine.run(setup, "/S") == 0
    seconds = time.monotonic() - started
    app = wine.local / "Programs" / "Redraft" / "app"
    names = [path.relative_to(carried) for path in carried.rglob("*") if path.is_file()]
    for name in names:
        assert _digest(app / name) == _digest(carried / name), name
    assert seconds <= SLOWEST
    print(f"{len(names)} files arrive, each with its hash, in {seconds:.1f} s")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fills_the_disk(wine: Wine, setup: Path) -> None:
    """On a disk that is too small, and on one that somebody else fills while files arrive."""
    wine.run(wine.local / "Programs" / "Redraft" / "uninstall.exe", "/S")
    time.sleep(5)
    small = wine.drive / "small"
    small.mkdir(exist_ok=True)
    for size in (100, 900):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "none", small], check=True)
        try:
            filler = threading.Thread(target=_fill, args=(small,))
            if size == 900:
                filler.start()
            code = wine.run(setup, "/S", "/D=C:\\small\\Redraft")
            if size == 900:
                filler.join()
            assert code in (2, 7), code
            left = [path.name for path in (small / "Redraft").rglob("*") if path.is_file()]
            assert "version.json" not in left, left
            print(f"disk of {size} MB: exit code {code}, left: {', '.join(left) or 'nothing'}")
            if size == 900:
                (small / "filler").unlink()
                code = wine.run(setup, "/S", "/D=C:\\small\\Redraft")
                log = (small / "Redraft" / "setup.log").read_text(encoding="utf-16")
                assert code == 0, (code, log)
                print("    and again with space: installed")
        finally:
            subprocess.run(["umount", "-l", small], check=True)


def _fill(folder: Path) -> None:
    """Leaves no byte as soon as the first file arrives."""
    end = time.monotonic() + 100
    while not list(folder.glob("Redraft/app.new/*")) and time.monotonic() < end:
        time.sleep(0.001)
    with (folder / "filler").open("wb") as file:
        taken = 0
        for step in (1 << 28, 1 << 24, 1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), taken, step)
                    taken += step


def pictures(wine: Wine, uv: Path, out: Path) -> None:
    """Every page, in English and some in German."""
    first, second = (build_setup(out, uv, version) for version in ("0.1.0", "0.2.0"))
    german = {"LC_ALL": "de_DE.UTF-8"}
    shutil.rmtree(wine.local / "Programs", ignore_errors=True)
    with screens.screen(out / "pictures") as screen:
        shown = {"DISPLAY": screen.display}
        _walk(wine, screen, "new", first, ["Return"] * 3, shown)
        wine.end()
        _walk(
            wine,
            screen,
            "no-python",
            first,
            ["Return", "Tab", "space"],
            {**shown, **german, "FAKE_FAIL": "python"},
        )
        wine.end()
        _walk(wine, screen, "update-fails", second, ["Return"] * 2, {**shown, "FAKE_FAIL": "check"})
        wine.end()
        running = wine.start(
            wine.local / "Programs/Redraft/app/env/Scripts/pythonw.exe", "-I", "-m", "app", **shown
        )
        time.sleep(3)
        _walk(wine, screen, "running", second, ["Tab", "space"], {**shown, **german})
        wine.end()
        running.wait()
        _walk(wine, screen, "update", second, ["Return"], shown)
        wine.end()
        _walk(wine, screen, "older", first, ["Return"], shown)
        uninstaller = wine.local / "Programs" / "Redraft" / "uninstall.exe"
        _walk(wine, screen, "removal", uninstaller, ["Return"] * 2, {**shown, **german})
        wine.end()
    print(f"pictures in {out / 'pictures'}")


def _walk(
    wine: Wine, screen: screens.Screen, name: str, program: Path, keys: list[str],
    environment: dict[str, str],
) -> None:  # fmt: skip
    """Presses one key a page, with a picture before each and one at the end."""
    process = wine.start(program, **environment)
    time.sleep(6)
    for number, key in enumerate(keys):
        screen.picture(f"{name}-{number}")
        screen.press(key, wait=4)
    screen.picture(f"{name}-{len(keys)}")
    if process.poll() is None:
        process.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
