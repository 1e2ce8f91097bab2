"""The .deb and the .run around a small installation: built, looked at and installed for real."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.packaging import linux_rig

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packages for Linux")


def need(*programs: str) -> None:
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.fixture
def deb() -> ModuleType:
    return importlib.import_module("deb_package")


@pytest.fixture
def run() -> ModuleType:
    return importlib.import_module("run_package")


@pytest.fixture
def project() -> Any:
    return importlib.import_module("project").read_project()


def tree(deb: ModuleType, project: Any, root: Path) -> Path:
    linux_rig.program(root / deb.TOP)
    (root / deb.TOP / "uv").unlink()  # a link, and not of the package
    deb.surround(project, root)
    return root


@pytest.fixture
def package(deb: ModuleType, project: Any, tmp_path: Path) -> Path:
    need("dpkg-deb")
    target = tmp_path / "redraft.deb"
    deb.pack(tree(deb, project, tmp_path / "root"), target)
    return target


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "Ünï $Çödé `名前"
    folder.mkdir()
    return folder


def installer(run: ModuleType, project: Any, folder: Path, version: str = "0.1.0") -> Path:
    """A .run that installs the small program."""
    program = linux_rig.program(folder / f"program-{version}", version)
    uv = (program / "uv").resolve()
    (program / "uv").unlink()
    (program / "uv").write_text(f'#!/bin/sh\nexec "{uv}" "$@"\n', encoding="utf-8")
    entry = importlib.import_module("linux_folder").desktop_entry(project, "@COMMAND@")
    (program / "redraft.desktop").write_text(entry, encoding="utf-8")
    payload = run.archive(program)
    target = folder / f"redraft-{version}.run"
    text = run.header(project, payload).replace(project.version.encode(), version.encode())
    target.write_bytes(text + payload)
    return target


def install(installer: Path, home: Path, *arguments: str, **more: str):
    return subprocess.run(
        ["sh", installer, *arguments],
        env=linux_rig.variables(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def files_of(home: Path) -> set[str]:
    """All files but the index of applications, which is the desktop's own."""
    found = {path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir()}
    return found - {".local/share/applications/mimeinfo.cache"}


def data(home: Path) -> Path:
    return home / ".local" / "share"


# --- .deb -----------------------------------------------------------------------------------------


def test_the_same_tree_gives_the_same_package(deb, project, package, tmp_path):
    again = tmp_path / "again.deb"
    root = tree(deb, project, tmp_path / "elsewhere")
    (root / "opt" / "redraft" / "launch.py").touch()
    (root / "opt" / "redraft").chmod(0o700)
    deb.settle(root, frozenset({deb.COMMAND, "opt/redraft/redraft", "opt/redraft/uninstall"}))
    deb.pack(root, again)
    assert again.read_bytes() == package.read_bytes()


def test_dpkg_reads_what_the_package_says_of_itself(package, project):
    fields = subprocess.check_output(
        [
            "dpkg-deb",
            "--showformat=${Package} ${Version} ${Architecture}\n${Depends}",
            "-W",
            package,
        ],
        text=True,
    )
    head, depends = fields.splitlines()
    assert head == f"redraft {project.version} amd64"
    assert {"python3 (>= 3.11)", "libc6 (>= 2.34)", "libxcb-cursor0"} <= set(depends.split(", "))


def test_everything_belongs_to_root_and_nobody_else_writes(package):
    listed = subprocess.check_output(["dpkg-deb", "--contents", package], text=True)
    for line in listed.splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root", line
        assert mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"), line


def test_menus_and_software_centres_understand_it(package, tmp_path):
    need("desktop-file-validate", "appstreamcli")
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path / "out"], check=True)
    share = tmp_path / "out" / "usr" / "share"
    entry = share / "applications" / "redraft.desktop"
    assert subprocess.run(["desktop-file-validate", entry], check=False).returncode == 0
    done = subprocess.run(
        ["appstreamcli", "validate", "--no-net", share / "metainfo" / "redraft.metainfo.xml"],
        capture_output=True,
        text=True,
        check=False,
    )
    # The project has no domain of its own yet that a reversed name could come from.
    complaints = re.findall(
        r"^[EW]: (?!.*cid-desktopapp-is-not-rdns).*$", done.stdout, re.MULTILINE
    )
    assert complaints == []


def test_a_software_centre_can_say_all_of_it_in_german():
    text = (linux_rig.LINUX / "redraft.metainfo.xml").read_text("utf-8")
    for tag in ("summary", "p", "li"):
        english = len(re.findall(rf"<{tag}>", text))
        assert english == len(re.findall(rf'<{tag} xml:lang="de">', text)) > 0


def test_text_files_can_be_opened_with_it(package, tmp_path):
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path / "out"], check=True)
    entry = (tmp_path / "out/usr/share/applications/redraft.desktop").read_text("utf-8")
    assert "\nExec=redraft %F\n" in entry
    assert {"text/plain", "text/markdown", "text/x-python"} <= set(
        re.search(r"^MimeType=(.*)$", entry, re.MULTILINE)[1].split(";")
    )
    assert (tmp_path / "out/usr/share/icons/hicolor/scalable/apps/redraft.svg").is_file()


# --- .run -----------------------------------------------------------------------------------------


def test_the_same_files_give_the_same_archive(run, tmp_path):
    one = linux_rig.program(tmp_path / "one")
    two = Path(shutil.copytree(one, tmp_path / "two", symlinks=True, copy_function=shutil.copy))
    for folder in (one, two):
        (folder / "uv").unlink()
    (two / "launch.py").chmod(0o600)
    assert run.archive(one) == run.archive(two)


def test_it_installs_starts_and_is_removed(run, project, tmp_path, home):
    done = install(installer(run, project, tmp_path), home)
    assert done.returncode == 0, done.stderr
    command = home / ".local" / "bin" / "redraft"
    assert command.resolve() == data(home) / "redraft" / "program" / "redraft"
    entry = (data(home) / "applications" / "redraft.desktop").read_text("utf-8")
    assert "@COMMAND@" not in entry
    started = subprocess.run(
        [command], env=linux_rig.variables(home), capture_output=True, text=True, check=False
    )
    assert started.returncode == 0, started.stderr
    (data(home) / "redraft" / "chats.sqlite").write_text("chats", encoding="utf-8")
    (data(home) / "redraft" / "models").mkdir()
    (data(home) / "redraft" / "kernels").mkdir()
    uninstall = data(home) / "redraft" / "program" / "uninstall"
    subprocess.run([uninstall], env=linux_rig.variables(home), check=True, stdin=subprocess.DEVNULL)
    assert files_of(home) == {".local/share/redraft/chats.sqlite"}
    assert {each.name for each in (data(home) / "redraft").iterdir()} == {"chats.sqlite", "models"}


def test_the_menu_entry_starts_it_wherever_it_lies(run, project, tmp_path, home):
    """As the desktop entry specification reads an Exec line: unescaped twice."""
    assert install(installer(run, project, tmp_path), home).returncode == 0
    entry = (data(home) / "applications" / "redraft.desktop").read_text("utf-8")
    command = re.search(r'^Exec="(.*)" %F$', entry, re.MULTILINE)[1]
    assert "\\" not in command.replace("\\\\", "")  # no other escape is known in a string
    command = command.replace("\\\\", "\\")
    assert re.sub(r'\\(["`$\\])', r"\1", command) == str(data(home) / "redraft/program/redraft")


def test_removing_all_leaves_nothing(run, project, tmp_path, home):
    assert install(installer(run, project, tmp_path), home).returncode == 0
    (data(home) / "redraft" / "chats.sqlite").write_text("chats", encoding="utf-8")
    uninstall = data(home) / "redraft" / "program" / "uninstall"
    subprocess.run([uninstall, "--all"], env=linux_rig.variables(home), check=True)
    assert files_of(home) == set()


def test_an_older_version_asks_before_it_replaces_a_newer_one(run, project, tmp_path, home):
    older = installer(run, project, tmp_path, "0.9.0")
    newer = installer(run, project, tmp_path, "0.10.0")
    assert install(older, home).returncode == 0
    assert install(newer, home).returncode == 0
    done = install(older, home)
    assert done.returncode == 3
    assert "0.10.0 is installed, which is newer" in done.stderr
    assert '"0.10.0"' in (data(home) / "redraft/program/version.json").read_text("utf-8")
    assert install(older, home, "--force").returncode == 0


def test_a_damaged_file_installs_nothing(run, project, tmp_path, home):
    file = installer(run, project, tmp_path)
    whole = file.read_bytes()
    for damaged in (whole[:-100], whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(damaged)
        done = install(file, home)
        assert done.returncode == 1
        assert "This file is damaged" in done.stderr
    assert list(home.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(run, project, tmp_path, home):
    data(home).parent.mkdir()
    data(home).write_text("a file in its place", encoding="utf-8")
    done = install(installer(run, project, tmp_path), home)
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr


def test_two_installers_at_once_leave_one_whole_program(run, project, tmp_path, home):
    file = installer(run, project, tmp_path)
    started = [
        subprocess.Popen(["sh", file], env=linux_rig.variables(home), stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [each.wait(60) for each in started] == [0] * 4
    assert [each.name for each in (data(home) / "redraft").iterdir()] == ["program"]
    assert not list((data(home) / "redraft" / "program").glob("program*"))


def test_another_processor_is_told_why(run, project, tmp_path, home):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uname").write_text(
        "#!/bin/sh\n[ $1 = -m ] && echo aarch64 || echo Linux\n", encoding="utf-8"
    )
    (tmp_path / "bin" / "uname").chmod(0o755)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    done = install(installer(run, project, tmp_path), home, PATH=path)
    assert done.returncode == 1
    assert "x86_64" in done.stderr
