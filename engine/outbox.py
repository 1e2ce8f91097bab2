"""What a step found, on its way to host memory: one copy beside the next step, waited for once.

The tensors lie in one piece of memory, so that a draft and the mark that ends a canvas arrive together.
On a GPU the copy has a stream of its own and ends in pinned memory; the next step is launched as soon as
the mark is known, and may not write before the copy is done, which the device sees to by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

_ALIGNED = 8  # bytes; views as int64 begin at multiples


class Outbox:
    """Memory for some tensors, and a copy of it on the host."""

    def __init__(self, like: Mapping[str, Tensor]) -> None:
        """like: by name, all on one device. Their values are not taken."""
        self._places: dict[str, tuple[int, int]] = {}
        self._like = {name: (each.dtype, each.shape) for name, each in like.items()}
        size = 0
        for name, each in like.items():
            self._places[name] = (size, size + math.prod(each.shape) * each.element_size())
            size = -(-self._places[name][1] // _ALIGNED) * _ALIGNED
        device = next(iter(like.values())).device
        self._there = torch.zeros(size, dtype=torch.uint8, device=device)
        self._is_cuda = device.type == "cuda"
        self._here = torch.zeros(size, dtype=torch.uint8, pin_memory=self._is_cuda)
        if self._is_cuda:
            self._stream = torch.cuda.Stream(device)
            self._sent = torch.cuda.Event(blocking=True)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Where the device writes, by name."""
        return self._views(self._there)

    def send(self) -> None:
        """Copies what is there once all that has been launched is done; waits for nothing."""
        if not self._is_cuda:
            self._here.copy_(self._there)
            return
        steps = torch.cuda.current_stream()
        self._stream.wait_stream(steps)
        with torch.cuda.stream(self._stream):
            self._here.copy_(self._there, non_blocking=True)
            self._sent.record()
        steps.wait_event(self._sent)

    def receive(self) -> dict[str, Tensor]:
        """What was sent last, in memory of its own; waits for it."""
        if self._is_cuda:
            self._sent.synchronize()
        return self._views(self._here.clone())

    def _views(self, memory: Tensor) -> dict[str, Tensor]:
        found = {}
        for name, (dtype, shape) in self._like.items():
            begin, end = self._places[name]
            found[name] = memory[begin:end].view(dtype).view(shape)
        return found
