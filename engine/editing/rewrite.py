"""A selection written anew after an instruction, of whatever length comes out.

A long selection is taken apart at the ends of sentences and lines; each part is rewritten with the
rewritten ones in front of it in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from engine.editing.gaps import surroundings
from engine.editing.infill import FATAL, Filled, distinct
from engine.editing.instruct import answers
from engine.editing.job import Job
from engine.editing.prompts import rewrite_words
from engine.editing.prove import missing_words
from engine.editing.ranking import penalty
from engine.editing.refit import is_inside_sentence, refit
from engine.editing.seams import lost, seam_checks
from engine.editing.window import check_spans, refused
from engine.messages import Check, CheckKind, RequestEvent, Span
from engine.text.tokenizer import Tokenizer

AROUND = 1500  # characters that a prompt shows on each side of the selection
MOST_PARTS = 32
REFITTED = 500  # a candidate that was fitted to the text around it has its number so much higher
PART = 5, 8  # a part takes so much of a canvas: the new text may be longer

_UNITS = re.compile(
    r".+?(?:\n+|[.!?\u2026\u3002\uff01\uff1f]+[\"'\u201d\u2019)\]]*\s+|$)", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Draught:
    """What one candidate has of the new text so far."""

    texts: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    score: float = 0.0
    tokens: int = 0
    has_ended: bool = True

    def longer(self, text: str, tokens: int, score: float) -> Draught:
        """The same with one more part."""
        return replace(
            self,
            texts=(*self.texts, text),
            pieces=(*self.pieces, text),
            score=self.score + score,
            tokens=self.tokens + tokens,
        )


@dataclass(frozen=True, kw_only=True)
class Task:
    """A part of the selection to write anew, and the text around it."""

    instruction: str
    number: int  # of the part
    start: int  # where it begins in the document
    before: str
    text: str
    after: str

    @property
    def seed(self) -> int:
        """What is added to the seed of the request."""
        return 1009 * self.number


Write = Callable[[Job, Task, list[Draught]], Generator[RequestEvent, None, list[Draught]]]


def rewrite(
    job: Job, instruction: str, write: Write | None = None
) -> Generator[RequestEvent, None, list[Filled]]:
    """Up to as many new texts as were asked for, the best first. Raises EngineFault.

    write: makes each draught one part longer; by default by answering the instruction.
    """
    text, span = job.request.text, selection(job)
    lead, core, trail = trimmed(text[span.start : span.end])
    if not instruction.strip():
        raise refused("Say what should become of the selection.")
    parts = split_parts(job, core)
    draughts = [Draught() for _ in range(job.request.alternatives)]
    at = span.start + len(lead)
    for number, part in enumerate(parts):
        rest = "".join(parts[number + 1 :])
        rewritten = lead + "".join(draughts[0].texts)
        task = Task(
            instruction=instruction,
            number=number,
            start=at,
            before=(text[max(0, span.start - AROUND) : span.start] + rewritten)[-AROUND:],
            text=part,
            after=(rest + trail + text[span.end : span.end + AROUND])[:AROUND],
        )
        draughts = yield from (write or _answer)(job, task, draughts)
        at += len(part)
    found = [
        _judge(
            job,
            lead + "".join(draught.texts) + trail,
            number,
            draught.score / len(parts),
            draught.tokens,
            has_ended=draught.has_ended,
        )
        for number, draught in enumerate(draughts)
    ]
    good = distinct([each for each in found if not _is_bad(each)])
    if write is None and len(parts) == 1 and is_inside_sentence(text, span.start, span.end):
        good = yield from _refitted(job, good)
    return sorted(good, key=lambda each: -each.score)


def _refitted(
    job: Job, candidates: Sequence[Filled]
) -> Generator[RequestEvent, None, list[Filled]]:
    """Each candidate fitted to the text around it, where that is better and still sound."""
    found = []
    for each in candidates:
        label = REFITTED + each.candidate
        new = yield from refit(job, each.texts[0], label)
        score = each.score + penalty(each.checks)
        fitted = None if new is None else _judge(job, new, label, score, each.tokens[0])
        found.append(each if fitted is None or _is_bad(fitted) else fitted)
    return distinct(found)


def selection(job: Job) -> Span:
    """The one span of the request. Raises EngineFault where it is not one, or blank."""
    text, spans = job.request.text, job.request.spans
    check_spans(text, spans)
    if len(spans) != 1:
        raise refused("One selection can be rewritten at a time.")
    if not text[spans[0].start : spans[0].end].strip():
        raise refused("Nothing is selected that could be rewritten.")
    return spans[0]


def task_prompt(job: Job, task: Task) -> list[int]:
    """The request for one part, without the blanks around it. Raises EngineFault."""
    _, core, _ = trimmed(task.text)
    words = rewrite_words(job.switches.wording, task.before, core, task.after, task.instruction)
    prompt = job.prompt(words)
    if len(prompt) + job.loaded.model.config.canvas_length > job.loaded.context:
        raise refused("The instruction and the selection take more than the context of the model.")
    return prompt


def protected_words(job: Job, task: Task) -> list[list[int]]:
    """The ids of what is protected inside of a part, with the blank in front where there is one."""
    text, encode = job.request.text, job.loaded.tokenizer.encode
    end = task.start + len(task.text)
    inside = sorted(
        {each for each in job.request.protected if task.start <= each[0] and each[1] <= end}
    )
    return [
        encode(" " * (start > task.start and text[start - 1] == " ") + text[start:stop])
        for start, stop in inside
    ]


def _answer(
    job: Job, task: Task, draughts: list[Draught]
) -> Generator[RequestEvent, None, list[Draught]]:
    """Every draught with one more part, of whatever length the answers have."""
    lead, _, trail = trimmed(task.text)
    prompt = task_prompt(job, task)
    yield from job.read(prompt)
    made = yield from answers(
        job,
        prompt,
        rows=len(draughts),
        span=0,
        seed=job.run.seed + task.seed,
        settled=[draught.pieces for draught in draughts],
        keep=protected_words(job, task),
    )
    decode = job.loaded.tokenizer.decode
    longer = []
    for draught, ids in zip(draughts, made, strict=True):
        if ids is None:
            longer.append(replace(draught, has_ended=False))
            continue
        new = lead + _bare(decode(ids)) + trail
        longer.append(draught.longer(new, len(ids), job.mean_score(prompt, ids)))
    return longer


def _judge(
    job: Job, new: str, candidate: int, score: float, tokens: int, *, has_ended: bool = True
) -> Filled:
    """A finished candidate with what the checks find in it."""
    text, (span,) = job.request.text, job.request.spans
    here = surroundings(text, job.request.spans, 0)
    checks: list[Check] = []
    if not has_ended or "\ufffd" in new.replace(here.original, ""):
        checks.append(Check(kind=CheckKind.BROKEN, span=0))
    checks += [
        Check(kind=CheckKind.BROKEN, span=0, text=words)
        for words in missing_words(text, span, new, job.request.protected)
    ]
    if not new.strip():
        checks.append(Check(kind=CheckKind.EMPTY, span=0))
    if new == here.original:
        checks.append(Check(kind=CheckKind.UNCHANGED, span=0))
    checks += seam_checks(here.before, new, here.after, 0, here.original)
    checks += lost(text[span.start : span.end], new, 0)
    return Filled(
        candidate=candidate,
        texts=(new,),
        score=score - penalty(tuple(checks)),
        checks=tuple(checks),
        tokens=(tokens,),
    )


def _is_bad(filled: Filled) -> bool:
    """Whether a rewriting is not worth showing; the same text back is none."""
    return any(check.kind in FATAL | {CheckKind.UNCHANGED} for check in filled.checks)


def split_parts(job: Job, text: str) -> list[str]:
    """The text in pieces that are short enough for one canvas each. Joined they are the text."""
    share, whole = PART
    most = job.loaded.model.config.canvas_length * share // whole
    tokenizer = job.loaded.tokenizer
    if tokenizer.fewest(len(text)) > most * MOST_PARTS:
        raise _too_long(most)
    found = [""]
    for unit in _UNITS.findall(text):
        for piece in _fitting(tokenizer, unit, most):
            if found[-1] and len(tokenizer.encode(found[-1] + piece)) > most:
                found.append("")
            found[-1] += piece
            if len(found) > MOST_PARTS:
                raise _too_long(most)
    return found


def _fitting(tokenizer: Tokenizer, text: str, most: int) -> list[str]:
    """A sentence in halves, at a blank where there is one, until each takes `most` tokens."""
    if len(text) < 2 or len(tokenizer.encode(text)) <= most:
        return [text]
    middle = len(text) // 2
    blank = text.rfind(" ", 1, middle) + 1
    cut = blank if blank > middle // 2 else middle
    return [*_fitting(tokenizer, text[:cut], most), *_fitting(tokenizer, text[cut:], most)]


def trimmed(text: str) -> tuple[str, str, str]:
    """The blanks in front, the text, the blanks behind."""
    core = text.strip()
    at = text.find(core) if core else len(text)
    return text[:at], core, text[at + len(core) :]


def _bare(answer: str) -> str:
    """An answer without blanks around it, and without the marks that the prompt had."""
    return answer.strip().removeprefix("<selection>").removesuffix("</selection>").strip()


def _too_long(most: int) -> Exception:
    return refused(
        f"This selection is too long to be rewritten at once; about {most * MOST_PARTS:,} tokens fit."
    )
