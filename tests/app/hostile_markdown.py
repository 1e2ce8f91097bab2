"""Documents that nobody would write, made from a seed: every odd thing beside every other."""

from __future__ import annotations

import random
from collections.abc import Iterator

ADDRESSES = (
    "https://example.com/a", "http://127.0.0.1:9/x.png", "file:///etc/passwd", "/etc/hostname",
    "//host/share/x.png", r"\\host\share\x.png", "C:\\x.png", "x.png", "../x.png", "qrc:/x.png",
    "javascript:alert(1)", "data:image/png;base64,iVBORw0KGgo=", "ms-msdt:/id", "mailto:a@b.c",
    "/dev/zero", "<a b>", "", "ftp://a.b/c", "https://xn--80ak6aa92e.com", ":/icons/x.svg",
)  # fmt: skip
ODD = (
    "\u202e", "\u2066", "\u200b", "\u200d", "\u00a0", "\u2028", "\u2029", "\ufdd0", "\ufffe",
    "\x00", "\x1b", "\r", "\t", "\x7f", "\x85", "\ufeff", "\ud800", "\udfff", "\U000e0041",
    "a\u0301\u0302\u0303", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0010ffff", "\u0600",
)  # fmt: skip
SCRIPTS = (
    "שלום עולם",
    "مرحبا",
    "नमस्ते क्षत्रिय",
    "日本語テキスト",
    "Ünï Çödé",
    "สวัสดี",
    "한국어",
    "ꦲꦏ꧀",
)
INLINE = (
    "**{0}**", "*{0}*", "_{0}_", "__{0}__", "~~{0}~~", "`{0}`", "``{0}` ``", "[{0}]({1})",
    "![{0}]({1})", "<{1}>", "[{0}][x]", "[{0}]", "<b>{0}</b>", "<img src='{1}'>", "{0}<{0}>",
    "<style>@import '{1}'</style>", "&lt;{0}&gt;", "&#x202e;{0}", "&nbsp;", "&{0};", "\\{0}",
    "[{0}](<{1}> '{0}')", "![{0}]({1} \"{0}\")", "{1}", "**{0}", "`{0}", "[{0}](", "![", "](",
    "<!-- {0} -->", "<svg onload={0}>", "[![{0}]({1})]({1})", "{0}  \n{0}", "$$ {0} $$", "||",
)  # fmt: skip
BLOCKS = (
    "# {0}", "{0}\n===", "{0}\n---", "---", "> {0}", "> > {0}\n{0}", "- {0}\n  - {0}", "1. {0}\n2. {0}",
    "- [ ] {0}\n- [x] {0}", "| {0} | {0} |\n|:-:|--:|\n| {0} | {0} |", "| {0} |\n|--|\n| {0} | {0} |",
    "```python\n{0}\n```", "```\n{0}", "~~~{2}\n{0}\n~~~", "    {0}", "[x]: {1}", "[{2}]: {1} '{0}'",
    "<div>\n{0}\n</div>", "{0}\n{0}\n{0}", "- - - {0}", "> - > 1. {0}", "* {0}\n\n  {0}\n\n      {0}",
    "[^1]: {0}", "{0}\n: {0}", "|{0}|{0}|\n|-|-|", "```{1}\n{0}\n````",
)  # fmt: skip


def documents(count: int, seed: int) -> Iterator[str]:
    """The same ones for the same seed. Words that look like `wort12` are what is to be read."""
    chooser = random.Random(seed)
    for _ in range(count):
        yield document(chooser)


def document(chooser: random.Random) -> str:
    blocks = [_block(chooser) for _ in range(chooser.randint(1, 5))]
    text = chooser.choice(("\n\n", "\n", "\n\n\n")).join(blocks)
    if chooser.random() < 0.02:
        text += "\n\n" + chooser.choice(("x" * 4_000, "> " * 300 + "y", "[" * 300, "*" * 300))
    if chooser.random() < 0.1:
        text = text[: chooser.randrange(len(text) + 1)]
    return text


def _block(chooser: random.Random) -> str:
    shape = chooser.choice(BLOCKS)
    block = shape.format(
        _words(chooser), chooser.choice(ADDRESSES), f"wort{chooser.randrange(100)}"
    )
    if chooser.random() < 0.3:
        lead = chooser.choice(("> ", "- ", "  ", "1. ", "   "))
        block = "\n".join(lead + line for line in block.split("\n"))
    return block


def _words(chooser: random.Random) -> str:
    parts = []
    for _ in range(chooser.randint(1, 5)):
        word = f"wort{chooser.randrange(1_000)}"
        kind = chooser.random()
        if kind < 0.5:
            word = chooser.choice(INLINE).format(word, chooser.choice(ADDRESSES))
        elif kind < 0.65:
            word += chooser.choice(ODD)
        elif kind < 0.8:
            word = chooser.choice(SCRIPTS)
        parts.append(word)
    return " ".join(parts)
