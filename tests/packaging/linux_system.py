"""A fresh Debian or Ubuntu in a folder, made with debootstrap; needs root."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPTS = Path("/usr/share/debootstrap/scripts")
OF_UBUNTU = "gutsy"  # the script that all newer ones of Ubuntu are links to
BOUND = ("proc", "sys", "dev", "tmp/.X11-unix")


@contextmanager
def system(
    work: Path, suite: str, wheels: Path | None, archive: str = "", keyring: Path | None = None
) -> Iterator[Path]:
    """A fresh Debian, with what this PC knows of its network.

    archive: the address of another distribution's packages, an Ubuntu; keyring: its keys.
    """
    base, root = work / f"base-{suite}", work / "system"
    if not base.exists():
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
        command += ["--components=main,universe"] if archive else []
        command += [f"--keyring={keyring}"] if keyring else []
        script = [] if (SCRIPTS / suite).exists() else [SCRIPTS / OF_UBUNTU]
        subprocess.run(
            [*command, suite, base, archive or mirror(), *script],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    unmount(root)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "--archive", base, root], check=True)  # its devices as devices
    for name in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(f"/{name}", root / name)
    for path in Path("/etc/apt/apt.conf.d").iterdir():
        shutil.copy(path, root / "etc/apt/apt.conf.d")
    (root / "tmp/.X11-unix").mkdir(exist_ok=True)
    for name in BOUND:
        subprocess.run(["mount", "--bind", f"/{name}", root / name], check=True)
    if wheels:
        (root / "wheels").mkdir()
        subprocess.run(["mount", "--bind", wheels, root / "wheels"], check=True)
    try:
        yield root
    finally:
        unmount(root)


def mirror() -> str:
    """Where this PC has its own Debian from."""
    command = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.split()[1] for line in lines if line.split()[0] == codename())


def codename() -> str:
    """Of this PC's own Debian."""
    about = Path("/etc/os-release").read_text("utf-8")
    return re.findall(r"^VERSION_CODENAME=(\w+)", about, re.MULTILINE)[0]


def unmount(root: Path) -> None:
    """All that is mounted below `root`; nothing may be removed there before."""
    for _ in range(10):
        mounts = Path("/proc/mounts").read_text("utf-8").splitlines()
        below = [line.split()[1] for line in mounts if line.split()[1].startswith(f"{root}/")]
        if not below:
            return
        subprocess.run(["umount", "--lazy", *below], check=True)
    raise AssertionError(f"something stays mounted below {root}")


def inside(root: Path, *command: str, **variables: str) -> str:
    """What a command of root's prints in there."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}
    done = subprocess.run(
        ["chroot", root, *command],
        env=environment | {"DEBIAN_FRONTEND": "noninteractive"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def files(root: Path) -> set[str]:
    """All files that packages could have put anywhere."""
    found = subprocess.run(
        ["find", root, "-xdev", "-not", "-type", "d"], capture_output=True, text=True, check=True
    )
    return {line.removeprefix(str(root)) for line in found.stdout.splitlines()}
