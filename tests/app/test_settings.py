"""Settings survive: a crash, a newer version, a file that somebody has spoilt."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from PySide6.QtCore import QLocale

from app.settings import (
    Scheme,
    SendKey,
    Settings,
    SettingsStore,
    Still,
    from_json,
    language_of,
    to_json,
)
from app.state.autosave import Writer
from app.state.presets import Preset

OTHER = Settings(
    language="de",
    scheme=Scheme.DARK,
    reading_points=15.5,
    interface_percent=130,
    still=Still.ON,
    send_key=SendKey.CTRL_ENTER,
    show_figures=False,
    confirm_links=False,
    preset_id="mine",
    presets=(Preset(id="mine", name="Mine", system_prompt="Hi"),),
    keep_recordings=False,
    recording_days=7,
    model_folder="/models/ü",
    model_weights="int4",
    model_context=32_768,
    cache_bits=8,
    load_at_start=False,
    models_home="/models",
    named_models=("/elsewhere/model.gguf",),
    download_limit=12,
    unfinished_model="owner/name",
    first_run="choose",
    first_run_seen=True,
    first_run_model="owner/name",
    recent_commands=("a", "b"),
    wrap_lines=False,
    recent_files=("/a/ü.txt", "/b"),
    edit_instructions=("shorter", "longer"),
    kept_instructions=("like a pirate",),
    updates=True,
    answers_made=2,
)


@pytest.fixture
def open_store(qapp, paths):
    made = []

    def open_one() -> SettingsStore:
        writer = Writer()
        store = SettingsStore(paths.settings, writer)
        made.append((store, writer))
        return store

    yield open_one
    for store, writer in made:
        store.close()
        writer.close()


def test_the_example_differs_everywhere():
    usual = Settings()
    same = [
        each.name
        for each in fields(Settings)
        if getattr(OTHER, each.name) == getattr(usual, each.name)
    ]
    assert same == ["unknown"]


def test_every_field_comes_back(open_store):
    store = open_store()
    store.change(**{each.name: getattr(OTHER, each.name) for each in fields(Settings)})
    store.close()
    again = open_store()
    assert again.value == OTHER
    assert again.notice == ""


def test_what_a_newer_version_wrote_stays(open_store, paths):
    newer = to_json(OTHER) | {"holograms": {"on": [1, 2]}}
    paths.settings.write_text(json.dumps(newer), encoding="utf-8")
    store = open_store()
    store.change(show_figures=True)
    store.close()
    kept = json.loads(paths.settings.read_text(encoding="utf-8"))
    assert kept == newer | {"show_figures": True}


@pytest.mark.parametrize("name", sorted(to_json(Settings())))
@pytest.mark.parametrize("bad", [{"a": 1}, -5, "\ud800?", 1e99, True, None, [{}]], ids=repr)
def test_one_bad_value_costs_only_itself(name: str, bad: object):
    good = to_json(OTHER)
    read, wrong = from_json(good | {name: bad})
    if wrong:
        assert wrong == (name,)
        assert replace(read, **{name: getattr(OTHER, name)}) == OTHER
    else:  # some of them are fine for some fields
        assert to_json(read) == good | {name: to_json(read)[name]}


def test_a_partly_wrong_file_is_set_aside_and_the_good_is_kept_at_once(open_store, paths):
    text = json.dumps(to_json(OTHER) | {"recording_days": "many"})
    paths.settings.write_text(text, encoding="utf-8")
    store = open_store()
    assert store.value == replace(OTHER, recording_days=Settings().recording_days)
    aside = [path for path in paths.data.iterdir() if "unreadable" in path.name]
    assert [path.read_text(encoding="utf-8") for path in aside] == [text]
    assert aside[0].name in store.notice
    store.close()  # as if nothing had been changed
    assert open_store().value == store.value


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 50_000])
def test_a_spoilt_file_never_stops_the_start(open_store, paths, data: bytes):
    paths.settings.write_bytes(data)
    store = open_store()
    assert store.value == Settings()
    assert store.notice
    aside = [path for path in paths.data.iterdir() if "unreadable" in path.name]
    assert [path.read_bytes() for path in aside] == [data]


def test_a_bad_preset_does_not_take_the_others_along():
    row = to_json(OTHER)
    read, wrong = from_json(row | {"presets": [7, *row["presets"]]})
    assert read.presets == OTHER.presets
    assert wrong == ("presets",)


def test_changes_are_told_once(qtbot, open_store):
    store = open_store()
    told: list[Settings] = []
    store.changed.connect(told.append)
    store.change(show_figures=False)
    store.change(show_figures=False)
    store.reset("show_figures", "scheme")
    assert [each.show_figures for each in told] == [False, True]


def test_a_disk_that_refuses_is_told(qtbot, open_store, paths):
    store = open_store()
    paths.settings.mkdir()
    with qtbot.waitSignal(store.failed):
        store.change(show_figures=False)
    assert store.value.show_figures is False
    paths.settings.rmdir()


@pytest.mark.parametrize(
    ("wanted", "system", "found"),
    [
        ("de", ["en-US"], "de"),
        ("en", ["de-DE"], "en"),
        ("system", ["fr-FR", "de-AT", "en"], "de"),
        ("system", ["fr-FR"], "en"),
        ("system", [], "en"),
    ],
)
def test_the_language(monkeypatch, wanted: str, system: list[str], found: str):
    monkeypatch.setattr(QLocale, "uiLanguages", lambda self: system)
    assert language_of(Settings(language=wanted)) == found
