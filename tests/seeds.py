"""Seeds for tests of what nobody has seen before."""

from __future__ import annotations

import hashlib
import os


def new_seed() -> int:
    """Another one in each run; the same in all processes of one, which must collect the same tests."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "").encode() or os.urandom(16)
    return int.from_bytes(hashlib.sha256(run).digest()[:3], "little")
