from __future__ import annotations

import http.server
import importlib
import socket
import threading
import time
from typing import Any

import pytest


@pytest.fixture
def torch_choice() -> Any:
    return importlib.import_module("bootstrap_torch")


@pytest.mark.parametrize(
    ("driver", "capability", "tag"),
    [
        (580, 8.6, "cu130"),  # RTX 30
        (595, 12.0, "cu130"),  # RTX 50
        (580, 7.5, "cu130"),
        (580, 6.1, "cu126"),  # GTX 10: CUDA 13 left it out
        (580, 0.0, "cu130"),
        (575, 8.9, "cu126"),
        (525, 8.6, "cu126"),
        (525, 0.0, "cu126"),
        (572, 12.0, None),  # RTX 50 with a driver from before CUDA 13
        (470, 8.6, None),
    ],
)
def test_the_driver_decides_the_build(
    torch_choice: Any, driver: int, capability: float, tag: str | None
) -> None:
    gpu = torch_choice.Gpu(driver=driver, capability=capability)
    assert torch_choice.cuda_tag(gpu) == tag


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("580.65.06, 8.6\n", (580, 8.6)),
        ("572.16, 12.0\r\n", (572, 12.0)),
        ("580.65.06, 6.1\n580.65.06, 8.9\n", (580, 8.9)),
        ("525.60.13\n", (525, 0.0)),
        ("No devices were found\n", None),
        ("", None),
        ("NVIDIA-SMI has failed because it couldn't communicate with the driver.\n", None),
    ],
)
def test_the_tool_s_answer_is_read(
    torch_choice: Any, text: str, found: tuple[int, float] | None
) -> None:
    gpu = torch_choice.parse_gpus(text)
    assert (gpu and (gpu.driver, gpu.capability)) == found


def test_a_gpu_gets_the_build_of_its_driver(
    torch_choice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = torch_choice.Gpu(driver=580, capability=8.9)
    monkeypatch.setattr(torch_choice, "find_gpu", lambda: gpu)
    monkeypatch.setattr(torch_choice.sys, "platform", "win32")
    choice = torch_choice.choose()
    assert choice.requirement == f"torch=={torch_choice.VERSION}+cu130"
    assert choice.index == f"{torch_choice.WHEELS}/cu130"


def test_an_old_driver_gets_the_processor_s_build_and_a_hint(
    torch_choice: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = torch_choice.Gpu(driver=470, capability=8.6)
    monkeypatch.setattr(torch_choice, "find_gpu", lambda: gpu)
    monkeypatch.setattr(torch_choice.sys, "platform", "linux")
    monkeypatch.setattr(torch_choice, "_reaches_index", lambda: True)
    choice = torch_choice.choose()
    assert choice.requirement == f"torch=={torch_choice.VERSION}+cpu"
    assert choice.index == f"{torch_choice.WHEELS}/cpu"
    assert "580" in capsys.readouterr().out


def test_without_the_index_the_plain_name_must_do(
    torch_choice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_choice, "find_gpu", lambda: None)
    monkeypatch.setattr(torch_choice, "_reaches_index", lambda: False)
    assert torch_choice.choose() == torch_choice.PLAIN
    assert torch_choice.PLAIN.index is None


def test_the_probe_gives_up_in_time(torch_choice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_choice, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(torch_choice, "WHEELS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.perf_counter()
        assert not torch_choice._reaches_index()
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize("status", [200, 404])
def test_the_probe_wants_a_proper_answer(
    torch_choice: Any, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setattr(torch_choice, "WHEELS", f"http://127.0.0.1:{server.server_port}")
        assert torch_choice._reaches_index() is (status == 200)
        thread.join()
