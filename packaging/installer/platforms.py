"""The systems that installers are built for, and what must fit together on each."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap_torch import VERSION as TORCH
from bootstrap_torch import WHEELS as TORCH_WHEELS

GLIBC = (2, 34)  # the oldest that Qt's wheels run on


@dataclass(frozen=True, kw_only=True)
class Platform:
    name: str
    uv: str  # its name for uv
    pythons: tuple[str, ...]  # every Python that Redraft runs on there
    tags: tuple[str, ...]  # the platform tags of wheels that fit


@dataclass(frozen=True, kw_only=True)
class Outside:
    """torch where only PyTorch's own index has the build, and no hash of it is known here."""

    requirement: str
    index: str


LINUX = Platform(
    name="linux",
    uv=f"x86_64-manylinux_{GLIBC[0]}_{GLIBC[1]}",
    pythons=("3.11", "3.12", "3.13", "3.14"),
    tags=(
        *(f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC[1], 4, -1)),
        *(f"manylinux{year}_x86_64" for year in (2014, 2010, 1)),
        "linux_x86_64",
    ),
)
WINDOWS = Platform(
    name="windows", uv="x86_64-pc-windows-msvc", pythons=("3.12",), tags=("win_amd64",)
)
WINDOWS_PYTHON = "3.12.16"  # what uv fetches there; uv knows its hash
PLATFORMS = {each.name: each for each in (LINUX, WINDOWS)}

# What torch's kernels are compiled by; each version of torch goes with exactly one.
TRITON_OF_TORCH = {
    "2.13.0": {"linux": ("triton", "3.7.1"), "windows": ("triton-windows", "3.7.1.post27")}
}
OUTSIDE = {
    "engine-cpu-linux": Outside(requirement=f"torch=={TORCH}+cpu", index=f"{TORCH_WHEELS}/cpu"),
    "engine-cuda-windows": Outside(
        requirement=f"torch=={TORCH}+cu130", index=f"{TORCH_WHEELS}/cu130"
    ),
}


def triton(platform: Platform) -> tuple[str, str]:
    """Name and version of the package with Triton that fits torch."""
    return TRITON_OF_TORCH[TORCH][platform.name]
