"""What is said before the window is there: through a small program of the desktop, and the terminal.

None of these programs is needed. Without them the words go to the terminal alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.0  # seconds after which a wait is worth a word
TITLE = "Redraft"
WAITING = (
    ("zenity", "--progress", "--pulsate", "--no-cancel", "--title={title}", "--text={text}"),
    ("kdialog", "--title", "{title}", "--msgbox", "{text}"),
    ("notify-send", "--app-name={title}", "--icon=redraft", "{title}", "{text}"),
)
TELLING = (
    ("zenity", "--error", "--no-markup", "--title={title}", "--text={text}"),
    ("kdialog", "--title", "{title}", "--error", "{text}"),
    ("xmessage", "-center", "{text}"),
    ("notify-send", "--app-name={title}", "--icon=redraft", "{title}", "{text}"),
)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Says `text` for as long as the block takes, if that is longer than `PATIENCE`."""
    over = threading.Event()

    def wait() -> None:
        if over.wait(PATIENCE):
            return
        print(text, file=sys.stderr, flush=True)
        shown = _open(_first(WAITING), text)
        over.wait()
        if shown is not None and shown.poll() is None:
            shown.terminate()
            shown.wait()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join(timeout=2 * PATIENCE)


def tell(text: str) -> None:
    """One sentence that ends the start. Waits until it has been read where it opens a window."""
    print(text, file=sys.stderr, flush=True)
    shown = _open(_first(TELLING), text)
    if shown is not None:
        shown.wait()


def _first(programs: tuple[tuple[str, ...], ...]) -> tuple[str, ...] | None:
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    return next((each for each in programs if shutil.which(each[0])), None)


def _open(program: tuple[str, ...] | None, text: str) -> subprocess.Popen[bytes] | None:
    if program is None:
        return None
    command = [part.format(title=TITLE, text=text) for part in program]
    silent = subprocess.DEVNULL
    try:
        # zenity reads its progress from the input, and would end with an empty one
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=silent, stderr=silent)
    except OSError:
        return None
