"""Numbers and texts as bytes and back, where the bytes may have been damaged since.

What is sealed begins with a magic word, its version and a check sum, all in 16 bytes.
"""

from __future__ import annotations

import array
import struct
import sys
import zlib
from collections.abc import Iterable
from itertools import accumulate, pairwise

MAX_HEAD = 1 << 28  # bytes, inflated: a damaged length must not fill the memory
_MAGIC = b"RDRW"
# magic, version, a number for whoever seals, unused, CRC-32 of the deflated head, its length
_START = struct.Struct("<4sBBHII")


class RecordingError(Exception):
    """These bytes cannot be read as a recording."""


class DamagedRecordingError(RecordingError):
    """They are not what was written."""


class NewerRecordingError(RecordingError):
    """They were written by a later version of Redraft."""


def seal(head: bytes, version: int, number: int = 0) -> bytes:
    """The head deflated, behind what `unseal` needs to know it again. `number` is below 256."""
    packed = zlib.compress(head, 9)
    return _START.pack(_MAGIC, version, number, 0, zlib.crc32(packed), len(packed)) + packed


def unseal(data: bytes, newest: int) -> tuple[bytes, int, int]:
    """The head, its number, and where what follows it begins. Raises RecordingError.

    `newest` is the latest version that the caller can read.
    """
    if len(data) < _START.size or data[:4] != _MAGIC:
        raise DamagedRecordingError("not a recording")
    _, version, number, _, crc, length = _START.unpack_from(data)
    if version > newest:
        raise NewerRecordingError(f"version {version}, and {newest} is the newest known here")
    end = _START.size + length
    packed = data[_START.size : end]
    if len(packed) != length or zlib.crc32(packed) != crc:
        raise DamagedRecordingError("the head is damaged")
    return inflate(packed, None), number, end


def version_of(data: bytes) -> int | None:
    """The version of what is sealed there, None if nothing is."""
    return data[4] if len(data) >= _START.size and data[:4] == _MAGIC else None


def words_of(numbers: Iterable[int]) -> bytes:
    """Little-endian uint32 each. Raises ValueError if one is too large."""
    try:
        made = array.array("I", numbers)
    except OverflowError as error:
        raise ValueError("a number that does not fit") from error
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()


def numbers_of(words: bytes) -> array.array[int]:
    """Back from `words_of`."""
    made = array.array("I", words)
    if sys.byteorder == "big":
        made.byteswap()
    return made


def texts_as_bytes(texts: Iterable[str]) -> bytes:
    """Their lengths, then all of them in UTF-8; lone surrogates come back, too."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return words_of(map(len, encoded)) + b"".join(encoded)


def inflate(stream: bytes, size: int | None) -> bytes:
    """What was deflated. It must have `size` bytes where that is known."""
    inflater = zlib.decompressobj()
    try:
        made = inflater.decompress(stream, max(1, MAX_HEAD if size is None else size))
        if not inflater.eof:  # an empty stream, or one whose check sum stands behind the limit
            made += inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error as error:
        raise DamagedRecordingError(str(error)) from error
    if not inflater.eof or inflater.unused_data or (size is not None and len(made) != size):
        raise DamagedRecordingError("a part has the wrong size")
    return made


class Reader:
    """Takes a head apart, from its start. Raises DamagedRecordingError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def words(self, count: int) -> array.array[int]:
        """So many numbers of `words_of`."""
        return numbers_of(self.take(4 * count))

    def texts(self, count: int) -> tuple[str, ...]:
        """What `texts_as_bytes` made of so many texts."""
        lengths = self.words(count)
        joined = self.take(sum(lengths))
        try:
            return tuple(
                joined[start:end].decode("utf-8", "surrogatepass")
                for start, end in pairwise(accumulate(lengths, initial=0))
            )
        except UnicodeDecodeError as error:
            raise DamagedRecordingError(str(error)) from error

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise DamagedRecordingError("the head is too short")
        self._at += size
        return taken
