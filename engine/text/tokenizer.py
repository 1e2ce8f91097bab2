"""A checkpoint's tokenizer: text to ids and back, with the special ids known by name.

Ordinary text never becomes a special id, whatever a user types; only the markup that the chat
template writes does (see `template.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tokenizers

from engine.messages import EngineFault, ErrorKind
from engine.text.pieces import PieceTable

MARKUP = {
    "pad": "<pad>",
    "eos": "<eos>",
    "bos": "<bos>",
    "turn_start": "<|turn>",
    "turn_end": "<turn|>",
    "channel_start": "<|channel>",
    "channel_end": "<channel|>",
    "think": "<|think|>",
    "tool_start": "<|tool>",
    "tool_end": "<tool|>",
    "call_start": "<|tool_call>",
    "call_end": "<tool_call|>",
    "response_start": "<|tool_response>",
    "response_end": "<tool_response|>",
    "quote": '<|"|>',
    "image_start": "<|image>",
    "image": "<|image|>",
    "image_end": "<image|>",
}
OPTIONAL = ("image_start", "image", "image_end")  # a text-only checkpoint has none

# Noncharacters are reserved for a program's own use; this one keeps typed markup apart while the
# chat template is rendered, so it may not come from outside.
GUARD = "\U0010ffff"

# What the library remembers of earlier texts. A whole line is one word to it, so that the 10,000 it
# would keep take 25 MB and more, and few of them ever come again.
REMEMBERED = 256

PROBE = "One  two\nthree: caf\u00e9 \u6f22\u5b57 \U0001f642."


@dataclass(frozen=True, kw_only=True)
class SpecialIds:
    """The ids of the markup, by the names of `MARKUP`."""

    pad: int
    eos: int
    bos: int
    turn_start: int
    turn_end: int
    channel_start: int
    channel_end: int
    think: int
    tool_start: int
    tool_end: int
    call_start: int
    call_end: int
    response_start: int
    response_end: int
    quote: int
    image_start: int | None
    image: int | None
    image_end: int | None


def clean(text: str) -> str:
    """`text` as valid Unicode: surrogate pairs joined, lone surrogates and `GUARD` as U+FFFD."""
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined.replace(GUARD, "\ufffd")


class Tokenizer:
    def __init__(self, backend: tokenizers.Tokenizer, special: SpecialIds) -> None:
        backend.encode_special_tokens = True  # markup in ordinary text stays ordinary text
        if isinstance(backend.model, tokenizers.models.BPE):
            backend.model._resize_cache(REMEMBERED)  # noqa: SLF001 - there is no other way
        self.special = special
        self.markup = _markup(backend)  # every special token, text to id
        self.markup_ids = frozenset(self.markup.values())
        self._backend = backend
        self._pieces = PieceTable(backend, self.markup_ids)

    @staticmethod
    def load(folder: Path) -> Tokenizer:
        """Read `folder/tokenizer.json`.

        Raises `EngineFault`: the file is missing or unreadable, a special token is missing, or
        the tokenizer is built in a way whose pieces cannot be shown one by one.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise _broken(f"The model folder has no {path.name}.")
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no narrower type
            raise _broken(f"{path.name} of the model cannot be read.", str(error)) from error
        tokenizer = Tokenizer(backend, _special_ids(backend))
        tokenizer._check_pieces()
        return tokenizer

    @property
    def vocab_size(self) -> int:
        return self._backend.get_vocab_size()

    @cached_property
    def vocabulary(self) -> tuple[tuple[int, str], ...]:
        """Every ordinary id that is text of its own (no single byte), with that text."""
        pieces = ((token, self._pieces.of([token])[0]) for token in range(self.vocab_size))
        return tuple((token, text) for token, text in pieces if text and text != "\ufffd")

    def encode(self, text: str) -> list[int]:
        """The ids of ordinary text. No special ids, no <bos>."""
        if not text:
            return []
        # The batch call runs without the interpreter lock: a long paste must not stall the window.
        return list(self._backend.encode_batch_fast([clean(text)], add_special_tokens=False)[0].ids)

    def fewest(self, characters: int) -> int:
        """How many tokens a text of so many characters has at least, whatever is in it.

        The pieces of a text are the text, so there are at least its bytes over those of the longest
        piece; and it has at least as many bytes as characters.
        """
        return characters // self._pieces.longest

    def pieces(self, ids: Sequence[int]) -> tuple[str, ...]:
        """One string an id; joined they are the text. Special ids give ''."""
        return self._pieces.of(ids)

    def pieces_behind(self, unfinished: bytes, ids: Sequence[int]) -> tuple[tuple[str, ...], bytes]:
        """As `pieces`, for text that goes on: characters begun before and at the end of `ids`."""
        return self._pieces.continued(ids, unfinished)

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self._pieces.of(ids))

    def decode_with_markup(self, ids: Iterable[int]) -> str:
        """The text with the special tokens spelled out, as a tool call needs it."""
        names = {number: name for name, number in self.markup.items()}
        runs: list[str] = []
        ordinary: list[int] = []
        for token in ids:
            if token in names:
                runs += [self.decode(ordinary), names[token]]
                ordinary = []
            else:
                ordinary.append(token)
        return "".join([*runs, self.decode(ordinary)])

    def _check_pieces(self) -> None:
        ids = self.encode(PROBE)
        theirs = self._backend.decode(ids, skip_special_tokens=True)
        if theirs != self.decode(ids):
            raise EngineFault(
                ErrorKind.MODEL_UNSUPPORTED,
                "The model's tokenizer is built in a way Redraft does not know.",
                "Choose a DiffusionGemma model.",
                f"decodes the probe to {theirs!r}",
            )


def _special_ids(backend: tokenizers.Tokenizer) -> SpecialIds:
    ids = {name: backend.token_to_id(text) for name, text in MARKUP.items()}
    found = {name: number for name, number in ids.items() if number is not None}
    missing = [MARKUP[name] for name in ids if name not in found and name not in OPTIONAL]
    if missing:
        raise _broken(f"The model's tokenizer lacks the special token {', '.join(missing)}.")
    # A checkpoint may list markup as ordinary added tokens; here all of it is special.
    backend.add_special_tokens(
        [tokenizers.AddedToken(MARKUP[name], special=True, normalized=False) for name in found]
    )
    needed = {name: number for name, number in found.items() if name not in OPTIONAL}
    return SpecialIds(
        **needed,
        image_start=ids["image_start"],
        image=ids["image"],
        image_end=ids["image_end"],
    )


def _markup(backend: tokenizers.Tokenizer) -> dict[str, int]:
    added = backend.get_added_tokens_decoder()
    return {token.content: number for number, token in added.items() if token.special}


def _broken(message: str, detail: str = "") -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_BROKEN, message, "Download the model again, or choose another.", detail
    )
