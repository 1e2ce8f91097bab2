"""The engine without a window: `python -m engine COMMAND`; --help lists them.

With --json a command prints one JSON object. Exit code 0, or 1 with one plain sentence on stderr,
or 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.messages import EngineFault
from engine.quant.scheme import PLAIN, SCHEMES


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        outcome = _COMMANDS[options.command](options)
    except EngineFault as fault:
        return _complain(f"{fault.error.message} {fault.error.remedy}")
    except KeyboardInterrupt:
        return _complain("Stopped.")
    except Exception as fault:
        # The traceback goes to whoever has switched logging on, never to the screen.
        logging.getLogger(__name__).debug("the command failed", exc_info=True)
        return _complain(f"Something went wrong inside the engine: {type(fault).__name__}: {fault}")
    _print(options, outcome)
    return 0


def _chat(options: argparse.Namespace) -> dict[str, Any]:
    from engine import commands

    pipeline = commands.open_pipeline(options.model, device=options.device, noise=options.noise)
    return commands.chat(
        pipeline,
        options.prompt,
        system=options.system,
        thinking=options.thinking,
        seed=options.seed,
        max_new_tokens=options.max_new_tokens,
    )


def _infill(options: argparse.Namespace) -> dict[str, Any]:
    from engine import commands, edit_commands

    pipeline = commands.open_pipeline(options.model, device=options.device, noise=options.noise)
    return edit_commands.infill(
        pipeline,
        options.file,
        instruction=options.instruction,
        tokens=options.tokens,
        alternatives=options.alternatives,
        seed=options.seed,
    )


def _rewrite(options: argparse.Namespace) -> dict[str, Any]:
    from engine import commands, edit_commands

    pipeline = commands.open_pipeline(options.model, device=options.device, noise=options.noise)
    return edit_commands.rewrite(
        pipeline,
        options.file,
        where=options.range,
        instruction=options.instruction,
        strength=options.strength,
        alternatives=options.alternatives,
        seed=options.seed,
    )


def _plan(options: argparse.Namespace) -> dict[str, Any]:
    from engine.folders import model_folder
    from engine.memory import plan_wish, read_wish

    file = options.config or model_folder(options.model) / "config.json"
    needed = plan_wish(
        read_wish(
            file,
            weights=options.weights,
            context=options.context,
            device=options.device,
            cache_bits=options.cache_bits,
        )
    )
    return {
        "total_bytes": needed.total,
        "fits": None if options.vram is None else needed.fits(options.vram),
        "parts": needed.parts,
        "host_bytes": needed.host,
    }


def _quantize(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    from engine.prepare import prepare, stopped

    def report(_what: str, done: int, total: int) -> None:
        share = f"{100 * done // max(total, 1)} % of {total / 1e9:.1f} GB"
        if share != shown[-1]:
            shown.append(share)
            print(f"\r{share}", end="", file=sys.stderr)

    shown, began = [""], time.monotonic()
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        outcome = prepare(
            options.source, options.target, options.weights, report, lambda: False, device=device
        )
    except KeyboardInterrupt:
        raise stopped() from None
    finally:
        if shown[1:]:
            print(file=sys.stderr)
    return {
        "bytes": outcome.size,
        "seconds": round(time.monotonic() - began, 1),
        "exact": outcome.exact,
        "requantised": outcome.rounded,
    }


def _verify(options: argparse.Namespace) -> dict[str, Any]:
    from engine.verify import verify

    def report(what: str, done: int, total: int) -> None:
        print(f"\r{what}: {done} of {total}", end="", file=sys.stderr)

    outcome = verify(options.model, report, lambda: False)
    print(file=sys.stderr)
    return dict(outcome)


def _bench(options: argparse.Namespace) -> dict[str, Any]:
    from engine.bench import bench

    return bench(options.model, device=options.device, runs=options.runs, context=options.context)


def _doctor(options: argparse.Namespace) -> dict[str, Any]:
    from engine.doctor import judge
    from engine.facts import gather
    from engine.messages.plain import to_plain

    found = judge(gather(Path.home()))
    ready = all(each.state.value != "missing" for each in found.findings)
    return {**dict(to_plain(found)), "ready": ready}


def _catalogue(options: argparse.Namespace) -> dict[str, Any]:
    from engine.store.catalogue import CATALOGUE, read_catalogue, refresh
    from engine.store.hub import Hub

    file = options.file or CATALOGUE
    if options.refresh:
        token = os.environ.get("HF_TOKEN")
        return {"models": refresh(Hub(endpoint=options.endpoint, token=token), file)}
    offers, damaged = read_catalogue(file)
    if damaged is not None:
        raise EngineFault(damaged.kind, damaged.message, damaged.remedy, damaged.detail)
    return {"models": [f"{offer.id}: {offer.repo} at {offer.revision}" for offer in offers]}


_COMMANDS = {
    "chat": _chat, "infill": _infill, "rewrite": _rewrite, "plan": _plan, "quantize": _quantize, "verify": _verify, "bench": _bench, "doctor": _doctor,
    "catalogue": _catalogue,
}  # fmt: skip


def _print(options: argparse.Namespace, outcome: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(outcome, ensure_ascii=False, indent=2))
    elif options.command == "doctor":
        for finding in outcome["findings"]:
            print(f"{finding['name']:<8} {finding['state']:<8} {finding['value']}")
            print(f"{'':<17} {finding['meaning']} {finding['remedy']}".rstrip())
    elif options.command == "plan":
        for name, size in {**outcome["parts"], "total": outcome["total_bytes"]}.items():
            print(f"{name.replace('_', ' '):<18} {size / (1 << 30):8.2f} GiB")
        if outcome["host_bytes"]:
            print(f"beside it, in the PC's memory: {outcome['host_bytes'] / (1 << 30):.2f} GiB")
        if outcome["fits"] is not None:
            print("It fits." if outcome["fits"] else "It does not fit.")
    elif options.command == "catalogue":
        print("\n".join(outcome["models"]))
    elif "text" in outcome:
        print(outcome["text"])
    elif "document" in outcome:
        print(outcome["document"])
    else:
        for name, value in outcome.items():
            print(f"{name}: {value}")


def _complain(sentence: str) -> int:
    print(sentence.replace("\n", " "), file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, summary: str, *, model: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        if model:
            command.add_argument("--model", default="demo", help="a model folder, or demo")
        return command

    def add_generation(command: argparse.ArgumentParser) -> None:
        command.add_argument("--device", default="auto", help="auto, cpu or cuda")
        command.add_argument("--seed", type=_natural, default=None)
        command.add_argument("--noise", choices=("native", "reference"), default="native")

    chat = add("chat", "Answer one message.")
    chat.add_argument("--prompt", required=True)
    chat.add_argument("--system", default="")
    chat.add_argument("--thinking", action="store_true")
    chat.add_argument("--max-new-tokens", type=_positive, default=None)
    add_generation(chat)

    _add_edits(add, add_generation)

    plan = add("plan", "How much memory a model takes.", model=False)
    which = plan.add_mutually_exclusive_group(required=True)
    which.add_argument("--config", type=Path, help="a config.json")
    which.add_argument("--model", help="a model folder, or demo")
    plan.add_argument("--weights", choices=tuple(SCHEMES), default="int4")
    plan.add_argument("--context", type=_positive, default=16384, help="tokens")
    plan.add_argument("--vram", type=_natural, default=None, help="bytes that are free")
    plan.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    plan.add_argument("--cache-bits", type=int, choices=(16, 8), default=16)

    quantize = add("quantize", "Write a model in the form that loads fast.", model=False)
    quantize.add_argument("source", metavar="SRC", help="the folder of a checkpoint")
    quantize.add_argument("target", metavar="DST", type=Path, help="a new folder")
    quantize.add_argument("--weights", default="int4", choices=sorted(SCHEMES.keys() - {PLAIN}))
    quantize.add_argument("--device", default="auto", help="auto, cpu or cuda")

    add("verify", "Compare this engine with transformers on the same checkpoint.")
    bench = add("bench", "Measure the speed on this PC.")
    bench.add_argument("--device", default="cpu")
    bench.add_argument("--runs", type=_positive, default=5)
    bench.add_argument("--context", type=_positive, default=256, help="prompt tokens")
    add("doctor", "Look at what this PC has.", model=False)
    _add_catalogue(add("catalogue", "Which models are on offer.", model=False))
    return parser


def _add_catalogue(command: argparse.ArgumentParser) -> None:
    command.add_argument("--refresh", action="store_true", help="ask the hub, and write it down")
    command.add_argument("--endpoint", default="https://huggingface.co")
    command.add_argument("--file", type=Path, default=None)


def _add_edits(
    add: Callable[[str, str], argparse.ArgumentParser],
    add_generation: Callable[[argparse.ArgumentParser], None],
) -> None:
    infill = add(
        "infill",
        "Fill the holes of a text: [[...]], [[a hint]], [[5]] for five tokens, [[number]] for a form.",
    )
    infill.add_argument("--file", type=Path, required=True)
    infill.add_argument("--instruction", default="")
    infill.add_argument("--tokens", type=_positive, default=None, help="length of each hole")
    infill.add_argument("--alternatives", type=_positive, default=1)
    add_generation(infill)

    rewrite = add("rewrite", "Write a part of a text anew, or correct it.")
    rewrite.add_argument("--file", type=Path, required=True)
    rewrite.add_argument("--range", required=True, metavar="A:B", help="code points, B exclusive")
    rewrite.add_argument("--instruction", default="", help="without one, mistakes are corrected")
    rewrite.add_argument("--strength", choices=("light", "medium", "full"), default="full")
    rewrite.add_argument("--alternatives", type=_positive, default=1)
    add_generation(rewrite)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _natural(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**63:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
