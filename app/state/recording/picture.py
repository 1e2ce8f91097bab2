"""A run as one moving picture: GIF or WebP, written with Pillow while its frames still come in.

No frame is kept longer than it is needed, so a long run takes no more memory than a short one. The
functions here run on a thread of their own; none of them knows of Qt.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:  # Pillow takes a while to import and is rarely needed
    from PIL import Image

Rgb = tuple[int, int, int]

_INKS = 120  # shades from the paper to the ink: text is nothing else
_TINTS = 40  # from the paper to each further colour
_CLEAR = 255  # the palette's entry for "as in the frame before"


class PictureKind(Enum):
    GIF = "gif"
    WEBP = "webp"


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One frame: four bytes a pixel, red, green, blue and one unused, row after row."""

    width: int
    height: int
    pixels: bytes
    milliseconds: int


def write_picture(
    path: Path, kind: PictureKind, shots: Iterable[Shot], count: int, colors: Sequence[Rgb]
) -> None:
    """Writes `count` shots to `path`, which is untouched until all is done. It repeats for ever.

    `colors` are the paper, the ink, then those that occur besides. Raises OSError, and whatever
    `shots` raises.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            if kind is PictureKind.GIF:
                _write_gif(file, iter(shots), colors)
            else:
                _write_webp(file, iter(shots), count)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def gif_palette(colors: Sequence[Rgb]) -> bytes:
    """255 colours: mostly shades of the ink on the paper, so that text has no grain; then emoji's.

    As `Image.putpalette` takes them, with one for `_CLEAR` at the end.
    """
    paper, ink, *others = colors
    shades = _between(paper, ink, _INKS)
    for other in others:
        shades += _between(paper, other, _TINTS)
    room = _CLEAR - len(shades)
    side = 4 if room >= 64 else 3
    steps = [round(255 * level / (side - 1)) for level in range(side)]
    cube = [(red, green, blue) for red in steps for green in steps for blue in steps]
    shades = (shades + cube)[:_CLEAR]
    shades += [ink] * (_CLEAR + 1 - len(shades))
    return bytes(value for color in shades for value in color)


def _between(one: Rgb, other: Rgb, count: int) -> list[Rgb]:
    parts = [step / (count - 1) for step in range(count)]
    return [
        (
            round(one[0] + (other[0] - one[0]) * part),
            round(one[1] + (other[1] - one[1]) * part),
            round(one[2] + (other[2] - one[2]) * part),
        )
        for part in parts
    ]


def _image(shot: Shot) -> Image.Image:
    from PIL import Image

    return Image.frombytes("RGB", (shot.width, shot.height), shot.pixels, "raw", "RGBX")


def _write_gif(file: BinaryIO, shots: Iterator[Shot], colors: Sequence[Rgb]) -> None:
    """Each frame holds the part of the picture that changed, and of it only what changed."""
    from PIL import GifImagePlugin, Image

    palette = Image.new("P", (1, 1))
    palette.putpalette(gif_palette(colors)[: 3 * _CLEAR])
    last: Image.Image | None = None
    for shot in shots:
        image = _image(shot)
        now = image.quantize(palette=palette, dither=Image.Dither.NONE)
        now.paste(0, (0, 0, *now.size), _paper_of(image, colors[0]))
        if last is None:
            file.write(b"GIF89a" + shot.width.to_bytes(2, "little"))
            file.write(shot.height.to_bytes(2, "little") + b"\xf7\x00\x00" + gif_palette(colors))
            file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # for ever
            changed, corner = now, (0, 0)
        else:
            changed, corner = _what_changed(last, now)
        for part in GifImagePlugin.getdata(
            changed, corner, duration=shot.milliseconds, transparency=_CLEAR, disposal=1
        ):
            file.write(part)
        last = now
    file.write(b";")


def _paper_of(image: Image.Image, paper: Rgb) -> Image.Image:
    """A mask of what is paper: Pillow finds a near colour, and this one has to be right."""
    from PIL import Image, ImageChops

    blank = Image.new("RGB", image.size, paper)
    return ImageChops.difference(image, blank).convert("L").point([255] + [0] * 255)


def _what_changed(before: Image.Image, now: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """The smallest rectangle that has all changes, clear where nothing changed, and its corner."""
    from PIL import Image, ImageChops

    old, new = (
        Image.frombytes("L", image.size, image.tobytes()) for image in (before, now)
    )  # the entries themselves, not the colours they stand for
    difference = ImageChops.difference(old, new)
    box = difference.getbbox() or (0, 0, 1, 1)
    same = difference.crop(box).point([255] + [0] * 255)
    changed = now.crop(box)
    changed.paste(_CLEAR, (0, 0, *changed.size), same)
    return changed, (box[0], box[1])


def _write_webp(file: BinaryIO, shots: Iterator[Shot], count: int) -> None:
    """Lossless, so that text stays crisp."""
    first = next(shots)
    durations: list[int] = [first.milliseconds]
    film = _film(first, shots, count, durations)
    film.save(
        file,
        format="WEBP",
        save_all=True,
        duration=durations,
        loop=0,
        lossless=True,
        quality=30,  # of the search for a small file, not of the picture
        method=1,
        kmin=0,  # no frame is kept twice, which halves the work
        kmax=0,
    )


def _film(first: Shot, shots: Iterator[Shot], count: int, durations: list[int]) -> Image.Image:
    """An image whose frames come from `shots` when Pillow asks for them, one after the other.

    Pillow would keep all frames that it is given as a list.
    """
    from PIL import Image

    class Film(Image.Image):
        n_frames = count
        _at = 0

        def seek(self, frame: int) -> None:
            if frame == self._at + 1:
                shot = next(shots)
                durations.append(shot.milliseconds)  # before Pillow looks it up
                self.im = _image(shot).im
                self._at = frame

        def tell(self) -> int:
            return self._at

    film = Film()
    image = _image(first)
    film.im = image.im
    film._mode = image.mode  # noqa: SLF001  (what every file format of Pillow sets)
    film._size = image.size  # noqa: SLF001
    return film
