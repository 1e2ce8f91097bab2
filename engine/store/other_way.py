"""The way of last resort: a file that has arrived twice with wrong content, by other means.

Something between here and the hub changes what passes, perhaps a proxy that keeps old answers. The
hub's own library may use another transport (Xet, where the hub offers it: pieces by their hashes,
from other hosts). It can neither be paused nor slowed down, so it runs as a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.store.hub import Hub, Listing, RemoteFile

_TICK = 0.1  # seconds between two looks whether to stop
_ROOT = Path(__file__).resolve().parents[2]
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console


def fetch_other_way(
    hub: Hub, listing: Listing, file: RemoteFile, folder: Path, check: Callable[[], None]
) -> Path | None:
    """The file as the hub's own library fetches it into `folder`, not yet checked; None if it fails.

    check() is called again and again, and may raise to end it. The folder is the caller's to remove.
    """
    wanted = {
        "repo_id": file.repo or listing.repo,
        "filename": file.name,
        "revision": file.commit or listing.commit,
        "endpoint": hub.endpoint.rstrip("/"),
        "token": hub.token or False,
        "local_dir": str(folder / "file"),
    }
    own = {"HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "engine.store.other_way"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**os.environ, **own},
        creationflags=_NO_WINDOW,
    )
    try:
        assert child.stdin is not None
        child.stdin.write(json.dumps(wanted).encode() + b"\n")
        child.stdin.flush()
        while child.poll() is None:
            check()
            with suppress(subprocess.TimeoutExpired):
                child.wait(_TICK)
    except BrokenPipeError:  # it ended before it was told anything
        return None
    finally:
        child.kill()
        child.wait()
        if child.stdin is not None and not child.stdin.closed:
            child.stdin.close()
    found = folder / "file" / file.name
    return found if child.returncode == 0 and found.is_file() else None


def main() -> int:
    from threading import Thread

    from huggingface_hub import hf_hub_download

    with open(0, "rb", buffering=0, closefd=False) as stdin:
        wanted = json.loads(stdin.readline())
    Thread(target=_end_with_parent, daemon=True).start()
    hf_hub_download(**wanted)
    return 0


def _end_with_parent() -> None:
    while os.read(0, 1024):  # not through a buffer, whose lock a thread would keep at the end
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
