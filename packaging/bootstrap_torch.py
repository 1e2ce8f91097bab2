"""Which build of torch this machine gets.

An NVIDIA GPU gets the CUDA build that its driver can run; everything else the CPU build, which on
PyTorch's own index is small. Elsewhere the plain name must do.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path

VERSION = "2.13.0"
WHEELS = "https://download.pytorch.org/whl"
PROBE_SECONDS = 2.0
WINDOWS_TOOL = Path("C:/Windows/System32/nvidia-smi.exe")


@dataclass(frozen=True, kw_only=True)
class Gpu:
    driver: int  # the major number
    capability: float  # compute capability, 8.6 for an RTX 30; 0 if the driver does not tell


@dataclass(frozen=True, kw_only=True)
class TorchChoice:
    requirement: str
    index: str | None  # None: wherever pip looks by itself
    words: str  # what to tell the user


PLAIN = TorchChoice(requirement=f"torch=={VERSION}", index=None, words="PyTorch")


def choose() -> TorchChoice:
    """Ask the driver, then perhaps the network; takes `PROBE_SECONDS` at most without a GPU."""
    if sys.platform == "darwin":
        return PLAIN
    gpu = find_gpu()
    tag = cuda_tag(gpu) if gpu else None
    if gpu and not tag:
        print(
            f"Your NVIDIA driver ({gpu.driver}) is too old for PyTorch {VERSION}, so Redraft will "
            "use the processor. Install driver 580 or newer and start again to use the GPU."
        )
    if tag:
        return _from_index(tag, "PyTorch for your NVIDIA GPU (about 2 to 3 GB)")
    return _from_index("cpu", "PyTorch for the processor") if _reaches_index() else PLAIN


def cuda_tag(gpu: Gpu) -> str | None:
    """The CUDA build of torch 2.13 (cu126, cu130, cu132) for a driver; None if it runs none.

    CUDA 13 needs driver 580 and a Turing GPU (capability 7.5) or newer; the build for CUDA 12.6
    needs driver 525 and knows the GPUs before Blackwell (capability 10).
    """
    knows_turing = gpu.capability == 0 or gpu.capability >= 7.5
    if gpu.driver >= 580 and knows_turing:
        return "cu130"
    if gpu.driver >= 525 and gpu.capability < 10:
        return "cu126"
    return None


def find_gpu() -> Gpu | None:
    """The most capable NVIDIA GPU, or None."""
    tool = gpu_tool()
    if tool is None:
        return None
    for fields in ("driver_version,compute_cap", "driver_version"):  # old tools lack the second
        query = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
        try:
            answer = subprocess.run(
                query, capture_output=True, text=True, errors="replace", timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if answer.returncode == 0:
            return parse_gpus(answer.stdout)
    return None


def parse_gpus(text: str) -> Gpu | None:
    """The best of the lines `580.65.06, 8.6` that the driver's tool prints, one a GPU."""
    found = re.findall(r"^\s*(\d+)\.[\d.]+(?:\s*,\s*(\d+\.\d+))?\s*$", text, re.MULTILINE)
    gpus = [Gpu(driver=int(driver), capability=float(cap or 0)) for driver, cap in found]
    return max(gpus, key=lambda gpu: gpu.capability, default=None)


def gpu_tool() -> str | None:
    """The driver's tool, as a cheap sign that there is an NVIDIA GPU."""
    found = shutil.which("nvidia-smi")
    return found or (str(WINDOWS_TOOL) if WINDOWS_TOOL.is_file() else None)


def _from_index(tag: str, words: str) -> TorchChoice:
    return TorchChoice(requirement=f"torch=={VERSION}+{tag}", index=f"{WHEELS}/{tag}", words=words)


def _reaches_index() -> bool:
    """One quick look; in a thread because looking up the name obeys no time limit."""
    reached = threading.Event()

    def look() -> None:
        request = urllib.request.Request(f"{WHEELS}/cpu/torch/", method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:
                if answer.status == 200:
                    reached.set()
        except (OSError, ValueError):
            pass  # not reachable, which is one of the two answers
        finally:
            done.set()

    done = threading.Event()
    threading.Thread(target=look, daemon=True).start()
    done.wait(PROBE_SECONDS)
    return reached.is_set()
