"""`python -m pulumi_jig.cli`: the command `pulumi-jig`."""

from __future__ import annotations

import sys

from pulumi_jig.cli import main

if __name__ == "__main__":
    sys.exit(main())
