"""The demo model's tokenizer: BPE with byte fallback, built like Gemma's and with its low ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

VOCAB_SIZE = 3072
PAD, EOS, BOS, TURN_START, TURN_END, CHANNEL_START, CHANNEL_END = 0, 1, 2, 105, 106, 100, 101
IMAGE_START, IMAGE, IMAGE_END = 109, 110, 111
SPECIAL = {
    "<pad>": PAD, "<eos>": EOS, "<bos>": BOS, "<unk>": 3, "<mask>": 4,
    "<|tool>": 46, "<tool|>": 47, "<|tool_call>": 48, "<tool_call|>": 49,
    "<|tool_response>": 50, "<tool_response|>": 51, '<|"|>': 52, "<|think|>": 98,
    "<|channel>": CHANNEL_START, "<channel|>": CHANNEL_END,
    "<|turn>": TURN_START, "<turn|>": TURN_END,
    "<|image>": IMAGE_START, "<|image|>": IMAGE, "<image|>": IMAGE_END,
}  # fmt: skip
NEWLINES = {"\n": 107, "\n\n": 108}
FIRST_BYTE = 112
FIRST_PIECE = FIRST_BYTE + 256
WHOLE_WORDS = ("user", "model", "system", "thought")
# Only for training: pieces never cross a word, a digit or a line.
WORDS = r"\n+|▁+(?=▁)|▁?[A-Za-z]+|▁?[0-9]|▁?[^A-Za-z0-9▁\n]|▁+"


def train_merges(texts: Iterable[str], pieces: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Single characters and the merges that make at most `pieces` pieces out of them."""
    trainer_tokenizer = Tokenizer(models.BPE())
    trainer_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        show_progress=False,
        initial_alphabet=[chr(code) for code in range(33, 127)] + ["▁", "\n"],
    )
    trainer_tokenizer.train_from_iterator((text.replace(" ", "▁") for text in texts), trainer)
    state = json.loads(trainer_tokenizer.to_str())["model"]
    merges = [tuple(merge) for merge in state["merges"]]
    products = {left + right for left, right in merges}
    characters = [piece for piece in state["vocab"] if piece not in products]
    return characters, merges


def layout(characters: list[str], merges: list[tuple[str, str]]) -> dict[str, int]:
    """Token to id: the low ids of the real model, bytes, characters, then merged pieces."""
    vocab = dict(SPECIAL) | NEWLINES
    used = set(vocab.values())
    for index in range(FIRST_BYTE):
        if index not in used:
            vocab[f"<unused{index}>"] = index
    vocab |= {f"<0x{byte:02X}>": FIRST_BYTE + byte for byte in range(256)}
    for piece in [*characters, *(left + right for left, right in merges)]:
        if piece not in vocab:
            vocab[piece] = len(vocab)
    return vocab


def build(texts: Iterable[str], size: int = VOCAB_SIZE) -> Tokenizer:
    """Train a tokenizer of exactly `size` entries (unused ones fill up where words ran out)."""
    characters, merges = train_merges(texts, size - FIRST_PIECE)
    vocab = layout(characters, merges)
    for index in range(len(vocab), size):
        vocab[f"<unused{index}>"] = index
    document: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
            for token, index in sorted(SPECIAL.items(), key=lambda item: item[1])
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "},
                          "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False, "vocab": vocab,
                  "merges": [list(merge) for merge in merges]},
    }  # fmt: skip
    tokenizer = Tokenizer.from_str(json.dumps(document))
    for word in WHOLE_WORDS:
        if len(tokenizer.encode(f"{word}\n").ids) != 2:
            raise ValueError(f"{word!r} is not one token: give the trainer more of it")
    return tokenizer


def load(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
