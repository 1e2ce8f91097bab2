"""Train the demo model: `python packaging/demo_model/train.py --hours 1`.

Runs on a CPU or a CUDA device, stops at any time and goes on from its checkpoint in
`.work/demo_model`. Every `--report` steps it prints the loss, the share of held-out gaps filled
right in one pass by their suffix (the agreement figure), and the speed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import corpus
import torch
import torch.distributed as dist
import torch.nn.functional as F
import vocabulary
from batches import Batch, collate, group
from examples import Encoder
from network import Encoded, Network, NetworkConfig
from probe import Probe
from torch import Tensor
from torch.multiprocessing.spawn import spawn

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".work" / "demo_model"
SLIDING, FULL = "sliding_attention", "full_attention"
POOL = 1024  # examples sorted by length at a time


@dataclass(frozen=True, kw_only=True)
class Plan:
    rate: float
    warm_up: int
    end: float  # seconds of training after which the learning rate has fallen to nothing
    fall: float  # the last seconds, in which it falls
    tokens: int
    rows: int
    focus: float  # share of the documents whose gaps are just what other words decide
    seed: int


def keep_memory() -> None:
    """Let glibc reuse big blocks: returning them after each step costs a third of the time."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def produce(encoder: Encoder, trainer: Trainer, seed: int, out: queue.Queue[Batch]) -> None:
    """Batches without end, made beside the training."""
    rng, plan = Random(seed), trainer.plan
    while True:
        shares = corpus.mixture(trainer.seconds / plan.end)
        pool = corpus.examples(rng, encoder, POOL, shares)
        for members in group(rng, pool, plan.tokens, plan.rows):
            batch = collate(rng, members, vocabulary.VOCAB_SIZE, plan.tokens, plan.focus)
            if batch.weight.any():  # noise may spare every word of a few short documents
                out.put(batch)


def soft_input(network: Network, batch: Batch, prompt: Encoded, temperature: float) -> Tensor:
    """What the sampler would feed back from the step before: [B, C, hidden].

    The step before saw more noise. Pinned positions are one-hot on their own id.
    """
    with torch.no_grad():
        canvas = batch.noisy
        if not batch.document:
            more = torch.rand(canvas.shape, device=canvas.device)
            more = more < torch.rand(canvas.shape[0], 1, device=canvas.device)
            noise = torch.randint_like(canvas, network.config.vocab_size)
            canvas = torch.where(more, noise, canvas)
        free = ~batch.pinned
        hidden, _ = network.decode(canvas, prompt, wanted=free)
        soft = F.embedding(batch.clean, network.embed_tokens.weight) * network.embed_scale
        soft[free] = network.soften(network.logits(hidden) / temperature)
        return soft


def losses(network: Network, batch: Batch, self_condition: bool) -> tuple[Tensor, Tensor]:
    """The whole loss, and the mean loss on noise alone."""
    heard = causal_positions(batch)
    prompt = network.encode(batch.prompt, batch.lengths, heard)
    soft = None
    if self_condition:
        soft = soft_input(network, batch, prompt, 0.4 + 0.4 * float(torch.rand(())))
    wanted = batch.weight > 0
    hidden, balance = network.decode(batch.noisy, prompt, soft, wanted)
    weight = batch.weight[wanted]
    each = F.cross_entropy(network.logits(hidden), batch.clean[wanted], reduction="none")
    loss = (each * weight).sum() / weight.sum()
    total = loss + 0.01 * (balance + prompt.balance)
    # The encoder learns the next token of a prompt; the one prompt of all documents is skipped.
    if not batch.document:
        said = network.logits(prompt.hidden)
        total = total + 0.1 * F.cross_entropy(said, batch.prompt.roll(-1, dims=1)[heard])
    changed = (batch.noisy != batch.clean)[wanted]
    return total, (each.detach() * changed).sum() / changed.sum().clamp(min=1)


def causal_positions(batch: Batch) -> Tensor:
    """A quarter of the prompt positions that have a next token. bool [B, T]."""
    span = torch.arange(batch.prompt.shape[1], device=batch.prompt.device)
    inside = span < batch.lengths[:, None] - 1
    chosen = torch.rand(batch.prompt.shape, device=batch.prompt.device) < 0.25
    chosen[0, 0] = True
    return inside & chosen


def average_over_workers(weights: list[Tensor], seconds: float) -> float:
    """Gradients become their mean over all workers, in one exchange; so does the clock."""
    grads = [weight.grad for weight in weights if weight.grad is not None]
    flat = torch.cat([*(grad.flatten() for grad in grads), torch.tensor([seconds])])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for grad, mean in zip(grads, flat[:-1].split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(mean.view_as(grad))
    return float(flat[-1])


class Trainer:
    def __init__(self, network: Network, plan: Plan, device: str) -> None:
        self.network = network.to(device)
        self.weights = list(network.parameters())
        self.average = {k: v.detach().clone() for k, v in network.named_parameters()}
        self.plan, self.device, self.step, self.seconds = plan, device, 0, 0.0
        matrices = [p for p in network.parameters() if p.dim() > 1]
        vectors = [p for p in network.parameters() if p.dim() == 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}],
            lr=plan.rate,
            betas=(0.9, 0.98),
            fused=True,
        )

    def rate(self) -> float:
        left = (self.plan.end - self.seconds) / max(self.plan.fall, 1e-9)
        return self.plan.rate * min(1.0, (self.step + 1) / self.plan.warm_up, max(left, 0.01))

    def learn(self, batch: Batch) -> Tensor:
        start = time.perf_counter()
        for settings in self.optimizer.param_groups:
            settings["lr"] = self.rate()
        total, shown = losses(self.network, batch, self_condition=self.step % 3 == 2)
        self.optimizer.zero_grad()
        total.backward()
        if dist.is_initialized():
            self.seconds = average_over_workers(self.weights, self.seconds)
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        decay = min(0.99, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(
            list(self.average.values()),
            [weight.detach() for weight in self.weights],
            1 - decay,
        )
        self.step += 1
        self.seconds += time.perf_counter() - start
        return shown

    def save(self, path: Path) -> None:
        state = {
            "config": self.network.config.as_dict(),
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def restore(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)
        self.step, self.seconds = state["step"], state["seconds"]
        self.optimizer.load_state_dict(state["optimizer"])


def to_device(batch: Batch, device: str) -> Batch:
    if device == "cpu":
        return batch
    moved = {
        name: value.to(device) if isinstance(value, Tensor) else value
        for name, value in vars(batch).items()
    }
    return Batch(**moved)


def averaged(trainer: Trainer) -> Network:
    """A copy of the network with the averaged weights."""
    network = Network(trainer.network.config).to(trainer.device)
    network.load_state_dict(trainer.network.state_dict())
    network.load_state_dict(trainer.average, strict=False)
    return network.eval()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0, help="training time in all")
    parser.add_argument("--fall", type=float, default=0.3, help="hours of falling learning rate")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=2048, help="canvas positions a step")
    parser.add_argument("--rows", type=int, default=64, help="canvases a step at most")
    parser.add_argument("--focus", type=float, default=0.8, help="share of decided gaps")
    parser.add_argument("--report", type=int, default=100)
    parser.add_argument("--name", default="checkpoint")
    parser.add_argument("--tokenizer", type=Path, default=ROOT / "assets" / "demo_model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes, on a CPU one a core")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    WORK.mkdir(parents=True, exist_ok=True)
    meeting = WORK / f"{options.name}.meeting"
    meeting.unlink(missing_ok=True)
    if options.workers == 1:
        work(0, options, None)
    else:
        # One process a core: on layers this small, threads would mostly wait for each other.
        spawn(work, args=(options, meeting), nprocs=options.workers)


def work(rank: int, options: argparse.Namespace, meeting: Path | None) -> None:
    keep_memory()
    if meeting is not None:
        torch.set_num_threads(1)
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[rank % len(cores)]})
        dist.init_process_group(
            "gloo", init_method=meeting.as_uri(), rank=rank, world_size=options.workers
        )
    encoder = Encoder(vocabulary.load(options.tokenizer))
    plan = Plan(
        rate=options.rate,
        warm_up=100,
        end=options.hours * 3600,
        fall=options.fall * 3600,
        tokens=options.tokens,
        rows=options.rows,
        focus=options.focus,
        seed=options.seed,
    )
    kinds = (SLIDING,) * (options.layers - 1) + (FULL,)
    network = Network(NetworkConfig(vocab_size=vocabulary.VOCAB_SIZE, layer_types=kinds))
    network.initialise(options.seed)
    trainer = Trainer(network, plan, options.device)
    path = WORK / f"{options.name}.pt"
    if path.exists():
        trainer.restore(path)
    torch.manual_seed(plan.seed + 1000 * rank + trainer.step)
    run(trainer, encoder, path, rank, options.report)


def mean(values: list[float]) -> float:
    return round(sum(values) / max(1, len(values)), 3)


def run(trainer: Trainer, encoder: Encoder, path: Path, rank: int, report: int) -> None:
    """Train to the end of the plan; worker 0 reports and saves."""
    made: queue.Queue[Batch] = queue.Queue(maxsize=8)
    seed = (trainer.plan.seed * 1009 + trainer.step) * 101 + rank
    threading.Thread(target=produce, args=(encoder, trainer, seed, made), daemon=True).start()
    probe = Probe(encoder, count=100)
    losses_of: dict[bool, list[float]] = {True: [], False: []}  # by `Batch.document`
    tokens, start = 0, time.perf_counter()
    while trainer.seconds < trainer.plan.end:
        batch = to_device(made.get(), trainer.device)
        losses_of[batch.document].append(float(trainer.learn(batch)))
        tokens += batch.clean.numel()
        if trainer.step % report or rank:
            continue
        line = {
            "step": trainer.step,
            "minutes": round(trainer.seconds / 60, 1),
            "document loss": mean(losses_of[True]),
            "chat loss": mean(losses_of[False]),
            "tokens/s": round(tokens / (time.perf_counter() - start)),
            **probe.measure(averaged(trainer)),
        }
        print(json.dumps(line), flush=True)
        trainer.save(path)
        losses_of, tokens, start = {True: [], False: []}, 0, time.perf_counter()
    if rank == 0:
        trainer.save(path)


if __name__ == "__main__":
    main()
