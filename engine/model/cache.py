"""The KV cache of one prefix: preallocated, written by the encoder pass, read by both passes.

Full layers keep every position. Sliding layers only ever look back `sliding_window - 1` tokens;
they keep that many and some slack, so that the cache can be cut back to an earlier prefix (the next
turn of a chat) without encoding it again. What they lose when they move on is copied at the places
that somebody marked (`engine.model.snapshots`). Behind the prefix is room for a canvas: attention
reads the keys of prefix and canvas where they lie, because joining them would copy gigabytes a step.
With 8 bits the prefix has half the size; new positions see each other as exact as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.kernels.kv import LayerCache, empty_cache, joined, plain, store_plain
from engine.model.snapshots import Snapshots
from engine.sizes import SLACK as SLACK
from engine.sizes import cache_shape, snapshot_size, snapshots_kept

MARKS = 32


class KVCache:
    """Keys and values of the tokens in `ids`, one sequence, for all layers."""

    def __init__(
        self,
        config: ModelConfig,
        max_tokens: int,
        device: torch.device,
        dtype: torch.dtype,
        bits: int = 16,
    ) -> None:
        """bits: 8 for codes with a scale each; 16 keeps keys and values in `dtype`."""
        if bits not in (8, 16):
            raise ValueError(f"a cache has 16 or 8 bits, not {bits}")
        self.max_tokens = max_tokens
        self.ids: list[int] = []
        self._window = config.sliding_window
        self.sliding_start = 0  # position of index 0 in the sliding layers' buffers
        self._sliding_capacity = min(max_tokens, config.sliding_window + SLACK)
        self._is_sliding = tuple(layer.is_sliding for layer in config.layers)
        self._dtype = dtype
        self._layers = tuple(
            empty_cache(
                *cache_shape(config, layer, max_tokens)[1:],
                dtype if bits == 16 else torch.int8,
                device,
            )
            for layer in config.layers
        )
        self._marks: set[int] = set()
        window_size = snapshot_size(config, dtype.itemsize, bits)
        self._snapshots = Snapshots(snapshots_kept(config, max_tokens, window_size))

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        return len(self.ids)

    @property
    def bytes_used(self) -> int:
        return sum(part.nbytes for layer in self._layers for part in layer.parts)

    @property
    def snapshot_bytes(self) -> int:
        """Host memory of what is kept beside the buffers."""
        return self._snapshots.nbytes

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values [kv heads, S, head size] that a new position can look back at.

        On a full layer S is the whole prefix, on a sliding one at most `sliding_window - 1`.
        """
        begin, end = self._range(layer)
        keys, values = plain(self._layers[layer], begin, end)
        return keys.to(self._dtype), values.to(self._dtype)

    def whole(self, layer: int) -> LayerCache:
        """All places of a layer, where they lie."""
        return self._layers[layer]

    def span(self, layer: int, ahead: int = 0) -> tuple[int, int]:
        """From which place of `whole` to which one a new position can look back.

        ahead: as if so many tokens more had been appended.
        """
        return self._range(layer, ahead)

    def extend(
        self, layer: int, keys: Tensor, values: Tensor, ahead: int = 0
    ) -> tuple[Tensor, Tensor]:
        """`read` with T new positions behind it, [kv heads, S + T, head size].

        keys, values: [kv heads, T, head size]. They lie behind the prefix until the next `extend`
        of the layer writes over them, or `append` makes them part of it. ahead: as of `span`.
        """
        begin, end = self._range(layer, ahead)
        kept, new_end = self._layers[layer], end + keys.shape[1]
        has_room = new_end <= kept.keys.shape[1]  # not for a score of more than a canvas
        if has_room:
            store_plain(kept, keys, values, end)
        if has_room and kept.key_scale is None:
            return plain(kept, begin, new_end)
        return joined(kept, begin, end, keys, values)

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """`extend` for whoever reads the layer where it lies; there must be room."""
        store_plain(self._layers[layer], keys, values, self._range(layer)[1])

    @contextmanager
    def without_last(self) -> Iterator[None]:
        """Inside, the last token is not in the cache; afterwards it is again, bit by bit."""
        last = self.ids.pop()
        ends = [self._range(layer)[1] for layer in range(len(self._layers))]
        places = [
            part[:, end]
            for layer, end in zip(self._layers, ends, strict=True)
            for part in layer.parts
        ]
        saved = [place.clone() for place in places]
        try:
            yield
        finally:
            for place, values in zip(places, saved, strict=True):
                place.copy_(values)
            self.ids.append(last)

    def reserve(self, count: int) -> None:
        """Makes room for `count` <= SLACK more positions. Raises ValueError beyond max_tokens."""
        if self.length + count > self.max_tokens:
            raise ValueError(
                f"{self.length} + {count} tokens exceed the cache of {self.max_tokens}"
            )
        if self.length + count - self.sliding_start <= self._sliding_capacity:
            return
        self._keep_marked()
        kept = min(self.length, self._window)
        begin = self.length - kept - self.sliding_start
        for part in self._sliding_parts():
            part[:, :kept] = part[:, begin : begin + kept].clone()
        self.sliding_start = self.length - kept

    def append(self, ids: list[int]) -> None:
        """Counts the tokens whose keys and values have been written on every layer."""
        self.ids.extend(ids)

    def mark(self, length: int) -> None:
        """Says that a prefix of `length` tokens may be wanted again, also before it is encoded.

        A later `cut` to there leaves most of it, whatever follows until then.
        """
        self._marks = set(sorted(self._marks | {length})[-MARKS:])

    def cut(self, length: int) -> int:
        """Forgets everything behind `length` tokens; returns how many tokens are left.

        Fewer than `length` where the sliding layers no longer hold the window in front of it: as
        many as the next shorter prefix has that was kept, or none.
        """
        if length < self.length and not self._holds(length):
            length = self._restore(length)
        if length == 0:
            self.sliding_start = 0
        del self.ids[length:]
        self._marks = {mark for mark in self._marks if mark <= length}
        self._snapshots.forget_behind(length)
        return self.length

    def keep_prefix(self, ids: list[int]) -> int:
        """Cuts the cache to what it shares with `ids`; returns how many tokens are left."""
        shared = 0
        for own, other in zip(self.ids, ids, strict=False):
            if own != other:
                break
            shared += 1
        if shared == self.length:
            return shared  # marks further on are of what follows
        left = self.cut(shared)
        self.mark(shared)  # where two prompts part, a third one may
        return left

    def _holds(self, length: int) -> bool:
        """Whether the sliding layers have the window in front of `length` <= self.length."""
        return self.sliding_start <= max(0, length - self._window)

    def _sliding_parts(self) -> list[Tensor]:
        """[kv heads, places, ...] each."""
        pairs = zip(self._layers, self._is_sliding, strict=True)
        return [part for layer, is_sliding in pairs if is_sliding for part in layer.parts]

    def _keep_marked(self) -> None:
        """Copies what the sliding layers are about to lose at the marks."""
        for mark in sorted(mark for mark in self._marks if mark < self.length):
            if self._holds(mark) and self._snapshots.wants(mark):
                begin = max(0, mark - self._window) - self.sliding_start
                end = mark - self.sliding_start
                windows = (part[:, begin:end] for part in self._sliding_parts())
                self._snapshots.add(mark, windows)
        self._marks = {mark for mark in self._marks if mark >= self.length}

    def _restore(self, most: int) -> int:
        """Fills the sliding layers for the longest kept prefix of up to `most` tokens."""
        snapshot = self._snapshots.longest(most)
        if snapshot is None:
            return 0
        for part, window in zip(self._sliding_parts(), snapshot.windows, strict=True):
            part[:, : window.shape[1]].copy_(window, non_blocking=True)
        self.sliding_start = max(0, snapshot.length - self._window)
        return snapshot.length

    def _range(self, layer: int, ahead: int = 0) -> tuple[int, int]:
        """Where in a layer's buffer the prefix lies that a new position can look back at."""
        length = self.length + ahead
        if not self._is_sliding[layer]:
            return 0, length
        begin = max(0, length - (self._window - 1))
        return begin - self.sliding_start, length - self.sliding_start
