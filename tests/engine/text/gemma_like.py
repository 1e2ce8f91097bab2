"""A tokenizer of a few hundred tokens in Gemma's structure, trained on a page of text."""

from __future__ import annotations

import json
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

FIRST = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
PLACES = {
    46: "<|tool>",
    47: "<tool|>",
    48: "<|tool_call>",
    49: "<tool_call|>",
    50: "<|tool_response>",
    51: "<tool_response|>",
    52: '<|"|>',
    98: "<|think|>",
    100: "<|channel>",
    101: "<channel|>",
    105: "<|turn>",
    106: "<turn|>",
}
NEWLINES = {107: "\n", 108: "\n\n"}
IMAGE = ["<|image>", "<|image|>", "<image|>"]
TEXT = """user model thought system Hello there, how are you today? I am well, thank you.
The quick brown fox jumps over the lazy dog, and the dog sleeps. 1 2 3 4 5 6 7 8 9 0
def add(a, b): return a + b | turn channel think tool call response < > ' " { } [ ] = ; / \\
declaration description parameters properties required type STRING OBJECT value get_weather city
"""


def build(folder: Path, *, images: bool = True, drop: str = "", ordinary: str = "") -> Path:
    """Write `folder/tokenizer.json`.

    `drop`: a special token to leave out; `ordinary`: one to list as an ordinary added token.
    """
    added = [*FIRST, *(f"<unused{n}>" for n in range(5, 107))]
    for place, text in {**PLACES, **NEWLINES}.items():
        added[place : place + 1] = [text]
    added = [*added[:107], *NEWLINES.values(), *(IMAGE if images else [])]
    added = [f"<unused_{text[1:]}" if text == drop else text for text in added]
    backend = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Replace(" ", "\u2581")
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    byte_tokens = [f"<0x{value:02X}>" for value in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=[*added, *byte_tokens], show_progress=False
    )
    backend.train_from_iterator(TEXT.splitlines(keepends=True) * 3, trainer)
    return _write(folder, backend, set(byte_tokens), {*NEWLINES.values(), ordinary})


def _write(folder: Path, backend: Tokenizer, not_added: set[str], ordinary: set[str]) -> Path:
    content = json.loads(backend.to_str())
    kept = [entry for entry in content["added_tokens"] if entry["content"] not in not_added]
    for entry in kept:
        if entry["content"] in ordinary or entry["content"].startswith("<unused"):
            entry["special"] = False
    content["added_tokens"] = kept
    folder.mkdir(parents=True, exist_ok=True)
    tokenizers.Tokenizer.from_str(json.dumps(content)).save(str(folder / "tokenizer.json"))
    return folder
