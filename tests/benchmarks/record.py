"""Where a figure was measured, when, and with what: written beside every result."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("torch", "triton", "transformers", "PySide6-Essentials", "numpy", "tokenizers")


def record(name: str, figures: dict[str, Any]) -> None:
    """Writes `figures` to `results/<name>.json` and prints them."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(described(figures), indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    print(text)


def described(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures behind the date, the device and the versions."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    return {"date": now, "device": device(), "versions": versions(), **figures}


def device() -> dict[str, Any]:
    cpus = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (cpus.read_text().splitlines() if cpus.exists() else [])
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": psutil.cpu_count(),
        "load": round(psutil.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
