"""Takes pictures of the real window with the demo model, for the README and to look at.

    xvfb-run -s "-screen 0 2600x1900x24" python -m tests.benchmarks.screenshots [--dark] [--out DIR]

`QT_SCALE_FACTOR=2` takes them at twice the size, `--language de` in German. Nothing is posed:
`denoising` is one of the first steps of a running answer, `settled` its end, `replay` its recording,
`run.gif` that recording as the app saves it, `error` what a folder without a model gives. `editor-*`
are made by `editor_pictures`. Only `rich` and `world` show texts that were put into the history: the
demo model writes neither tables nor Arabic.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from PySide6.QtWidgets import QApplication, QWidget

from app.__main__ import Running
from app.paths import ASSETS
from app.state.conversation import Message
from app.state.history.history import History
from app.state.history.keeper import FILE
from app.state.recording.parts import tapes_of
from app.state.recording.picture import PictureKind
from app.state.recording.run import Run
from app.ui.replay.run_export import PictureOptions, RunExport
from engine.messages import Draft, Role
from tests.benchmarks.editor_pictures import editor
from tests.benchmarks.session import live, start, wait

SIZE = (1180, 760)
EARLY = 3  # the step of `denoising`
PROMPT = "Write a story about Nora, a duck and a green kite."
RICH = """Here is the shortest way, and what each part costs:

| Part | Steps | Share |
|:--|--:|--:|
| Reading | 1 | 3 % |
| Denoising | 48 | **96 %** |
| Writing down | 1 | 1 % |

1. Begin with noise.
2. Keep what is *certain*, throw the dice for the rest.
   - [x] both sides are seen
   - [ ] no word is final before the end

```python
def denoise(canvas: list[str], sure: set[int]) -> list[str]:
    # whatever is not sure is drawn again
    return [word if i in sure else draw() for i, word in enumerate(canvas)]
```

> Use `List<String>` as it stands; see https://example.org/diffusion.
"""
WORLD = """صباح الخير! هذا نص عربي مع كلمة English في الوسط.

नमस्ते दुनिया, क्षत्रिय और ज्ञान। 今日は良い天気です。 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ❤️

שלום עולם. Ελληνικά, русский, ไทยไม่มีช่องว่าง."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--language", default="en")
    parser.add_argument("--out", type=Path, default=ASSETS / "screenshots")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = {"scheme": "dark" if options.dark else "light", "language": options.language}
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)

    def save(widget: QWidget, name: str) -> None:
        live(300)
        save_now(widget, name)

    def save_now(widget: QWidget, name: str) -> None:
        widget.grab().save(str(options.out / f"{name}.png"))

    folder = prepared(chosen)
    running = started(app, folder, "demo")
    running.window.new_chat()
    save(running.window, "start")
    steps: list[Draft] = []
    running.session.draft_changed.connect(steps.append)
    running.session.send(PROMPT)
    wait(lambda: not running.session.is_busy or is_forming(steps))
    running.window.grab().save(str(options.out / "denoising.png"))
    wait(lambda: not running.session.is_busy)
    save(running.window, "settled")
    for name in ("rich", "world"):
        running.chats.open(name)
        wait(lambda name=name: running.session.chat_id == name)
        save(running.window, name)
    running.window.toggle_panel()
    save(running.window, "panel")
    running.window.toggle_panel()
    running.window.open_palette()
    save(running.window.palette_dialog, "palette")
    running.window.palette_dialog.close()
    settings = running.window.dialogs.settings()
    save(settings, "settings")
    settings.close()
    replay(running, save, options.out)
    editor(running, save, save_now)
    running.window.close()
    running.shut_down()

    running = started(app, prepared(chosen), "models/writer")
    running.window.new_chat()
    running.session.send("Hello! Are you there?")
    wait(lambda: not running.session.is_busy)
    save(running.window, "error")
    running.window.close()
    running.shut_down()


def prepared(settings: dict[str, str]) -> Path:
    """A folder with settings and the two chats that the demo model could not have written."""
    folder = Path(tempfile.mkdtemp())
    data = folder / "data"
    data.mkdir()
    (data / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    history = History.open(data / FILE)
    asked = {"world": "Say hello to everybody", "rich": "How does denoising work?"}
    for name, answer in (("world", WORLD), ("rich", RICH)):
        question = Message(id=f"{name}-q", parent=None, role=Role.USER, text=asked[name])
        said = Message(id=f"{name}-a", parent=question.id, role=Role.MODEL, text=answer)
        history.create(name)
        history.save(name, (question, said), said.id)
    history.close()
    return folder


def started(app: QApplication, folder: Path, model: str) -> Running:
    running = start(app, folder, model)
    running.window.resize(*SIZE)
    wait(lambda: len(running.chats.summaries) == 2)
    live(300)
    return running


def is_forming(steps: list[Draft]) -> bool:
    return bool(steps) and steps[-1].step >= EARLY


def replay(running: Running, save, out: Path) -> None:
    """The dialog in the middle of the run, and the run as a moving picture."""
    mine = next(s for s in running.chats.summaries if s.id not in ("rich", "world"))
    running.chats.open(mine.id)
    wait(lambda: running.session.chat_id == mine.id and bool(running.session.path))
    found: list[bytes | None] = []
    running.chats.recording(running.session.path[-1].id, found.append)
    wait(lambda: bool(found))
    data = found[0]
    assert data is not None
    dialog = running.window.dialogs.replay(data, is_still=False)
    save(dialog, "replay")
    dialog.close()
    run = Run(tapes_of(data))
    options = PictureOptions(kind=PictureKind.GIF, width=640, scale=1, step_ms=120, is_still=False)
    ended: list[object] = []
    job = RunExport(run, options, running.window.around.theme.colors, out / "run.gif")
    job.finished.connect(lambda *_: ended.append(True))
    job.failed.connect(ended.append)
    job.start()
    wait(lambda: bool(ended))


if __name__ == "__main__":
    main()
