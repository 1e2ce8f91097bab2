"""For all tests: no screen, Triton without a GPU, and two remarks of Qt that are no faults of ours."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
HAS_GPU = shutil.which("nvidia-smi") is not None or Path("/dev/nvidiactl").exists()
if not HAS_GPU:  # before anything imports Triton, which reads it once
    os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_configure(config: pytest.Config) -> None:
    # the offscreen platform says this about every window
    config.addinivalue_line("qt_log_ignore", "does not support propagateSizeHints")
    # Qt tries the first font for Devanagari, says this, and then takes the font that knows how
    config.addinivalue_line("qt_log_ignore", "OpenType support missing")
