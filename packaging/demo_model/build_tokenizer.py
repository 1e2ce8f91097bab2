"""Make `assets/demo_model/tokenizer.json` from the corpus. Weights depend on it: run it only once."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import corpus
import vocabulary


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = vocabulary.build(corpus.texts(Random(5), 60_000))
    tokenizer.save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
