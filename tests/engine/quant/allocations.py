"""What memory a piece of code asks for."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Allocations(TorchDispatchMode):
    """Remembers the size of every new tensor that an operation inside returns; views are not new."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [*args, *(kwargs or {}).values()]
        known = {_address(value) for value in given if isinstance(value, Tensor)}
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, Tensor) and _address(value) not in known:
                size = value.untyped_storage().nbytes()
                self._bytes[_address(value)] = max(size, self._bytes.get(_address(value), 0))
        return result

    def largest_beside(self, *results: Tensor) -> int:
        """Bytes of the largest tensor that is none of `results`, which must still be alive."""
        kept = {_address(result) for result in results}
        return max(size for address, size in self._bytes.items() if address not in kept)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
