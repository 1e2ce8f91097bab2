"""One blob of a prepared model: a safetensors file whose every byte but the numbers is known.

A blob holds the fields of `engine.model.fields` in their order, a quantised field `f` as its parts
`f.codes`, `f.scale`, ..., each tensor at a multiple of 64 bytes. Safetensors allows no holes, so
the bytes between are tensors of their own. Which header a blob has follows from the configuration
and the scheme. A reader compares it with what the file says and believes nothing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.model.fields import Field, stored_as
from engine.quant.layouts import Layout, Part
from engine.quant.scheme import Scheme

ALIGNMENT = 64  # bytes: a line of a processor's cache, and more than any kernel asks for
_NAMES = {"uint8": "U8", "int8": "I8", "bfloat16": "BF16", "float16": "F16", "float32": "F32"}


@dataclass(frozen=True, kw_only=True)
class StoredTensor:
    name: str
    part: Part
    offset: int  # bytes from the start of the data


@dataclass(frozen=True, kw_only=True)
class StoredField:
    """A field with what it is stored as: one tensor under its own name, or the layout's parts."""

    field: Field
    layout: Layout | None  # None: plain numbers
    tensors: Mapping[str, StoredTensor]  # by part; a plain field's by ""


@dataclass(frozen=True, kw_only=True)
class Blob:
    name: str
    header: bytes  # all that is before the data
    data_size: int  # bytes
    fields: tuple[StoredField, ...]

    @property
    def file_name(self) -> str:
        return f"{self.name}.safetensors"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.header) + self.data_size

    def tensors(self) -> Iterator[StoredTensor]:
        """All tensors in the order they lie in."""
        return (tensor for field in self.fields for tensor in field.tensors.values())


def plan_blob(name: str, fields: Sequence[Field], scheme: Scheme, plain_dtype: str) -> Blob:
    """Where everything lies in a blob's file. Raises EngineFault for a way without a layout."""
    end, entries, stored = 0, {}, []
    for field in fields:
        form = stored_as(field, scheme, plain_dtype)
        layout = None if isinstance(form, Part) else form
        parts = {"": form} if isinstance(form, Part) else form.parts
        tensors = {}
        for key, part in parts.items():
            full_name = f"{field.name}.{key}" if key else field.name
            start = _aligned(end)
            if start > end:
                entries[f"{full_name}.before"] = _entry("U8", (start - end,), end, start)
            end = start + part.nbytes
            entries[full_name] = _entry(_NAMES[part.dtype], part.shape, start, end)
            tensors[key] = StoredTensor(name=full_name, part=part, offset=start)
        stored.append(StoredField(field=field, layout=layout, tensors=tensors))
    return Blob(name=name, header=_header(entries), data_size=end, fields=tuple(stored))


def first_difference(header: bytes, blob: Blob) -> str:
    """The tensor whose entry is missing in a header that is not the blob's."""
    for entry in re.findall(rb'"[^"]+":{[^}]+}', blob.header):
        if entry not in header:
            return str(entry.split(b'"')[1].decode())
    return "its tensors"


def _entry(dtype: str, shape: tuple[int, ...], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": (start, end)}


def _header(entries: Mapping[str, object]) -> bytes:
    text = json.dumps(entries, separators=(",", ":")).encode()
    text = text.ljust(_aligned(len(text) + 8) - 8)
    return len(text).to_bytes(8, "little") + text


def _aligned(offset: int) -> int:
    return math.ceil(offset / ALIGNMENT) * ALIGNMENT
