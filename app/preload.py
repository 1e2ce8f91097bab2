"""Maps torch's libraries before Python imports them, so that the window does not freeze meanwhile.

An import holds the interpreter while the system reads and links a library, for torch some tenths of
a second, and seconds from a slow disk. A foreign call does not hold it. On Windows torch loads its
libraries by foreign calls itself.
"""

from __future__ import annotations

import ctypes
import os
import sys
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
