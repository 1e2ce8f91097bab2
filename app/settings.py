"""What the user has chosen: one frozen dataclass, one JSON file, one signal when it changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QLocale, QObject, Signal

from app.state import presets
from app.state.autosave import Autosave, Writer, read_json, set_aside
from app.state.presets import Presets
from app.state.text import clean
from app.words import LANGUAGES, tr

log = logging.getLogger(__name__)

SYSTEM_LANGUAGE = "system"
READING_POINTS = (8.0, 32.0)
INTERFACE_PERCENT = (80, 200)
RECORDING_DAYS = (1, 3650)
MOST_TEXTS = 20  # of a list of what was used lately
MOST_ANSWERS = 1_000_000
MOST_CONTEXT = 1 << 24  # tokens
SPEED_LIMIT = (0, 10_000)  # MB a second; 0: none
CACHE_BITS = (16, 8)


class Scheme(Enum):
    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Still(Enum):
    """Whether text may move on the screen while it comes into focus."""

    SYSTEM = "system"
    ON = "on"
    OFF = "off"


class SendKey(Enum):
    ENTER = "enter"
    CTRL_ENTER = "ctrl_enter"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A new field needs a default here and a reader in _READERS, nothing else."""

    language: str = SYSTEM_LANGUAGE  # or one of LANGUAGES; takes effect at the next start
    scheme: Scheme = Scheme.SYSTEM
    reading_points: float = 12.0
    interface_percent: int = 100
    still: Still = Still.SYSTEM
    send_key: SendKey = SendKey.ENTER
    show_figures: bool = True  # under an answer: steps, tokens, seconds
    confirm_links: bool = True
    preset_id: str = "default"  # of new chats
    presets: Presets = ()  # the user's own
    keep_recordings: bool = True
    recording_days: int = RECORDING_DAYS[1]  # a run can be watched at any later time
    model_folder: str = ""  # what was loaded last; empty: the demo model
    model_weights: str = "source"  # how it was loaded: a scheme
    model_context: int = 0  # tokens; 0 lets the engine choose
    cache_bits: int = CACHE_BITS[0]  # of keys and values
    load_at_start: bool = True
    models_home: str = ""  # the folder that keeps models; empty: in the user's data
    named_models: tuple[str, ...] = ()  # paths that the user has shown us, the latest first
    download_limit: int = 0  # MB a second; 0: none
    unfinished_model: str = ""  # the id of what was on its way when Redraft ended
    first_run: str = ""  # its page, see app.state.models.first_run
    first_run_seen: bool = False  # it is over, or was left: it does not come by itself
    first_run_model: str = ""  # the id of the model that is being set up
    recent_commands: tuple[str, ...] = ()  # ids, the latest first
    wrap_lines: bool = True  # in the editor
    recent_files: tuple[str, ...] = ()  # paths, the latest first
    edit_instructions: tuple[str, ...] = ()  # given before, the latest first
    kept_instructions: tuple[str, ...] = ()  # the user's own quick actions
    updates: bool = False  # whether Redraft looks for a newer version by itself
    answers_made: int = 0  # as far as it tells whether somebody is new here
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of newer versions


def language_of(settings: Settings) -> str:
    """The language to start in: the chosen one, else the system's, else English."""
    if settings.language in LANGUAGES:
        return settings.language
    for name in QLocale.system().uiLanguages():
        if (language := name.replace("_", "-").split("-")[0].lower()) in LANGUAGES:
            return language
    return "en"


def to_json(settings: Settings) -> dict[str, Any]:
    row: dict[str, Any] = dict(settings.unknown)
    for name in _READERS:
        value = getattr(settings, name)
        value = list(value) if isinstance(value, tuple) else value
        row[name] = value.value if isinstance(value, Enum) else value
    row["presets"] = [presets.to_json(preset) for preset in settings.presets]
    return row


def from_json(row: Any) -> tuple[Settings, tuple[str, ...]]:
    """The settings, and the names of values that could not be read and are the usual ones now."""
    if not isinstance(row, dict):
        return Settings(), ("settings",)
    values: dict[str, Any] = {}
    bad: list[str] = []
    for name, read in _READERS.items():
        if name in row:
            try:
                values[name] = read(row[name])
            except (ValueError, TypeError):
                bad.append(name)
    if isinstance(row.get("presets"), list) and len(values["presets"]) < len(row["presets"]):
        bad.append("presets")
    unknown = {name: value for name, value in row.items() if name not in _READERS}
    return Settings(**values, unknown=unknown), tuple(bad)


@dataclass(frozen=True, kw_only=True)
class SettingsFile:
    """What the file held. `bad` are values that could not be read; `kept` is then its new name."""

    settings: Settings = field(default_factory=Settings)
    bad: tuple[str, ...] = ()
    kept: Path | None = None


def read_settings(path: Path) -> SettingsFile:
    """Never raises. A file that cannot be read in full is renamed, never overwritten."""
    try:
        row = read_json(path)
    except ValueError:
        log.exception("the settings cannot be read")
        return SettingsFile(bad=("settings",), kept=set_aside(path, "unreadable"))
    if row is None:
        return SettingsFile()
    settings, bad = from_json(row)
    if not bad:
        return SettingsFile(settings=settings)
    log.warning("settings that could not be read: %s", ", ".join(bad))
    return SettingsFile(settings=settings, bad=bad, kept=set_aside(path, "unreadable"))


class SettingsStore(QObject):
    """The settings in use. Reads the file once, at the start; writes it soon after each change.

    Signals:
        changed(Settings): after `change`.
        failed(str): a plain sentence, when the disk refused. The settings still hold until the end.
    """

    changed = Signal(object)
    failed = Signal(str)

    def __init__(self, path: Path, writer: Writer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = read_settings(path)
        self._value = self._file.settings
        self._save = Autosave(path, lambda: to_json(self._value), writer, self)
        self._save.failed.connect(self._on_failed)
        if self._file.bad:
            self._save.save_now()  # the file was set aside, and the good values are in memory only

    @property
    def value(self) -> Settings:
        return self._value

    @property
    def notice(self) -> str:
        """One sentence if something in the file could not be read, else empty."""
        if not self._file.bad:
            return ""
        if self._file.kept is None:
            return tr("Some settings could not be read. The usual ones are used instead.")
        return tr(
            "Some settings could not be read. The usual ones are used instead; "
            "the old file is kept as {name}.",
            name=self._file.kept.name,
        )

    def change(self, **values: Any) -> None:
        """Sets fields by name. Nothing happens where they are so already."""
        changed = replace(self._value, **values)
        if changed != self._value:
            self._value = changed
            self._save.touch()
            self.changed.emit(changed)

    def reset(self, *names: str) -> None:
        """Gives these fields their usual values again."""
        usual = Settings()
        self.change(**{name: getattr(usual, name) for name in names})

    def close(self) -> None:
        """Returns when everything is on disk. What changes later is not written."""
        self._save.close()

    def _on_failed(self, _reason: str) -> None:
        self.failed.emit(tr("Your settings could not be saved. They hold until Redraft ends."))


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _number(low: float, high: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError("not a number")
        if not low <= value <= high:
            raise ValueError("out of range")
        return float(value)

    return read


def _whole(low: int, high: int) -> Callable[[Any], int]:
    within = _number(low, high)

    def read(value: Any) -> int:
        if within(value) != int(value):
            raise ValueError("not a whole number")
        return int(value)

    return read


def _one_of(*numbers: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or value not in numbers:
            raise ValueError("not one of those offered")
        return int(value)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return clean(value)


def _language(value: Any) -> str:
    if value != SYSTEM_LANGUAGE and value not in LANGUAGES:
        raise ValueError("not a language")
    return str(value)


def _presets(rows: Any) -> Presets:
    if not isinstance(rows, list):
        raise TypeError("not a list")
    found: Presets = ()
    for row in rows:
        try:
            preset = presets.from_json(row)
        except ValueError:
            continue  # the others are kept; whoever reads counts them
        if not presets.is_built_in(preset.id):
            found = presets.put(found, preset)
    return found


def _texts(rows: Any) -> tuple[str, ...]:
    if not isinstance(rows, list):
        raise TypeError("not a list")
    return tuple(_text(row) for row in rows[:MOST_TEXTS])


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "language": _language,
    "scheme": Scheme,
    "reading_points": _number(*READING_POINTS),
    "interface_percent": _whole(*INTERFACE_PERCENT),
    "still": Still,
    "send_key": SendKey,
    "show_figures": _truth,
    "confirm_links": _truth,
    "preset_id": _text,
    "presets": _presets,
    "keep_recordings": _truth,
    "recording_days": _whole(*RECORDING_DAYS),
    "model_folder": _text,
    "model_weights": _text,
    "model_context": _whole(0, MOST_CONTEXT),
    "cache_bits": _one_of(*CACHE_BITS),
    "load_at_start": _truth,
    "models_home": _text,
    "named_models": _texts,
    "download_limit": _whole(*SPEED_LIMIT),
    "unfinished_model": _text,
    "first_run": _text,
    "first_run_seen": _truth,
    "first_run_model": _text,
    "recent_commands": _texts,
    "wrap_lines": _truth,
    "recent_files": _texts,
    "edit_instructions": _texts,
    "kept_instructions": _texts,
    "updates": _truth,
    "answers_made": _whole(0, MOST_ANSWERS),
}
assert set(_READERS) == {each.name for each in fields(Settings)} - {"unknown"}
