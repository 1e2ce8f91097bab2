"""Keys and values of one layer as kernels keep them: 16 bits, or int8 with a scale a head and token.

    int8    x[k, s, i] = scale[k, s] · codes[k, s, i]        scale = largest |x| of the vector / 127

Keys and values leave a norm, so the numbers of a vector are of one size and one scale serves them; the
largest error is half a step. Shape letters: T new tokens, K key/value heads, S places, d head size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.portable import constant, jit, tl

LARGEST = 127


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerCache:
    keys: Tensor  # [K, S, d], of the network's dtype or int8
    values: Tensor  # alike
    key_scale: Tensor | None = None  # float32 [K, S], of int8
    value_scale: Tensor | None = None

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """All that is kept, [K, S, ...] each."""
        found = (self.keys, self.values, self.key_scale, self.value_scale)
        return tuple(part for part in found if part is not None)


def empty_cache(
    heads: int, places: int, size: int, dtype: torch.dtype, device: torch.device
) -> LayerCache:
    """dtype: of the network, or int8."""

    def scale() -> Tensor | None:
        return torch.zeros(heads, places, device=device) if dtype == torch.int8 else None

    keys, values = torch.zeros(2, heads, places, size, dtype=dtype, device=device)
    return LayerCache(keys=keys, values=values, key_scale=scale(), value_scale=scale())


def store(cache: LayerCache, keys: Tensor, values: Tensor, start: Tensor) -> None:
    """Writes T tokens to the places from `start` on, an integer scalar tensor read on the device.

    keys, values: [T, K, d], contiguous. What does not fit is left out.
    """
    for fresh, kept, scale in (
        (keys, cache.keys, cache.key_scale),
        (values, cache.values, cache.value_scale),
    ):
        tokens, heads, size = fresh.shape
        assert fresh.is_contiguous()
        assert kept.is_contiguous()
        assert kept.shape[::2] == (heads, size)
        _store[(tokens, heads)](fresh, kept, scale, start, kept.shape[1], SIZE=size, num_warps=1)


def store_plain(cache: LayerCache, keys: Tensor, values: Tensor, start: int) -> None:
    """`store` in plain torch, of keys and values [K, T, d] for which there is room."""
    for fresh, kept, scale in (
        (keys, cache.keys, cache.key_scale),
        (values, cache.values, cache.value_scale),
    ):
        places = slice(start, start + fresh.shape[1])
        if scale is None:
            kept[:, places] = fresh
        else:
            kept[:, places], scale[:, places] = quantise(fresh)


def quantise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (int8 [..., d]) and scale (float32 [...]) of x [..., d], as the kernel finds them."""
    x = x.float()
    largest = x.abs().amax(dim=-1)
    codes = (x * _inverse(largest)[..., None]).round().to(torch.int8)
    return codes, largest / LARGEST


def plain(cache: LayerCache, begin: int, end: int) -> tuple[Tensor, Tensor]:
    """Keys and values [K, end - begin, d] as numbers of 16 or 32 bits; int8 becomes float32."""
    keys, values = cache.keys[:, begin:end], cache.values[:, begin:end]
    if cache.key_scale is None or cache.value_scale is None:
        return keys, values
    return (
        keys.float() * cache.key_scale[:, begin:end, None],
        values.float() * cache.value_scale[:, begin:end, None],
    )


def joined(
    cache: LayerCache, begin: int, end: int, keys: Tensor, values: Tensor
) -> tuple[Tensor, Tensor]:
    """The places from `begin` to `end` with new keys and values [K, T, d] behind, as numbers in
    memory of their own, [K, end - begin + T, d]."""
    return (
        _joined(cache.keys[:, begin:end], _part(cache.key_scale, begin, end), keys),
        _joined(cache.values[:, begin:end], _part(cache.value_scale, begin, end), values),
    )


def _joined(kept: Tensor, scale: Tensor | None, fresh: Tensor) -> Tensor:
    heads, places, size = kept.shape
    out = fresh.new_empty(heads, places + fresh.shape[1], size)
    old = out[:, :places].copy_(kept)
    if scale is not None:
        old.mul_(scale[..., None])  # in place: the prefix may be long
    out[:, places:] = fresh
    return out


def _part(scale: Tensor | None, begin: int, end: int) -> Tensor | None:
    return None if scale is None else scale[:, begin:end]


def _inverse(largest: Tensor) -> Tensor:
    return torch.where(largest > 0, LARGEST / largest, 0)


_LARGEST = constant(float(LARGEST))
_HALFWAY = constant(1.5 * 2**23)  # adding it leaves no fraction, rounded to even


@jit
def _store(fresh, kept, scale, start, places, SIZE: tl.constexpr):
    token, head = tl.program_id(0), tl.program_id(1)
    inner = tl.arange(0, SIZE)
    x = tl.load(fresh + (token * tl.num_programs(1) + head) * SIZE + inner).to(tl.float32)
    place = tl.load(start) + token
    is_free, at = place < places, head.to(tl.int64) * places + place
    if scale is not None:
        largest = tl.max(tl.abs(x), axis=0)
        tl.store(scale + at, largest / _LARGEST, mask=is_free)
        x = (x * tl.where(largest > 0, _LARGEST / largest, 0) + _HALFWAY) - _HALFWAY
    tl.store(kept + at * SIZE + inner, x.to(kept.dtype.element_ty), mask=is_free)
