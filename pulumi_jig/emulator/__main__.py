"""`python -m pulumi_jig.emulator`: the command line of the emulator."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .server import BindError, EmulatorServer
from .store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence


def build_parser() -> argparse.ArgumentParser:
    """Return the parser, which the `pulumi-jig` command shares."""
    parser = argparse.ArgumentParser(
        prog="pulumi_jig.emulator",
        description="The deployments API on loopback, for tests and demos.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback only")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--state", type=Path, help="state file (default: memory)")
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        metavar="X",
        help="real seconds per emulated second: 1 real time, 0.02 fifty times faster, "
        "0 at once",
    )
    parser.add_argument("--quiet", action="store_true", help="no line per request")
    parser.add_argument("--json", action="store_true", help="print the start as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the emulator until SIGTERM or SIGINT; return the exit code."""
    options = build_parser().parse_args(argv)
    try:
        server = EmulatorServer(
            host=options.host,
            port=options.port,
            state=options.state,
            time_scale=options.time_scale,
            quiet=options.quiet,
        )
    except (BindError, StoreError, ValueError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with server:
        if options.json or not sys.stdout.isatty():
            line = json.dumps({"url": server.url, "pid": os.getpid()})
        else:
            line = f"emulator: serving on {server.url} (Ctrl-C stops it)"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
