"""What the hub says of a repository, and that the fake hub is one to the real client."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url

from engine.messages import EngineFault, ErrorKind
from engine.store.download import download
from engine.store.hub import Hub, list_files
from tests.engine.store.fake_hub import COMMIT, REPO, TOKEN, FakeHub

FILES = {"config.json": b'{"a": 1}', "sub/model.safetensors": bytes(range(256)) * 40, "empty": b""}


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub(files=FILES, large={"sub/model.safetensors"}) as fake:
        yield fake


def test_the_real_client_takes_the_fake_hub_for_one(fake: FakeHub, tmp_path: Path) -> None:
    for name, data in FILES.items():
        url = hf_hub_url(REPO, name, revision=COMMIT, endpoint=fake.endpoint)
        metadata = get_hf_file_metadata(url, endpoint=fake.endpoint)
        is_large = name in fake.large
        assert metadata.size == len(data)
        assert metadata.etag == (fake.sha256(name) if is_large else fake.git_sha1(name))
        got = hf_hub_download(REPO, name, endpoint=fake.endpoint, cache_dir=tmp_path, token=False)
        assert Path(got).read_bytes() == data


def test_a_listing_has_sizes_digests_and_addresses(fake: FakeHub) -> None:
    listing = list_files(Hub(endpoint=fake.endpoint), REPO)
    assert (listing.repo, listing.commit) == (REPO, COMMIT)
    found = {file.name: (file.size, file.sha256, file.git_sha1) for file in listing.files}
    assert found == {
        name: (len(data), fake.sha256(name), "")
        if name in fake.large
        else (len(data), "", fake.git_sha1(name))
        for name, data in FILES.items()
    }
    tree = HfApi(endpoint=fake.endpoint, token=False).list_repo_tree(REPO, recursive=True)
    assert {each.path: each.size for each in tree} == {  # type: ignore[union-attr]
        file.name: file.size for file in listing.files
    }


def test_only_expected_addresses_are_asked_for(fake: FakeHub, tmp_path: Path) -> None:
    """In a fresh process whose environment allows telemetry and makes the fake hub the only one."""
    code = (
        "import sys; from pathlib import Path; import huggingface_hub.constants\n"
        "from engine.store.hub import Hub, list_files; from engine.store.download import download\n"
        "hub = Hub(endpoint=sys.argv[1])\n"
        "download(hub, list_files(hub, sys.argv[2]), Path(sys.argv[3]))"
    )
    hidden = ("HF_", "DO_NOT_TRACK", "DISABLE_TELEMETRY")
    env = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    env |= {"HF_ENDPOINT": fake.endpoint, "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", code, fake.endpoint, REPO, str(tmp_path / "model")]
    subprocess.run(command, check=True, env=env, cwd=Path(__file__).parents[3])
    resolve = f"/{REPO}/resolve/{COMMIT}"
    assert sorted(each.path for each in fake.seen) == [
        f"/api/models/{REPO}/revision/main",
        "/blob/sub/model.safetensors",
        f"{resolve}/config.json",  # an empty file needs no request
        f"{resolve}/sub/model.safetensors",
    ]


@pytest.mark.parametrize(
    ("trouble", "kind", "words"),
    [
        ("html", ErrorKind.NETWORK, "login page"),
        ("404", ErrorKind.MODEL_MISSING, "no such"),
        ("403", ErrorKind.ACCESS, "permission"),
        ("401", ErrorKind.ACCESS, "permission"),
        ("429", ErrorKind.NETWORK, "too much to do"),
        ("503", ErrorKind.NETWORK, "too much to do"),
    ],
)
def test_trouble_is_said_plainly(trouble: str, kind: ErrorKind, words: str, fake: FakeHub) -> None:
    fake.listing_fault = trouble
    with pytest.raises(EngineFault, match=words) as caught:
        list_files(Hub(endpoint=fake.endpoint), REPO)
    assert caught.value.error.kind is kind


def test_a_hub_that_is_not_there(fake: FakeHub) -> None:
    with FakeHub(files={}) as gone:
        pass
    with pytest.raises(EngineFault, match="does not work"):
        list_files(Hub(endpoint=gone.endpoint), REPO)


@pytest.mark.parametrize("endpoint", ["", "hub", "ftp://hub", "https://", "http://[", "http://a:b"])
def test_what_is_no_address_of_a_hub(endpoint: str) -> None:
    with pytest.raises(EngineFault, match="not the address") as caught:
        Hub(endpoint=endpoint)
    assert caught.value.error.kind is ErrorKind.BAD_REQUEST


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a b"])
def test_what_is_no_name_of_a_model(name: str, fake: FakeHub) -> None:
    with pytest.raises(EngineFault) as caught:
        list_files(Hub(endpoint=fake.endpoint), name)
    assert caught.value.error.kind is ErrorKind.BAD_REQUEST
    assert not fake.seen


@pytest.mark.parametrize("field", ["sha", "size", "blobId"])
def test_a_listing_that_lacks_something_is_refused(
    field: str, fake: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = fake.entry

    def entry(name: str) -> dict[str, object]:
        return {key: value for key, value in complete(name).items() if key not in (field, "lfs")}

    if field == "sha":
        monkeypatch.setattr("tests.engine.store.fake_hub.COMMIT", "no-commit/../..")
    fake.entry = entry  # type: ignore[method-assign]
    with pytest.raises(EngineFault):
        list_files(Hub(endpoint=fake.endpoint), REPO)


def test_the_token_stays_with_the_hub(
    fake: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.needs_token = True
    with pytest.raises(EngineFault, match="permission") as caught:
        list_files(Hub(endpoint=fake.endpoint), REPO)
    assert f"{fake.endpoint}/{REPO}" in caught.value.error.remedy
    with pytest.raises(EngineFault, match="does not accept") as refused:
        list_files(Hub(endpoint=fake.endpoint, token="hf_revoked"), REPO)
    fake.seen.clear()
    hub = Hub(endpoint=fake.endpoint, token=TOKEN)
    download(hub, list_files(hub, REPO), tmp_path)
    assert {each.token for each in fake.seen if each.host == "hub"} == {f"Bearer {TOKEN}"}
    assert {each.token for each in fake.seen if each.host == "cdn"} == {""}
    said = caplog.text + repr(hub) + repr(caught.value.error) + repr(refused.value.error)
    assert TOKEN not in said
    assert "hf_revoked" not in said
    told = [each.getMessage() for each in caplog.records if each.levelno >= logging.INFO]
    assert "alsoASecret" not in "".join(told)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [data for data in written if TOKEN.encode() in data]
