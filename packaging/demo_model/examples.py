"""From texts to token ids: the chat markup, the canvas, and what is noise on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

import vocabulary
from chat import Conversation
from tokenizers import Tokenizer
from wording import Document

CANVAS = 128
# The whole user turn before a document with gaps; the engine asks with these very words.
GAP_REQUEST = "Fill in the gap."
FILLERS = frozenset("then that this with from have turn they them were".split())
EMPTY_THOUGHT = "<|channel>thought\n<channel|>"
ECHO_REQUEST, MARK = "Say this again: ", "\0"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One canvas to learn. `pins` says which ids are given (a document with gaps) or is empty."""

    prompt: tuple[int, ...]
    canvas: tuple[int, ...]  # without the pads behind <turn|>
    ends: bool  # the canvas ends with <turn|>; else the text goes on in the next one
    marks: tuple[tuple[int, int], ...]  # token ranges that later words decide
    repeats: tuple[int, ...]  # positions of words that stand in the text more than once
    document: bool
    has_sense: bool = True  # random tokens have none: of them only what repeats can be learned


def prompt_text(turns: tuple[tuple[str, str], ...], thinking: bool) -> str:
    """The markup of the model's chat template, up to where the model writes."""
    turns = tuple(turns)
    text = "<bos>"
    if thinking:
        system = turns[0][1] if turns[0][0] == "system" else ""
        turns = turns[1:] if system else turns
        text += f"<|turn>system\n<|think|>\n{system}<turn|>\n"
    for role, content in turns:
        text += f"<|turn>{role}\n{content}<turn|>\n"
    return f"{text}<|turn>model\n" + ("" if thinking else EMPTY_THOUGHT)


GAP_PROMPT = prompt_text((("user", GAP_REQUEST),), thinking=False)


class Encoder:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        # Words that say something; "▁the" and the like repeat without being decided.
        self.telling = {
            index
            for piece, index in tokenizer.get_vocab().items()
            if len(word := piece.removeprefix("▁")) > 3 and word.isalpha() and word not in FILLERS
        }
        self.gap_prompt = tuple(self.ids(GAP_PROMPT))
        asked = prompt_text((("user", f"{ECHO_REQUEST}{MARK}"),), thinking=False).split(MARK)
        self.echo_frame = tuple(self.ids(asked[0])), tuple(self.ids(asked[1]))

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def document(self, document: Document) -> Example:
        encoding = self.tokenizer.encode(document.text, add_special_tokens=False)
        marks = []
        for start, end in document.gaps:
            hit = [i for i, (a, b) in enumerate(encoding.offsets) if a < end and b > start]
            marks.append((hit[0], hit[-1] + 1))
        canvas = (*encoding.ids, vocabulary.TURN_END)
        counts = Counter(encoding.ids)
        repeats = [
            place
            for place, index in enumerate(encoding.ids)
            if counts[index] > 1 and index in self.telling
        ]
        return Example(
            prompt=self.gap_prompt,
            canvas=canvas,
            ends=True,
            marks=tuple(marks),
            repeats=tuple(repeats),
            document=True,
        )

    def conversation(self, rng: Random, talk: Conversation, thinking: bool) -> Example:
        answer = f"{talk.answer}<turn|>"
        if thinking:
            answer = f"<|channel>thought\n{talk.thought}\n<channel|>{answer}"
        prompt = self.ids(prompt_text(talk.turns, thinking))
        ids = self.ids(answer)
        # A long answer: learn one of its canvases, with those before it as part of the prompt.
        canvases = range(0, len(ids), CANVAS)
        start = rng.choice(canvases)
        part = ids[start : start + CANVAS]
        return Example(
            prompt=(*prompt, *ids[:start]),
            canvas=tuple(part),
            ends=start + CANVAS >= len(ids),
            marks=(),
            repeats=(),
            document=False,
        )
