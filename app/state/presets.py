"""Presets: a name for how answers are made. A chat keeps its own copy, so a later change of a
preset never changes an old chat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import uuid4

from app.state.text import clean
from app.words import tr
from engine.messages import Sampling

NAME_CHARACTERS = 60
THOUGHT_BUDGET = (64, 32_768)  # tokens
SEEDS = (0, 2**31 - 1)


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One number of `Sampling`: what it may be, and what the published model says."""

    name: str
    low: float
    high: float
    step: float
    decimals: int  # 0: a whole number
    published: float
    is_logarithmic: bool = False  # of a slider: small values matter most

    def at(self, share: float) -> float:
        """The value at a share (0 to 1) of the way from `low` to `high`."""
        if self.is_logarithmic:
            value = self.low * math.exp(math.log(self.high / self.low) * share)
        else:
            value = self.low + (self.high - self.low) * share
        return round(min(max(value, self.low), self.high), self.decimals)

    def share(self, value: float) -> float:
        if self.is_logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def fits(self, value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high


# What the published generation_config.json says; another checkpoint may say something else.
# The last two are the stop rule: so many unchanged steps, and so little doubt.
KNOBS = (
    Knob(
        name="max_denoising_steps",
        low=1,
        high=256,
        step=1,
        decimals=0,
        published=48,
        is_logarithmic=True,
    ),
    Knob(
        name="entropy_bound",
        low=0.01,
        high=3.0,
        step=0.01,
        decimals=2,
        published=0.1,
        is_logarithmic=True,
    ),
    Knob(name="t_max", low=0.05, high=2.0, step=0.05, decimals=2, published=0.8),
    Knob(name="t_min", low=0.0, high=2.0, step=0.05, decimals=2, published=0.4),
    Knob(name="stability_threshold", low=0, high=12, step=1, decimals=0, published=1),
    Knob(
        name="confidence_threshold",
        low=0.001,
        high=0.5,
        step=0.001,
        decimals=3,
        published=0.005,
        is_logarithmic=True,
    ),
)
PUBLISHED: Mapping[str, float] = {knob.name: knob.published for knob in KNOBS}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """`None` in the sampling means: as the model says. A seed of None: another one each time."""

    id: str
    name: str
    system_prompt: str = ""
    thinking: bool = False
    thought_budget: int | None = None  # tokens; None: as many as the answer may have
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None


Presets = tuple[Preset, ...]


def built_in() -> Presets:
    """The presets that ship with Redraft. They cannot be changed or deleted, only duplicated."""
    return (
        Preset(id="default", name=tr("Default")),
        Preset(
            id="careful",
            name=tr("Careful"),
            sampling=Sampling(max_denoising_steps=96, entropy_bound=0.05, stability_threshold=2),
        ),
        Preset(
            id="fast",
            name=tr("Fast"),
            sampling=Sampling(max_denoising_steps=16, entropy_bound=0.3, confidence_threshold=0.02),
        ),
        Preset(id="think", name=tr("Think first"), thinking=True, thought_budget=2048),
    )


def is_built_in(preset_id: str) -> bool:
    return any(preset.id == preset_id for preset in built_in())


def find(own: Presets, preset_id: str) -> Preset:
    """The preset with this id; the default one where it is gone."""
    for preset in (*built_in(), *own):
        if preset.id == preset_id:
            return preset
    return built_in()[0]


def put(own: Presets, preset: Preset, place: int | None = None) -> Presets:
    """Replaces the preset with this id, or adds it: at `place` (to undo a removal), else last."""
    if any(each.id == preset.id for each in own):
        return tuple(preset if each.id == preset.id else each for each in own)
    at = len(own) if place is None else place
    return (*own[:at], preset, *own[at:])


def without(own: Presets, preset_id: str) -> Presets:
    return tuple(preset for preset in own if preset.id != preset_id)


def duplicate(own: Presets, preset: Preset, name: str = "") -> Preset:
    """A copy under an id and a name of its own, not yet among `own`."""
    return replace(preset, id=uuid4().hex, name=free_name(own, name or preset.name))


def free_name(own: Presets, name: str) -> str:
    """`name`, with a number behind it if a preset has that name already."""
    taken = {preset.name.casefold() for preset in (*built_in(), *own)}
    name = clean(name).strip()[:NAME_CHARACTERS] or tr("My preset")
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name} {number}"
    return free


def in_order(sampling: Sampling, changed: str, model: Mapping[str, float]) -> Sampling:
    """`sampling` with the temperature falling: the end that was not changed follows.

    `model` has the model's own values, which stand in for None. The engine refuses a temperature
    that rises.
    """
    start = model["t_max"] if sampling.t_max is None else sampling.t_max
    end = model["t_min"] if sampling.t_min is None else sampling.t_min
    if end <= start:
        return sampling
    if changed == "t_min":
        return replace(sampling, t_max=end)
    return replace(sampling, t_min=start)


def to_json(preset: Preset) -> dict[str, Any]:
    """Plain JSON values; what says nothing is left out. A seed of 0 says something."""
    sampling = {key: value for key, value in asdict(preset.sampling).items() if value is not None}
    row = asdict(preset) | {"sampling": sampling}
    return {key: value for key, value in row.items() if value or type(value) is int}


def from_json(row: Any) -> Preset:
    """The preset back. A value that cannot be is as the model says. ValueError without an id."""
    if not isinstance(row, Mapping) or not isinstance(row.get("id"), str) or not row["id"]:
        raise ValueError("not a preset")
    return Preset(
        id=row["id"],
        name=_text(row.get("name"))[:NAME_CHARACTERS] or tr("My preset"),
        system_prompt=_text(row.get("system_prompt")),
        thinking=row.get("thinking") is True,
        thought_budget=_whole(row.get("thought_budget"), THOUGHT_BUDGET),
        sampling=_sampling(row.get("sampling")),
        seed=_whole(row.get("seed"), SEEDS),
    )


def _text(value: Any) -> str:
    return clean(value) if isinstance(value, str) else ""


def _whole(value: Any, between: tuple[int, int]) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and between[0] <= value <= between[1] else None


def _sampling(row: Any) -> Sampling:
    values = row if isinstance(row, Mapping) else {}
    known: dict[str, Any] = {}
    for knob in KNOBS:
        value: Any = values.get(knob.name)
        if knob.fits(value) and (knob.decimals or value == int(value)):
            known[knob.name] = float(value) if knob.decimals else int(value)
    return in_order(Sampling(**known), "t_max", PUBLISHED)
