"""Redraft starts again in its own place, and shows what it showed: for a GPU that is lost for good, or
a newer version.

Everything written is on the disk by then; what is handed over is which chat was shown, and where
the window stood.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtWidgets import QWidget

from app.hop import restart_command
from app.state.chats import Chats

_OPTIONS = ("--show-chat", "--geometry")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a new start shows again."""

    chat_id: str = ""
    geometry: str = ""  # of the window, as Qt saves it, in base64

    @staticmethod
    def of(window: QWidget, chats: Chats) -> Shown:
        saved = bytes(window.saveGeometry().data())
        return Shown(chat_id=chats.current.chat_id, geometry=base64.b64encode(saved).decode())

    def show_again(self, window: QWidget, chats: Chats) -> None:
        """Places the window, and opens the chat as soon as the chats are known."""
        if self.geometry:
            try:
                window.restoreGeometry(base64.b64decode(self.geometry, validate=True))
            except binascii.Error:
                logging.getLogger(__name__).warning("no geometry: %r", self.geometry)
        if self.chat_id:
            opener = _Opener(self.chat_id, chats)
            chats.list_changed.connect(opener.open_once, Qt.ConnectionType.QueuedConnection)


class _Opener(QObject):
    """Opens a chat when there is a list of all, behind the one that opens by itself then."""

    def __init__(self, chat_id: str, chats: Chats) -> None:
        super().__init__(chats)
        self._chat_id = chat_id
        self._chats = chats
        self._is_done = False

    @Slot()
    def open_once(self) -> None:
        if self._is_done:
            return
        self._is_done = True
        if self._chats.is_stored(self._chat_id):
            self._chats.open(self._chat_id)
        else:  # nothing had been written in it
            self._chats.new()


def add_options(parser: argparse.ArgumentParser) -> None:
    for option in _OPTIONS:
        parser.add_argument(option, default="", help=argparse.SUPPRESS)


def shown_in(options: argparse.Namespace) -> Shown:
    return Shown(chat_id=options.show_chat, geometry=options.geometry)


def command(shown: Shown, original: Sequence[str]) -> list[str]:
    """A start, with what is to be shown."""
    kept = list(original)
    for option in _OPTIONS:
        while option in kept:
            place = kept.index(option)
            del kept[place : place + 2]
    values = (shown.chat_id, shown.geometry)
    shows = [part for pair in zip(_OPTIONS, values, strict=True) for part in pair]
    return [*kept, *shows]


def start_again(shown: Shown, data: Path) -> NoReturn:
    """Ends this process without another word to the GPU's library, which might hang."""
    line = command(shown, restart_command(data, sys.orig_argv))
    logging.shutdown()
    if os.name == "posix":
        os.execv(line[0], line)
    subprocess.Popen(line)
    os._exit(0)
