"""Does what was installed for the engine work here? Run in a process of its own, after installing.

Writes what it finds as JSON into the file that is its argument. It fails, with the traceback on
stderr, where the engine could not run at all; a GPU that cannot be used is a finding.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

NEEDED = ("huggingface_hub", "jinja2", "numpy", "safetensors", "tokenizers")


def examine() -> dict[str, object]:
    """`torch`: its version; `cuda`: whether it computes there; `device`, `capability` and `triton`
    ("works", or why not) where there is one. Raises whatever the imports raise.
    """
    import torch

    for name in NEEDED:
        importlib.import_module(name)
    found: dict[str, object] = {"torch": torch.__version__, "cuda": torch.cuda.is_available()}
    _check_product(torch.ones(8, 8))
    if torch.cuda.is_available():
        found["device"] = torch.cuda.get_device_name(0)
        found["capability"] = ".".join(map(str, torch.cuda.get_device_capability(0)))
        _check_product(torch.ones(8, 8, device="cuda"))
        found["triton"] = _triton() or "works"
    return found


def _check_product(ones: object) -> None:
    total = (ones @ ones).sum().item()  # type: ignore[operator]
    if total != 512:
        raise ArithmeticError(f"a sum of 512 comes out as {total}")


def _triton() -> str:
    """Why no kernel can be compiled and launched; empty where one was."""
    import torch

    from engine.facts import try_kernel
    from engine.kernels.portable import why_not

    return why_not(torch.device("cuda")) or try_kernel()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(examine()), encoding="utf-8")
