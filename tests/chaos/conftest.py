from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))
