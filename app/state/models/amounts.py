"""Bytes, speeds and times in words, as people say them."""

from __future__ import annotations

from app.words import number, plural, tr

GB = 1_000_000_000  # what disks and downloads are sold in
GIB = 1 << 30  # what memory comes in
_MINUTE, _HOUR = 60, 3600


def size_text(count: int) -> str:
    """Bytes on a disk or over the network: 17.2 GB, 640 MB, 12 kB."""
    for unit, name in ((GB, tr("GB")), (1_000_000, tr("MB"))):
        if count >= unit:
            amount = count / unit
            return f"{number(amount, 1 if amount < 100 else 0)} {name}"
    return f"{number(-(-count // 1000))} {tr('kB')}"


def memory_text(count: int) -> str:
    """Bytes of memory: 17.3 GiB, 640 MiB."""
    if count >= GIB // 10:
        return f"{number(count / GIB, 1)} GiB"
    return f"{number(-(-count // (1 << 20)))} MiB"


def speed_text(bytes_per_second: float) -> str:
    return tr("{size} a second", size=size_text(round(bytes_per_second)))


def time_text(seconds: float) -> str:
    """How long something still takes, no surer than it is: about 20 minutes."""
    if seconds < _MINUTE:
        return tr("less than a minute")
    if seconds < _HOUR:
        minutes = round(seconds / _MINUTE)
        return plural("about {count} minute", "about {count} minutes", minutes)
    hours = round(seconds / _HOUR, 1) if seconds < 10 * _HOUR else round(seconds / _HOUR)
    decimals = 0 if hours == round(hours) else 1
    return tr("about {hours} hours", hours=number(hours, decimals))
