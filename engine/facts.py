"""Gathers what `engine.doctor` judges: asks the system, the driver, torch and Triton.

Looks, never changes anything. It imports torch and starts CUDA, so it runs in a process of its own.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from engine.device import nvidia_smi, others
from engine.doctor import Facts, TritonFacts
from engine.folders import free_at
from engine.kernels.cache_folder import VARIABLE, can_use_chosen
from engine.kernels.portable import lacks_compiler, why_not
from engine.messages import Gpu, MemoryHolder

MIB = 1 << 20
_TRIAL_PATIENCE = 120.0  # seconds; the first kernel on a slow disk takes some
_FIELDS = "name,memory.total,memory.free,driver_version,compute_cap"


def gather(home: Path, *, own_pid: int = os.getpid()) -> Facts:
    """home: the folder that keeps models. own_pid: whose memory is not somebody else's."""
    memory = psutil.virtual_memory()
    gpus = find_gpus(own_pid)
    return Facts(
        system=f"{platform.system()} {platform.release()}",
        is_known_system=sys.platform in ("linux", "win32"),
        python=platform.python_version(),
        cores=os.cpu_count() or 1,
        memory_total=memory.total,
        memory_free=memory.available,
        disk_free=free_at(home),
        torch=torch.__version__,
        cuda=torch.version.cuda or "",
        threads=torch.get_num_threads(),
        gpus=gpus,
        triton=_triton(has_gpu=any(gpu.is_usable for gpu in gpus)),
    )


def find_gpus(own_pid: int) -> tuple[Gpu, ...]:
    """The GPUs as the driver knows them, in its order. Without its tool, as torch does."""
    lines = nvidia_smi(f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits")
    # The driver says who holds memory, but not on which GPU: said of the only one.
    holders = tuple(MemoryHolder(name=each.name, size=each.bytes) for each in others(own_pid))
    found = parse_gpus(lines, holders if len(lines) == 1 else (), torch.cuda.is_available())
    return found or _gpus_of_torch()


def parse_gpus(
    lines: Sequence[str], holders: tuple[MemoryHolder, ...], torch_can: bool
) -> tuple[Gpu, ...]:
    """Of lines like "NVIDIA GeForce RTX 4090, 24564, 23010, 580.65, 8.9"; sizes in MiB."""
    found = []
    for line in lines:
        values = [value.strip() for value in line.split(",")]
        if len(values) != 5 or not (values[1].isdecimal() and values[2].isdecimal()):
            continue
        major, _, minor = values[4].partition(".")
        known = major.isdecimal() and minor.isdecimal()
        capability = (int(major), int(minor)) if known else (0, 0)
        found.append(
            Gpu(
                name=values[0],
                memory_total=int(values[1]) * MIB,
                memory_free=int(values[2]) * MIB,
                driver=values[3],
                capability=capability,
                holders=holders,
                is_usable=torch_can and capability >= (8, 0),
            )
        )
    return tuple(found)


def _gpus_of_torch() -> tuple[Gpu, ...]:
    if not torch.cuda.is_available():
        return ()
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        capability = torch.cuda.get_device_capability(index)
        found.append(
            Gpu(
                name=torch.cuda.get_device_name(index),
                memory_total=total,
                memory_free=free,
                capability=capability,
                is_usable=capability >= (8, 0),
            )
        )
    return tuple(found)


def _triton(*, has_gpu: bool) -> TritonFacts:
    try:
        version = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if not has_gpu:
        return TritonFacts(version=version)
    reason = why_not(torch.device("cuda"))
    has_compiler = not lacks_compiler()
    return TritonFacts(
        version=version,
        why_not=reason,
        has_compiler=has_compiler,
        has_folder=can_use_chosen(),
        trial=try_kernel() if reason is None and has_compiler else "",
    )


def try_kernel() -> str:
    """Compiles and runs a small kernel in a process of its own; why it did not run, else empty.

    What is compiled is kept nowhere.
    """
    command = [sys.executable, "-m", "engine.kernels.trial"]
    root = Path(__file__).resolve().parent.parent
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_TRIAL_PATIENCE, cwd=root,
                env=os.environ | {VARIABLE: place}, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "it took too long"
    except OSError as fault:
        return str(fault)
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()
    return said[-1][:200] if said else f"it ended with the code {done.returncode}"
