"""
Record transcripts: play scenarios on the real engine and write its acts to files.

    python tests/e2e/record.py [SCENARIO ...]

Needs the `pulumi` command on PATH. The values are made up; what differs from run to run
is masked, so that a second recording is the same.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from acts import written
from all_scenarios import SCENARIOS
from engines import Stage

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    if shutil.which("pulumi") is None:
        print("the `pulumi` command is not on PATH", file=sys.stderr)
        return 1
    for name in names or list(SCENARIOS):
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(Path(folder), "pulumi")
            try:
                SCENARIOS[name](stage)
            finally:
                stage.close()
            text = written(stage.transcript())
        (HERE / "transcripts" / f"{name}.json").write_text(text)
        print(f"{name}: {len(stage.acts)} acts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
