"""Preparing a model: killed, cancelled, out of room, from damaged sources; the end is the same."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub._local_folder import write_download_metadata
from torch import Tensor

from engine.checkpoint import durable
from engine.checkpoint.prepared import open_prepared, verify_files
from engine.config import load_config
from engine.messages import EngineFault, ErrorKind
from engine.prepare import prepare
from tests.engine.checkpoint.sources import (
    SHARDS,
    change,
    content,
    copy,
    prepared,
    random_bits,
    without_report,
    write_source,
)
from tests.engine.forks import fork_server

ROOT = Path(__file__).parents[2]
DOWN = "model.decoder.layers.1.mlp.down_proj.weight"
EXPERTS = "model.decoder.layers.1.experts.gate_up_proj"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def meant(original: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an undisturbed run."""
    folder = tmp_path_factory.mktemp("meant") / "model"
    prepared(original, folder)
    return content(folder)


@pytest.fixture
def source(original: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return copy(original, tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.prepare._MARGIN", 0)  # the test's own disk may be small


def fault_of(action: Callable[[], object]) -> EngineFault:
    with pytest.raises(EngineFault) as caught:
        action()
    error = caught.value.error
    assert error.message.endswith(".")
    assert (error.message + error.remedy).isprintable()
    return caught.value


def assert_no_model(folder: Path) -> None:
    assert not (folder / "COMPLETE").exists()
    if folder.exists() and (folder / "config.json").exists():
        fault_of(lambda: open_prepared(folder, load_config(folder)))


# --- an undisturbed run ---------------------------------------------------------------------------


def test_the_manifest_says_what_was_made_of_what(original: Path, target: Path) -> None:
    outcome = prepared(original, target)
    manifest = json.loads((target / "COMPLETE").read_text())
    files = content(target)
    assert {record["name"] for record in manifest["files"]} == files.keys() - {"COMPLETE"}
    for record in manifest["files"]:
        data = files[record["name"]]
        assert (record["size"], record["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert [entry["name"] for entry in manifest["source"]] == list(SHARDS)
    for entry in manifest["source"]:
        data = (original / entry["name"]).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    for name in ("config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"):
        assert files[name] == (original / name).read_bytes()
    assert outcome.size == sum(map(len, files.values())) - len(files["COMPLETE"])
    # Per layer the matrices of attention, dense MLP and experts; embedding and self-conditioning.
    assert outcome.rounded == 2 * 6 + 3
    assert outcome.exact == 2 * 14 + 2


def test_progress_goes_from_nothing_to_everything(original: Path, target: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = lambda _what, done, total: seen.append((done, total))  # noqa: E731
    prepare(original, target, "int4", report, lambda: False)
    assert seen[0][0] == 0
    assert len({total for _, total in seen}) == 1
    assert seen == sorted(seen)
    assert seen[-1][0] == pytest.approx(seen[-1][1], rel=0.01)
    assert len(seen) > 50


def test_the_same_source_gives_the_same_bytes(
    original: Path, target: Path, meant: dict[str, bytes]
) -> None:
    prepared(original, target)
    assert content(target) == meant


# --- runs that are cut short ----------------------------------------------------------------------


def test_killed_at_any_moment_it_goes_on(
    original: Path, target: Path, meant: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL to real processes; each goes on where the last one was ended."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for the server, which imports the engine once
    # `slice` and `bool` stand for functions that do nothing: they reach the process by name.
    arguments = (original, target, "int4", slice, bool)
    rng, killed_at_work = random.Random(8), 0
    with fork_server("engine.prepare") as context:
        while killed_at_work < 25:
            process = context.Process(target=prepare, args=arguments)
            process.start()
            process.join(0.3 * rng.random() ** 2)
            process.kill()
            process.join()
            if (target / "COMPLETE").exists():
                (target / "prepare.lock").unlink(missing_ok=True)
                assert content(target) == meant
                shutil.rmtree(target)
            elif (target / "progress.json").exists():
                killed_at_work += 1
                assert_no_model(target)
    prepared(original, target)
    assert content(target) == meant


def test_cancelled_at_any_time_it_goes_on(
    original: Path, tmp_path: Path, meant: dict[str, bytes]
) -> None:
    for number in range(0, 90, 5):
        target = tmp_path / str(number)
        answers = iter([False] * number)
        fault = fault_of(
            lambda t=target, a=answers: prepare(
                original, t, "int4", without_report, lambda: next(a, True)
            )
        )
        assert fault.error.kind is ErrorKind.CANCELLED
        assert_no_model(target)
        assert not list(target.glob("*.part"))
        prepared(original, target)
        assert content(target) == meant


class Disk:
    """A disk with room for so many bytes more."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, file: durable.FileIO, data: memoryview) -> None:
        file.write(data[: self.room])
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_at_fifty_points(
    original: Path,
    tmp_path: Path,
    meant: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = sum(map(len, meant.values()))
    for number in range(50):
        target = tmp_path / str(number)
        with monkeypatch.context() as patch:
            patch.setattr(durable, "write_all", Disk(number * size // 50).write)
            error = fault_of(lambda t=target: prepared(original, t)).error
        assert error.kind is ErrorKind.DISK
        assert "full" in error.message
        assert_no_model(target)
        prepared(original, target)
        assert content(target) == meant


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(command, check=False, capture_output=True).returncode
    ):
        pytest.skip("only an administrator can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_real_disk_that_is_full(
    original: Path,
    small_disk: Path,
    meant: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It grows by a page a time, and every run takes up what the last one left."""
    monkeypatch.setattr("engine.prepare._check_room", lambda _folder, _size: None)
    target = small_disk / "model"
    for full in range(60):
        pages = 1 + full
        subprocess.run(["mount", "-o", f"remount,size={4 * pages}k", str(small_disk)], check=True)
        try:
            prepared(original, target)
        except EngineFault as fault:
            assert fault.error.kind is ErrorKind.DISK  # noqa: PT017
            assert_no_model(target)
        else:
            break
    assert content(target) == meant
    assert full > 10


def test_too_little_room_is_said_before_anything_is_made(
    original: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(original).free
    monkeypatch.setattr("engine.prepare._MARGIN", 2 * free)
    error = fault_of(lambda: prepared(original, target)).error
    assert error.kind is ErrorKind.DISK
    assert "GB" in error.message
    assert not list(target.glob("*.safetensors"))
    assert_no_model(target)


def stopped_after(original: Path, target: Path, count: int) -> None:
    """A run that ends once `count` blobs are there."""
    with pytest.raises(EngineFault):
        prepare(
            original,
            target,
            "int4",
            without_report,
            lambda: len(list(target.glob("*.safetensors"))) >= count,
        )
    assert len(list(target.glob("*.safetensors"))) == count


def test_what_is_finished_is_not_made_again(
    original: Path, target: Path, meant: dict[str, bytes]
) -> None:
    stopped_after(original, target, 2)
    made = {file.name: file.stat().st_ino for file in target.glob("*.safetensors")}
    prepared(original, target)
    assert made.items() <= {file.name: file.stat().st_ino for file in target.iterdir()}.items()
    assert content(target) == meant


def test_a_finished_part_is_not_believed(
    original: Path, target: Path, meant: dict[str, bytes]
) -> None:
    stopped_after(original, target, 2)
    for file, byte in (("top.safetensors", 5000), ("layer-00.safetensors", 20)):
        data = bytearray((target / file).read_bytes())
        data[byte] ^= 4
        (target / file).write_bytes(data)
    prepared(original, target)
    assert content(target) == meant


def test_another_scheme_or_source_begins_anew(
    original: Path, source: Path, target: Path, tmp_path: Path, meant: dict[str, bytes]
) -> None:
    stopped_after(original, target, 2)
    prepared(original, target, "int8")
    prepared(original, tmp_path / "int8", "int8")
    assert content(target) == content(tmp_path / "int8") != meant
    shutil.rmtree(target)

    stopped_after(original, target, 2)
    change(source / SHARDS[0], lambda tensors: tensors.update(spoil(tensors)))
    (source / "processor_config.json").write_text("{}")
    prepared(source, target)
    prepared(source, tmp_path / "changed")
    assert content(target) == content(tmp_path / "changed")
    assert content(target)["layer-01.safetensors"] == meant["layer-01.safetensors"]
    assert content(target)["top.safetensors"] != meant["top.safetensors"]


def spoil(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor * 2 for name, tensor in tensors.items()}


def test_files_of_another_job_do_not_stay(source: Path, target: Path, tmp_path: Path) -> None:
    """A model of more layers and with other settings was begun in the folder."""
    kinds = 3 * ["sliding_attention"] + ["full_attention"]
    longer = write_source(tmp_path / "longer", num_hidden_layers=4, layer_types=kinds)
    (longer / "special_tokens_map.json").write_text("{}")
    stopped_after(longer, target, 4)
    assert (target / "layer-02.safetensors").exists()
    prepared(source, target)
    verify_files(open_prepared(target, load_config(target)), lambda _size: None)


def test_two_at_once(original: Path, target: Path, meant: dict[str, bytes]) -> None:
    refused: list[str] = []

    def report(_what: str, done: int, _total: int) -> None:
        if done and not refused:
            refused.append(fault_of(lambda: prepared(original, target)).error.message)

    prepare(original, target, "int4", report, lambda: False)
    assert refused == ["This model is being prepared already."]
    assert content(target) == meant


# --- folders that are somebody else's -------------------------------------------------------------


def test_what_is_there_stays(original: Path, source: Path, target: Path) -> None:
    target.mkdir()
    (target / "config.json").write_text("mine")
    before = content(source)
    for folder in (target, source):
        assert "not empty" in fault_of(lambda f=folder: prepared(original, f)).error.message
    assert content(target) == {"config.json": b"mine"}
    assert content(source) == before


def test_a_finished_model_is_neither_target_nor_source(
    original: Path, target: Path, tmp_path: Path, meant: dict[str, bytes]
) -> None:
    prepared(original, target)
    assert "already" in fault_of(lambda: prepared(original, target)).error.message
    assert "already" in fault_of(lambda: prepared(target, tmp_path / "again")).error.message
    assert content(target) == meant
    assert not (tmp_path / "again").exists()


def test_a_damaged_journal_is_not_believed(original: Path, target: Path) -> None:
    stopped_after(original, target, 1)
    data = bytearray((target / "progress.json").read_bytes())
    data[70] ^= 1
    (target / "progress.json").write_bytes(data)
    assert "progress.json" in fault_of(lambda: prepared(original, target)).error.message
    assert_no_model(target)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_target_that_cannot_be(original: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    assert fault_of(lambda: prepared(original, tmp_path / name)).error.kind is ErrorKind.DISK
    assert (tmp_path / "file").read_text() == "mine"


# --- sources that are damaged ---------------------------------------------------------------------


def cut(source: Path) -> None:
    os.truncate(source / SHARDS[1], 7000)


def swap(source: Path) -> None:
    """For the second shard of another model."""
    other = write_source(source.parent / "other", intermediate_size=32)
    shutil.copy(other / SHARDS[1], source / SHARDS[1])


def twice(source: Path) -> None:
    change(source / SHARDS[0], lambda tensors: tensors.update({DOWN: torch.zeros(40, 24)}))


def put(name: str, number: float) -> Callable[[Path], None]:
    def spoil_one(tensors: dict[str, Tensor]) -> None:
        tensors[name].view(-1)[-1] = number

    return lambda source: change(source / SHARDS[1], spoil_one)


def second(what: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    return lambda source: change(source / SHARDS[1], what)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (cut, [SHARDS[1]]),
        (lambda s: os.truncate(s / SHARDS[1], 5), [SHARDS[1]]),
        (lambda s: (s / SHARDS[1]).rename(s / "model.safetensors"), [SHARDS[1]]),
        (lambda s: (s / SHARDS[1]).unlink(), [SHARDS[1]]),
        (swap, [SHARDS[1], "mlp.gate_proj", "(32, 40)", "(24, 40)"]),
        (twice, [SHARDS[1], DOWN]),
        (second(lambda t: t.pop(DOWN)), [DOWN]),
        (second(lambda t: t.update(extra=torch.zeros(3))), ["extra"]),
        (second(lambda t: t.update({DOWN: torch.zeros(24, 40)})), [DOWN, "(24, 40)"]),
        (second(lambda t: t.update({DOWN: torch.zeros(40, 24).int()})), [DOWN]),
        (put(DOWN, float("nan")), [SHARDS[1], DOWN]),
        (put(EXPERTS, float("inf")), [SHARDS[1], EXPERTS]),
        (put("model.decoder.layers.1.router.scale", float("nan")), ["router.scale"]),
        (lambda s: (s / "config.json").write_text("{"), ["config.json"]),
    ],
)
def test_damaged_sources_are_refused(
    source: Path, target: Path, spoil: Callable[[Path], object], named: list[str]
) -> None:
    spoil(source)
    error = fault_of(lambda: prepared(source, target)).error
    assert error.kind in (
        ErrorKind.MODEL_BROKEN,
        ErrorKind.MODEL_UNSUPPORTED,
        ErrorKind.MODEL_MISSING,
    )
    for word in named:
        assert word in error.message + error.detail
    assert_no_model(target)


def test_flipped_headers_end_in_a_model_or_a_fault(source: Path, tmp_path: Path) -> None:
    file = source / SHARDS[1]
    data = file.read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    refused = 0
    for number, (byte, bit) in enumerate(random_bits(length, 120, 5)):
        file.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :])
        target = tmp_path / str(number)
        try:
            prepared(source, target)
        except EngineFault:
            refused += 1
            assert_no_model(target)
        else:
            verify_files(open_prepared(target, load_config(target)), lambda _size: None)
    assert refused > 100


@pytest.mark.parametrize("place", ["cache", "folder"])
def test_flipped_numbers_of_a_download_are_found(source: Path, target: Path, place: str) -> None:
    """A number with one bit flipped is a number; only the published hash tells."""
    file = source / SHARDS[0]
    data = bytearray(file.read_bytes())
    published = hashlib.sha256(data).hexdigest()
    if place == "folder":
        write_download_metadata(source, SHARDS[0], "0" * 40, published)
    data[-1001] ^= 1
    file.write_bytes(data)
    if place == "cache":
        (source / "blobs").mkdir()
        file.rename(source / "blobs" / published)
        file.symlink_to(source / "blobs" / published)
    error = fault_of(lambda: prepared(source, target)).error
    assert error.kind is ErrorKind.MODEL_BROKEN
    assert SHARDS[0] in error.message
    assert_no_model(target)
    data[-1001] ^= 1
    file.write_bytes(data)
    prepared(source, target)


def test_a_source_that_changes_while_it_is_read(source: Path, target: Path) -> None:
    def report(_what: str, done: int, total: int) -> None:
        if done > total // 2:
            (source / SHARDS[0]).touch()

    error = fault_of(lambda: prepare(source, target, "int4", report, lambda: False)).error
    assert SHARDS[0] in error.message
    assert "changed" in error.detail
    assert_no_model(target)
    prepared(source, target)
    verify_files(open_prepared(target, load_config(target)), lambda _size: None)


# --- the command line -----------------------------------------------------------------------------


def quantize(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "engine", "quantize", *map(str, arguments)]


def test_the_command(target: Path) -> None:
    done = subprocess.run(
        quantize("demo", target, "--weights", "int4", "--json"),
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["bytes"] == sum(
        file.stat().st_size for file in target.iterdir() if file.name != "COMPLETE"
    )
    assert outcome["requantised"] == 4 * 6 + 3
    assert outcome["exact"] > outcome["requantised"]
    assert outcome["seconds"] > 0
    assert "100 %" in done.stderr
    verify_files(open_prepared(target, load_config(target)), lambda _size: None)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl+C cannot be sent to one process there")
def test_ctrl_c_can_be_taken_up_again(tmp_path: Path, target: Path) -> None:
    source = write_source(tmp_path / "large", vocab_size=60_000, hidden_size=512)
    process = subprocess.Popen(
        quantize(source, target, "--device", "cpu"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    while not (target / "top.safetensors.part").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "goes on where it stopped" in words
    assert "Traceback" not in words
    assert_no_model(target)
    prepared(source, target)
    verify_files(open_prepared(target, load_config(target)), lambda _size: None)
