"""What happens to errors nobody expected: into the log file, and to the user in plain words."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from PySide6.QtCore import QMessageLogContext, Qt, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QMessageBox

from app.paths import Paths
from app.words import tr

log = logging.getLogger(__name__)

_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def log_to_file(paths: Paths) -> TextIO:
    """All records go to the log; a crash of native code to the crash log, returned, kept open."""
    handler = logging.handlers.RotatingFileHandler(
        paths.log, maxBytes=1_000_000, backupCount=2, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    qInstallMessageHandler(_log_qt)
    crash_log = paths.crash_log.open("a", encoding="utf-8")
    faulthandler.enable(crash_log)
    return crash_log


def catch_everything(tell: Callable[[], None]) -> None:
    """Exceptions that reach the top are logged. On the GUI thread `tell` then tells the user."""

    def on_exception(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        log.critical("unexpected error", exc_info=(kind, error, trace))
        if not issubclass(kind, KeyboardInterrupt):
            tell()

    def on_thread_exception(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            log.critical(
                "unexpected error on thread %s",
                args.thread.name if args.thread else "?",
                exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
            )

    sys.excepthook = on_exception
    threading.excepthook = on_thread_exception


class ErrorDialog:
    """Says that something went wrong: once, however often it goes wrong while it is shown."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._box: QMessageBox | None = None

    def show(self) -> None:
        if self._box is not None and self._box.isVisible():
            return
        box = QMessageBox()
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Redraft")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(tr("Something in Redraft went wrong. Your text is kept."))
        box.setInformativeText(
            tr(
                "You can go on. If it happens again, start Redraft again. "
                "The details are in {path}",
                path=self._paths.log,
            )
        )
        box.setModal(False)
        box.show()
        self._box = box


def _log_qt(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    logging.getLogger("qt").log(_LEVELS[kind], "%s: %s", context.category, message)
