"""`verify` finds agreement where there is agreement, and difference where there is difference."""

from __future__ import annotations

import pytest

from engine import verify as module
from engine.load import load_model
from engine.messages import EngineFault, ErrorKind
from engine.verify import verify
from tests.engine.tiny import cases, random_reference, save

CASE = cases(8)[1]


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("verify")
    for seed in (1, 2):
        save(random_reference(CASE.config(), seed), root / str(seed))
    return str(root / "1"), str(root / "2")


def test_whole_checkpoint(folders) -> None:
    outcome = verify(folders[0], quiet, lambda: False)
    assert outcome["method"] == "whole"
    assert outcome["max_abs_logit_difference"] < 1e-4
    assert outcome["generations_equal"] is True


def test_layer_by_layer(folders) -> None:
    outcome = verify(folders[0], quiet, lambda: False, whole=False)
    assert outcome["method"] == "layer by layer"
    assert outcome["max_abs_logit_difference"] < 1e-4
    assert len(outcome["max_abs_layer_differences"]) == len(CASE.config().text_config.layer_types)


def test_other_weights_are_noticed(folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_model", lambda folder: load_model(folders[1]))
    outcome = verify(folders[0], quiet, lambda: False)
    assert outcome["max_abs_logit_difference"] > 0.1
    assert outcome["generations_equal"] is False


def test_one_wrong_layer_is_noticed(folders, monkeypatch: pytest.MonkeyPatch) -> None:
    original = module._one_layer_model

    def swapped(folder, config, index, tensors):
        wrong = {
            name: tensor.flip(0) if name.endswith("experts.down_proj") and index == 1 else tensor
            for name, tensor in tensors.items()
        }
        return original(folder, config, index, wrong)

    monkeypatch.setattr(module, "_one_layer_model", swapped)
    differences = verify(folders[0], quiet, lambda: False, whole=False)["max_abs_layer_differences"]
    assert differences[0] < 1e-4
    assert differences[1] > 1e-2


def test_cancel(folders) -> None:
    with pytest.raises(EngineFault) as fault:
        verify(folders[0], quiet, lambda: True)
    assert fault.value.error.kind is ErrorKind.CANCELLED
