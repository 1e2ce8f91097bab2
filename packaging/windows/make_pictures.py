"""Makes the installer's pictures of the app's icon: `python packaging/windows/make_pictures.py`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parents[1] / "assets" / "icons" / "redraft.svg"
SIZES = (16, 20, 24, 32, 40, 48, 64, 128, 256)  # pixels; what Windows asks for at its scales
PAGE = (164, 314)  # of the picture beside the first and the last page
GROUND = "#3B5BDB"  # the icon's own


def icon(size: int) -> Image.Image:
    """The icon at one size, each drawn anew: small ones scaled down would blur."""
    return _drawn((size, size), QColor(0, 0, 0, 0), QRectF(0, 0, size, size))


def page() -> Image.Image:
    """The icon's lines on its colour."""
    width, _ = PAGE
    return _drawn(PAGE, QColor(GROUND), QRectF(0, 24, width, width)).convert("RGB")


def _drawn(size: tuple[int, int], ground: QColor, place: QRectF) -> Image.Image:
    image = QImage(*size, QImage.Format.Format_RGBA8888)
    image.fill(ground)
    painter = QPainter(image)
    QSvgRenderer(str(SOURCE)).render(painter, place)
    painter.end()
    return Image.frombuffer("RGBA", size, bytes(image.constBits()), "raw", "RGBA", 0, 1)


def main(folder: Path = FOLDER) -> None:
    pictures = [icon(size) for size in SIZES]
    pictures[-1].save(
        folder / "redraft.ico",
        sizes=[(size, size) for size in SIZES],
        append_images=pictures[:-1],
    )
    page().quantize(32).save(folder / "page.bmp")


if __name__ == "__main__":
    main()
