"""Makes `redraft.ico` of the icon that the app draws: `python packaging/windows/make_icon.py`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parents[1] / "assets" / "icons" / "redraft.svg"
SIZES = (16, 20, 24, 32, 40, 48, 64, 128, 256)  # pixels; what Windows asks for at its scales


def drawn(size: int) -> Image.Image:
    """The icon at one size, each drawn anew: small ones scaled down would blur."""
    image = QImage(size, size, QImage.Format.Format_RGBA8888)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter)
    painter.end()
    return Image.frombuffer("RGBA", (size, size), bytes(image.constBits()), "raw", "RGBA", 0, 1)


def main(target: Path = FOLDER / "redraft.ico") -> None:
    pictures = [drawn(size) for size in SIZES]
    pictures[-1].save(target, sizes=[(size, size) for size in SIZES], append_images=pictures[:-1])


if __name__ == "__main__":
    main()
