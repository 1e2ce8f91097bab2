"""A finished answer as people meet it: it stands still, is copied, clicked and read aloud."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication, QHelpEvent, QImage, QTextCursor
from PySide6.QtWidgets import QApplication, QPushButton, QToolTip, QVBoxLayout, QWidget

from app.state.markdown import worker as markdown_worker
from app.state.markdown.blocks import Gap
from app.state.markdown.code import _GRAMMARS, Highlighter, Kind
from app.state.markdown.parse import parse
from app.state.markdown.worker import Preparer
from app.state.text import SHOWN_CHARACTERS, clean, shown, visible
from app.ui.canvas.layout import units
from app.ui.rich import document as rich_document
from app.ui.rich.document import Builder
from app.ui.rich.look import look_of
from app.ui.rich.paint import shapes
from app.ui.rich.view import RichView
from app.ui.text_view import QuietDocument, TextView
from app.ui.theme import DARK, LIGHT, Scheme
from tests.app.hostile_markdown import documents

WIDTH = 500
PROSE = (
    "A first paragraph that is long enough to be wrapped somewhere in its middle, with “quotes”.\n"
    "A second line of it.\n\nمرحبا بالعالم، فقرة أخرى.\n\nA third one, नमस्ते 日本語 👨‍👩‍👧, and the end."  # noqa: RUF001
)
MIXED = (
    "# Title\n\nSome **bold** text with a [link](https://a.b/c?d=e&f=g) and https://x.y too.\n\n"
    "1. one\n2. two\n   - [x] done\n   - [ ] open\n\n> quoted\n\n```py\nx = 1\n\nreturn x\n```\n\n"
    "| a | b |\n|---|--:|\n| c | **d** |\n\n---\n\nend"
)


@pytest.fixture
def preparer(qapp):
    made = Preparer()
    yield made
    made.close()
    assert not any(thread.name == "redraft-text" for thread in threading.enumerate())


@pytest.fixture
def show(qtbot, theme, preparer):
    """Shows a text in a window and waits until it is rich."""

    def show_one(text: str, wait: bool = True) -> RichView:
        view = RichView(theme, preparer, text, "Answer")
        view.setFixedWidth(WIDTH)
        qtbot.addWidget(view)
        view.show()
        if wait:
            qtbot.waitUntil(lambda: view.is_rich)
        return view

    return show_one


def tops(view: TextView) -> list[tuple[str, float, int]]:
    """Every paragraph that is not empty, where it stands, and how many lines it takes."""
    found = []
    block = view.document().begin()
    while block.isValid():
        if block.text():
            box = view.document().documentLayout().blockBoundingRect(block)
            found.append((block.text(), box.top(), block.layout().lineCount()))
        block = block.next()
    return found


def point_of(view: RichView, words: str) -> QPoint:
    """The middle of some words on the screen."""
    cursor = view.document().find(words)
    assert not cursor.isNull()
    end = view.cursorRect(cursor)
    cursor.setPosition(cursor.selectionStart())
    start = view.cursorRect(cursor)
    return QPoint((start.left() + end.left()) // 2, start.center().y())


def test_plain_text_does_not_move_when_it_becomes_rich(qtbot, show):
    view = show(PROSE, wait=False)
    assert not view.is_rich
    assert view.toPlainText() == PROSE
    before, height = tops(view), view.height()
    qtbot.waitUntil(lambda: view.is_rich)
    assert tops(view) == before
    assert len(before) == 4
    assert view.height() == height
    other = TextView(shown(PROSE), "x")
    qtbot.addWidget(other)
    other.setFixedWidth(WIDTH)
    other.show()
    assert tops(other) == before


def test_its_height_is_that_of_its_text_at_every_width(show):
    view = show(MIXED)
    heights = []
    for width in (700, 300, 500):
        view.setFixedWidth(width)
        QApplication.processEvents()
        assert view.height() == round(view.document().size().height())
        assert view.verticalScrollBar().maximum() == 0
        heights.append(view.height())
    assert heights[1] > heights[0]


def test_all_of_it_is_copied_with_its_bullets(qtbot, show):
    view = show(MIXED)
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().replace("\u00a0", "").split("\n") == [
        "Title", "", "Some bold text with a link and https://x.y too.", "",
        "1. one", "2. two", "   - [x] done", "   - [ ] open", "", "quoted", "",
        "x = 1", "", "return x", "", "a\tb", "c\td", "", "---", "", "end",
    ]  # fmt: skip


def test_a_part_is_copied_as_it_stands(show):
    view = show("- first item\n- second item")
    cursor = view.document().find("item")
    cursor.setPosition(
        view.document().find("second").selectionEnd(), QTextCursor.MoveMode.KeepAnchor
    )
    view.setTextCursor(cursor)
    view.copy()
    assert QGuiApplication.clipboard().text() == "item\n- second"


def test_the_button_above_a_program_copies_it(qtbot, show):
    code = "a = 1\n\n\tif b:  # \u00a0x"
    view = show(f"Text.\n\n```js\n{code}\n```\n\n```\nother\n```")
    shown = [each for each in view.findChildren(QPushButton) if each.isVisible()]
    both = ["Open this code in the editor", "Copy this code"]
    assert [each.accessibleName() for each in shown] == both * 2
    assert all(each.focusPolicy() & Qt.FocusPolicy.TabFocus for each in shown)
    chosen = []
    view.code_chosen.connect(chosen.append)
    qtbot.mouseClick(shown[0], Qt.MouseButton.LeftButton)
    assert [(each.text, each.language) for each in chosen] == [(code, "JavaScript")]
    buttons = shown[1::2]
    buttons[0].setFocus()
    qtbot.keyClick(buttons[0], Qt.Key.Key_Space)
    assert QGuiApplication.clipboard().text() == code
    assert buttons[0].text() == "Copied"
    qtbot.mouseClick(buttons[1], Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "other"
    for button in buttons:  # each stands above its own code
        box = button.geometry().translated(button.parentWidget().pos())
        words = "a = 1" if button is buttons[0] else "other"
        assert 0 < view.cursorRect(view.document().find(words)).top() - box.bottom() < 30


def test_a_click_on_a_link_asks_for_it(qtbot, show):
    view = show("Go [there](https://a.b/c) or [not](file:///etc/passwd), mail <x@y.zz>.")
    asked = []
    view.link_activated.connect(asked.append)
    for words in ("there", "not", "x@y.zz", "Go"):
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=point_of(view, words))
    assert asked == ["https://a.b/c", "mailto:x@y.zz"]
    start = point_of(view, "there")
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(view.viewport(), start + QPoint(8, 0))
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=point_of(view, "Go"))
    assert len(asked) == 2


def test_links_are_reached_and_followed_by_keyboard(qtbot, show, theme, preparer):
    window = QWidget()
    layout = QVBoxLayout(window)
    before, after = QPushButton("before"), QPushButton("after")
    view = RichView(theme, preparer, "[one](https://a.b/1), [two](https://a.b/2)", "Answer")
    for each in (before, view, after):
        layout.addWidget(each)
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(lambda: view.is_rich)
    asked = []
    view.link_activated.connect(asked.append)
    before.setFocus()
    qtbot.keyClick(before, Qt.Key.Key_Tab)
    assert view.hasFocus()
    for _ in range(2):
        qtbot.keyClick(view, Qt.Key.Key_Tab)
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert asked == ["https://a.b/1", "https://a.b/2"]
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    assert after.hasFocus()


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_a_tool_tip_tells_the_real_address_as_plain_text(qtbot, show):
    view = show("[bank](https://\u0430pple.com/?<b>x</b>)")  # the first letter is Cyrillic
    point = point_of(view, "bank")
    event = QHelpEvent(QEvent.Type.ToolTip, point, view.viewport().mapToGlobal(point))
    QApplication.sendEvent(view.viewport(), event)
    assert "xn--" in QToolTip.text()
    assert "\u0430pple" not in QToolTip.text()
    assert "<b>" not in QToolTip.text()
    QToolTip.hideText()


def test_a_later_text_replaces_an_earlier_one(qtbot, show):
    view = show("# first", wait=False)
    view.show_text("# second")
    qtbot.waitUntil(lambda: view.is_rich)
    for _ in range(5):
        QApplication.processEvents()
    assert view.toPlainText() == "second"
    view.show_text("third")
    assert not view.is_rich
    assert view.toPlainText() == "third"


def test_when_reading_fails_the_plain_text_stays(qtbot, show, monkeypatch, theme):
    def broken(text, limit):
        raise RecursionError

    monkeypatch.setattr(markdown_worker, "parse", broken)
    preparer = Preparer()
    view = RichView(theme, preparer, "# kept *as it is*")
    qtbot.addWidget(view)
    with qtbot.waitSignal(preparer.prepared) as heard:
        view.show_text("# kept *as it is*")
    assert heard.args[1] is None
    for _ in range(3):
        QApplication.processEvents()
    assert not view.is_rich
    assert view.toPlainText() == "# kept *as it is*"
    preparer.close()


def test_a_view_that_is_gone_is_not_told(qtbot, theme, preparer):
    for _ in range(20):
        view = RichView(theme, preparer, MIXED)
        view.deleteLater()
        del view
    with qtbot.waitSignal(preparer.prepared):
        preparer.prepare("last")
    qtbot.wait(20)


def test_the_rest_of_a_very_long_answer_can_be_shown(qtbot, show):
    text = "word " * 6_000
    view = show(text)
    assert len(view.toPlainText()) <= SHOWN_CHARACTERS
    button = next(each for each in view.findChildren(QPushButton) if each.isVisible())
    assert button.text().startswith("Show ")
    assert button.geometry().bottom() <= view.height()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.toPlainText().strip() == text.strip())
    assert not button.isVisible()


def test_colours_and_fonts_follow(qtbot, show, theme):
    view = show("[link](https://a.b) `code`\n\n```py\nreturn 1\n```")

    def color() -> str:
        return view.document().find("link").charFormat().foreground().color().name().upper()

    assert color() == LIGHT.accent
    theme.set_scheme(Scheme.DARK)
    try:
        qtbot.waitUntil(lambda: color() == DARK.accent.upper())
        assert len([each for each in view.findChildren(QPushButton) if each.isVisible()]) == 2
    finally:
        theme.set_scheme(Scheme.LIGHT)
    qtbot.waitUntil(lambda: color() == LIGHT.accent)
    view.refresh_fonts()
    assert view.is_rich


@pytest.mark.parametrize("colors", [LIGHT, DARK])
def test_the_words_of_a_program_can_be_read(qapp, colors):
    def light(name: str) -> float:
        parts = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4
                 for each in QColor(name).getRgbF()[:3]]  # fmt: skip
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for kind in Kind:
        pair = light(look_of(colors).code_colors[kind]), light(colors.surface)
        assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5, kind


def test_code_is_coloured(qapp):
    look = look_of(LIGHT)
    code = "def f():\n    return '\U0001f600' + 'x'  # why\n" * 100
    builder = Builder(parse(f"```py\n{code}```"), look)
    for _ in builder.steps():
        pass
    colored = set()
    block = builder.built.document.begin()
    while block.isValid():
        for each in block.layout().formats():
            encoded = block.text().encode("utf-16-le")
            words = encoded[2 * each.start : 2 * (each.start + each.length)].decode("utf-16-le")
            colored.add((words, each.format.foreground().color().name().upper()))
        block = block.next()
    assert colored == {
        ("def", look.code_colors[Kind.KEYWORD]), ("return", look.code_colors[Kind.KEYWORD]),
        ("f", look.code_colors[Kind.NAME]), ("# why", look.code_colors[Kind.COMMENT]),
        ("'\U0001f600'", look.code_colors[Kind.TEXT]), ("'x'", look.code_colors[Kind.TEXT]),
    }  # fmt: skip


def test_everything_is_drawn_within_the_page(qtbot, show):
    """Wide tables, long words and deep lists break inside, nothing stands beyond the edge."""
    view = show(
        "| " + " | ".join(["averyveryverylongwordindeed" * 3] * 8) + " |\n" + "|---" * 8 + "|\n\n"
        + "x" * 3_000 + "\n\n" + "- " * 30 + "deep\n\n```\n" + "y" * 3_000 + "\n```\n" + MIXED
    )  # fmt: skip
    assert view.document().idealWidth() <= WIDTH
    assert len(view._shapes) > 10
    for shape in view._shapes:
        assert shape.box.left() >= -2.5
        assert shape.box.right() <= WIDTH + 2.5
        assert 0 <= shape.box.top() <= shape.box.bottom() <= view.height() + 0.5


def test_right_to_left_stands_on_the_right(show):
    view = show("- שלום עולם\n\n> مرحبا\n\n| א | ב |\n|---|---|\n| שלום | 2 |")
    boxes = [shape.box for shape in view._shapes]
    assert min(box.left() for box in boxes if box.width() < 40) > WIDTH / 2
    first, second = (view.cursorRect(view.document().find(each)).left() for each in ("א", "ב"))
    assert first > second


_asked: list[object] = []


class _Counting(QuietDocument):
    """Counts what it is asked to load."""

    def loadResource(self, kind, name):  # noqa: N802
        _asked.append(name)
        return super().loadResource(kind, name)


@pytest.fixture
def opened() -> Iterator[list[object]]:
    """What Python opens while the test runs: files, sockets, programs. A hook is there for ever."""
    heard: list[object] = []
    is_listening = [True]

    def listen(event: str, args: tuple[object, ...]) -> None:
        if is_listening[0] and (event == "open" or event.startswith(("socket.", "subprocess."))):
            heard.append((event, args))

    sys.addaudithook(listen)
    yield heard
    is_listening[0] = False


def test_the_hook_hears(opened):
    with Path(__file__).open():
        pass
    assert len(opened) == 1


def test_a_quiet_document_opens_nothing(qapp, tmp_path):
    """And the counter counts: without it the next test would prove nothing."""
    picture = tmp_path / "x.png"
    image = QImage(300, 200, QImage.Format.Format_RGB32)
    image.save(str(picture))
    _asked.clear()
    quiet = _Counting()
    quiet.setHtml(f"<img src='{picture.as_uri()}'>")
    assert quiet.size().width() < 100
    assert len(_asked) > 0
    view = TextView("", "x")
    view.document().setHtml(f"<img src='{picture.as_uri()}'>")
    view.document().setTextWidth(-1)
    assert view.document().idealWidth() < 100


def test_hostile_documents_open_nothing_and_lose_nothing(qapp, monkeypatch, opened):
    monkeypatch.setattr(rich_document, "QuietDocument", _Counting)
    look = look_of(LIGHT)
    for languages in _GRAMMARS:  # grammars and codecs are files, read once, whatever the text says
        Highlighter().spans("x", languages.split()[0])
    assert units(clean("\U0001f600")) == 2
    assert "x".encode("punycode").decode("punycode") == "x"
    _asked.clear()
    opened.clear()
    for text in documents(5_000, seed=3):
        page = parse(text)
        builder = Builder(page, look)
        for _ in builder.steps():
            pass
        built = builder.built
        built.document.setTextWidth(WIDTH)
        assert built.document.size().height() >= 0
        assert all(shape.box.height() >= 0 for shape in shapes(built))
        got, expected = built.document.toPlainText(), "".join(_words_of(page))
        order = sorted if "|" in text else str  # a table from right to left is written mirrored
        assert order("".join(got.split())) == order("".join(expected.split())), text
        assert visible(got) == got
    assert opened == []
    assert _asked == []


def _words_of(page):
    for block in page.blocks:
        for row in getattr(block, "rows", ()):
            for cell in row:
                yield from (run.text for run in cell)
        yield from (run.text for run in getattr(block, "runs", ()))
        yield getattr(block, "shown", "")


def test_gaps_are_whole_pixels(qapp):
    look = look_of(LIGHT)
    assert look.gap(Gap.FULL) == look.line
    assert 0 == look.gap(Gap.NONE) < look.gap(Gap.TIGHT) < look.gap(Gap.HALF) < look.gap(Gap.FULL)


def test_every_character_reaches_the_document(qapp):
    look = look_of(LIGHT)
    for first in range(0, 0x30000, 0x1000):
        kept = [
            chr(code) for code in range(first, first + 0x1000)
            if not 0xD800 <= code < 0xE000 and not (code < 0x80 and not chr(code).isalnum())
        ]  # fmt: skip
        text = "".join(f"a{each}b " for each in kept).rstrip()
        if not text:
            continue
        builder = Builder(parse(f"{text}\n\n```\n{text}\n```", limit=1 << 20), look)
        for _ in builder.steps():
            pass
        cursor = QTextCursor(builder.built.document)
        cursor.select(QTextCursor.SelectionType.Document)
        got = cursor.selectedText().translate({0x2028: "\n", 0x2029: "\n"})
        expected = visible(text)
        assert got.replace("\n", "") == (expected + expected).replace("\n", "")
