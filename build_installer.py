"""Builds the installers: `python build_installer.py windows|deb|run|all`, see the README.

`locks` instead makes the lock files anew. Version and dependencies come from `pyproject.toml`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
FOLDERS = ("packaging", "packaging/installer", "packaging/windows", "packaging/linux")
BUILDERS = {"windows": "windows_setup", "deb": "deb_package", "run": "run_package"}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Builds Redraft's installers.")
    parser.add_argument("target", choices=[*BUILDERS, "all", "locks"])
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="default: dist")
    parser.add_argument(
        "--python-archive", type=Path, metavar="FILE", help="a standalone Python to carry along"
    )
    options = parser.parse_args(arguments)
    sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]
    from project import BuildError

    try:
        if options.target == "locks":
            importlib.import_module("locks").refresh()
            return 0
        options.output.mkdir(parents=True, exist_ok=True)
        for target in BUILDERS if options.target == "all" else [options.target]:
            builder = importlib.import_module(BUILDERS[target])
            built = builder.build(options.output, options.python_archive)
            print(f"{built}  {built.stat().st_size / 1e6:.1f} MB", flush=True)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
