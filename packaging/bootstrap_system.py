"""The machine around the environment: running commands, and system packages where we may."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


class SetupError(Exception):
    """One plain sentence: what is wrong, and what to do about it."""


def run(command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None) -> int:
    """Run `command` with its output in `log`, and say which downloads it begins."""
    with (
        log.open("a", encoding="utf-8", errors="replace") as out,
        subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        out.write(f"$ {' '.join(map(str, command))}\n")
        assert process.stdout is not None
        try:
            for line in process.stdout:
                out.write(line)
                if (word := download(line)) is not None:
                    print(f"  {word}", flush=True)
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise


def download(line: str) -> str | None:
    """What a line of pip's output says about a download worth mentioning, in megabytes."""
    words = line.split()
    if len(words) < 4 or words[0] != "Downloading" or words[-1] not in ("MB)", "GB)"):
        return None
    name = words[1].rsplit("/", 1)[-1].split("-", 1)[0]
    return f"downloading {name} {words[-2]} {words[-1]}"


def install_packages(packages: Sequence[str], why: str, log: Path) -> None:
    """Install Debian or Ubuntu packages as root; without that right, say in one line what to do."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SetupError(
            f"{why} Install what your system calls {names} (these are Debian's names), "
            "then start again."
        )
    if not may_install():
        raise SetupError(f"{why} Run 'sudo apt install {names}', then start again.")
    print(f"Installing the system packages {names}.", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    updated = run(["apt-get", "update"], log, quiet)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if run(command, log, quiet) != 0:
        hint = " The package lists could not be renewed either." if updated != 0 else ""
        raise SetupError(
            f"{why} The system could not install {names}.{hint} Install them, then start again; "
            f"details are in {log}."
        )


def may_install() -> bool:
    return os.name == "posix" and os.geteuid() == 0
