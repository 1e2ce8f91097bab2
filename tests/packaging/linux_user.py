"""Somebody on a Debian in a folder, with a home and a virtual screen, who starts Redraft."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SCREEN = ":78"


class User:
    """Somebody in there with an empty home and a screen, who starts Redraft with `command`."""

    def __init__(
        self, root: Path, name: str, command: str, work: Path = Path(), wheels: Path | None = None
    ) -> None:
        self.home = root / "home" / name
        self._root, self._name, self._command = root, name, command
        self._pictures = work / "pictures"
        self._wheels = {"REDRAFT_WHEELS": "/wheels"} if wheels else {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, prefix: tuple[str, ...] = (), **more: str) -> None:
        variables = {
            "HOME": f"/home/{self._name}",
            "USER": self._name,
            "DISPLAY": SCREEN,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **self._wheels,
        } | more
        chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin")
        command = [chroot, f"--userspec={self._name}:{self._name}", self._root, self._command]
        self._process = subprocess.Popen(
            [*prefix, *map(str, command)], env=variables, start_new_session=True
        )

    def wait_for_end(self) -> None:
        """Without a screen: with one, and no terminal, the .run starts Redraft when it is done."""
        self.start(DISPLAY="")
        assert self._process is not None
        assert self._process.wait(120) == 0

    def end(self) -> None:
        """As the system does when the user logs out."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)

    def picture(self, name: str) -> None:
        path = self._pictures / f"{self._name}-{name}.png"
        subprocess.run(["import", "-display", SCREEN, "-window", "root", path], check=True)

    def said(self) -> str:
        """The end of the app's log."""
        log = self.home / ".local/state/redraft/log/redraft.log"
        return log.read_text("utf-8") if log.exists() else ""

    def setup_log(self) -> str:
        log = self.home / ".local/state/redraft/log/setup.log"
        return log.read_text("utf-8") if log.exists() else ""

    def answers(self) -> int:
        """How many answers are in the chats on the disk."""
        query = "SELECT count(*) FROM messages WHERE role = 'model' AND text != ''"
        with tempfile.TemporaryDirectory() as place:
            for path in (self.home / ".local/share/redraft").glob("chats.sqlite*"):
                shutil.copy(path, place)
            try:
                with sqlite3.connect(f"{place}/chats.sqlite") as chats:
                    return int(chats.execute(query).fetchone()[0])
            except sqlite3.Error:  # copied in the middle of a change
                return 0

    def remove_home(self) -> None:
        shutil.rmtree(self.home)


def is_painted() -> bool:
    """Whether the middle of the screen is not black."""
    command = ["import", "-display", SCREEN, "-window", "root", "-crop", "1x1+600+30", "rgb:-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return max(done.stdout) > 0


def xdotool(*arguments: str) -> None:
    subprocess.run(["xdotool", *arguments], env={**os.environ, "DISPLAY": SCREEN}, check=True)
    time.sleep(0.5)


def wait(is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)
