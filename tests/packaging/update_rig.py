"""Updates an installed Redraft on this PC from one version to the next, and goes back; Linux alone.

    python -m tests.packaging.update_rig --work DIR

Assembles the installed folder of this source as 0.1.0, with its real wheels, and the feed of the
same as 0.1.1, signed by a new key and sent by a server on loopback. A user with an empty home starts
it on a virtual screen, and clicks: the update is fetched and installed, a restart and the next start
are of 0.1.1, and after going back the one after that is of 0.1.0. No engine is installed.
Pictures are left in DIR/pictures: look at them. Times depend on what else the PC does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "packaging" / each) for each in ("", "installer", "windows", "linux")]

import feed  # noqa: E402
import linux_folder  # noqa: E402
from project import Updates, read_project  # noqa: E402

from tests.packaging.linux_installer import say, screen  # noqa: E402
from tests.packaging.linux_user import SCREEN  # noqa: E402

OLD, NEW = "0.1.0", "0.1.1"
NEEDED = ("Xvfb", "import", "xdotool")
PATIENCE = 120.0  # seconds for anything
BUTTONS = {"Get it": (960, 35), "Restart now": (1040, 35)}  # where they are, without a desktop
SETTLED = 18.0  # seconds; a version that has shown its window for so long stays
LARGEST = 12_000_000  # bytes of an update in which only Redraft itself is new
# The button that leads back, in the installed copy's own environment.
BACK = """
import time
from PySide6.QtCore import QCoreApplication
from app.paths import user_paths
from app.settings import SettingsStore
from app.state.autosave import Writer
from app.state.updates.place import place_in
from app.state.updates.status import Phase
from app.state.updates.updates import Updates
qt = QCoreApplication([])
paths, writer = user_paths(), Writer()
settings = SettingsStore(paths.settings, writer)
updates = Updates(place_in(paths), settings)
updates.start()
end = time.monotonic() + 60
while updates.status.phase is not Phase.READY:
    assert time.monotonic() < end, updates.status
    qt.processEvents()
    if updates.status.previous:
        updates.go_back()
    time.sleep(0.05)
print(updates.status.next_version)
updates.close()
settings.close()
writer.close()
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work.resolve()
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"Install {', '.join(missing)} first.")
    shutil.rmtree(work, ignore_errors=True)
    for name in ("home", "pictures", "no wheels", "feed"):
        (work / name).mkdir(parents=True)
    with screen(), server(work / "feed") as (url, sent):
        prepare(work, url)
        copy = Copy(work)
        copy.choose(updates=True)
        with copy.started(OLD) as pid:
            wait(lambda: "linux.json.sig" in sent)
            time.sleep(2)
            picture(work, "found")
            began = time.monotonic()
            press("Get it")
            wait(lambda: copy.pointer().get("current") == NEW)
            say(f"{NEW} is ready after {time.monotonic() - began:.1f} s")
            received = sum(sent.values())
            say(f"{received / 1e6:.1f} MB were sent in {len(sent)} files")
            assert received < LARGEST
            time.sleep(1)
            picture(work, "ready")
            press("Restart now")
            copy.wait_for(NEW, pid)
            time.sleep(SETTLED)
            picture(work, "restarted")
            assert copy.pointer()["is_confirmed"]
        with copy.started(NEW):
            time.sleep(SETTLED)
            picture(work, "next-start")
        assert copy.goes_back() == OLD
        with copy.started(OLD):
            time.sleep(SETTLED)
            picture(work, "back")
        assert copy.pointer()["failed"] == [NEW]
    say("all of it worked; now look at the pictures")


def prepare(work: Path, url: str) -> None:
    """The installed folder, and the feed of the next version."""
    public = feed.make_key(work / "private.pem")
    about = read_project(updates=Updates(url=url, keys=(public,)))
    linux_folder.assemble(replace(about, version=OLD), work / "program")
    linux_folder.assemble(replace(about, version=NEW), work / "next")
    release = feed.Release(version=NEW, notes={"en": "- Only the number is new."})
    signers = [feed.read_key(work / "private.pem")]
    manifest = feed.write(work / "next", "linux", release, work / "feed", signers)
    size = sum(each["size"] for each in json.loads(manifest.read_bytes())["files"])
    say(
        f"the feed of {NEW}: {size / 1e6:.1f} MB in {len(list((work / 'feed/files').iterdir()))} files"
    )


class Copy:
    """An installed Redraft and its user."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._data = work / "home" / ".local" / "share" / "redraft"
        self._variables = {
            "HOME": str(work / "home"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "DISPLAY": SCREEN,
            "REDRAFT_WHEELS": str(work / "no wheels"),
        }

    def choose(self, **settings: Any) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"first_run_seen": True, **settings})
        (self._data / "settings.json").write_text(text, encoding="utf-8")

    @contextmanager
    def started(self, version: str) -> Iterator[int]:
        """A start of what is installed, which is one of this version. Its process id."""
        process = subprocess.Popen(
            [self._work / "program" / "redraft"], env=self._variables, start_new_session=True
        )
        try:
            self.wait_for(version, process.pid)
            yield process.pid
            assert process.poll() is None, "it has ended"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
        wait(lambda: not is_painted())

    def wait_for(self, version: str, pid: int) -> None:
        """Until the process runs this version and its window is there."""
        began = time.monotonic()
        wait(lambda: str(self._python(version)) in command_of(pid))
        wait(is_painted)
        say(f"a start: {version}, {time.monotonic() - began:.1f} s to its window")

    def goes_back(self) -> str:
        """What starts next then."""
        command = [self._python(NEW), "-I", "-c", BACK]
        done = subprocess.run(
            command, env=self._variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _python(self, version: str) -> Path:
        return self._data / "runtime" / version / "env" / "bin" / "python"

    def pointer(self) -> dict[str, Any]:
        path = self._data / "versions" / "current.json"
        found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return found


def press(button: str) -> None:
    place = [str(each) for each in BUTTONS[button]]
    for command in (["mousemove", *place], ["click", "1"]):
        subprocess.run(["xdotool", *command], env={**os.environ, "DISPLAY": SCREEN}, check=True)


def picture(work: Path, name: str) -> None:
    target = work / "pictures" / f"{name}.png"
    subprocess.run(["import", "-display", SCREEN, "-window", "root", target], check=True)


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")


def is_painted() -> bool:
    """Whether the middle of the screen is not black."""
    command = ["import", "-display", SCREEN, "-window", "root", "-crop", "1x1+600+400", "rgb:-"]
    return max(subprocess.run(command, capture_output=True, check=True).stdout) > 0


def wait(is_so: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Its address, and the bytes that it has sent by file."""
    sent: dict[str, int] = {}

    class Quiet(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            path = Path(self.translate_path(self.path))
            sent[path.name] = sent.get(path.name, 0) + (path.stat().st_size if path.exists() else 0)
            super().do_GET()

        def log_message(self, *_arguments: object) -> None:
            pass

    sending = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=sending.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{sending.server_port}", sent
    finally:
        sending.shutdown()
        sending.server_close()


if __name__ == "__main__":
    main()
