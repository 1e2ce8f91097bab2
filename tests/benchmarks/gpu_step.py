"""What the 26B geometry takes on this GPU, with random weights of four bits: the sections of `SECTIONS`.

    python -m tests.benchmarks.gpu_step --random-weights --geometry 26b-a4b [--minutes 9]
        [--sections step,replies] [--leave GIB] [--out FILE]

The model is built on the GPU; nothing is read from outside the project. After each section all figures
so far are written, with the device, the versions and the date. A section that fails is recorded with its
error, and the next one begins. --leave lets another process hold all memory of the GPU but for so many
GiB. --geometry tiny runs the same code on any machine, for errors alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.gpu_denoise import step_section
from tests.benchmarks.gpu_kernels import kernel_section
from tests.benchmarks.gpu_loading import loading_section
from tests.benchmarks.gpu_merged import merged_section
from tests.benchmarks.gpu_odd import odd_section
from tests.benchmarks.gpu_prefill import prefill_section
from tests.benchmarks.gpu_replies import reply_section
from tests.benchmarks.gpu_rig import GEOMETRIES, Rig, ballast, make_rig
from tests.benchmarks.gpu_transformers import transformers_section
from tests.benchmarks.record import RESULTS, described

log = logging.getLogger(__name__)

# In order of worth.
SECTIONS: dict[str, Callable[[Rig], dict[str, Any]]] = {
    "step": step_section,
    "replies": reply_section,
    "canvas to canvas": merged_section,
    "kernels": kernel_section,
    "prefill": prefill_section,
    "odd": odd_section,
    "loading": loading_section,
    "transformers": transformers_section,
}


def main(arguments: list[str] | None = None) -> int:
    """1 where a section failed."""
    given = _parse(arguments)
    logging.basicConfig(level=logging.WARNING)
    out = given.out or RESULTS / f"gpu_step_{_named()}.json"
    figures: dict[str, Any] = {
        "weights": "random int4", "geometry": given.geometry, "left_free_gib": given.leave,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }  # fmt: skip
    with ballast(given.leave):
        began = time.monotonic()
        rig = make_rig(given.geometry, given.minutes)
        figures["weights_bytes"] = rig.model.bytes_used
        figures["read_gb_s"] = round(rig.read_bytes_s / 1e9)
        figures["built_s"] = round(time.monotonic() - began, 1)
        _write(out, figures)
        for name in given.sections:
            figures[name] = _run(SECTIONS[name], rig)
            _write(out, figures)
    return int(any("error" in figures[name] for name in given.sections))


def _run(section: Callable[[Rig], dict[str, Any]], rig: Rig) -> dict[str, Any]:
    if rig.is_late:
        return {"left_out": "for want of time"}
    began = time.monotonic()
    try:
        with torch.inference_mode():
            found = section(rig)
    except Exception as error:
        log.exception("a section failed")
        where = traceback.format_exception(error)
        return {"error": f"{type(error).__name__}: {error}"[:2000], "where": where[-3:]}
    finally:
        rig.release()
    return found | {"section_s": round(time.monotonic() - began, 1)}


def _write(out: Path, figures: dict[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(described(figures), indent=2) + "\n"
    out.write_text(text, encoding="utf-8")


def _named() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return gpu.lower().replace(" ", "_")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random-weights", action="store_true", required=True)
    parser.add_argument("--geometry", choices=GEOMETRIES, default=GEOMETRIES[0])
    parser.add_argument("--minutes", type=float, default=9.0, help="after that no section begins")
    parser.add_argument("--sections", type=lambda text: text.split(","), default=list(SECTIONS))
    parser.add_argument("--leave", type=float, default=None, metavar="GIB")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args(arguments)
    if unknown := set(given.sections) - SECTIONS.keys():
        parser.error(f"no such sections: {', '.join(sorted(unknown))}")
    return given


if __name__ == "__main__":
    raise SystemExit(main())
