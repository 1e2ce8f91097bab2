"""What is said before the window is there: through a small program of the desktop, and the terminal.

None of these programs is needed. Without them the words go to the terminal alone. As in the app, the
English sentence is the key, with numbers for what is filled in; others are said in English.
"""

from __future__ import annotations

import os
import re
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
_WHY = "Qt, which draws the window, lacks system libraries."
_WARUM = "Qt, das das Fenster zeichnet, fehlen Bibliotheken des Systems."
GERMAN = {
    "Redraft is being set up. This happens once and takes a few seconds.": (
        "Redraft wird eingerichtet. Das geschieht einmal und dauert ein paar Sekunden."
    ),
    "Redraft is built for 64-bit Intel and AMD processors (x86_64), and this system is {0}. Its "
    "source may run here: see the README.": (
        "Redraft ist für 64-Bit-Prozessoren von Intel und AMD gebaut (x86_64), und dieses System ist "
        "{0}. Der Quelltext läuft hier vielleicht: siehe README."
    ),
    "Redraft runs on Python {0} to {1}, and this is Python {2}. Install one of those and start "
    "again.": (
        "Redraft läuft mit Python {0} bis {1}, und dies ist Python {2}. Installiere eines davon und "
        "starte noch einmal."
    ),
    "Redraft needs the C library glibc 2.34 or newer (Debian 12, Ubuntu 22.04, Fedora 35 and later). "
    "This system has an older or a different one.": (
        "Redraft braucht die C-Bibliothek glibc 2.34 oder neuer (ab Debian 12, Ubuntu 22.04, Fedora "
        "35). Dieses System hat eine ältere oder eine andere."
    ),
    "Redraft needs {0} GB in {1}, and {2} GB are free. Free some space, then start again.": (
        "Redraft braucht {0} GB in {1}, und {2} GB sind frei. Schaffe etwas Platz und starte noch "
        "einmal."
    ),
    "Redraft could not be set up. Start it again; if it stays so, install it anew. Details are in "
    "{0}.": (
        "Redraft ließ sich nicht einrichten. Starte es noch einmal; bleibt es dabei, installiere es "
        "neu. Einzelheiten stehen in {0}."
    ),
    "The installation in {0} is damaged. Install Redraft again.": (
        "Die Installation in {0} ist beschädigt. Installiere Redraft noch einmal."
    ),
    "Redraft cannot set itself up in {0} ({1}). See that this folder can be written to, then start "
    "again.": (
        "Redraft kann sich in {0} nicht einrichten ({1}). Sorge dafür, dass sich in diesen Ordner "
        "schreiben lässt, und starte noch einmal."
    ),
    "Removed. Settings, chats and models are kept in {0}.": (
        "Entfernt. Einstellungen, Chats und Modelle bleiben in {0}."
    ),
    "There is no screen to show a window on. Start Redraft from a desktop session.": (
        "Es gibt keinen Bildschirm für ein Fenster. Starte Redraft in einer Desktop-Sitzung."
    ),
    "Qt, which draws the window, does not start here. Details are in {0}.": (
        "Qt, das das Fenster zeichnet, startet hier nicht. Einzelheiten stehen in {0}."
    ),
    f"{_WHY} Install what your system calls {{0}} (these are Debian's names), then start again.": (
        f"{_WARUM} Installiere, was dein System {{0}} nennt (so heißen sie in Debian), und starte "
        "noch einmal."
    ),
    f"{_WHY} Run 'sudo apt install {{0}}', then start again.": (
        f"{_WARUM} Führe „sudo apt install {{0}}“ aus und starte noch einmal."
    ),
    f"{_WHY} The system could not install {{0}}.{{1}} Install them, then start again; details are "
    "in {2}.": (
        f"{_WARUM} Das System konnte {{0}} nicht installieren. Installiere sie selbst und starte "
        "noch einmal; Einzelheiten stehen in {2}."
    ),
}


def translated(text: str) -> str:
    """In the language of the session, where that is German."""
    language = next(
        (each for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (each := os.environ.get(name))), ""
    )
    if language.startswith("de"):
        for english, german in GERMAN.items():
            pattern = "(.*?)".join(map(re.escape, re.split(r"\{\d\}", english)))
            if found := re.fullmatch(pattern, text, re.DOTALL):
                return german.format(*map(_number, found.groups()))
    return text


def _number(part: str) -> str:
    """A size as German writes it; anything else stays."""
    return part.replace(".", ",") if re.fullmatch(r"\d+\.\d", part) else part


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Says `text` for as long as the block takes, if that is longer than `PATIENCE`."""
    over = threading.Event()
    text = translated(text)

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
    text = translated(text)
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
