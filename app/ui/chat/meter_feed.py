"""Tells the meter in the header how full the shown chat is, a moment after something has changed."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from app.state.chats import Chats
from app.state.context import context_use
from app.state.engine_status import EngineStatus
from app.ui.chat.composer import Composer
from app.ui.context_meter import ContextMeter

DELAY_MS = 200


class MeterFeed(QObject):
    """Counting takes a moment in a long chat, so typing does not wait for it."""

    def __init__(
        self, meter: ContextMeter, chats: Chats, status: EngineStatus, composer: Composer
    ) -> None:
        super().__init__(meter)
        self._meter = meter
        self._chats = chats
        self._status = status
        self._composer = composer
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self._show)

    def refresh(self) -> None:
        """Soon; asking again meanwhile changes nothing."""
        if not self._timer.isActive():
            self._timer.start()

    def _show(self) -> None:
        ready, session = self._status.state.ready, self._chats.current
        if ready is None:
            self._meter.show_use(None)
            return
        use = context_use(
            context=ready.context,
            canvas_length=ready.canvas_length,
            system_prompt=session.preset.system_prompt,
            messages=session.path,
            unsent=self._composer.unsent.text,
        )
        self._meter.show_use(use)
