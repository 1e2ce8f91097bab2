"""What fills the model's context, in tokens: counted where the engine has counted, else estimated.

The engine says after each answer how many tokens its prompt took. What came since is estimated from
the characters a token had so far in this chat.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.state.conversation import Message, Messages
from engine.messages import Role, Usage

USUAL_CHARACTERS = 4.0  # a token, before this chat has taught better
TURN_TOKENS = 6  # the marks around a turn: who speaks, and where it ends
NEARLY_FULL = 0.85  # of what a prompt may take


class Level(Enum):
    FINE = "fine"
    NEARLY_FULL = "nearly_full"
    FULL = "full"  # the next question does not fit with room for an answer


@dataclass(frozen=True, kw_only=True)
class ContextUse:
    """All in tokens. `system`, `earlier`, `question` and `room` together are `total`, except where
    the conversation is too long; then `room` is 0.
    """

    total: int
    system: int
    earlier: int
    question: int  # what is typed and not sent
    answer: int  # the least room an answer needs: one canvas
    reused: int  # of the last prompt, taken from the cache

    @property
    def used(self) -> int:
        return self.system + self.earlier + self.question

    @property
    def room(self) -> int:
        return max(0, self.total - self.used)

    @property
    def share(self) -> float:
        """0 to 1: how much of what a prompt may take is taken."""
        return min(1.0, self.used / max(1, self.total - self.answer))

    @property
    def level(self) -> Level:
        if self.used > self.total - self.answer:
            return Level.FULL
        return Level.NEARLY_FULL if self.share >= NEARLY_FULL else Level.FINE


def context_use(
    *,
    context: int,
    canvas_length: int,
    system_prompt: str,
    messages: Messages,
    unsent: str,
) -> ContextUse:
    """What the next question would find. `messages` is the shown branch, oldest first.

    `context` and `canvas_length` are what the engine said in Ready.
    """
    rate = characters_per_token(system_prompt, messages)
    system = estimate(system_prompt, rate)
    at = _last_counted(messages)
    counted = reused = 0
    since = messages
    if at is not None:
        # the engine counted the system prompt along with the turns
        counted = max(0, _after_answer(messages[at]) - system)
        reused = _usage(messages[at]).reused_tokens
        since = messages[at + 1 :]
    return ContextUse(
        total=context,
        system=system,
        earlier=counted + sum(estimate(message.text, rate) for message in since),
        question=estimate(unsent, rate),
        answer=canvas_length,
        reused=reused,
    )


def estimate(text: str, rate: float) -> int:
    """Tokens of a turn with this text; nothing for no text."""
    return TURN_TOKENS + round(len(text) / rate) if text else 0


def characters_per_token(system_prompt: str, messages: Messages) -> float:
    """What a token was worth in this chat, over all that the engine has counted."""
    characters = tokens = 0
    at = _last_counted(messages)
    if at is not None:
        before = messages[:at]
        turns = sum(1 for message in before if message.text) + 1 + bool(system_prompt)
        prompt = len(system_prompt) + sum(len(message.text) for message in before)
        body = _usage(messages[at]).prompt_tokens - turns * TURN_TOKENS
        if body > 0 and prompt:
            characters, tokens = prompt, body
    for message in messages:
        if message.usage is not None and message.usage.new_tokens > 0:
            written = len(message.text) + len(message.thought)
            if written:
                characters += written
                tokens += message.usage.new_tokens
    if not tokens:
        return USUAL_CHARACTERS
    return min(12.0, max(0.5, characters / tokens))


def _last_counted(messages: Messages) -> int | None:
    """Where the last answer stands whose prompt the engine has counted."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message.role is Role.MODEL and message.usage is not None and message.text:
            return index
    return None


def _after_answer(answer: Message) -> int:
    """Tokens up to the end of an answer. Its thought is not sent again."""
    usage = _usage(answer)
    said = usage.new_tokens
    if answer.thought:
        share = len(answer.text) / (len(answer.text) + len(answer.thought))
        said = round(said * share)
    return usage.prompt_tokens + said


def _usage(message: Message) -> Usage:
    assert message.usage is not None
    return message.usage
