"""Redraft from its source folder: `python packaging/bootstrap.py app` or `... test`.

The first start builds a private environment in `.venv`; later starts only look at a stamp. What
stands behind the command is passed on: `test -k name` runs those tests alone. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 11), (3, 14)
USAGE = "usage: python packaging/bootstrap.py app|test [arguments for the app or for pytest]"
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
CHECKS = {
    "ruff check": ["-m", "ruff", "check"],
    "ruff format": ["-m", "ruff", "format", "--check"],
    "mypy": ["-m", "mypy"],
    "lint-imports": ["-c", LINT_IMPORTS],
    "pytest": ["-m", "pytest"],
}
# Two at a time halve it; with more of them, tests of a window would wait for a processor.
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile"]


def main(arguments: list[str]) -> int:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        here = ".".join(map(str, sys.version_info[:2]))
        return _say_error(
            f"Redraft runs on Python 3.{OLDEST[1]} to 3.{NEWEST[1]}, and this is Python {here}. "
            "Install one of those and start again with it."
        )
    if not arguments or arguments[0] not in ("app", "test"):
        return _say_error(USAGE, code=2)
    from bootstrap_system import SetupError  # newer Python than the check above

    command, rest = arguments[0], arguments[1:]
    try:
        python = _prepared(command)
        return _start_app(python, rest) if command == "app" else _run_checks(python, rest)
    except SetupError as error:
        return _say_error(str(error))
    except KeyboardInterrupt:
        return _say_error("Stopped. Start again to go on.", code=130)


def _prepared(command: str) -> Path:
    """The environment's interpreter, after setting up whatever is missing."""
    import bootstrap_environment as environment

    if environment.is_current(ROOT, command):
        return environment.interpreter(ROOT)
    import bootstrap_qt
    import bootstrap_torch

    started = time.monotonic()
    print("Setting up Redraft. This happens once and takes a few minutes.", flush=True)
    environment.build(ROOT, command, bootstrap_torch.choose())
    bootstrap_qt.check(environment.interpreter(ROOT), offscreen=command == "test")
    environment.write_stamp(ROOT, command)
    print(f"Ready after {time.monotonic() - started:.0f} s.", flush=True)
    return environment.interpreter(ROOT)


def _start_app(python: Path, arguments: list[str]) -> int:
    os.chdir(ROOT)
    command = [str(python), "-m", "app", *arguments]
    if os.name == "posix":  # become the app, so that a signal to this process reaches it
        os.execv(command[0], command)
    return subprocess.call(command)


def _run_checks(python: Path, arguments: list[str]) -> int:
    """All checks, or with arguments pytest alone. Every check runs, whatever the others found."""
    environment = {**os.environ}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    results: list[tuple[str, int, float]] = []
    for name in ["pytest"] if arguments else CHECKS:
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        command = [str(python), *CHECKS[name]]
        command += (arguments or SIDE_BY_SIDE) if name == "pytest" else []
        code = subprocess.call(command, cwd=ROOT, env=environment)
        results.append((name, code, time.monotonic() - started))
    print("\n== summary")
    for name, code, seconds in results:
        print(f"{'failed' if code else 'passed':8}{name:14}{seconds:6.1f} s")
    return 1 if any(code for _, code, _ in results) else 0


def _say_error(message: str, code: int = 1) -> int:
    print(message, file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
