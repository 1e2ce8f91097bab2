"""The projection first gives what others have measured, and its parts are those of the built model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.memory import weight_bytes
from engine.quant.scheme import SCHEMES
from tests.benchmarks.projection import PUBLISHED, TOLERANCE, checked
from tests.benchmarks.step_cost import INT4, merged_cost, step_cost, total
from tests.engine.geometries import real_config


def test_it_gives_the_published_figures() -> None:
    found = checked(real_config())
    assert len(found) == len(PUBLISHED) == 2
    assert all(abs(each["off"]) <= TOLERANCE for each in found.values())


def test_a_step_reads_what_the_memory_plan_stores() -> None:
    """Routers, norms and scales of rows are what the formula leaves out."""
    read = total(step_cost(real_config(), INT4, 0, dense_conditioning=False)).bytes
    assert read == pytest.approx(weight_bytes(real_config(), SCHEMES["int4"], "bfloat16"), rel=0.01)


def test_a_step_that_encodes_a_canvas_too_reads_all_weights_once() -> None:
    """And what it computes more is all of a pass but the vocabulary."""
    real = real_config()
    costs = step_cost(real, INT4, 1000, dense_conditioning=True)
    both, once = total(merged_cost(costs)), total(costs)
    assert both.bytes - once.bytes == costs["scores"].bytes
    vocabulary = 2 * 2 * 256 * 262_144 * 2816
    assert both.operations == 2 * once.operations - vocabulary


def test_operations_are_those_of_a_network_by_hand() -> None:
    """Of one full layer, summed up product by product."""
    real = real_config()
    made = replace(real, layers=(next(each for each in real.layers if not each.is_sliding),))
    costs = step_cost(made, INT4, 1000, dense_conditioning=True)
    assert costs["experts"].operations == 256 * 8 * 2 * (1408 * 2816 + 2816 * 704)
    assert costs["scores"].operations == 2 * 2 * 256 * 16 * 512 * (1000 + 256)
    assert costs["scores"].bytes == 1000 * 2 * 2 * 512 * 2
    assert costs["logits"].bytes == costs["self-conditioning"].bytes == 262_144 * 2816
    queries, keys = 16 * 512 * 2816, 2 * 512 * 2816
    assert costs["attention projections"].operations == 2 * 256 * (2 * queries + keys)
