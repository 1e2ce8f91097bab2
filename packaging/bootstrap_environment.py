"""The private environment in `.venv`: built once, renewed when its requirements change.

A stamp for each command says that everything is in place; it is written last. `unfinished` marks a
run of pip that was cut off: then the environment is built anew, since files may be half written.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bootstrap_system import SetupError, install_packages, run
from bootstrap_torch import PLAIN, VERSION, TorchChoice, gpu_tool

REQUIREMENTS = {
    "app": ("requirements.txt",),
    "test": ("requirements.txt", "requirements-test.txt"),
}
# An option or folder of the user's own pip would put the packages elsewhere.
PIP_ENVIRONMENT = {"PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": "", "PYTHONNOUSERSITE": "1"}
GIGABYTE = 10**9
SPACE = {True: 9 * GIGABYTE, False: 2 * GIGABYTE}  # with CUDA, without
REASONS = {
    "No space left": "The disk is full. Free some space, then start again.",
    "Errno 28": "The disk is full. Free some space, then start again.",
    "CERTIFICATE_VERIFY_FAILED": "The network's certificate is not trusted by Python. Ask who runs "
    "the network, or try another one.",
    "NewConnectionError": "The package registry cannot be reached. Check the network, then start "
    "again.",
    "Read timed out": "The network is too slow or was lost. Start again to go on.",
    "No matching distribution": "A needed package is not offered for this Python or system, or the "
    "package registry cannot be reached.",
}


def is_current(root: Path, command: str) -> bool:
    """Whether nothing needs doing. Reads a few small files and starts no process."""
    stamp = _stamp(root, command)
    return (
        stamp.is_file()
        and interpreter(root).exists()
        and not _unfinished(root).exists()
        and stamp.read_text(encoding="utf-8") == fingerprint(root, command)
    )


def write_stamp(root: Path, command: str) -> None:
    part = _stamp(root, command).with_suffix(".part")
    part.write_text(fingerprint(root, command), encoding="utf-8")
    part.replace(_stamp(root, command))


def fingerprint(root: Path, command: str) -> str:
    """Changes with the requirements, torch, the Python version, and when a GPU comes or goes."""
    digest = hashlib.sha256()
    for name in REQUIREMENTS[command]:
        digest.update((root / "packaging" / name).read_bytes())
    gpu = "gpu" if gpu_tool() else "cpu"
    return f"{digest.hexdigest()} torch {VERSION} {gpu} python {_version()}\n"


def interpreter(root: Path) -> Path:
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return root / ".venv" / folder / name


def build(root: Path, command: str, torch: TorchChoice) -> None:
    """Make or renew the environment. Raises `SetupError`."""
    _check_space(root, torch)
    if _unfinished(root).exists() or not _works(root):
        _create(root)
    _unfinished(root).touch()
    _install_torch(root, torch)
    print("Installing the other packages.", flush=True)
    for name in REQUIREMENTS[command]:
        _pip(root, ["-r", str(root / "packaging" / name)])
    _check_torch(root)
    _unfinished(root).unlink()


def _create(root: Path) -> None:
    folder = root / ".venv"
    print("Creating a private environment.", flush=True)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise SetupError(
            f"The folder {folder} cannot be replaced ({error.strerror}). Close Redraft and what "
            "else uses it, then start again."
        ) from error
    _unfinished(root).touch()
    if importlib.util.find_spec("ensurepip") is None:
        if importlib.util.find_spec("pip") is not None and _create_with_system_pip(root):
            return
        install_packages([f"python{_version()}-venv"], "Python's venv is missing.", log(root))
    if run([sys.executable, "-m", "venv", folder], log(root)) != 0:
        raise SetupError(f"Python could not create its environment; details are in {log(root)}.")


def _create_with_system_pip(root: Path) -> bool:
    """Without ensurepip the system's own pip can put one into an environment, if there is one."""
    bare = [sys.executable, "-m", "venv", "--without-pip", root / ".venv"]
    fill = [sys.executable, "-m", "pip", "--python", interpreter(root), "install", "pip"]
    return run(bare, log(root)) == 0 and run(fill, log(root), PIP_ENVIRONMENT) == 0


def _works(root: Path) -> bool:
    """Whether the environment's Python starts, is of this version, and has pip."""
    question = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [interpreter(root), "-c", question], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == _version()


def _install_torch(root: Path, torch: TorchChoice) -> None:
    print(f"Installing {torch.words}.", flush=True)
    if torch.index:
        try:
            _pip(root, [torch.requirement, "--index-url", torch.index])
            return
        except SetupError:
            print("PyTorch's own server does not deliver; trying the package registry.", flush=True)
    _pip(root, [PLAIN.requirement])


def _check_torch(root: Path) -> None:
    """A first import: shows that torch works here, and compiles what the app will use of it."""
    print("Starting PyTorch for the first time.", flush=True)
    if run([interpreter(root), "-c", "import torch, tokenizers, jinja2"], log(root)) != 0:
        advice = (
            "Install the Microsoft Visual C++ Redistributable (x64), then start again; details"
            if os.name == "nt"
            else "Details"
        )
        raise SetupError(f"PyTorch does not start here. {advice} are in {log(root)}.")


def _pip(root: Path, arguments: list[str]) -> None:
    # Compiling every module takes a third of the time, and most are never imported.
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile"]
    before = log(root).stat().st_size if log(root).exists() else 0
    command = [interpreter(root), "-m", "pip", "install", *options, *arguments]
    if run(command, log(root), PIP_ENVIRONMENT) != 0:
        with log(root).open(encoding="utf-8", errors="replace") as file:
            file.seek(before)
            raise SetupError(f"{reason(file.read())} Details are in {log(root)}.")


def reason(output: str) -> str:
    """What a failed run of pip means for the user."""
    for sign, sentence in REASONS.items():
        if sign in output:
            return sentence
    return "The packages could not be installed. Start again, and if it stays so, report it."


def _check_space(root: Path, torch: TorchChoice) -> None:
    needed = SPACE["+cu" in torch.requirement]
    if interpreter(root).exists():
        return  # what is missing now is small, or replaces something
    free = shutil.disk_usage(root).free
    if free < needed:
        raise SetupError(
            f"Redraft needs {needed / GIGABYTE:.0f} GB in {root}, and {free / GIGABYTE:.1f} GB are "
            "free. Free some space, then start again."
        )


def log(root: Path) -> Path:
    return root / ".venv" / "setup.log"


def _stamp(root: Path, command: str) -> Path:
    return root / ".venv" / f"ready-{command}"


def _unfinished(root: Path) -> Path:
    return root / ".venv" / "unfinished"


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
