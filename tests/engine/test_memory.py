"""The memory plan against models and caches that were really built, and against its bars."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.load import load_model, model_folder
from engine.memory import (
    GIB,
    longest_context,
    plan,
    plan_wish,
    read_wish,
    refuse_unfit,
    ways_out,
)
from engine.messages import EngineFault, ErrorKind, LoadRequest
from engine.model.weights import all_tensors
from engine.pipeline import load_pipeline
from engine.quant.scheme import SCHEMES
from tests.engine.geometries import REAL_CONFIG, build, random_config, real_config
from tests.seeds import new_seed

SEED = new_seed()  # geometries that nobody has seen
DEMO = LoadRequest(model="demo", device="cpu", max_context=1024)


@pytest.mark.parametrize("seed", range(SEED, SEED + 20))
def test_weights_and_cache_are_those_that_are_built(seed: int) -> None:
    draw = random.Random(seed)
    config, dtype = random_config(draw), draw.choice(["float32", "bfloat16"])
    context = draw.randint(1, 6000)
    for scheme in SCHEMES.values():
        found = plan(config, scheme, context=context, dtype=dtype, device="cpu")
        model = build(config, scheme, dtype)
        assert found.weights == sum(tensor.nbytes for tensor in all_tensors(model.weights))
        assert found.kv_cache == model.new_cache(context).bytes_used


def test_the_real_model_keeps_its_bars() -> None:
    def total(weights: str, context: int) -> int:
        scheme = SCHEMES[weights]
        return plan(real_config(), scheme, context=context, dtype="bfloat16", device="cuda").total

    assert total("int4", 32_768) <= 18.0e9
    assert total("int4", 262_144) <= 22.0 * GIB
    assert total("int4-small", 8192) < 15 * GIB
    assert total("source", 8192) > 50.5e9  # its own numbers alone


def test_the_parts_are_the_total_and_one_byte_decides() -> None:
    found = plan_wish(read_wish(REAL_CONFIG, weights="int4", context=8192))
    assert sum(found.parts.values()) == found.total
    assert found.fits(found.total)
    assert not found.fits(found.total - 1)


def test_more_context_and_more_canvases_never_take_less() -> None:
    config, scheme = real_config(), SCHEMES["int4"]
    totals = [
        plan(config, scheme, context=context, dtype="bfloat16", device="cuda").total
        for context in range(256, 40_000, 1777)
    ]
    assert totals == sorted(totals)
    one, four = (
        plan(config, scheme, context=8192, dtype="bfloat16", device="cuda", batch=batch).total
        for batch in (1, 4)
    )
    assert one < four


@pytest.mark.parametrize("weights", ["source", "int8", "int4"])
@pytest.mark.parametrize("share", [0.3, 0.8, 0.97])
def test_every_way_out_is_one(weights: str, share: float) -> None:
    wish = read_wish(REAL_CONFIG, weights=weights, context=65_536)
    needed = plan_wish(wish).total
    free, total = int(share * needed), int(1.5 * needed)
    ways = ways_out(wish, free, total)
    assert ways[0].words.startswith("Close other programs")
    assert ways[0].plan.fits(total)
    assert all(way.plan.fits(free) for way in ways[1:])
    lost = [way.plan.weights for way in ways]
    assert lost == sorted(lost, reverse=True)  # the best weights first
    with pytest.raises(EngineFault) as caught:
        refuse_unfit(wish, free=free, total=total)
    assert caught.value.error.remedy == " Or: ".join(way.words for way in ways[:3])


def test_nothing_is_promised_that_does_not_help() -> None:
    wish = read_wish(REAL_CONFIG, weights="int4", context=32_768)
    assert ways_out(wish, GIB, 2 * GIB) == []
    with pytest.raises(EngineFault) as caught:
        refuse_unfit(wish, free=GIB, total=2 * GIB)
    assert caught.value.error.remedy == "Choose a smaller model, or a PC with more memory."


def test_the_context_that_is_named_is_the_longest() -> None:
    wish = read_wish(REAL_CONFIG, weights="int4", context=262_144)
    free = 17 * GIB
    longest = longest_context(wish, free)
    assert plan_wish(replace(wish, context=longest)).fits(free)
    assert not plan_wish(replace(wish, context=longest + wish.config.canvas_length)).fits(free)


def demo_plan() -> int:
    file = model_folder("demo") / "config.json"
    wish = read_wish(file, weights="source", context=1024, device="cpu")
    return plan_wish(wish).total


def load(request: LoadRequest, free: int):
    return load_pipeline(
        request, lambda *_: None, lambda: False, memory=lambda device: (free, 1 << 40)
    )


def test_loading_is_refused_by_one_byte_before_a_weight_is_read() -> None:
    needed = demo_plan()
    read = []
    with pytest.raises(EngineFault) as caught:
        load_pipeline(
            DEMO,
            lambda *progress: read.append(progress),
            lambda: False,
            memory=lambda device: (needed - 1, 1 << 40),
        )
    assert not read
    error = caught.value.error
    assert error.kind is ErrorKind.OUT_OF_MEMORY
    assert "Close other programs until 0.01 GiB more are free." in error.remedy
    load(DEMO, needed).close()


def test_load_anyway_loads() -> None:
    request = replace(DEMO, load_anyway=True)
    assert pickle.loads(pickle.dumps(request)) == request
    pipeline = load(request, 0)
    ready = pipeline.ready(1)
    assert ready.context == 1024
    assert ready.memory_bytes < demo_plan()


def test_a_model_is_held_against_how_it_will_be_stored() -> None:
    """A checkpoint may bring its own layout: the check gets the scheme after that is settled."""
    asked = []
    load_model("demo", weights="int4", check=lambda config, scheme: asked.append((config, scheme)))
    (config, scheme), *others = asked
    assert not others
    built = load_model("demo", weights="int4")
    found = plan(config, scheme, context=512, dtype="float32", device="cpu")
    assert found.weights == built.bytes_used


def test_the_command_says_what_the_plan_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = plan_wish(read_wish(REAL_CONFIG, weights="int4-small", context=8192))
    arguments = ["plan", "--config", str(REAL_CONFIG), "--weights", "int4-small"]
    arguments += ["--context", "8192", "--json", "--vram"]
    assert main([*arguments, str(found.total)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("host_bytes") == found.host
    assert said == {"total_bytes": found.total, "fits": True, "parts": found.parts}
    assert main([*arguments, str(found.total - 1)]) == 0
    assert json.loads(capsys.readouterr().out)["fits"] is False

    assert main(["plan", "--model", "demo", "--vram", str(24 * GIB)]) == 0
    assert "It fits." in capsys.readouterr().out
    assert main(["plan", "--config", "nowhere.json"]) == 1
    assert "nowhere.json" in capsys.readouterr().err
    with pytest.raises(SystemExit) as wrong:
        main(["plan", "--context", "8192"])
    assert wrong.value.code == 2


@pytest.mark.parametrize("module", ["engine.memory", "engine.__main__"])
def test_no_torch_is_needed(module: str) -> None:
    code = (
        f"import sys, {module}, engine.__main__ as command;"
        "outcome = command.main(['plan', '--model', 'demo']);"
        "sys.exit(outcome or 'torch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "total" in done.stdout
