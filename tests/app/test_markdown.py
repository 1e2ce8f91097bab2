"""From Markdown to blocks: the right ones, nothing lost, nothing hidden, whatever the text is."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from app.state.markdown.blocks import (
    Align,
    Code,
    Gap,
    Item,
    Paragraph,
    Quote,
    Rule,
    Run,
    Style,
    Table,
    plain_text,
)
from app.state.markdown.code import _GRAMMARS, Highlighter, language_name
from app.state.markdown.parse import is_right_to_left, parse
from app.state.markdown.rules import is_link
from app.state.text import SHOWN_CHARACTERS, clean, shown, visible
from tests.app.hostile_markdown import documents


def texts(text: str, with_languages: bool = True) -> list[str]:
    """What a page shows, in order, with the boxes of tasks as they were written."""
    found: list[str] = []
    ticked: set[int] = set()
    for block in parse(text).blocks:
        for each in block.inside:
            if isinstance(each, Item) and each.is_done is not None and each.number not in ticked:
                ticked.add(each.number)
                found.append("[x] " if each.is_done else "[ ] ")
        match block:
            case Paragraph():
                found.append(plain_text(block.runs))
            case Code():
                found += [block.language if with_languages else "", block.text]
            case Table():
                found += [plain_text(cell) for row in block.rows for cell in row]
    return found


def runs_of(text: str) -> tuple[Run, ...]:
    (block,) = parse(text).blocks
    assert isinstance(block, Paragraph)
    return block.runs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", (Run("plain"),)),
        ("**b** *i* ~~s~~ `c`", (
            Run("b", Style.BOLD), Run(" "), Run("i", Style.ITALIC), Run(" "),
            Run("s", Style.STRUCK), Run(" "), Run("c", Style.CODE))),
        ("***both***", (Run("both", Style.BOLD | Style.ITALIC),)),
        ("****b****", (Run("b", Style.BOLD),)),  # bold twice is bold
        ("one\ntwo  \nthree", (Run("one\ntwo\nthree"),)),
        ("[t](https://a.b/c)", (Run("t", link="https://a.b/c"),)),
        ("[t](mailto:a@b.c)", (Run("t", link="mailto:a@b.c"),)),
        ("<https://a.b>", (Run("https://a.b", link="https://a.b"),)),
        ("see https://a.b/(c). And", (
            Run("see "), Run("https://a.b/(c)", link="https://a.b/(c)"), Run(". And"))),
        ("(https://a.b)", (Run("("), Run("https://a.b", link="https://a.b"), Run(")"))),
        ("![a *cat*](file:///x.png 'title')", (Run("a *cat* (file:///x.png)"),)),
        ("[![alt](x.png)](https://a.b)", (Run("alt (x.png)", link="https://a.b"),)),
        ("a &amp; b &#x202e; c", (Run("a & b \ufffd c"),)),
        (r"\*not\*", (Run("*not*"),)),
    ],
)  # fmt: skip
def test_words(text, expected):
    assert runs_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "List<String> and Map<K, V>",
        "vector<std::string> x",
        "a <b>bold</b> <img src=x.png> <!-- no --> <script>alert(1)</script>",
        "[x](javascript:alert(1)) [y](file:///etc/passwd) [z](//host/share) [u](data:text/html,a)",
        r"[v](\host\share) [w](ms-msdt:id) <file:///etc> <javascript:x>",
        "[note]: this is no definition",
        "[^1]: nor a footnote [^1]",
        "![not closed](x",
    ],
)
def test_shown_as_written(text):
    assert runs_of(text) == (Run(text),)


def test_blocks_know_where_they_stand():
    page = parse(
        "# Title\n\npara\n\n- a\n  - [x] b\n- c\n\n  more\n\n"
        "> q\n> > r\n\n7) seven\n8) eight\n\n---\n\n```py\nx = 1\n\ny\n```\n"
    )
    found = [
        (
            type(block).__name__,
            "".join(">" if isinstance(each, Quote) else each.marker for each in block.inside),
            block.gap,
        )
        for block in page.blocks
    ]
    assert found == [
        ("Paragraph", "", Gap.NONE),
        ("Paragraph", "", Gap.HALF),
        ("Paragraph", "•", Gap.FULL),
        ("Paragraph", "•◦", Gap.TIGHT),
        ("Paragraph", "•", Gap.FULL),
        ("Paragraph", "•", Gap.FULL),
        ("Paragraph", ">", Gap.FULL),
        ("Paragraph", ">>", Gap.FULL),
        ("Paragraph", "7)", Gap.FULL),
        ("Paragraph", "8)", Gap.TIGHT),
        ("Rule", "", Gap.FULL),
        ("Code", "", Gap.FULL),
    ]
    assert page.blocks[0].level == 1
    assert page.blocks[3].inside[-1].is_done is True
    assert page.blocks[4].inside == page.blocks[5].inside
    assert page.blocks[2].inside != page.blocks[4].inside
    assert page.blocks[-1].text == "x = 1\n\ny"
    assert isinstance(page.blocks[-2], Rule)


def test_a_table_has_its_alignments():
    (table,) = parse("| a | b | c |\n|---|:-:|--:|\n| 1 | **2** |\n").blocks
    assert table.aligns == (Align.START, Align.CENTER, Align.END)
    assert table.rows == (
        ((Run("a"),), (Run("b"),), (Run("c"),)),
        ((Run("1"),), (Run("2", Style.BOLD),), ()),
    )


@pytest.mark.parametrize(
    "text",
    [
        "| a | b |\n|---|---|\n| c | d | lost |",
        "| a | b |\n|---|---|\n" + "| c | d |\n" * 400,
        "|" + " a |" * 13 + "\n|" + "---|" * 13,
    ],
)
def test_a_table_that_would_lose_or_cost_too_much_is_shown_as_written(text):
    assert "\n".join(texts(text)).strip() == text.strip()


def test_a_very_long_text_is_cut_and_counted():
    for text in ("word " * 100_000, "line\n" * 100_000, "x" * (1 << 20), "| a |\n|-|\n" * 30_000):
        page = parse(text)
        kept = len(text) - page.rest
        assert 0 < kept <= SHOWN_CHARACTERS
        assert sum(map(len, texts(text))) <= SHOWN_CHARACTERS + 100
        assert parse(text[:kept]).blocks == page.blocks
        assert parse(text[:kept]).rest == 0


@pytest.mark.parametrize(
    ("text", "shown_lines"),
    [
        ("- a\n" * 10_000, 487),  # 20,000 characters of 40 and a line end each
        ("# a\n" * 10_000, 487),
        ("```\n" + "a\n" * 10_000, 1_818),  # in a program, of 10
        (("a" * 99 + "\n") * 300, 200),
        ("\U0001f600" * 99 + "\n" + "a\n" * 600, 483),  # an emoji costs two
    ],
)
def test_many_short_lines_are_shown_in_part_and_the_rest_is_counted(text, shown_lines):
    page = parse(text)
    kept = text[: len(text) - page.rest]
    assert kept.endswith("\n")
    assert abs(kept.count("\n") - shown_lines) <= 1
    everything = parse(text, limit=50 * SHOWN_CHARACTERS)
    assert everything.rest == 0
    assert everything.blocks[: len(page.blocks) - 1] == page.blocks[:-1]


def test_one_line_is_cut_where_its_letters_cost_too_much():
    page = parse("\U0001f600" * 20_000)
    assert page.rest == 10_000


def test_a_paragraph_of_nothing_but_addresses_is_shown_as_written():
    few, many = "https://a.bc/d " * 300, "https://a.bc/d " * 500
    assert len({run.link for block in parse(few).blocks for run in block.runs}) == 2
    (paragraph,) = parse(many).blocks
    assert [run.link for run in paragraph.runs] == [""]
    assert texts(many) == [many.strip()]


@pytest.mark.parametrize(
    "text",
    ["> " * 1_000 + "deep", "- " * 1_000 + "deep", "[" * 1_000 + "deep" + "]" * 1_000,
     "\n".join("  " * depth + "- deep" for depth in range(90)), "*" * 5_000 + "deep",
     "![" * 300 + "deep" + "](u)" * 300, "`" * 5_000 + "deep", "1. " * 1_000 + "deep"],
)  # fmt: skip
def test_what_is_nested_too_deeply_is_still_there(text):
    page = parse(text)
    assert "".join(texts(text)).count("deep") == text.count("deep")
    assert max(len(block.inside) for block in page.blocks) <= 17


class _Words(HTMLParser):
    """The text of an HTML page, and apart from it what stands in its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.attributes = ""

    def handle_starttag(self, tag, attrs):
        self.attributes += " ".join(value or "" for _, value in attrs) + " "
        if tag in ("p", "li", "td", "th", "pre", "br", "h1", "h2", "h3", "h4", "h5", "h6"):
            self.text += " "

    def handle_data(self, data):
        self.text += data


def reference(text: str) -> _Words:
    """What the library itself makes of the text, with our rules about links and nothing else."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    parser.enable(["table", "strikethrough"]).disable(["reference", "image"])
    parser.validateLink = is_link
    words = _Words()
    words.feed(parser.render(text))
    return words


def letters(text: str) -> str:
    return re.sub(r"[\s\ufffd]+", "", text)


def test_the_text_is_that_of_the_library():
    """For documents without images, wide tables and very deep nesting: there we differ."""
    compared = 0
    for text in documents(600, seed=7):
        if "![" in text or "|" in text or len(re.findall(r"[>\-+*]|\d[.)]", text)) > 40:
            continue
        ours = "".join(texts(clean(text), with_languages=False))
        assert letters(ours) == letters(visible(reference(clean(text)).text)), text
        compared += 1
    assert compared > 100


def test_no_word_is_ever_lost():
    """Every word that was not an address or a title of a link is shown."""
    words = 0
    for text in documents(1_500, seed=11):
        page = " ".join(texts(text))
        for word in re.findall(r"wort\d+", text):
            words += 1
            assert word in page or word in reference(text).attributes, text
    assert words > 10_000


def test_every_character_passes_through():
    special = set("\\`*_~[]()<>&!#|-+=:.\r\n\t ")
    for first in range(0, 0x110000, 0x800):
        kept = [
            chr(code) for code in range(first, first + 0x800)
            if not 0xD800 <= code < 0xE000 and chr(code) not in special and code
        ]  # fmt: skip
        text = "".join(f"a{each}b " for each in kept).rstrip()
        if text:
            paragraph, code = parse(f"{text}\n\n```\n{text}\n```\n", limit=1 << 20).blocks
            assert plain_text(paragraph.runs) == visible(text)
            assert code.text == visible(text)


def test_controls_are_visible_wherever_they_stand():
    control = "\u202e"
    text = (
        f"# h{control}\n\np{control} `c{control}` [t{control}](https://a.b/{control})\n\n"
        f"| a{control} |\n|---|\n| b{control} |\n\n```py{control}\ncode{control}\n```\n\n"
        f"![i{control}](x{control})\n\n&#x202e; https://a.b/{control}x"
    )
    blocks = parse(text).blocks
    assert control not in repr(blocks)
    assert not any(unicodedata.bidirectional(each) == "RLO" for each in repr(blocks))
    assert "".join(texts(text)).count("\ufffd") >= 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abc שלום", False), ("1. שלום abc", True), ("(مرحبا)", True), ("", False), ("123 !", False)],
)
def test_direction(text, expected):
    assert is_right_to_left(text) is expected


@pytest.mark.parametrize("language", [each.split()[0] for each in _GRAMMARS])
def test_every_language_of_the_list_is_there(language):
    code = "x = 1 # \U0001f600\n\n  'a' // \"b\"\n"
    spans = Highlighter(60).spans(code, language)
    units = len(code.encode("utf-16-le")) // 2
    end = 0
    for start, length, _ in spans:
        assert end <= start
        assert length > 0
        end = start + length
    assert end <= units
    assert language_name(language)


def test_parts_of_code_stand_where_the_words_are():
    code = "s = '\U0001f600'  # note\n\nclass Name:\n    pass\n"
    encoded = code.encode("utf-16-le")
    found = {
        encoded[2 * start : 2 * (start + length)].decode("utf-16-le"): kind.name
        for start, length, kind in Highlighter(60).spans(code, "py")
    }
    assert found["# note"] == "COMMENT"
    assert found["'\U0001f600'"] == "TEXT"
    assert found["class"] == found["pass"] == "KEYWORD"
    assert found["Name"] == "NAME"


def test_an_unknown_language_and_no_time_leave_code_plain():
    assert Highlighter(60).spans("x = 1", "nonsense") == ()
    assert Highlighter(60).spans("x = 1" + " " * 5_000, "py") == ()
    assert len(Highlighter(-1).spans("x = 1\n" * 100, "py")) < 3


def test_plain_text_is_what_the_plain_view_shows():
    text = "One line.\nAnother — with “quotes”.\n\nA second paragraph, 日本語."
    assert "\n\n".join(texts(text)) == shown(text)
