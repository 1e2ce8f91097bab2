"""Text of half-finished canvases: one string a token.

A canvas in the middle of denoising holds any ids in any order, so bytes that form no character
must show as U+FFFD instead of raising, and the text of a token must not need a decode of the whole.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from functools import cached_property

import tokenizers

SPACE = "\u2581"  # how the vocabulary writes a space


class PieceTable:
    """Cached strings per id, for the Gemma structure: SPACE for spaces, byte fallback, no prefix."""

    def __init__(self, backend: tokenizers.Tokenizer, hidden: frozenset[int]) -> None:
        self._backend = backend
        self._text: dict[int, str] = dict.fromkeys(hidden, "")
        self._bytes: dict[int, int] = {}
        for value in range(256):
            number = backend.token_to_id(f"<0x{value:02X}>")
            if number is not None:
                self._bytes[number] = value
                self._text[number] = ""

    @cached_property
    def longest(self) -> int:
        """Bytes (UTF-8) of the longest text that one id stands for, 1 at least."""
        known, everything = self._text, range(self._backend.get_vocab_size())
        texts = (known[id_] if id_ in known else self._spelled(id_) for id_ in everything)
        return max(len(text.encode()) for text in texts) or 1

    def of(self, ids: Sequence[int]) -> tuple[str, ...]:
        """One string an id. The bytes of one character give it at the last of them.

        An id that the vocabulary does not have gives ''.
        """
        found, unfinished = self.continued(ids, b"")
        return (*found[:-1], found[-1] + "\ufffd") if unfinished else found

    def continued(self, ids: Sequence[int], before: bytes) -> tuple[tuple[str, ...], bytes]:
        """As `of`, behind the first bytes of a character; also the bytes of one begun at the end.

        So a character may begin on one canvas and end on the next.
        """
        text = self._text
        found = [text[token] if token in text else self._look_up(token) for token in ids]
        if before or not self._bytes.keys().isdisjoint(ids):
            before = self._join_bytes(ids, found, before)
        return tuple(found), before

    def _look_up(self, token: int) -> str:
        piece = self._text[token] = self._spelled(token)
        return piece

    def _spelled(self, token: int) -> str:
        return (self._backend.id_to_token(token) or "").replace(SPACE, " ")

    def _join_bytes(self, ids: Sequence[int], found: list[str], before: bytes) -> bytes:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.decode(before)
        inside = bool(before)
        for index, token in enumerate(ids):
            value = self._bytes.get(token)
            if value is not None:
                found[index] = decoder.decode(bytes((value,)))
                inside = True
            elif inside:
                cut = decoder.decode(b"", final=True)
                if index:
                    found[index - 1] += cut
                else:
                    found[index] = cut + found[index]
                inside = False
        unfinished: bytes = decoder.getstate()[0]
        return unfinished
