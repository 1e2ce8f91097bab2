"""One try at an answer: how it began, what the model is asked for, and how the answer grows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.state.conversation import Message, Messages, turns
from app.state.presets import Preset
from app.state.progress import added
from app.state.text import clean
from engine.messages import Channel, ChatRequest, Committed, Usage


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`before` is the answer as it was when the model was asked; an empty try goes back to it.

    The preset is the one of that moment, whatever is chosen while the answer is being written.
    """

    before: Message
    preset: Preset
    is_second: bool = False

    def request(self, said: Messages) -> ChatRequest:
        """`said` is the branch up to the question."""
        preset = self.preset
        return ChatRequest(
            turns=turns(said, preset.system_prompt),
            sampling=preset.sampling,
            thinking=preset.thinking,
            thought_budget=preset.thought_budget,
            thought_so_far=self.before.thought,
            answer_so_far=self.before.text,
            seed=None if self.is_second else preset.seed,
        )

    @property
    def goes_on(self) -> bool:
        """Whether it writes on behind words that have been recorded."""
        return self.before.has_recording and bool(self.before.text or self.before.thought)

    def grown(self, answer: Message, event: Committed, seconds: float) -> Message:
        """The answer with what has settled, `seconds` after this try began."""
        text = clean(event.text)
        if event.channel is Channel.ANSWER:
            return replace(answer, text=answer.text + text)
        seconds += self.before.thought_seconds
        return replace(answer, thought=answer.thought + text, thought_seconds=seconds)

    def again(self, answer: Message, usage: Usage) -> Attempt:
        """The second try, after one that ended without a word. Its figures count, too."""
        before = replace(
            self.before,
            was_empty=True,
            usage=total(self.before.usage, usage),
            has_recording=answer.has_recording,
        )
        return replace(self, before=before, is_second=True)


def total(before: Usage | None, more: Usage | None) -> Usage | None:
    """The figures of an answer after another try at it."""
    return added(before, more) if before is not None and more is not None else more or before
