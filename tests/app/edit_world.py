"""Documents with a scripted model and without a window."""

from __future__ import annotations

from pathlib import Path

from app.bridge import EngineBridge
from app.state.editor.document import Document
from app.state.editor.documents import Documents
from app.state.editor.edit import EditSession
from app.state.editor.store import EditRecord
from app.ui.editor.text_editor import plain_layout
from engine.messages import LoadRequest, Recording
from engine.service import EngineService
from tests.fakes import FakePipeline, Script, no_jobs


class World:
    """`close` it, or its threads stay."""

    def __init__(self, folder: Path, script: Script) -> None:
        self.pipeline = FakePipeline(script)
        self.bridge = EngineBridge(EngineService(self.pipeline.load, no_jobs))
        self.bridge.submit(LoadRequest(model="demo"))
        self.documents = Documents(folder, plain_layout)
        self.notes: list[str] = []
        self.records: list[tuple[EditRecord, Recording | None]] = []

    def session(self, text: str) -> tuple[Document, EditSession]:
        document = self.documents.new(text)
        session = EditSession(self.bridge, document, document)
        session.noted.connect(self.notes.append)
        session.accepted.connect(lambda record, recording: self.records.append((record, recording)))
        return document, session

    def close(self) -> None:
        self.bridge.shutdown()
        self.documents.close()
