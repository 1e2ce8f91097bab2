from __future__ import annotations

import sys
from pathlib import Path

# The scripts import each other from their own folder, as they do when they are run.
sys.path.insert(0, str(Path(__file__).parents[2] / "packaging" / "demo_model"))
