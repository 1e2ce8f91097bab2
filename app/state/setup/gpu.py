"""Whether the NVIDIA GPU here can be used, as its driver's own tool says. Needs no torch."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from app.words import tr

DRIVER = 580  # the first that runs CUDA 13, which torch 2.13 is built for
CAPABILITY = 7.5  # Turing: the oldest GPUs that CUDA 13 knows
PATIENCE = 30  # seconds; a GPU that sleeps takes some
_WINDOWS_TOOL = Path("C:/Windows/System32/nvidia-smi.exe")
_LINE = re.compile(r"^\s*(\d+)\.[\d.]+(?:\s*,\s*(\d+\.\d+))?\s*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Gpu:
    driver: int  # the major number
    capability: float  # compute capability, 8.9 for an RTX 40; 0 if the driver does not tell


def find_gpu() -> Gpu | None:
    """The most capable NVIDIA GPU, or None. Blocks up to `PATIENCE`."""
    tool = shutil.which("nvidia-smi") or (str(_WINDOWS_TOOL) if _WINDOWS_TOOL.is_file() else None)
    if tool is None:
        return None
    for fields in ("driver_version,compute_cap", "driver_version"):  # old tools lack the second
        query = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
        try:
            answer = subprocess.run(
                query,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
                creationflags=0x08000000 if sys.platform == "win32" else 0,  # no black window
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if answer.returncode == 0:
            return parse_gpus(answer.stdout)
    return None


def parse_gpus(text: str) -> Gpu | None:
    """The best of the lines `580.65.06, 8.6` that the driver's tool prints, one a GPU."""
    found = [Gpu(driver=int(one), capability=float(two or 0)) for one, two in _LINE.findall(text)]
    return max(found, key=lambda gpu: gpu.capability, default=None)


def why_not(gpu: Gpu | None) -> str:
    """Why the processor is used; empty where the GPU can be."""
    if gpu is None:
        return tr("There is no NVIDIA GPU here, so the processor does the work.")
    if 0 < gpu.capability < CAPABILITY:
        return tr("This NVIDIA GPU is too old for Redraft, so the processor does the work.")
    if gpu.driver < DRIVER:
        return tr(
            "Your NVIDIA driver ({found}) is too old. Update it to {needed} or newer and start "
            "Redraft again to use the GPU. Until then the processor does the work.",
            found=gpu.driver,
            needed=DRIVER,
        )
    return ""
