"""An overflowing memory is told from noise, from long prompts and from other programs' moments."""

from __future__ import annotations

import random

from engine.spill import FACTOR, IN_A_ROW, KNOWN, SpillWatch


def full() -> float:
    return 0.0


def roomy() -> float:
    return 0.4


def steps(draw: random.Random, count: int, usual: float, spread: float = 0.2) -> list[float]:
    """Step times in seconds as a busy PC has them: log-normal around the usual one."""
    return [usual * draw.lognormvariate(0, spread) for _ in range(count)]


def test_an_overflow_is_noticed_after_three_steps_and_told_once() -> None:
    draw, watch = random.Random(1), SpillWatch()
    told = [watch.sees("step", each, full) for each in steps(draw, 200, 0.03)]
    assert not any(told)
    told = [watch.sees("step", each, full) for each in steps(draw, 200, 0.03 * 10)]
    assert [place for place, one in enumerate(told) if one] == [IN_A_ROW - 1]
    assert not any(watch.sees("step", each, full) for each in steps(draw, 50, 0.03))
    assert not any(watch.sees("step", each, full) for each in steps(draw, 50, 0.3))


def test_noise_is_no_overflow() -> None:
    for seed in range(20):
        draw, watch = random.Random(seed), SpillWatch()
        assert not any(watch.sees("step", each, full) for each in steps(draw, 5000, 0.02, 0.3))


def test_with_memory_to_spare_slow_steps_mean_something_else() -> None:
    draw, watch = random.Random(2), SpillWatch()
    asked = []

    def free() -> float:
        asked.append(True)
        return roomy()

    assert not any(watch.sees("step", each, free) for each in steps(draw, 300, 0.02))
    assert not asked  # the driver is not bothered while all is well
    assert not any(watch.sees("step", each, free) for each in steps(draw, 300, 0.2))
    assert asked
    # Once the memory is full as well, it is told.
    assert any(watch.sees("step", each, full) for each in steps(draw, 3, 0.2))


def test_a_moment_of_another_program_is_none() -> None:
    draw, watch = random.Random(3), SpillWatch()
    for _ in range(100):
        times = [*steps(draw, 20, 0.02), *steps(draw, IN_A_ROW - 1, 2.0)]
        assert not any(watch.sees("step", each, full) for each in times)


def test_kinds_are_compared_with_their_own() -> None:
    draw, watch = random.Random(4), SpillWatch()
    for _ in range(40):
        assert not watch.sees("one canvas", 0.02 * draw.uniform(0.9, 1.1), full)
        assert not watch.sees("three canvases", 0.02 * 3 * FACTOR * draw.uniform(0.9, 1.1), full)


def test_an_unknown_kind_is_not_judged() -> None:
    watch = SpillWatch()
    times = [0.01] * (KNOWN - 1) + [9.0] * IN_A_ROW
    assert not any(watch.sees("step", each, full) for each in times)
