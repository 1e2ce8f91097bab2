"""Triton without a C compiler. It wants one for a single helper, `cuda_utils`, once a PC.

Where none is there, or it fails (Python's headers, or those of C, are missing), a stand-in takes the
helper's place; where that does not fit either, the kernels are left out and the user is told.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from engine.kernels.cuda_utils import CudaUtils, stands_for

log = logging.getLogger(__name__)


def has_compiler() -> bool:
    """Whether Triton finds a C compiler (as `triton.runtime.build` looks for one)."""
    return any(shutil.which(name) for name in (os.environ.get("CC"), "gcc", "clang") if name)


def needs_none(driver: Any) -> bool:
    """Whether the stand-in fits this `triton.backends.nvidia.driver`."""
    try:
        return stands_for(Path(driver.__file__).with_name("driver.c").read_text(encoding="utf-8"))
    except OSError:
        return False


def stand_in(driver: Any) -> None:
    """Lets `triton.backends.nvidia.driver` do without a compiler. Before the first launch."""
    by_compiler = getattr(driver, "compile_module_from_src", None)
    if by_compiler is None:  # another Triton, which does it in another way
        return

    def make(src: str, name: str, **how: Any) -> Any:
        fits = stands_for(src)
        if has_compiler() or not fits:
            try:
                return by_compiler(src, name, **how)
            except (RuntimeError, OSError, ImportError, subprocess.SubprocessError) as error:
                if not fits:
                    raise
                log.info("no %s by a C compiler: %s", name, error)
        return CudaUtils()

    driver.compile_module_from_src = make
