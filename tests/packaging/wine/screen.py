"""A screen without a monitor for windows of Wine: keys in, pictures out."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("Xvfb", "openbox", "xdotool", "import")


def missing_tools() -> list[str]:
    return [name for name in TOOLS if not shutil.which(name)]


@dataclass(frozen=True, kw_only=True)
class Screen:
    display: str
    pictures: Path

    def press(self, *keys: str, wait: float = 2.5) -> None:
        self._run("xdotool", "key", "--clearmodifiers", *keys)
        time.sleep(wait)

    def click(self, x: int, y: int, wait: float = 1.0) -> None:
        self._run("xdotool", "mousemove", str(x), str(y), "click", "1")
        time.sleep(wait)

    def picture(self, name: str) -> None:
        self._run("import", "-window", "root", str(self.pictures / f"{name}.png"))

    def _run(self, *command: str) -> None:
        subprocess.run(command, env={**os.environ, "DISPLAY": self.display}, check=True)


@contextmanager
def screen(pictures: Path) -> Iterator[Screen]:
    """A screen of 640 x 480 pixels with a window manager; its number is a free one."""
    pictures.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24"]
    server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as answer:
        display = f":{answer.readline().strip()}"
    manager = subprocess.Popen(
        ["openbox"], env={**os.environ, "DISPLAY": display}, stderr=subprocess.DEVNULL
    )
    time.sleep(1)
    try:
        yield Screen(display=display, pictures=pictures)
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait()
