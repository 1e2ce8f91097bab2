"""Tensors of several types through one piece of memory, and what was received stays as it was."""

from __future__ import annotations

import torch

from engine.outbox import Outbox


def test_what_is_sent_arrives_and_stays() -> None:
    like = {
        "stop": torch.zeros(3, dtype=torch.bool),  # whose end is at no multiple of eight bytes
        "ids": torch.zeros(3, 5, dtype=torch.int64),
        "entropy": torch.zeros(3, 5),
        "none": torch.zeros(3, 0),
    }
    box = Outbox(like)
    there = box.tensors
    assert {name: each.shape for name, each in there.items()} == {
        name: each.shape for name, each in like.items()
    }
    given = {
        "stop": torch.tensor([True, False, True]),
        "ids": torch.arange(15).view(3, 5) - (1 << 40),
        "entropy": torch.rand(3, 5),
        "none": torch.zeros(3, 0),
    }
    for name, values in given.items():
        there[name].copy_(values)
    box.send()
    first = box.receive()
    for values in there.values():
        values.zero_()
    assert all(torch.equal(box.receive()[name], given[name]) for name in given)  # not sent again
    box.send()
    assert not box.receive()["ids"].any()
    assert all(torch.equal(first[name], given[name]) for name in given)
