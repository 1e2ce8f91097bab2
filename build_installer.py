"""Builds the installers: `python build_installer.py windows|deb|run|all`, see the README.

`locks` instead makes the lock files anew, `key` a key for signing updates, and `feed` what installed
copies are updated from. Version and dependencies come from `pyproject.toml`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
FOLDERS = ("packaging", "packaging/installer", "packaging/windows", "packaging/linux")
BUILDERS = {"windows": "windows_setup", "deb": "deb_package", "run": "run_package"}


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.file is None) == (options.target == "key"):
        parser.error("a file is named for `key`, and for nothing else")
    if bool(options.updates) != bool(options.update_keys):
        parser.error("--updates and --update-key go together")
    if bool(options.keys) != (options.target == "feed"):
        parser.error("`feed` needs --key, and nothing else does")
    sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]
    from project import BuildError

    try:
        _do(options)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _do(options: argparse.Namespace) -> None:
    """Raises `BuildError`."""
    if options.target == "locks":
        importlib.import_module("locks").refresh()
    elif options.target == "key":
        print(importlib.import_module("feed").make_key(options.file))
    elif options.target == "feed":
        feed = importlib.import_module("feed")
        oldest = options.oldest or feed.ANY_VERSION
        print(feed.build(_project(options), options.output, options.keys, options.notes, oldest))
    else:
        options.output.mkdir(parents=True, exist_ok=True)
        for target in BUILDERS if options.target == "all" else [options.target]:
            builder = importlib.import_module(BUILDERS[target])
            built = builder.build(_project(options), options.output, options.python_archive)
            print(f"{built}  {built.stat().st_size / 1e6:.1f} MB", flush=True)


def _project(options: argparse.Namespace) -> Any:
    project = importlib.import_module("project")
    updates = None
    if options.updates:
        updates = project.Updates(url=options.updates, keys=tuple(options.update_keys))
    return project.read_project(updates=updates)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Builds Redraft's installers.")
    add = parser.add_argument
    add("target", choices=[*BUILDERS, "all", "locks", "feed", "key"])
    add("file", nargs="?", type=Path, help="for `key`: where the private key goes")
    add("--output", type=Path, default=ROOT / "dist", help="default: dist")
    add("--python-archive", type=Path, metavar="FILE", help="a standalone Python to carry along")
    add("--updates", metavar="URL", help="where what is built looks for updates")
    update_key = "a public key that it believes then; several let one be replaced"
    add("--update-key", action="append", dest="update_keys", metavar="PUBLIC", help=update_key)
    key = "for `feed`: the private key that signs; several while one is replaced"
    add("--key", action="append", dest="keys", type=Path, metavar="FILE", help=key)
    add("--notes", type=Path, metavar="DIR", help="for `feed`: what is new, in en.txt, de.txt")
    add("--oldest", metavar="VERSION", help="for `feed`: the oldest that can become this version")
    return parser


if __name__ == "__main__":
    sys.exit(main())
