"""A finished answer: plain text at once, rich text as soon as it has been read."""

from __future__ import annotations

import html
from collections.abc import Iterator
from functools import partial
from typing import cast

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRectF, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QTextCursor
from PySide6.QtWidgets import QPushButton, QScrollArea, QToolTip, QWidget

from app.state.markdown.blocks import Code, Page
from app.state.markdown.worker import Preparer
from app.state.text import SHOWN_CHARACTERS, shown
from app.ui.rich.copy import selected_text
from app.ui.rich.document import Builder, Built, Place
from app.ui.rich.header import CodeHeader
from app.ui.rich.look import look_of
from app.ui.rich.paint import Shape, code_box, shapes
from app.ui.rich.slices import Slices
from app.ui.text_view import TextView
from app.ui.theme import Theme
from app.ui.widgets import flat_button
from app.words import plural

MOST_HEADERS = 60  # programs with a button in one answer


class RichView(TextView):
    """Read-only, as high as it needs to be at its width. Copies, selects and scrolls nothing itself.

    Signals:
        link_activated(str): the user wants to go to an http, https or mailto address. Ask first.
        code_chosen(Code): it shall be opened in the editor.
        became_rich(): the rich text stands in place of the plain one.
    """

    link_activated = Signal(str)
    code_chosen = Signal(object)
    became_rich = Signal()

    def __init__(
        self,
        theme: Theme,
        preparer: Preparer,
        text: str = "",
        name: str = "",
        parent: QWidget | None = None,
        slices: Slices | None = None,
    ) -> None:
        """`slices` is shared by all views that may be built at the same time."""
        self._built: Built | None = None
        self._shapes: list[Shape] = []
        self._shapes_width = 0
        self._headers: list[CodeHeader] = []
        self._next_headers: list[CodeHeader] = []
        self._more: QPushButton | None = None
        super().__init__("", name, parent)
        self._theme = theme
        self._preparer = preparer
        self._text = ""
        self._limit = SHOWN_CHARACTERS
        self._ticket = 0
        self._page: Page | None = None
        self._pressed = ""
        self._slices = slices or Slices(self)
        self.viewport().setMouseTracking(True)
        self.setMouseTracking(True)
        preparer.prepared.connect(self._on_prepared, Qt.ConnectionType.QueuedConnection)
        theme.changed.connect(self.refresh_fonts)
        if text:
            self.show_text(text)

    @property
    def is_rich(self) -> bool:
        return self._built is not None

    def show_text(self, text: str) -> None:
        """Shows `text` as it is, and as rich text when that is ready. Never raises."""
        self._slices.drop(self)
        self._text = text
        self._limit = SHOWN_CHARACTERS
        self._page = None
        self._drop_built()
        self.show_plain(shown(text))
        self._ticket = self._preparer.prepare(text, self._limit)

    def refresh_fonts(self) -> None:
        """The reading font is another one now."""
        if self._page is None:
            self.show_plain(shown(self._text))
        self._rebuild()

    @Slot(int, object)
    def _on_prepared(self, ticket: int, page: Page | None) -> None:
        if ticket == self._ticket and page is not None:
            self._page = page
            self._rebuild()

    def _rebuild(self) -> None:
        """What is shown stays until all is done: where one looks, that begins at once."""
        if self._page is not None:
            self._drop_headers(self._next_headers)
            is_in_view = not self.visibleRegion().isEmpty()
            self._slices.put(self, self._make_rich(self._page), is_urgent=is_in_view)

    def _make_rich(self, page: Page) -> Iterator[None]:
        """All that is needed to show a page. Can rest at every yield."""
        builder = Builder(page, look_of(self._theme.colors))
        yield from builder.steps()
        built, width = builder.built, self.width()
        built.document.setTextWidth(width)
        yield
        made: list[Shape] = []
        for shape in shapes(built):
            made.append(shape)
            yield
        for program in _programs(built)[:MOST_HEADERS]:
            code = cast("Code", program.block)
            header = CodeHeader(code.language, code.text, self.viewport())
            header.edit_requested.connect(partial(self.code_chosen.emit, code))
            self._next_headers.append(header)
            yield
        self._drop_headers(self._headers)
        self._built, self._shapes, self._shapes_width = built, made, width
        self._headers, self._next_headers = self._next_headers, []
        self._offer_more(page.rest)
        self.take(built.document)
        for header in self._headers:
            header.show()
        self.became_rich.emit()

    def _drop_headers(self, headers: list[CodeHeader]) -> None:
        for header in headers:
            header.hide()
            header.deleteLater()
        headers.clear()

    def _drop_built(self) -> None:
        self._built = None
        self._shapes = []
        self._drop_headers(self._headers)
        self._offer_more(0)

    def _offer_more(self, rest: int) -> None:
        """A button below the text for the `rest` of it, in characters."""
        if rest and self._more is None:
            self._more = flat_button("")
            self._more.setParent(self.viewport())
            self._more.clicked.connect(self._show_more)
        if self._more is not None:
            words = plural("Show {count} more character", "Show {count} more characters", rest)
            self._more.setText(words)
            self._more.setVisible(rest > 0)

    def _show_more(self) -> None:
        self._limit += SHOWN_CHARACTERS
        self._ticket = self._preparer.prepare(self._text, self._limit)

    def _fit_height(self, width: int) -> None:
        super()._fit_height(width)
        if self._built is None:
            return
        if self._shapes_width != width:
            self._shapes, self._shapes_width = list(shapes(self._built)), width
        for header, program in zip(self._headers, _programs(self._built), strict=False):
            box = code_box(self._built, program).toRect()
            header.setGeometry(box.x(), box.y(), box.width(), self._built.look.header)
        if self._more is not None and not self._more.isHidden():
            size = self._more.sizeHint()
            self._more.setGeometry(0, self.height() + 12, size.width(), size.height())
            self.setFixedHeight(self.height() + 12 + size.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._shapes:
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            clip = QRectF(event.rect())
            for shape in self._shapes:
                if shape.box.intersects(clip):
                    shape.draw(painter, shape.box)
            painter.end()
        super().paintEvent(event)

    def createMimeDataFromSelection(self) -> QMimeData:
        data = QMimeData()
        if self._built is None:
            data.setText(self.textCursor().selection().toPlainText())
        else:
            data.setText(selected_text(self._built, self.textCursor()))
        return data

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            address = self.anchorAt(event.pos())
            # as the address is really written: letters that look like others show what they are
            words = bytes(QUrl(address).toEncoded().data()).decode("ascii") if address else ""
            QToolTip.showText(
                event.globalPos(), f"<span>{html.escape(words)}</span>" if words else ""
            )
            return True
        return super().viewportEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = self._link_at(event.position().toPoint())
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        is_link = bool(self._link_at(event.position().toPoint()))
        shape = Qt.CursorShape.PointingHandCursor if is_link else Qt.CursorShape.IBeamCursor
        self.viewport().setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        address = self._link_at(event.position().toPoint())
        is_click = (
            event.button() is Qt.MouseButton.LeftButton and not self.textCursor().hasSelection()
        )
        if is_click and address and address == self._pressed:
            self.link_activated.emit(address)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        address = self._selected_link()
        if address and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.link_activated.emit(address)
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes from link to link, and then on to what comes next."""
        at = self.textCursor().selectionStart() if self._selected_link() else -1
        links = self._built.links if self._built is not None and self.hasFocus() else []
        following = [each for each in links if (each.start > at if forward else each.start < at)]
        if not following:
            return super().focusNextPrevChild(forward)
        link = following[0] if forward else following[-1]
        cursor = QTextCursor(self.document())
        cursor.setPosition(link.start)
        cursor.setPosition(link.end, QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)
        self._bring_into_view(self.cursorRect().center())
        return True

    def _bring_into_view(self, point: QPoint) -> None:
        page = self.parentWidget()
        while page is not None:
            area = page.parentWidget()
            area = area.parentWidget() if area is not None else None
            if isinstance(area, QScrollArea) and area.widget() is page:
                at = self.viewport().mapTo(page, point)
                area.ensureVisible(at.x(), at.y(), 0, 2 * self.fontMetrics().height())
                return
            page = page.parentWidget()

    def _selected_link(self) -> str:
        if self._built is None:
            return ""
        cursor = self.textCursor()
        chosen = cursor.selectionStart(), cursor.selectionEnd()
        return next(
            (link.address for link in self._built.links if (link.start, link.end) == chosen), ""
        )

    def _link_at(self, point: QPoint) -> str:
        return self.anchorAt(point)


def _programs(built: Built) -> list[Place]:
    return [place for place in built.places if isinstance(place.block, Code)]
