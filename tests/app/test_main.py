"""Starting: the right versions, a window before torch, and an end with exit code 0."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app.__main__ import main, unusable_pair
from app.paths import ASSETS, user_paths

PROJECT = ASSETS.parent


def run(code: str, tmp_path, **more: str) -> subprocess.CompletedProcess[str]:
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False, cwd=PROJECT, timeout=120,
        env={**os.environ, **home, "QT_QPA_PLATFORM": "offscreen", **more},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("python", "pyside", "is_refused"),
    [
        ((3, 11, 7), "6.12.0", True),
        ((3, 11, 7), "6.12.1", True),
        ((3, 11, 7), "6.11.3", False),
        ((3, 12, 1), "6.12.0", False),
        ((3, 13, 0), "7.0.0", False),
    ],
)
def test_the_pair_that_crashes_is_refused_in_one_sentence(python, pyside, is_refused):
    reason = unusable_pair(python, pyside)
    assert bool(reason) is is_refused
    if is_refused:
        assert "6.12" in reason
        assert "3.12" in reason


def test_the_refusal_reaches_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr("app.__main__.pyside_version", "6.12.0")
    monkeypatch.setattr("app.__main__.sys.version_info", (3, 11, 7, "final", 0))
    assert main([]) == 1
    assert "crashes" in capsys.readouterr().err


def test_the_window_needs_no_torch(tmp_path):
    done = run(
        "import sys, app.__main__; "
        "sys.exit(', '.join({'torch', 'transformers', 'numpy', 'tokenizers'} & set(sys.modules)) or None)",
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch does this itself")
def test_torch_is_mapped_without_being_imported(tmp_path):
    """And then imports as ever."""
    done = run(
        "import sys; from app.preload import preload_torch; "
        "assert preload_torch(); assert 'torch' not in sys.modules; "
        "assert 'libtorch_cpu' in open('/proc/self/maps').read(); "
        "import torch; assert torch.ones(3).sum() == 3",
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_garbage_collection_does_not_walk_through_torch(tmp_path):
    """It would stop the window for a tenth of a second. New garbage still goes."""
    done = run(
        "import gc, weakref; from app.__main__ import load; from engine.messages import LoadRequest\n"
        "pipeline = load(LoadRequest(model='demo'), lambda *_: None, lambda: False)\n"
        "import torch; walked = {id(each) for each in gc.get_objects()}\n"
        "assert not walked & {id(vars(torch)), id(vars(torch.nn)), id(torch.nn.Linear)}\n"
        "assert gc.isenabled() and len(walked) < 20_000, len(walked)\n"
        "class Circle: pass\n"
        "one = Circle(); one.self = one; seen = weakref.ref(one); del one\n"
        "assert seen(); gc.collect(); assert seen() is None",
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_state_needs_no_widgets(tmp_path):
    done = run(
        "import sys, pkgutil, importlib, app.state; "
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(app.state.__path__, 'app.state.')]; "
        "bad = [m for m in sys.modules if m == 'PySide6.QtWidgets' or m.startswith('app.ui')]; "
        "sys.exit(', '.join(bad) or None)",
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("language", "system"), [("de", "en_US"), ("en", "de_DE")])
def test_fields_write_numbers_as_the_chosen_language_does(tmp_path, language, system):
    """Whatever the language of the system is."""
    code = f"""
import json, sys
from app.__main__ import choose_look, QApplication
from app.paths import user_paths
from app.words import number
from PySide6.QtWidgets import QDoubleSpinBox
paths = user_paths()
paths.create()
paths.settings.write_text(json.dumps({{"language": {language!r}}}))
qt = QApplication([])
look = choose_look(qt, paths)
box = QDoubleSpinBox(maximum=9999, decimals=1, value=1234.5)
box.setGroupSeparatorShown(True)
print(box.text(), number(1234.5, 1))
look.writer.close()
"""
    done = run(code, tmp_path, LC_ALL=f"{system}.UTF-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1.234,5" if language == "de" else "1,234.5"] * 2


def test_it_starts_loads_nothing_before_the_window_and_ends(tmp_path):
    """A whole start of the real program with a folder that holds no model."""
    code = """
import sys
from PySide6.QtCore import QTimer
import app.__main__ as program
from app.ui.main_window import MainWindow
seen = []
paint = MainWindow.paintEvent
def painted(self, event):
    seen.append("torch" in sys.modules)
    paint(self, event)
MainWindow.paintEvent = painted
def look():
    window = next(w for w in program.QApplication.topLevelWidgets() if isinstance(w, MainWindow))
    if window.notice.isVisible():
        print(seen[0], window.notice.text)
        window.close()
    else:
        QTimer.singleShot(20, look)
QTimer.singleShot(0, look)
sys.exit(program.main(["--model", "no/such/folder"]))
"""
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    first, words = done.stdout.split(" ", 1)
    assert first == "False"  # no torch when the window was first painted
    assert "no/such/folder" in words
    assert not (PROJECT / "redraft.log").exists()
    assert list(tmp_path.rglob("redraft.log"))


def test_the_folders_are_the_users_own():
    paths = user_paths()
    assert paths.data.is_absolute()
    assert PROJECT not in paths.data.parents
