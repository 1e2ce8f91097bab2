"""The long version of the fault injections: `python -m tests.benchmarks.faults --count 30000`.

Each fault is one operator of a request that fails; the request must end once and in plain words, and
the next one must compute what a fresh engine does. Takes about 35 ms of CPU time a fault.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
import time
from pathlib import Path

import psutil

from tests.engine.campaign import campaign, make

ROUND = 1000  # faults between two looks at the memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # each fault would be logged
    seed = random.randrange(1 << 30) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        tiny = make(Path(folder))
        for number in range(-(-options.count // ROUND)):
            began = time.process_time()
            ends = campaign(tiny, min(ROUND, options.count - number * ROUND), seed + number)
            spent = time.process_time() - began
            rss = process.memory_info().rss >> 20
            print(f"{spent:.0f} s CPU, {rss} MiB: {json.dumps(ends, sort_keys=True)}", flush=True)


if __name__ == "__main__":
    main()
