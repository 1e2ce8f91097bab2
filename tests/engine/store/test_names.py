"""No name from the network leads out of the folder, nor to a file that is ours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.messages import EngineFault
from engine.store.names import paths_in

BAD = [
    "", ".", "..", "../a", "a/../b", "/a", "//host/share", "a//b", "a/", "./a", "a\\b", "..\\a",
    "C:a", "C:/a", "a:stream", "con", "NUL.txt", "sub/aux.json", "COM1", "LPT9.x", "com¹", "a\0b",
    "a\nb", "a\x7f", "a.", "a ", " a", "a/b. /c", "x" * 300, "a*", "a?", "a|b", '"', "<", "\ud800",
    "w.part", "w.blocks", "download.lock", "Download.JSON", "download.json/x",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_not_safe_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineFault):
        paths_in(tmp_path, [name])


@pytest.mark.parametrize("names", [("a", "A"), ("é", "e\u0301"), ("a", "a/b"), ("a", "a")])
def test_names_that_are_one_file_somewhere_are_refused(
    names: tuple[str, str], tmp_path: Path
) -> None:
    with pytest.raises(EngineFault):
        paths_in(tmp_path, names)


def test_names_of_models_are_kept(tmp_path: Path) -> None:
    names = ["model-00001-of-00011.safetensors", "config.json", "sub/dir/x.bin", "名前.txt", ".git"]
    assert paths_in(tmp_path, names) == {name: tmp_path / name for name in names}


def test_every_path_is_inside() -> None:
    folder, draw, kept = Path("/the/folder"), random.Random(1), 0
    for _ in range(20_000):
        name = "".join(draw.choices("../\\:a~ \0C%", k=draw.randrange(1, 9)))
        try:
            path = paths_in(folder, [name])[name]
        except EngineFault:
            continue
        kept += 1
        assert path.relative_to(folder).as_posix() == name
        assert ".." not in path.parts
    assert kept > 100
