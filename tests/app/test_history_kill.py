"""A process is killed at any moment: what it confirmed is there, and the file is whole."""

from __future__ import annotations

import random

from tests.app.killing import inspect, kill_once

KILLS = 25


def test_nothing_confirmed_is_lost(tmp_path):
    path = tmp_path / "chats.sqlite"
    chooser = random.Random(25)
    outcomes = [kill_once(path, run, chooser) for run in range(KILLS)]
    assert all(outcome.is_whole for outcome in outcomes)
    assert sum(outcome.lost for outcome in outcomes) == 0
    lines = [line for outcome in outcomes for line in outcome.confirmed if line[0] == "m"]
    assert inspect(path, lines).lost == 0  # nor by a later kill
    assert all(outcome.confirmed for outcome in outcomes)  # each did write before it was killed
