"""Presets survive being kept, whatever else stands in the file, and the engine takes them all."""

from __future__ import annotations

import json
import math

import pytest

from app.paths import ASSETS
from app.state import presets
from app.state.presets import KNOBS, PUBLISHED, Preset
from engine.config import load_sampling
from engine.messages import Sampling

OWN = Preset(
    id="mine",
    name="Gedichte 名前",
    system_prompt="Write in verse.\n",
    thinking=True,
    thought_budget=512,
    sampling=Sampling(max_denoising_steps=20, t_min=0.5, t_max=1.1, stability_threshold=0),
    seed=0,
)


@pytest.mark.parametrize("preset", [OWN, *presets.built_in()], ids=lambda each: each.id)
def test_a_preset_comes_back_from_json(preset: Preset):
    assert presets.from_json(json.loads(json.dumps(presets.to_json(preset)))) == preset


def test_the_published_values_are_those_of_a_checkpoint():
    sampling = load_sampling(ASSETS / "demo_model")
    assert {name: getattr(sampling, name) for name in PUBLISHED} == dict(PUBLISHED)


@pytest.mark.parametrize("preset", presets.built_in(), ids=lambda each: each.id)
def test_the_engine_takes_every_built_in_preset(preset: Preset):
    load_sampling(ASSETS / "demo_model").merged(preset.sampling)  # raises for what it refuses


@pytest.mark.parametrize("knob", KNOBS, ids=lambda each: each.name)
def test_the_engine_takes_both_ends_of_every_knob(knob: presets.Knob):
    model = load_sampling(ASSETS / "demo_model")
    for value in (knob.low, knob.high, knob.published):
        typed = value if knob.decimals else int(value)
        sampling = presets.in_order(Sampling(**{knob.name: typed}), knob.name, PUBLISHED)
        assert getattr(model.merged(sampling), knob.name) == value


@pytest.mark.parametrize("knob", KNOBS, ids=lambda each: each.name)
def test_a_slider_gets_everywhere_and_back(knob: presets.Knob):
    assert (knob.at(0), knob.at(1)) == (knob.low, knob.high)
    values = [knob.at(place / 50) for place in range(51)]
    assert values == sorted(values)
    for value in values:
        assert math.isclose(knob.at(knob.share(value)), value)


@pytest.mark.parametrize("bad", [True, "9", math.nan, math.inf, -1, 1e9, None, [], {}])
def test_a_value_that_cannot_be_is_as_the_model_says(bad: object):
    row = presets.to_json(OWN) | {"sampling": {"max_denoising_steps": bad, "t_max": 1.5}}
    row |= {"seed": bad, "thought_budget": bad, "new": 1}
    read = presets.from_json(row)
    assert read.sampling == Sampling(t_max=1.5)
    assert (read.name, read.system_prompt, read.seed) == (OWN.name, OWN.system_prompt, None)


@pytest.mark.parametrize("row", [None, [], "x", {}, {"id": 7}, {"id": ""}])
def test_what_is_no_preset_is_refused(row: object):
    with pytest.raises(ValueError, match="not a preset"):
        presets.from_json(row)


def test_the_end_of_the_temperature_follows_its_start():
    both = Sampling(t_min=0.9, t_max=0.3)
    assert presets.in_order(both, "t_max", PUBLISHED) == Sampling(t_min=0.3, t_max=0.3)
    assert presets.in_order(both, "t_min", PUBLISHED) == Sampling(t_min=0.9, t_max=0.9)
    assert presets.in_order(Sampling(t_max=0.1), "t_max", PUBLISHED).t_min == 0.1


def test_a_removed_preset_goes_back_to_its_place():
    rows = tuple(Preset(id=each, name=each) for each in "abc")
    assert presets.put(presets.without(rows, "b"), rows[1], 1) == rows


def test_names_are_not_taken_twice():
    first = presets.duplicate((), presets.built_in()[0])
    second = presets.duplicate((first,), first)
    names = {preset.name.casefold() for preset in (*presets.built_in(), first, second)}
    assert len(names) == len(presets.built_in()) + 2
    assert len({first.id, second.id, "default"}) == 3


def test_a_preset_that_is_gone_is_the_default_one():
    assert presets.find((), "gone") == presets.built_in()[0]
