"""Types into documents until it is killed: `python -m tests.app.editor_kill FOLDER RUN`.

Prints a line for each text of which the journal has said that it is on the disk.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication, QTextCursor

from app.state.editor.documents import Documents

LETTERS = "abc de\nfghß日本😀"


def main(folder: Path, run: int) -> None:
    app = QGuiApplication([])
    rng = random.Random(run)
    documents = Documents(folder, lambda _document: None)
    document = documents.new()
    journal = documents._journal

    def confirm(text: str) -> None:
        sys.stdout.write(f"{document.id} {text.encode().hex()}\n")
        sys.stdout.flush()

    def write() -> None:
        cursor = QTextCursor(document.text_document)
        for _ in range(rng.randrange(1, 4)):
            cursor.movePosition(
                QTextCursor.MoveOperation.NextCharacter, n=rng.randrange(document.units + 1)
            )
            if rng.random() < 0.2:
                cursor.movePosition(
                    QTextCursor.MoveOperation.PreviousCharacter,
                    QTextCursor.MoveMode.KeepAnchor,
                    rng.randrange(6),
                )
            cursor.insertText("".join(rng.choice(LETTERS) for _ in range(rng.randrange(1, 9))))
        documents.flush()
        if not journal._waiting:  # all of it has been handed to the other thread
            text = document.text
            documents._background.run(lambda: None, lambda _nothing: confirm(text))

    timer = QTimer(interval=0)
    timer.timeout.connect(write)
    timer.start()
    app.exec()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
