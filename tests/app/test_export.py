"""An exported chat says what the chat said, to a Markdown reader and to Redraft."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from app.state.conversation import Conversation, Message, new_id
from app.state.history.export import Format, chat_from_json, chat_to_json, export, to_markdown
from app.state.history.faults import HistoryError
from app.state.history.rows import ChatSummary, SavedChat
from app.state.unsent import Unsent
from engine.messages import EngineError, ErrorKind, FinishReason, Role
from tests.fakes import usage

TRICKY = [
    "plain",
    "# A heading\n\n## You\n\n> quoted",
    "```python\nprint('hi')\n\n# no heading\n```\nafter",
    "```\nnever closed\n\n## Redraft\n",
    "    indented code\n\n- a\n  - b\n\n1. c",
    "\n\nleading and trailing  \n\n\n",
    "Title\n=====\n---\n<script>alert(1)</script>\n<!-- never closed",
    "a | b\n--|--\n1 | 2",
    "> > deep\nlazy\n>",
    "~~~~\n> ## You\n~~~~",
    "[x]: /url\n\n[x] and [^1]\n",
    "日本語 \u202e \U0001f600",
]


def chat_of(texts, title="A *title* # with [marks]"):
    conversation = Conversation()
    for number, text in enumerate(texts):
        role = Role.MODEL if number % 2 else Role.USER
        message = Message(id=new_id(), parent=conversation.leaf, role=role, text=text)
        conversation = conversation.with_message(message)
    summary = ChatSummary(id="chat", title=title, created=1.0, updated=2.5)
    return SavedChat(summary=summary, conversation=conversation)


def branched():
    chat = chat_of(["q1", "a1", "q2", "a2"])
    first, answer, *_ = chat.conversation.path
    again = Message(id="again", parent=first.id, role=Role.MODEL, text="a1 again")
    other = Message(id="other", parent=answer.id, role=Role.USER, text="q2 edited")
    conversation = chat.conversation.with_message(again).with_message(other)
    return replace(chat, conversation=conversation)


def sections(markdown):
    """(heading, source of what is below it), as a Markdown reader divides the top level."""
    lines = markdown.split("\n")
    tokens = MarkdownIt().parse(markdown)
    headings = [
        (token.map[0], tokens[place + 1].content)
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    ]
    ends = [start for start, _ in headings[1:]] + [len(lines)]
    return [
        (heading, "\n".join(lines[start + 1 : end]).strip("\n"))
        for (start, heading), end in zip(headings, ends, strict=True)
    ]


def test_markdown_keeps_every_message_apart_and_exact():
    _title, *found = sections(to_markdown(chat_of(TRICKY)))
    assert [heading for heading, _ in found] == ["You", "Redraft"] * (len(TRICKY) // 2)
    unquoted = ["\n".join(line[2:] for line in body.split("\n")) for _, body in found]
    assert unquoted == TRICKY


@pytest.mark.parametrize("text", TRICKY[:5] + TRICKY[6:10])
def test_a_message_looks_in_the_file_as_by_itself(text):
    reader = MarkdownIt()
    whole = reader.render(to_markdown(chat_of([text])))
    alone = reader.render(text + "\n")  # its last line is whole
    quoted = whole.split("<blockquote>\n", 1)[1].rsplit("</blockquote>", 1)[0]
    assert quoted.strip() == alone.strip()


def test_the_title_is_text():
    (title, _), *_ = sections(to_markdown(chat_of(["q"])))
    html = MarkdownIt().render(to_markdown(chat_of(["q"])))
    assert html.startswith("<h1>A *title* # with [marks]</h1>")
    assert title


def test_lone_carriage_returns_do_not_break_out():
    _title, *found = sections(to_markdown(chat_of(["a\r## You\r\n\rb", "c"])))
    assert [heading for heading, _ in found] == ["You", "Redraft"]


def test_only_the_shown_branch_unless_all_are_wanted():
    chat = branched()
    shown = to_markdown(chat)
    assert "q2 edited" in shown
    assert "again" not in shown
    assert "a2" not in shown
    headings = [heading for heading, _ in sections(to_markdown(chat, all_branches=True))]
    assert headings[1:] == [
        "1. You", "2. Redraft (version 1 of 2)", "3. You (version 1 of 2)", "4. Redraft",
        "5. Redraft (version 2 of 2) to 1", "6. You (version 2 of 2) to 2",
    ]  # fmt: skip


def test_json_comes_back_equal():
    error = EngineError(kind=ErrorKind.INTERNAL, message="It broke.", remedy="Again.", detail="t")
    chat = chat_of([*TRICKY, "q", "a\r\nb\0"])
    last = chat.conversation.path[-1]
    extra = (
        replace(last, thought="hm", reason=FinishReason.END, usage=usage(), created=3.5),
        Message(id="x", parent=last.parent, role=Role.MODEL, error=error, has_recording=True),
    )
    conversation = chat.conversation
    for message in extra:
        conversation = conversation.with_message(message)
    chat = replace(
        chat, conversation=conversation, unsent=Unsent(typed="half"), settings={"seed": 3},
        title_is_given=True,
    )  # fmt: skip
    found = chat_from_json(json.loads(json.dumps(chat_to_json(chat))))
    assert found == chat
    assert list(found.conversation.messages) == list(conversation.messages)


@pytest.mark.parametrize(
    "change",
    [{"redraft_chat": 2}, {"messages": 3}, {"messages": [3]}, {"leaf": "nobody"}, {"unsent": None},
     {"id": None, "messages": [{}]}],
)  # fmt: skip
def test_other_json_is_refused(change):
    data = chat_to_json(branched()) | change
    with pytest.raises(ValueError, match=r"."):
        chat_from_json(data)
    with pytest.raises(ValueError, match=r"."):
        chat_from_json([data])


def test_branches_that_lead_nowhere_are_refused():
    data = chat_to_json(chat_of(["q", "a"]))
    one, two = data["messages"]
    for parent in (two["id"], one["id"], "nobody"):
        one["parent"] = parent
        with pytest.raises(ValueError, match="no place"):
            chat_from_json(data)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    chat = chat_of(["a\ud800b"])
    path = tmp_path / "Ünï 名前.md"
    export(chat, path, Format.MARKDOWN)
    assert "> a\ufffdb" in path.read_text(encoding="utf-8")
    export(branched(), path, Format.JSON)
    assert chat_from_json(json.loads(path.read_bytes())) == branched_like(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(HistoryError) as told:
        export(chat, tmp_path / "folder", Format.MARKDOWN)
    assert "folder" in told.value.message
    assert list((tmp_path / "folder").iterdir()) == []


def branched_like(path):
    """What another reader of JSON finds in the file."""
    return chat_from_json(json.loads(path.read_text(encoding="utf-8")))
