"""For all tests: no screen, own folders, and no thread of the engine left behind."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
