"""How an answer ended, in words: to read, and to hear from a screen reader."""

from __future__ import annotations

from app.state.conversation import Message
from app.state.progress import reason_text
from app.state.text import is_blank
from app.words import tr, tr_engine
from engine.messages import FinishReason


def spoken(answer: Message) -> str:
    """What a screen reader says when the answer is finished."""
    if answer.error is not None:
        return f"{tr_engine(answer.error.message)} {tr_engine(answer.error.remedy)}"
    return "\n".join(part for part in (answer.text, note(answer)) if part)


def note(answer: Message) -> str:
    """Why the answer ended, where it was not the model that ended it, and what was odd."""
    is_empty = is_blank(answer.text)
    if is_empty and answer.reason is FinishReason.STOPPED:
        return tr("Stopped before anything had settled.")
    lines = [reason_text(answer.reason)] if answer.reason is not None else []
    if is_empty and not any(lines):
        lines.append(
            tr("The model answered with nothing, twice. Ask in other words.")
            if answer.was_empty
            else tr("The model answered with nothing.")
        )
    elif answer.was_empty:
        lines.append(tr("The first attempt was empty, so the model was asked once more."))
    return "\n".join(line for line in lines if line)
