"""How long a finished answer takes to become rich text: on its thread, and on the window's.

    python -m tests.benchmarks.rich_text

`read_ms` is spent on the thread beside, `window_ms` on the window's, in steps of which the longest
takes `stall_ms`; `paint_ms` is the first screen of it. Targets: a stall below 50 ms, and `all_ms`,
the sum, below 200 ms for hostile texts. Times are those that the thread really ran, the median of
five.
"""

from __future__ import annotations

import os
import statistics
import time
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QImage, QRegion
from PySide6.QtWidgets import QApplication

from app.state.markdown.parse import parse
from app.state.markdown.worker import Preparer
from app.ui.rich.view import RichView
from app.ui.theme import TEXT_WIDTH, Scheme, Theme
from tests.benchmarks.record import record

REPEATS = 5
SCREEN = QSize(TEXT_WIDTH, 1_000)
ORDINARY = """## What to do

Take the **first** of the [pages](https://example.com/a), read `file.txt`, and then go on with what
comes *next*, slowly, because nothing here is in a hurry and the evening is still long.

- one thing
- another thing, with `code` in it
  - and a child

```python
def double(value: int) -> int:
    \"\"\"Twice as much.\"\"\"
    return value * 2  # simple
```

| Name | Price |
|:-----|------:|
| Lamp | 12.50 |
| Chair | 140 |

> A quote to end with.

"""
PROSE = (
    "The lantern on the bridge was lit again, and nobody could say who had done it. " * 6 + "\n\n"
)

CASES = {
    "ordinary answer": ORDINARY * 2,
    "20,000 characters of everything": ORDINARY * 40,
    "20,000 characters of prose": PROSE * 50,
    "20,000 characters of code": "```python\n" + "def f(x): return 'a' + str(x)\n" * 800,
    "table of 10,000 rows": "| a | b |\n|---|---|\n" + "| c | d |\n" * 10_000,
    "table of 600 cells": "| a | b |\n|---|---|\n" + "| c | d |\n" * 298,
    "megabyte in one line": "x" * (1 << 20),
    "megabyte of words in one line": "word " * (1 << 18),
    "fence that is never closed": "```\n" + "line of code\n" * 5_000,
    "1,000 fences": "```\na\n```\n" * 1_000,
    "1,000 nested quotes": "> " * 1_000 + "x",
    "1,000 nested lists": "- " * 1_000 + "x",
    "1,000 nested lists, indented": "\n".join("  " * each + "- a" for each in range(1_000)),
    "1,000 nested brackets": "[" * 1_000 + "x" + "]" * 1_000,
    "20,000 brackets": "[" * 20_000,
    "20,000 stars": "*a **a " * 3_000,
    "10,000 items": "- a\n" * 10_000,
    "10,000 lines": "a\n" * 10_000,
    "10,000 headings": "# a\n" * 10_000,
    "400 pieces of code": "`a` b " * 400,
    "3,000 pieces of code": "`a` b " * 3_000,
    "Arabic": "مرحبا بالعالم، هذا نص طويل. " * 700,
    "Devanagari": "नमस्ते क्षत्रिय यह एक लंबा पाठ है। " * 600,
    "combining marks": "a" + "\u0301" * 19_000,
    "one paragraph of emoji": "\U0001f600" * 20_000,
    "flags": "\U0001f1e9\U0001f1ea" * 5_000,
    "words in bold": "**a** b " * 190,
    "addresses": "https://a.bc/d " * 1_400,
    "links": "[a](https://b.c) " * 190,
    "Japanese": "名前は、" * 5_000,
    "a script a letter": "aનमन🙂" * 4_000,
    "towers of marks": ("a" + "\u0301" * 40 + " ") * 500,
    "both directions": "אבג abc " * 2_500,
    "15 nested quotes, 700 times": ("> " * 15 + "a\n") * 700,
    "lists, 8 deep and out again": "".join("  " * (n % 8) + "- a\n" for n in range(3_000)),
    "5,000 loose items": "1. a\n\n" * 5_000,
    "5,000 tasks": "- [ ] a\n" * 5_000,
    "800 tables": "| a | b |\n|--|--|\n| c | d |\n\n" * 800,
    "5,000 rules": "---\n\n" * 5_000,
    "5,000 quotes": "> a\n\n" * 5_000,
    "2,000 programs": "```python\nx = 1\n```\n\n" * 2_000,
    "every style in every paragraph": ("~~a~~ *b* `c` " * 60 + "\n\n") * 25,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 " * 3_000,
}


def measure(view: RichView, text: str) -> dict[str, float]:
    began = time.thread_time()
    page = parse(text)
    read = time.thread_time() - began
    stalls = [0.0]
    began = time.thread_time()
    for _ in view._make_rich(page):
        stalls.append(time.thread_time() - began)
        began = time.thread_time()
    stalls.append(time.thread_time() - began)
    began = time.thread_time()
    view.render(
        QImage(SCREEN, QImage.Format.Format_RGB32), QPoint(), QRegion(QRect(QPoint(), SCREEN))
    )
    paint = time.thread_time() - began
    times = {"read": read, "window": sum(stalls), "stall": max(stalls), "paint": paint}
    times["all"] = read + sum(stalls) + paint
    return {f"{name}_ms": 1e3 * value for name, value in times.items()}


def median(view: RichView, text: str) -> dict[str, Any]:
    measure(view, text[:2_000])  # loads grammars and fonts
    runs = [measure(view, text) for _ in range(REPEATS)]
    return {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}


def main() -> None:
    app = QApplication([])
    preparer = Preparer()
    view = RichView(Theme(app, Scheme.LIGHT), preparer)
    view.setFixedWidth(TEXT_WIDTH)
    view.show()
    try:
        figures = {name: median(view, text) for name, text in CASES.items()}
    finally:
        preparer.close()
    record("rich_text", {"repeats": REPEATS, "cases": figures})


if __name__ == "__main__":
    main()
