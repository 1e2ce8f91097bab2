"""Plans and recommendations, held against the engine's own arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.state.models.amounts import memory_text, size_text, speed_text, time_text
from app.state.models.plan import Planner, PlanShown, context_choices, make_sheet
from app.state.models.recommend import SMALLER, USEFUL_CONTEXT, recommend
from engine.memory import longest_context, plan_wish, read_wish
from engine.messages import Library, ModelState
from engine.store.library import library
from tests.pcs import FACTS, PCS

GIB = 1 << 30
GEOMETRY = Path(__file__).parents[2] / "assets" / "geometry" / "diffusiongemma-26b-a4b.json"


@pytest.fixture(scope="module")
def wish():
    return read_wish(GEOMETRY, weights="int4", context=1 << 30)


@pytest.fixture(scope="module")
def sheet(wish):
    return make_sheet(wish)


@pytest.fixture(scope="module")
def offered(tmp_path_factory) -> Library:
    return library(tmp_path_factory.mktemp("home"), ())


def with_free(sheet, free: int, pc: str = "rtx_4090") -> Planner:
    gpu = replace(PCS[pc].gpus[0], memory_free=free)
    return Planner(sheet=sheet, hardware=replace(PCS[pc], gpus=(gpu,)))


def test_a_plan_leaves_nothing_out(wish, sheet):
    assert {context for context, _ in sheet} == set(context_choices(wish.context))
    for (context, bits), parts in sheet.items():
        whole = plan_wish(replace(wish, context=context, cache_bits=bits))
        assert sum(part.size for part in parts) == whole.total
        assert parts[0].size == whole.weights
        assert parts[1].size == whole.kv_cache


@pytest.mark.parametrize("free", [12 * GIB, 16 * GIB, 17 * GIB, 19 * GIB, 24 * GIB, 80 * GIB])
def test_the_longest_that_fits_is_the_engines_to_the_next_choice(wish, sheet, free):
    planner = with_free(sheet, free)
    engine = longest_context(wish, free)
    assert planner.longest_fitting == max((c for c in planner.contexts if c <= engine), default=0)
    for context in planner.contexts:
        assert planner.plan(context).fits == (context <= planner.longest_fitting)


def test_a_longer_context_and_more_bits_cost_more(sheet):
    planner = Planner(sheet=sheet, hardware=None)
    totals = [planner.plan(context).total for context in planner.contexts]
    assert totals == sorted(set(totals))
    for context in planner.contexts:
        assert planner.plan(context, 8).total < planner.plan(context, 16).total


def test_what_is_said_where_it_does_not_fit_is_so(sheet):
    free = 17 * GIB
    planner = with_free(sheet, free)
    words = planner.verdict(planner.contexts[-1])
    assert "does not fit" in words
    assert f"{planner.longest_fitting:,} tokens it does" in words
    little = with_free(sheet, 13 * GIB)
    assert little.longest_fitting == 0
    assert "Close other programs" in little.verdict(2048)  # the card has 24 GiB
    small = with_free(sheet, 11 * GIB, "rtx_3060")
    assert "smaller model" in small.verdict(2048)
    assert "not known" in Planner(sheet=sheet, hardware=None).verdict(2048)


def test_eight_bits_are_offered_where_only_they_fit(sheet):
    planner = Planner(sheet=sheet, hardware=None)
    between = planner.plan(2048, 8).total
    assert between < planner.plan(2048, 16).total
    words = with_free(sheet, between).verdict(2048, 16)
    assert "8 bit" in words


def test_a_context_between_two_choices_costs_the_longer_one(sheet):
    planner = Planner(sheet=sheet, hardware=None)
    assert planner.plan(3000) == planner.plan(4096)
    assert planner.plan(1 << 40) == planner.plan(planner.contexts[-1])


def planner_for(sheet, pc: str):
    return lambda entry, _: Planner(sheet=sheet, hardware=PCS[pc]) if entry.config else None


@pytest.mark.parametrize("pc", sorted(FACTS))
def test_the_recommended_model_fits(offered, sheet, pc):
    plans = planner_for(sheet, pc)
    found = recommend(offered.models, plans, PCS[pc], FACTS[pc].disk_free)
    assert found is not None
    entry = next(each for each in offered.models if each.id == found.entry_id)
    if entry.id != "demo":
        assert plans(entry, "").plan(USEFUL_CONTEXT).fits
        assert PCS[pc].device == "cuda"
        assert FACTS[pc].disk_free < 0 or entry.size < FACTS[pc].disk_free
    assert (entry.id == "demo") == (
        pc in ("no_gpu", "old_gpu", "cpu_build", "rtx_3060", "busy_4090", "little_disk")
    )


def test_smaller_weights_are_taken_where_only_they_fit(offered, sheet):
    smaller = make_sheet(read_wish(GEOMETRY, weights=SMALLER, context=1 << 30))
    between = with_free(smaller, 0).plan(USEFUL_CONTEXT).total
    assert between < with_free(sheet, 0).plan(USEFUL_CONTEXT).total

    def plans(entry, weights):
        return with_free(smaller if weights == SMALLER else sheet, between)

    hardware = plans(None, "").hardware
    found = recommend(offered.models, plans, hardware)
    assert found is not None
    assert found.weights == SMALLER
    assert "smaller weights" in found.reason


def test_what_is_here_goes_first(offered, sheet):
    plans = planner_for(sheet, "rtx_4090")
    last = offered.models[-1]
    here = replace(last, state=ModelState.READY, schemes=(), path="/models/it")
    models = (*offered.models[:-1], here)
    found = recommend(models, plans, PCS["rtx_4090"])
    assert found is not None
    assert found.entry_id == last.id
    assert "here already" in found.reason


def test_nothing_is_recommended_before_anybody_has_looked(offered, sheet):
    assert recommend(offered.models, planner_for(sheet, "rtx_4090"), None) is None


def test_amounts_are_said_as_people_say_them():
    assert size_text(18_856_025_514) == "18.9 GB"
    assert size_text(640_000_000) == "640 MB"
    assert size_text(3_706_456) == "3.7 MB"
    assert size_text(1) == "1 kB"
    assert memory_text(17 * GIB + GIB // 2) == "17.5 GiB"
    assert memory_text(5 << 20) == "5 MiB"
    assert speed_text(12_300_000) == "12.3 MB a second"
    assert [time_text(seconds) for seconds in (5, 70, 1230, 7200, 9000, 100_000)] == [
        "less than a minute", "about 1 minute", "about 20 minutes", "about 2 hours",
        "about 2.5 hours", "about 28 hours",
    ]  # fmt: skip


def test_an_empty_plan_fits_everywhere():
    assert PlanShown(parts=(), free=0).fits
