"""Whatever the user asks of the model, from wherever: the model is loaded first where it must be."""

from __future__ import annotations

from app.state.chats import Chats
from app.state.engine_status import EngineStatus, Phase
from app.ui.chat.composer import Composer
from app.words import tr


class Asking:
    """Acts on the chat that is shown."""

    def __init__(self, chats: Chats, status: EngineStatus, composer: Composer) -> None:
        self._chats = chats
        self._status = status
        self._composer = composer

    def send(self) -> None:
        """What is in the composer. It keeps what could not be sent."""
        if self.ask(self._composer.unsent.text):
            self._composer.clear()

    def ask(self, text: str) -> bool:
        self._load_if_needed()
        return self._chats.current.send(text)

    def edit(self, question_id: str, text: str) -> bool:
        self._load_if_needed()
        return self._chats.current.edit(question_id, text)

    def regenerate(self, answer_id: str) -> None:
        self._load_again_if_needed()
        self._chats.current.regenerate(answer_id)

    def go_on(self) -> None:
        self._load_again_if_needed()
        self._chats.current.go_on()

    def take_back(self, question_id: str) -> None:
        self._composer.put_before(self._chats.current.take_back(question_id))
        self._chats.flush()

    def show_variant(self, message_id: str) -> None:
        self._chats.current.show_variant(message_id)

    def _load_if_needed(self) -> None:
        """First in the queue; the question waits behind it."""
        if self._status.state.phase in (Phase.IDLE, Phase.UNLOADING, Phase.UNLOADED):
            self._status.load()

    def _load_again_if_needed(self) -> None:
        """Who asks for the same again wants the model tried again, too."""
        if self._status.state.phase is Phase.FAILED:
            self._status.load()
        self._load_if_needed()


def placeholder(phase: Phase) -> str:
    """What the empty field says: when what one asks is answered."""
    match phase:
        case Phase.LOADING:
            return tr("Write a message. It is answered as soon as the model is ready")
        case Phase.FAILED:
            return tr("Write a message. It is kept until a model is ready")
        case Phase.UNLOADING | Phase.UNLOADED:
            return tr("Write a message. The model is loaded again first")
        case _:
            return tr("Write a message")
