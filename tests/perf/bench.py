"""
All benchmarks, one after the other; each figure is a ratio within one run.

    make bench            all of them
    make bench WHAT=host  one: host, emulator, policy, desk
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PARTS: Final = {
    "host": "The plugin process",
    "emulator": "The emulator",
    "policy": "The policy pack",
    "desk": "Import and drift",
}


def main(names: list[str]) -> int:
    """Run the named benchmarks; 1 if one of them misses a target or fails."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there are {', '.join(PARTS)}.")
        return 2
    worst = 0
    for name in names or PARTS:
        print(f"\n{PARTS[name]}", flush=True)
        script = HERE / f"{name}_bench.py"
        done = subprocess.run([sys.executable, str(script)], check=False)
        worst = max(worst, min(done.returncode, 1))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
