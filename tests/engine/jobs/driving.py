"""How the tests ask the real service for jobs."""

from __future__ import annotations

from pathlib import Path

from engine.lane import Client
from engine.messages import (
    JobDone,
    JobFailed,
    JobKind,
    JobOptions,
    JobProgress,
    JobRequest,
    Library,
    ModelEntry,
)
from tests.engine.store.fake_hub import REPO, FakeHub

NAMES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
         "chat_template.jinja", "generation_config.json")  # fmt: skip
LARGE = "model.safetensors"


def ask(client: Client, kind: JobKind, home: Path, hub: FakeHub, model: str = REPO) -> int:
    options = JobOptions(endpoint=hub.endpoint)
    return client.submit(JobRequest(kind=kind, model=model, home=str(home), options=options))


def outcome(client: Client, request: int) -> tuple[JobDone | JobFailed, list[JobProgress]]:
    progress = []
    while True:
        event = client.events.get(timeout=60)
        if event.request_id != request:
            continue
        if isinstance(event, JobProgress):
            progress.append(event)
        if isinstance(event, JobDone | JobFailed):
            return event, progress


def done(client: Client, request: int) -> object:
    event, _ = outcome(client, request)
    assert isinstance(event, JobDone), event
    return event.result


def entry_of(client: Client, home: Path, hub: FakeHub, name: str) -> ModelEntry:
    found = done(client, ask(client, JobKind.LIBRARY, home, hub))
    assert isinstance(found, Library)
    (entry,) = [each for each in found.models if Path(each.path).name == name]
    return entry
