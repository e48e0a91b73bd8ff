"""
The pages in docs/reference, written from the code: `make reference`.

A test holds the pages to what this writes today, so a property without its sentence, or a
message that changed, is seen before it lands.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

# Test folders are no packages; helpers stand beside the tests.
sys.path.insert(0, str(Path(__file__).parent))

import reference_commands
import reference_errors
import reference_resources
import reference_rest
from reference_source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = ROOT / "docs" / "reference"

PAGES: dict[str, Callable[[], str]] = {
    "resources.md": reference_resources.write,
    "restarts.md": reference_rest.restarts,
    "policies.md": reference_rest.policies,
    "configuration.md": reference_rest.configuration,
    "command-line.md": reference_commands.write,
    "errors.md": reference_errors.write,
}


def main() -> int:
    """Write all pages anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
