"""Redraft on a Linux without a fitting Python: one that came along, one that is fetched, or none.

The system's Python is taken away in a namespace of its own; the one that runs the tests stands in.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.packaging import linux_rig

WITHOUT = """
for each in /usr/bin/python3 /usr/bin/python3.1*; do
    if [ -e "$each" ]; then mount --bind /bin/false "$(readlink -f "$each")" || exit 77; fi
done
exec "$@"
"""
ALONE = ("unshare", "--map-root-user", "--mount", "--net", "sh", "-c", WITHOUT, "sh")
OWN = Path(sys.base_prefix).resolve() / "bin" / f"python3.{sys.version_info.minor}"


def can_hide() -> bool:
    try:
        return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not can_hide() or not OWN.exists() or OWN.parent == Path("/usr/bin"),
    reason="a Linux with unshare, and a Python that is not the system's",
)


def start(program: Path, home: Path, *arguments: str, **more: str):
    return subprocess.run(
        [*ALONE, program / "redraft", *arguments],
        env=linux_rig.variables(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pythons(home: Path) -> Path:
    return home / ".local" / "share" / "redraft" / "python"


def archive(path: Path) -> Path:
    """Laid out as a standalone Python; its interpreter starts the one that runs this."""
    files = {
        "lib/python3.11/LICENSE.txt": b"a licence",
        "bin/python3": f'#!/bin/sh\nexec "{OWN}" "$@"\n'.encode(),
    }
    with tarfile.open(path, "w:gz") as packed:
        for name, data in files.items():
            member = tarfile.TarInfo(f"python/{name}")
            member.size, member.mode = len(data), 0o755
            packed.addfile(member, io.BytesIO(data))
    return path


def carry(program: Path) -> Path:
    (program / "python").mkdir()
    return archive(program / "python" / "cpython.tar.gz")


def seen(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_python_that_came_along_is_unpacked_once_and_used(program, home):
    carry(program)
    first = seen(start(program, home, "--theme", "dark"))
    assert first["arguments"] == ["--theme", "dark"]
    when = (pythons(home) / "bundled" / "bin" / "python3").lstat().st_mtime_ns
    inode = (pythons(home) / "bundled").stat().st_ino
    assert seen(start(program, home))["prefix"] == first["prefix"]
    assert (pythons(home) / "bundled").stat().st_ino == inode
    assert (pythons(home) / "bundled" / "bin" / "python3").lstat().st_mtime_ns == when
    assert [each.name for each in pythons(home).iterdir()] == ["bundled"]


def test_the_systems_python_goes_before_it(program, home):
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is none")
    carry(program)
    seen(linux_rig.start(program, home))
    assert not pythons(home).exists()


@pytest.mark.parametrize("left", ["half unpacked", "damaged"])
def test_what_is_left_of_a_start_that_was_cut_off_is_replaced(program, home, left):
    carry(program)
    folder = pythons(home) / ("part" if left == "half unpacked" else "bundled")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (folder / "bin" / "python3").chmod(0o755)
    seen(start(program, home))
    assert [each.name for each in pythons(home).iterdir()] == ["bundled"]


def test_four_starts_at_once_unpack_it_once(program, home):
    carry(program)
    started = [
        subprocess.Popen(
            [*ALONE, program / "redraft"],
            env=linux_rig.variables(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    results = [each.communicate(timeout=60) for each in started]
    assert [each.returncode for each in started] == [0] * 4, results
    assert [each.name for each in pythons(home).iterdir()] == ["bundled"]


def test_what_runs_does_not_hold_the_lock(program, home, tmp_path):
    """The app takes the starter's process over, and lives on."""
    app = "import os, json\nheld = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')"
    app += " if os.path.islink(f'/proc/self/fd/{n}')]\nprint(json.dumps(held))"
    other = linux_rig.program(tmp_path / "other", app=app)
    carry(other)
    held = json.loads(start(other, home).stdout.splitlines()[-1])
    assert not [each for each in held if each.startswith(str(home))]


def test_uv_fetches_one_where_none_came_along(program, home, tmp_path):
    made = archive(tmp_path / "cpython.tar.gz")
    offer = {
        "name": "cpython",
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": 3,
        "minor": 12,
        "patch": 0,
        "prerelease": "",
        "variant": None,
        "build": "1",
        "url": made.as_uri(),
        "sha256": hashlib.sha256(made.read_bytes()).hexdigest(),
    }
    offers = tmp_path / "offers.json"
    offers.write_text(json.dumps({"cpython-3.12.0-linux-x86_64-gnu": offer}), encoding="utf-8")
    uv = (program / "uv").resolve()
    (program / "uv").unlink()
    told = f"export UV_PYTHON_DOWNLOADS_JSON_URL='{offers}'"
    (program / "uv").write_text(f'#!/bin/sh\n{told}\nexec "{uv}" "$@"\n', encoding="utf-8")
    (program / "uv").chmod(0o755)
    done = start(program, home, UV_PYTHON_INSTALL_DIR="/nowhere", UV_OFFLINE="1")
    seen(done)
    assert "Redraft fetches Python, once." in done.stderr
    assert list(pythons(home).glob("cpython-3.12.0-*/bin/python3"))
    kept = {each.relative_to(home).parts[:4] for each in home.rglob("*") if not each.is_dir()}
    assert {each[:4] for each in kept} == {
        (".local", "share", "redraft", n) for n in ("python", "runtime", "cache")
    }
    again = start(program, home)
    assert seen(again) == seen(done) | {"arguments": []}
    assert "fetches" not in again.stderr


@pytest.mark.parametrize(
    ("language", "word"),
    [("C.UTF-8", "none could be fetched"), ("de_DE.UTF-8", "keines ließ sich")],
)
def test_without_any_it_says_so(program, home, language, word):
    done = start(program, home, LANG=language)
    assert done.returncode == 1
    assert word in done.stderr


@pytest.mark.parametrize("wrong", ["name", "no python", "no licence", "two folders", "broken"])
def test_an_archive_that_is_no_python_is_refused(tmp_path, wrong):
    project = importlib.import_module("project")
    made = archive(tmp_path / ("it.zip" if wrong == "name" else "it.tar.gz"))
    if wrong == "broken":
        made.write_bytes(made.read_bytes()[:-60])
    elif wrong != "name":
        names = {
            "no python": ["python/lib/python3.11/LICENSE.txt"],
            "no licence": ["python/bin/python3"],
            "two folders": [
                "python/bin/python3",
                "python/lib/python3.11/LICENSE.txt",
                "other/file",
            ],
        }[wrong]
        with tarfile.open(made, "w:gz") as packed:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = 1
                packed.addfile(member, io.BytesIO(b"1"))
    folder = tmp_path / "installed"
    (folder / "licences").mkdir(parents=True)
    with pytest.raises(project.BuildError):
        importlib.import_module("python_archive").carry(made, folder)
    assert not (folder / "python").exists()


def test_a_carried_python_brings_its_licence_and_takes_a_dependency_away(tmp_path):
    made = archive(tmp_path / "it.tar.gz")
    deb, project = importlib.import_module("deb_package"), importlib.import_module("project")
    root = tmp_path / "root"
    folder = linux_rig.program(root / deb.TOP)
    (folder / "uv").unlink()
    (folder / "licences").mkdir()
    importlib.import_module("python_archive").carry(made, folder)
    deb.surround(project.read_project(), root)
    control = (root / "DEBIAN" / "control").read_text("utf-8")
    assert "python3" not in control
    assert (folder / "licences" / "python" / "LICENSE.txt").read_bytes() == b"a licence"
