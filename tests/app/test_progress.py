"""The figures below an answer, and those that run along while it is written."""

from __future__ import annotations

import pytest

from app.state.progress import Meter, Progress, progress_text, reason_text, usage_text
from engine.messages import FinishReason, TokenState
from tests.fakes import draft, usage


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_tokens_that_are_sure_are_counted_over_the_time_since_the_first_draft():
    clock = Clock()
    meter = Meter(clock)
    sure, noise, beyond = TokenState.ACCEPTED, TokenState.NOISE, TokenState.BEYOND_END
    first = meter.draft(draft(1, ("a", "b", "c", "d"), (noise,) * 4, step=1))
    assert first == Progress(canvas=1, step=1, max_steps=48, tokens_per_second=0.0)
    clock.now += 2
    second = meter.draft(draft(1, ("a", "b", "c", "d"), (sure, sure, noise, beyond), step=2))
    assert second.tokens_per_second == pytest.approx(1.0)
    clock.now += 2
    third = meter.draft(draft(1, ("e", "f"), (sure, noise), canvas=1, step=1))
    assert third.canvas == 2
    assert third.tokens_per_second == pytest.approx((3 + 1) / 4)  # 3 are kept of the first canvas


def test_progress_in_words():
    assert progress_text(Progress()) == "Reading your message"
    assert "1,024 of 9,000" in progress_text(Progress(read=1024, to_read=9000))
    line = progress_text(Progress(canvas=2, step=7, max_steps=48, tokens_per_second=1234.6))
    assert line == "Canvas 2 · step 7 of at most 48 · 1,235 tokens/s"


def test_figures_of_a_finished_answer():
    line = usage_text(usage(new_tokens=120, steps=12))
    assert line == "120 tokens · 12 steps · 10.0 tokens a step · 3,000 tokens/s"
    assert "1 step ·" in usage_text(usage(new_tokens=3, steps=1))
    assert usage_text(usage(new_tokens=0, steps=0)) == ""


def test_an_ending_that_is_not_the_models_own_is_explained():
    silent = {reason for reason in FinishReason if not reason_text(reason)}
    assert silent == {FinishReason.END}
