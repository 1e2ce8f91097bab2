"""What was open in the editor is open again at the next start."""

from __future__ import annotations

from app.state.editor.store import Tab
from app.ui.places import CHAT
from tests.app.edit_driving import begin, keys
from tests.app.edit_scripts import editing
from tests.fakes import FakePipeline


def opened(qtbot, running, path) -> None:
    pane = running.window.editor
    pane.documents.open(path)
    qtbot.waitUntil(lambda: pane.document is not None and pane.document.path == path)
    qtbot.waitUntil(lambda: pane.document.is_filled)


def again(qtbot, start):
    running = start(FakePipeline(editing("x")))
    qtbot.waitUntil(lambda: running.status.state.ready is not None)
    return running


def names(running) -> list[str]:
    return running.window.editor.tabs.titles


def test_files_are_open_again_where_one_was(qtbot, start, tmp_path):
    paths = [tmp_path / f"{name}.txt" for name in "abc"]
    for path in paths:
        path.write_text("".join(f"{path.stem} line {number}\n" for number in range(500)))
    running, _ = begin(qtbot, start, editing("x"))
    pane = running.window.editor
    pane.documents.remove(pane.document)
    for path in paths:
        opened(qtbot, running, path)
    keys(pane.view, "Ctrl+PgUp")
    assert pane.document.path == paths[1]
    cursor = pane.view.editor.textCursor()
    cursor.setPosition(4321)
    pane.view.editor.setTextCursor(cursor)
    pane.view.editor.verticalScrollBar().setValue(300)
    running.window.close()

    running = again(qtbot, start)
    qtbot.waitUntil(lambda: names(running) == ["a.txt", "b.txt", "c.txt"])
    pane = running.window.editor
    qtbot.waitUntil(lambda: all(each.is_filled for each in pane.documents.all))
    assert pane.document.path == paths[1]
    assert pane.view.editor.textCursor().position() == 4321
    assert pane.view.editor.firstVisibleBlock().blockNumber() == 300
    assert running.window.places.current == CHAT  # it does not push itself forward
    assert not any(each.is_modified for each in pane.documents.all)
    pane.close_current()
    running.window.close()

    running = again(qtbot, start)
    qtbot.waitUntil(lambda: names(running) == ["a.txt", "c.txt"])


def test_a_file_that_is_gone_is_said_and_forgotten(qtbot, start, tmp_path):
    kept, lost = tmp_path / "kept.txt", tmp_path / "lost.txt"
    for path in (kept, lost):
        path.write_text("text\n")
    running, _ = begin(qtbot, start, editing("x"))
    for path in (kept, lost):
        opened(qtbot, running, path)
    running.window.close()
    lost.unlink()

    running = again(qtbot, start)
    qtbot.waitUntil(lambda: "kept.txt" in names(running))
    assert "“lost.txt” was open and is not there any more." in running.window.editor.toast.text
    assert running.window.editor.notice.isHidden()  # nothing has gone wrong
    running.window.close()
    lost.write_text("back\n")
    running = again(qtbot, start)
    qtbot.waitUntil(lambda: "kept.txt" in names(running))
    assert "lost.txt" not in names(running)


def test_unsaved_text_wins_over_the_file_and_is_opened_once(qtbot, start, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("from the disk\n")
    running, view = begin(qtbot, start, editing("x"), "never saved")
    opened(qtbot, running, path)
    qtbot.keyClicks(running.window.editor.view.editor, "typed ")
    running.window.close()
    running = again(qtbot, start)
    qtbot.waitUntil(lambda: len(names(running)) == 2)
    pane = running.window.editor
    qtbot.waitUntil(lambda: pane.document is not None and pane.document.path == path)
    assert pane.document.text == "typed from the disk\n"
    assert pane.view.editor.textCursor().position() == len("typed ")
    assert sorted(names(running)) == ["Untitled 1 •", "a.txt •"]
    assert view.document.text == "never saved"


def test_what_is_not_text_any_more_is_refused_and_asked_for_again(qtbot, start, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("text\n")
    running, _ = begin(qtbot, start, editing("x"))
    opened(qtbot, running, path)
    running.window.close()
    path.write_bytes(bytes(range(256)) * 40)
    running = again(qtbot, start)
    qtbot.waitUntil(lambda: not running.window.editor.notice.isHidden())
    assert "holds no text" in running.window.editor.notice.text
    running.window.close()
    path.write_text("text again\n")
    running = again(qtbot, start)
    qtbot.waitUntil(lambda: "a.txt" in names(running))


def test_a_kill_forgets_no_tab_that_was_open_for_a_while(qtbot, start, tmp_path):
    """What is on the disk while it runs: nothing else is there after a kill."""
    path = tmp_path / "a.txt"
    path.write_text("text\n")
    running, _ = begin(qtbot, start, editing("x"))
    opened(qtbot, running, path)
    seen: list[tuple[Tab, ...]] = []

    def is_kept() -> bool:
        running.window.editor.documents._journal.ask(lambda store: store.tabs(), seen.append)
        qtbot.wait(100)
        return bool(seen) and str(path) in [tab.document for tab in seen[-1]]

    qtbot.waitUntil(is_kept)
