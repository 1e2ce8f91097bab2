"""What this PC has, and what that means for running a model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FindingState(Enum):
    GOOD = "good"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the check-up."""

    name: str  # system, memory, disk, torch, gpu, triton or kernels; "gpu 1" for a second one
    value: str
    state: FindingState
    meaning: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class MemoryHolder:
    """A program that holds memory of the GPU."""

    name: str
    size: int  # bytes


@dataclass(frozen=True, kw_only=True)
class Gpu:
    name: str
    memory_total: int  # bytes
    memory_free: int  # bytes
    driver: str = ""
    capability: tuple[int, int] = (0, 0)  # compute capability; zeros where it is not known
    holders: tuple[MemoryHolder, ...] = ()  # the largest first; empty where the driver keeps quiet
    is_usable: bool = False  # the engine can compute on it


@dataclass(frozen=True, kw_only=True)
class Hardware:
    findings: tuple[Finding, ...]  # in the order a person reads them
    gpus: tuple[Gpu, ...]
    memory_total: int  # bytes
    memory_free: int  # bytes
    report: str  # all of it as text, without names of people and folders

    @property
    def device(self) -> str:
        """Where models run here: "cuda" or "cpu", as `engine.memory` names it."""
        return "cuda" if any(gpu.is_usable for gpu in self.gpus) else "cpu"

    @property
    def free(self) -> int:
        """Bytes that a model may take there now."""
        usable = [gpu.memory_free for gpu in self.gpus if gpu.is_usable]
        return usable[0] if usable else self.memory_free

    @property
    def total(self) -> int:
        """Bytes of that memory in all."""
        usable = [gpu.memory_total for gpu in self.gpus if gpu.is_usable]
        return usable[0] if usable else self.memory_total
