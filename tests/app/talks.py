"""Chats made without a model: long ones, with branches, in the history or in the window."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QWidget

from app.__main__ import Running
from app.paths import Paths
from app.state.chat import ChatSession
from app.state.conversation import Conversation, Message
from app.state.history.history import History
from engine.messages import FinishReason, Role
from tests.fakes import usage

TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |"
CODE = "Here:\n\n```python\nfor i in range(3):\n    print(i)\n```\n\nDone."


def question(number: int, parent: str | None, text: str = "") -> Message:
    text = text or f"Question {number}"
    return Message(id=f"q{number}", parent=parent, role=Role.USER, text=text, created=1.0)


def answer(name: str, parent: str, text: str, **values) -> Message:
    values = {"reason": FinishReason.END, "usage": usage(), "created": 1.0} | values
    return Message(id=name, parent=parent, role=Role.MODEL, text=text, **values)


def words_of(number: int) -> str:
    """Answers of every shape and height, so that guessing a height would be wrong."""
    shapes = ("Short.", "A line of words. " * 40, CODE, TABLE, "# Heading\n\n- one\n- two\n- three")
    return f"Answer {number}\n\n{shapes[number % len(shapes)]}"


def long_talk(exchanges: int) -> tuple[Message, ...]:
    messages: list[Message] = []
    for number in range(exchanges):
        asked = question(number, messages[-1].id if messages else None)
        messages += [asked, answer(f"a{number}", asked.id, words_of(number))]
    return tuple(messages)


def conversation_of(messages: tuple[Message, ...], leaf: str | None = None) -> Conversation:
    return Conversation({each.id: each for each in messages}, leaf or messages[-1].id)


def store(paths: Paths, chat_id: str, messages: tuple[Message, ...]) -> None:
    """Writes a chat as an earlier run of Redraft would have left it."""
    history = History.open(paths.data / "chats.sqlite")
    history.create(chat_id)
    history.save(chat_id, messages, messages[-1].id)
    history.close()


def show(running: Running, messages: tuple[Message, ...], leaf: str | None = None) -> ChatSession:
    """Puts these messages into the shown chat."""
    session, chats = running.session, running.chats
    chats._stored.add(session.chat_id)
    chats._library.create(session.chat_id)
    chats._library.save(session.chat_id, messages, leaf or messages[-1].id)
    session._conversation = conversation_of(messages, leaf)
    running.window._on_current_changed()
    settle()
    return session


def settle() -> None:
    """All that waits is done: layouts, timers that are due, widgets that go."""
    for _ in range(6):
        QApplication.processEvents()


def top_of(running: Running, widget: QWidget) -> int:
    """Pixels below the top of the view."""
    return widget.mapTo(running.window.chat.viewport(), QPoint(0, 0)).y()


def in_view(running: Running) -> list[tuple[str, int]]:
    """The questions whose exchanges are in view, with their places."""
    chat = running.window.chat
    places = [(view.question.message_id, top_of(running, view), view) for view in chat.exchanges]
    room = chat.viewport().height()
    return [(name, top) for name, top, view in places if top < room and top + view.height() > 0]
