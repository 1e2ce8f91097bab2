"""What holds for any text: of the proof, of windows and of whole edits. And edits that are ended."""

from __future__ import annotations

import random

import pytest

from engine.editing.prove import fill, prove_outside
from engine.editing.window import build_window, check_spans, groups
from engine.messages import (
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Failed,
    Finished,
    FinishReason,
    LoadRequest,
    Proposal,
    Ready,
    Span,
    Unloaded,
    UnloadRequest,
)
from engine.pipeline import Pipeline, load_pipeline
from engine.service import EngineService
from engine.text.tokenizer import Tokenizer, clean
from tests.engine.editing import fuzz
from tests.engine.editing.test_edit import QUICK, applied, ask, of, outcome, run
from tests.engine.editing.test_text_machinery import DEMO, plain_edit
from tests.fakes import no_jobs

MILLION = 1_000_000


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(DEMO)


def test_any_single_change_outside_is_seen() -> None:
    """A character added, removed or replaced anywhere but in the new texts."""
    rng = random.Random(21)
    for _ in range(1500):
        text = fuzz.document(rng, 12)
        spans = fuzz.spans(rng, text, 3)
        texts = [fuzz.document(rng, 3) for _ in spans]
        edited = fill(text, spans, texts)
        assert edited == plain_edit(text, spans, texts)
        prove_outside(text, spans, texts, edited)
        at = rng.randrange(len(edited) + 1)
        for spoilt in (edited[:at] + "\u2603" + edited[at:], edited[:at] + edited[at + 1 :]):
            if spoilt != edited:
                with pytest.raises(EngineFault):
                    prove_outside(text, spans, texts, spoilt)


def test_overlapping_spans_are_refused_and_others_are_not() -> None:
    rng = random.Random(22)
    seen = {True: 0, False: 0}
    for _ in range(1500):
        text = "x" * rng.randrange(12)
        ranges = [
            (rng.randrange(-1, 13), rng.randrange(-1, 13)) for _ in range(rng.randrange(1, 4))
        ]
        spans = [Span(start=start, end=end) for start, end in ranges]
        is_sound = all(0 <= start <= end <= len(text) for start, end in ranges) and all(
            one[1] <= other[0] or other[1] <= one[0]
            for place, one in enumerate(ranges)
            for other in ranges[place + 1 :]
        )
        seen[is_sound] += 1
        try:
            check_spans(text, spans)
        except EngineFault:
            assert not is_sound
        else:
            assert is_sound
    assert min(seen.values()) > 50


def test_a_window_is_a_stretch_of_the_document(tokenizer: Tokenizer) -> None:
    """What is pinned, with the old texts in its gaps, is found in the document as it stands."""
    rng = random.Random(23)
    for _ in range(400):
        text = fuzz.document(rng, 40)
        spans = fuzz.spans(rng, text, 3)
        capacity, reach = rng.randrange(40, 128), rng.randrange(1, 60)
        order = sorted(range(len(spans)), key=lambda i: (spans[i].start, spans[i].end, i))
        indices = groups(tokenizer, text, spans, [4] * len(spans), capacity)
        assert [index for group in indices for index in group] == order
        for group in indices:
            try:
                window = build_window(tokenizer, text, spans, group, reach=reach, room=capacity)
            except EngineFault:
                assert len(group) > 1, "there is no text between gaps that could be too much"
                continue
            assert window.pinned <= capacity
            assert not {token for ids in window.fixed for token in ids} & tokenizer.markup_ids
            shown = tokenizer.decode(window.fixed[0])
            for gap, fixed in zip(window.gaps, window.fixed[1:], strict=True):
                old = text[gap.span.start : gap.span.end]
                lent = gap.lent if old.endswith(gap.lent) else ""
                shown += gap.head + clean(old[: len(old) - len(lent)]) + gap.tail
                shown += tokenizer.decode(fixed)
                if gap.lent and not lent:
                    break  # a blank that is written with the gap is not in the document yet
            else:
                assert shown in clean(text)


def test_gaps_inside_of_strings_of_code(demo: Pipeline) -> None:
    """Brackets, quotes and marks in strings are text like any other."""
    lines = (
        'names = ["[[x]]", "", \'____\']\n',
        'print(f"{a[[0]]} {" "}")\n',
        "path = r'C:\\\\'  # TODO fill\n",
        '"""[[...]]"""\n',
    )
    rng = random.Random(24)
    for seed in range(6):
        text = "".join(rng.choice(lines) for _ in range(3))
        at = rng.choice([place for place, sign in enumerate(text) if sign in "\"'"]) + 1
        span = Span(start=at, end=at, lengths=(1, 3))
        request = ask(text, span, sampling=QUICK, seed=seed)
        for proposal in of(outcome(demo, request) or [], Proposal):
            assert applied(request, proposal.texts) == text[:at] + proposal.texts[0] + text[at:]


def test_nothing_at_all_is_selected(demo: Pipeline) -> None:
    for text in ("", "Mara has a boat."):
        for kind in (EditKind.REWRITE, EditKind.PROOFREAD):
            request = ask(text, Span(start=0, end=0), kind=kind, instruction="Shorter")
            with pytest.raises(EngineFault, match="Nothing is selected") as fault:
                run(demo, request)
            assert fault.value.error.kind is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("selected", [False, True])
def test_of_a_million_characters_no_more_is_read_than_of_a_few(
    demo: Pipeline, selected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a gap and behind it, and of what stood in it, only what is near is taken apart."""
    line = "Mara has a red boat. She likes her red boat.\n"
    encode, read = Tokenizer.encode, [0]

    def spy(self: Tokenizer, text: str) -> list[int]:
        read[-1] += len(text)
        return encode(self, text)

    monkeypatch.setattr(Tokenizer, "encode", spy)
    for size in (MILLION // 20, MILLION):
        text = line * (size // len(line))
        start = len(line) * (len(text) // len(line) // 2) + 35
        end = len(line) * (len(text) // len(line) - 40) if selected else start + 3
        outcome(demo, ask(text, Span(start=start, end=end, length_hint=1), sampling=QUICK))
        read.append(0)
    few, many, _ = read
    assert many <= 1.2 * few


def test_an_edit_of_a_huge_document_stops_at_once(demo: Pipeline) -> None:
    text = "Mara has a red boat. " * (MILLION // 21)
    request = ask(text, Span(start=500_000, end=500_000, lengths=(1, 20)))
    calls = iter(range(100))
    events = run(demo, request, lambda: next(calls) >= 2)
    assert events[-1].reason is FinishReason.STOPPED
    assert of(events, Proposal) == []
    assert events[-1].usage.denoising_steps <= 2


def test_a_model_unloaded_while_it_edits() -> None:
    """The edit ends once, the model goes, and the next edit is told that there is none."""
    service = EngineService(load_pipeline, no_jobs)
    service.start()
    client = service.connect(lambda: None)
    wait = 120
    try:
        client.submit(LoadRequest(model="demo", device="cpu"))
        while not isinstance(client.events.get(timeout=wait), Ready):
            pass
        text = "Mara has a red boat. " * 20
        request = EditRequest(
            text=text,
            spans=tuple(Span(start=21 * n + 11, end=21 * n + 14) for n in range(8)),
            kind=EditKind.INFILL,
            seed=1,
        )
        edit, unload = client.submit(request), client.submit(UnloadRequest())
        ends = {}
        while unload not in ends:
            event = client.events.get(timeout=wait)
            if isinstance(event, Finished | Failed | Unloaded):
                assert event.request_id not in ends
                ends[event.request_id] = event
        assert isinstance(ends[edit], Finished | Failed)
        late = client.submit(request)
        event = client.events.get(timeout=wait)
        while event.request_id != late:
            event = client.events.get(timeout=wait)
        assert isinstance(event, Failed)
        assert event.error.kind is ErrorKind.NOT_LOADED
    finally:
        assert service.stop(wait)
