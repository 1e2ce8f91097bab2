"""The search finds what a reader would find, and no query breaks it."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from app.state.conversation import Message, new_id
from app.state.history.history import History
from app.state.history.search import HITS_PER_CHAT
from engine.messages import Role


@pytest.fixture
def history():
    opened = History.open()
    yield opened
    opened.close()


def add(history, text, chat=None):
    message = Message(id=new_id(), parent=None, role=Role.USER, text=text)
    chat = chat or new_id()
    history.save(chat, [message], message.id)
    history.rename(chat, "-")  # else each text is a title, too
    return message.id


def found(history, query):
    return {hit.message_id for hit in history.search(query)}


def marked(hit):
    return [hit.snippet[start:end] for start, end in hit.ranges]


@pytest.mark.parametrize(
    ("text", "query", "marks"),
    [
        ("The cat sat on the mat", "cat", ["cat"]),
        ("The cat sat on the mat", "CAT ma", ["cat", "mat"[:2]]),
        ("The cat sat on the mat", "mat the", ["The", "the", "mat"]),
        ("A naïve café, really", "cafe naive", ["naïve", "café"]),
        ("cafe\u0301 au lait", "café", ["cafe\u0301"]),
        ("Die Häuser am Fluß", "hauser", ["Häuser"]),
        ("state-of-the-art work", "state-of-th", ["state-of-th"]),
        ("call foo_bar(1) now", "foo_bar", ["foo_bar"]),
        ("我喜欢喝绿茶。", "绿茶", ["绿茶"]),
        ("我喜欢喝绿茶。", "茶", ["茶"]),
        ("東京タワーへ行く", "タワ", ["タワ"]),
        ("학교에서 공부한다", "학교", ["학교"]),
        ("ผมชอบดื่มชา", "ดื่มชา", ["ดื่มชา"]),
        ("हिन्दी भाषा सुंदर है", "भाषा", ["भाषा"]),
        ("Привет, мир", "МИР", ["мир"]),
        ("I use Redraft日本語 daily", "日本 dai", ["日本", "dai"]),
    ],
)
def test_finds_and_marks(history, text, query, marks):
    add(history, "something entirely different 漢字")
    wanted = add(history, text)
    (hit,) = history.search(query)
    assert hit.message_id == wanted
    assert marked(hit) == marks


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The cat sat", "dog"),
        ("The cat sat", "cat dog"),
        ("concatenate", "cat"),
        ("category and more", "cat more"),  # only the last word may be a beginning
        ("我喜欢喝绿茶。", "茶绿"),
        ("a bird", "b"),
    ],
)
def test_does_not_find(history, text, query):
    add(history, text)
    assert history.search(query) == ()


def test_results_narrow_while_typing_and_never_come_and_go(history):
    wanted = add(history, "Photosynthesis turns light into sugar")
    for end in range(2, len("photosynthesis light") + 1):
        query = "photosynthesis light"[:end]
        assert found(history, query) == {wanted}, query


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_reading_every_message(history, seed):
    """Against the plainest search there is: split, fold, compare."""
    chooser = random.Random(seed)
    words = [
        "tea",
        "tee",
        "team",
        "Tëa",
        "coffee",
        "coffees",
        "cup",
        "cap",
        "mug",
        "water",
        "wat",
        "über",
        "uber",
    ]
    texts = {}
    for _ in range(60):
        text = " ".join(chooser.choices(words, k=chooser.randint(1, 6)))
        texts[add(history, text)] = text

    def folded(text):
        plain = unicodedata.normalize("NFD", text.lower())
        return re.sub(r"[\u0300-\u036f]", "", plain).split()

    def matches(text, query):
        *whole, begun = folded(query)
        said = folded(text)
        return all(w in said for w in whole) and any(w.startswith(begun) for w in said)

    hits = 0
    for _ in range(60):
        query = " ".join(chooser.choices([w[: chooser.randint(2, 9)] for w in words], k=2))
        expected = {key for key, text in texts.items() if matches(text, query)}
        result = {hit.message_id for hit in history.search(query, limit=100)}
        assert result == expected, query
        hits += len(expected)
    assert hits > 50


@pytest.mark.parametrize(
    "query",
    [
        "", " ", '"', '""', "'", "*", "a*", "(", ")", "AND", "OR NOT", "NEAR(a b)", "words:a", "-a", "^a",
        "a\0b", "\0", "\ud800", "{a}", "a OR", '"a', "+", "💥", "\u0301", "ﷺ", "%", "_", "__",
        "日*本", "x" * 10_000, "a " * 5_000, "; DROP TABLE chats", "\u202e", "क्", "\U000e0001", "²", "①",
    ],
)  # fmt: skip
def test_any_text_is_a_query(history, query):
    add(history, "a b AND OR NOT words x AND日 본 ①")
    assert isinstance(history.search(query), tuple)


def test_random_text_is_a_query(history):
    chooser = random.Random(5)
    for _ in range(300):
        text = "".join(chr(chooser.randrange(0x11000)) for _ in range(chooser.randint(1, 8)))
        if chooser.random() < 0.3:
            add(history, text)
        for hit in history.search(text):
            assert all(0 <= a < b <= len(hit.snippet) for a, b in hit.ranges)


def test_titles_come_first_and_the_newest_before_the_older(history):
    old = add(history, "tea is old")
    new = add(history, "tea is new")
    chat = new_id()
    add(history, "nothing", chat)
    history.rename(chat, "Green tea")
    hits = history.search("tea")
    assert [(hit.message_id, hit.title) for hit in hits] == [
        (None, "Green tea"), (new, "-"), (old, "-"),
    ]  # fmt: skip
    assert marked(hits[0]) == ["tea"]
    history.rename(chat, "Coffee")
    assert found(history, "tea") == {new, old}


def test_one_chat_does_not_crowd_out_the_others(history):
    quiet = add(history, "tea")
    for _ in range(30):
        add(history, "tea tea", "busy")
    hits = history.search("tea", limit=10)
    assert len(hits) == HITS_PER_CHAT + 1
    assert hits[-1].message_id == quiet


def test_a_changed_message_is_found_by_its_new_words_only(history):
    question = Message(id="q", parent=None, role=Role.USER, text="first words")
    history.save("chat", [question], "q")
    history.save("chat", [Message(**{**vars(question), "text": "second 漢字"})], "q")
    history.rename("chat", "-")
    assert found(history, "first") == set()
    assert found(history, "second") == found(history, "字") == {"q"}


def test_a_snippet_is_one_short_line_around_the_first_match(history):
    add(history, "filler\n\t" * 500 + "needle \u202e here" + " more" * 500)
    (hit,) = history.search("needle")
    assert marked(hit) == ["needle"]
    assert len(hit.snippet) < 200
    assert hit.snippet[0] == hit.snippet[-1] == "…"
    assert not set("\n\t\u202e") & set(hit.snippet)


def test_no_more_than_asked_for(history):
    for number in range(8):
        chat = new_id()
        add(history, f"tea {number}", chat)
        if number % 2:
            history.rename(chat, "tea")
    for limit in (0, 1, 3, 5, 50):
        assert len(history.search("tea", limit)) == min(limit, 12)


def test_many_titles_leave_room_for_messages(history):
    for number in range(8):
        chat = new_id()
        add(history, "nothing", chat)
        history.rename(chat, f"tea {number}")
    wanted = add(history, "tea in a message")
    hits = history.search("tea", limit=6)
    assert [hit.message_id for hit in hits] == [None, None, None, wanted]
