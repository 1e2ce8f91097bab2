"""Keeps the window alive while torch is imported, and afterwards.

An import holds the interpreter while the system reads and links a library, for torch some tenths of
a second, and seconds from a slow disk. A foreign call does not hold it, so the libraries are mapped
by one. On Windows torch loads its libraries by foreign calls itself.

What torch leaves behind are 170,000 objects that never go. Each full garbage collection would walk
through all of them, and hold every thread for a tenth of a second.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def preload_torch() -> bool:
    """True if the libraries are mapped now. Where that fails, the import will say why."""
    spec = find_spec("torch")
    if sys.platform != "linux" or spec is None or spec.origin is None:
        return False
    library = Path(spec.origin).parent / "lib" / "libtorch_python.so"  # needs all the others
    c = ctypes.CDLL(None)
    c.dlopen.restype = ctypes.c_void_p
    return bool(c.dlopen(os.fsencode(library), os.RTLD_LAZY))


@contextmanager
def uncollected() -> Iterator[None]:
    """What exists at the end of the block is out of the garbage collector's sight for good.

    It goes when nobody refers to it any more, but not in circles: for imports, not for models.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
