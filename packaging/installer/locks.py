"""The lock files in `packaging/locks`: made anew, and checked before anything is built of them.

`python build_installer.py locks` resolves what `pyproject.toml` asks for, held to the versions of
`requirements.txt` that the tests run with. Hashes are those that the package index publishes.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import layer_sizes
import lock_file
import wheels
from lock_file import Entry
from platforms import LINUX, OUTSIDE, PLATFORMS, TORCH, Platform, triton
from project import ROOT, BuildError, Project, name_of, normalised, read_project

LOCKS = ROOT / "packaging" / "locks"
PINS = ROOT / "packaging" / "requirements.txt"
# Bytes to download and on the disk. Of layers with torch from outside they were measured by hand.
SIZES = "sizes.json"
KINDS = ("gui", "engine-cpu", "engine-cuda")
_CUDA_ALONE = ("nvidia-", "cuda-", "triton")
_FAMILY = ("torch", "triton", "triton-windows")


def lock_name(kind: str, platform: Platform) -> str:
    return f"{kind}-{platform.name}"


def read(name: str, folder: Path = LOCKS) -> tuple[Entry, ...]:
    return lock_file.parse((folder / f"{name}.txt").read_text(encoding="utf-8"))


def refresh(folder: Path = LOCKS) -> None:
    """Makes all locks anew but that of the tools; needs the package index."""
    project = read_project()
    (wheel,) = wheels.fetch(read(lock_name(wheels.TOOLS, LINUX)), LINUX)
    uv = wheels.unpack_uv(wheel, wheels.cache_folder() / "tools")
    sizes = json.loads((LOCKS / SIZES).read_text(encoding="utf-8"))
    for platform in PLATFORMS.values():
        for kind, entries in _resolve_all(project, platform, uv).items():
            name = lock_name(kind, platform)
            if kind != "gui" and name not in OUTSIDE:  # what those fetch, this index does not know
                sizes[name] = layer_sizes.measure(name, entries, platform, uv)
            comment = f"{_comment(name, platform)}\n{_asked_for(_asked(project, kind))[2:]}"
            _write(folder / f"{name}.txt", lock_file.write(entries, comment))
    outside = {name: asdict(each) for name, each in sorted(OUTSIDE.items())}
    _write(folder / "indexes.json", json.dumps(outside, indent=2) + "\n")
    _write(folder / SIZES, json.dumps(sizes, indent=2) + "\n")
    check(project, folder)


def check(project: Project, folder: Path = LOCKS) -> None:
    """Raises `BuildError` unless each lock has what is asked for, and torch the Triton it needs."""
    for platform in PLATFORMS.values():
        for kind in KINDS:
            name = lock_name(kind, platform)
            text = (folder / f"{name}.txt").read_text(encoding="utf-8")
            _check_one(name, text, _asked(project, kind))
        name = lock_name("engine-cuda", platform)
        _check_pair(name, read(name, folder), platform)
    outside = json.loads((folder / "indexes.json").read_text(encoding="utf-8"))
    if outside != {name: asdict(each) for name, each in OUTSIDE.items()}:
        raise BuildError("indexes.json is not what packaging/installer/platforms.py says.")


def _check_one(name: str, text: str, asked: Sequence[str]) -> None:
    if _asked_for(asked) not in text.splitlines():
        raise BuildError(f"{name}.txt was made for other requirements; make the locks anew.")
    entries = lock_file.parse(text)
    versions = _versions(name, entries)
    if missing := {normalised(name_of(each)) for each in asked} - versions.keys():
        raise BuildError(f"{name}.txt lacks {', '.join(sorted(missing))}; make the locks anew.")
    if unhashed := [each.name for each in entries if not each.hashes]:
        raise BuildError(f"{name}.txt has no hashes for {', '.join(unhashed)}.")


def _check_pair(name: str, entries: Sequence[Entry], platform: Platform) -> None:
    versions = _versions(name, entries)
    found = {each: versions[each].partition("+")[0] for each in _FAMILY if each in versions}
    package, version = triton(platform)
    if found != {"torch": TORCH, package: version}:
        raise BuildError(f"{name}.txt pairs {found}; torch {TORCH} needs {package} {version}.")


def _resolve_all(project: Project, platform: Platform, uv: Path) -> dict[str, list[Entry]]:
    """The entries of every kind for one platform."""
    gui = _resolve(project.gui, platform, uv, [])
    package, version = triton(platform)
    pins = [f"{each.name}=={each.version}" for each in gui]
    pins += [f"torch=={TORCH}", f"{package}=={version}"]
    cuda = _resolve([*project.engine, f"{package}=={version}"], platform, uv, pins)
    cpu = [each for each in cuda if not each.name.startswith(_CUDA_ALONE)]
    found = {"gui": gui, "engine-cpu": cpu, "engine-cuda": cuda}
    for kind, entries in found.items():
        if lock_name(kind, platform) in OUTSIDE:
            found[kind] = [each for each in entries if each.name != "torch"]
    return found


def _resolve(
    requirements: Sequence[str], platform: Platform, uv: Path, pins: Sequence[str]
) -> list[Entry]:
    """The oldest Python's answer, if it is one for the others too. Raises `BuildError` if not."""
    oldest, *others = platform.pythons
    answer = _compile(requirements, platform, oldest, uv, pins)
    held = [*pins, *(f"{each.name}=={each.version}" for each in answer)]
    for python in others:
        if odd := {*_compile(requirements, platform, python, uv, held)} ^ {*answer}:
            names = ", ".join(sorted({each.name for each in odd}))
            raise BuildError(f"{platform.name}: Python {python} needs others of {names}.")
    return answer


def _compile(
    requirements: Sequence[str], platform: Platform, python: str, uv: Path, pins: Sequence[str]
) -> list[Entry]:
    command = [
        uv, "pip", "compile", "-", "--constraints", PINS, "--python-platform", platform.uv,
        "--python-version", python, "--generate-hashes", "--only-binary", ":all:", "--no-header",
        "--no-annotate", "--no-emit-index-url", "--no-config", "--system-certs", "--quiet",
    ]  # fmt: skip
    clean = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    with tempfile.TemporaryDirectory() as place:
        held = Path(place) / "held.txt"
        held.write_text("\n".join(pins), encoding="utf-8")
        done = subprocess.run(
            [str(part) for part in (*command, "--constraints", held)],
            input="\n".join(requirements),
            capture_output=True,
            text=True,
            check=False,
            env=clean,
        )
    if done.returncode != 0:
        raise BuildError(f"uv found no answer for {platform.name}, Python {python}: {done.stderr}")
    return list(lock_file.parse(done.stdout))


def _asked(project: Project, kind: str) -> tuple[str, ...]:
    return project.gui if kind == "gui" else project.engine


def _asked_for(requirements: Sequence[str]) -> str:
    """The comment that says what a lock was made for."""
    return f"# asked for: {' '.join(requirements)}"


def _versions(name: str, entries: Sequence[Entry]) -> dict[str, str]:
    """Version by package, with the torch that comes from elsewhere."""
    versions = {each.name: each.version for each in entries}
    if name in OUTSIDE:
        versions["torch"] = OUTSIDE[name].requirement.partition("==")[2]
    return versions


def _comment(name: str, platform: Platform) -> str:
    pythons = f"Python {platform.pythons[0]}"
    if len(platform.pythons) > 1:
        pythons += f" to {platform.pythons[-1]}"
    lines = [f"{name}, for {platform.uv} and {pythons}. Made by: python build_installer.py locks"]
    if name in OUTSIDE:
        lines.append(
            f"Beside these {OUTSIDE[name].requirement} from PyTorch's own index (see indexes.json), "
            "whose hash\nis not known here: uv checks the one that the index publishes."
        )
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
