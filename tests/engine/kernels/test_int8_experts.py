"""Experts of eight bits have no kernel: that is said in plain words, and they are computed all the same."""

from __future__ import annotations

import torch

from engine.graph import Graphs
from engine.kernels.operations import NAMES
from engine.kernels.selection import Choice, Selection, notice
from engine.load import without_expert_kernel
from tests.engine.kernels.network import config, fused, random_model
from tests.engine.kernels.test_graph import agree, run


def test_the_refusal_is_said_once_with_a_way_out() -> None:
    choices = tuple(Choice(name=name, uses_kernel=True) for name in NAMES)
    found = without_expert_kernel(Selection(choices=choices))
    assert [choice.name for choice in found.choices] == list(NAMES)
    assert not found.uses_kernel("experts")
    assert all(found.uses_kernel(name) for name in NAMES if name != "experts")
    told = notice(found)
    assert told is not None
    assert "eight bits" in told.message
    assert "int4" in told.remedy
    nothing = Selection(choices=found.choices, has_none=True)
    assert without_expert_kernel(nothing) is nothing


def test_the_step_takes_the_plain_way_for_them() -> None:
    """It waits for the device there, so it is never captured."""

    def capture(work):
        raise AssertionError("captured")

    model = random_model(config(True), "int8")
    options = {"sampling": {"max_denoising_steps": 3, "stop_ids": ()}, "pins": torch.full((5,), -1)}
    graphs = Graphs(capture, tolerance=-1.0)
    own = run(fused(model, ("vocabulary",), bits=16), graphs=graphs, **options)
    assert agree(own, run(model, **options)) == 3
