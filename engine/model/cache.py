"""The KV cache of one prefix: preallocated, written by the encoder pass, read by both passes.

Full layers keep every position. Sliding layers only ever look back `sliding_window - 1` tokens;
they keep that many and some slack, so that the cache can be cut back to an earlier prefix (the next
turn of a chat) without encoding it again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.config import ModelConfig

# Positions a sliding layer keeps beyond its window: the longest chunk of a prefill, and how far
# back a prefix can be cut. Costs 400 MB on the 26B model.
SLACK = 2048


class KVCache:
    """Keys and values of the tokens in `ids`, one sequence, for all layers."""

    def __init__(
        self, config: ModelConfig, max_tokens: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.max_tokens = max_tokens
        self.ids: list[int] = []
        self._window_keys = config.window_keys
        self.sliding_start = 0  # position of index 0 in the sliding layers' buffers
        self._sliding_capacity = min(max_tokens, config.window_keys + SLACK)
        self._is_sliding = tuple(layer.is_sliding for layer in config.layers)
        self._buffers = tuple(
            torch.zeros(
                2,  # keys, values
                layer.num_kv_heads,
                self._sliding_capacity if layer.is_sliding else max_tokens,
                layer.head_dim,
                device=device,
                dtype=dtype,
            )
            for layer in config.layers
        )

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        return len(self.ids)

    @property
    def bytes_used(self) -> int:
        return sum(buffer.numel() * buffer.element_size() for buffer in self._buffers)

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values [kv heads, S, head size] that a new position can look back at.

        On a full layer S is the whole prefix, on a sliding one at most `sliding_window - 1`.
        """
        begin, end = 0, self.length
        if self._is_sliding[layer]:
            begin = max(0, end - self._window_keys) - self.sliding_start
            end -= self.sliding_start
        keys, values = self._buffers[layer][:, :, begin:end]
        return keys, values

    def reserve(self, count: int) -> None:
        """Makes room for `count` <= SLACK more positions. Raises ValueError beyond max_tokens."""
        if self.length + count > self.max_tokens:
            raise ValueError(
                f"{self.length} + {count} tokens exceed the cache of {self.max_tokens}"
            )
        if self.length + count - self.sliding_start <= self._sliding_capacity:
            return
        kept = min(self.length, self._window_keys)
        begin = self.length - kept - self.sliding_start
        for buffer, is_sliding in zip(self._buffers, self._is_sliding, strict=True):
            if is_sliding:
                buffer[:, :, :kept] = buffer[:, :, begin : begin + kept].clone()
        self.sliding_start = self.length - kept

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Stores [kv heads, T, head size] behind the prefix; counts only after `append`."""
        begin = self.length - (self.sliding_start if self._is_sliding[layer] else 0)
        self._buffers[layer][0, :, begin : begin + keys.shape[1]] = keys
        self._buffers[layer][1, :, begin : begin + keys.shape[1]] = values

    def append(self, ids: list[int]) -> None:
        """Counts the tokens whose keys and values have been written on every layer."""
        self.ids.extend(ids)

    def cut(self, length: int) -> int:
        """Forgets everything behind `length` tokens; returns how many tokens are left.

        That is 0 where the sliding layers no longer hold the window in front of `length`.
        """
        if length < self.length and self.sliding_start > max(0, length - self._window_keys):
            length = 0
        if length == 0:
            self.sliding_start = 0
        del self.ids[length:]
        return self.length

    def keep_prefix(self, ids: list[int]) -> int:
        """Cuts the cache to what it shares with `ids`; returns how many tokens are left."""
        shared = 0
        for own, other in zip(self.ids, ids, strict=False):
            if own != other:
                break
            shared += 1
        return self.cut(shared)
