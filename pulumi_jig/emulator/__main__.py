"""
`python -m pulumi_jig.emulator`: the command line of the emulator.

Start prints one line: for a program a JSON object with ``url``, ``pid`` and, with
``--admin``, ``admin_token``; for a person on a terminal a sentence. Exit codes: 0 after
SIGTERM or SIGINT, 1 when it cannot start, with one sentence that says why, 2 for wrong
usage.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_jig.emulator.server import BindError, EmulatorServer, HostError
from pulumi_jig.emulator.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence


PROG = "python -m pulumi_jig.emulator"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) <= 65_535):
        message = f"{text!r} is not a port: use 0 (any free one) to 65535"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = -1.0
    if not 0 <= scale < float("inf"):
        message = f"{text!r} is not a time scale: use 0 or a positive number"
        raise argparse.ArgumentTypeError(message)
    return scale


def build_parser(
    prog: str = PROG,
) -> argparse.ArgumentParser:
    """Return the parser, which the `pulumi-jig emulator` command shares."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The deployments API on loopback, for tests and demos: a server "
        "with durable state, without account and without GPUs.",
        epilog=f"example: {prog} --port 8321 --state demo.db --time-scale 0.02",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="loopback only (default %(default)s)")
    add("--port", type=_port, default=0, help="default 0: any free port")
    add("--state", type=Path, metavar="FILE", help="state file (default: memory)")
    add(
        "--time-scale",
        type=_scale,
        default=1.0,
        metavar="X",
        help="real seconds per emulated second: 1 is real time (default), 0.02 fifty "
        "times faster, 0 finishes every transition before the next request",
    )
    add("--admin", action="store_true", help="serve the admin interface /_emulator/")
    add(
        "--gpu-type",
        action="append",
        default=[],
        metavar="NAME",
        help="accept this gpu_type too (repeatable)",
    )
    add("--quiet", action="store_true", help="no line per request on stderr")
    add("--json", action="store_true", help="print the start as JSON on a terminal too")
    add(
        "--exit-with-stdin",
        action="store_true",
        help="stop when standard input ends, so as not to outlive a parent",
    )
    return parser


def _watch(tell: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    os.write(tell, b".")


def main(argv: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """
    Run the emulator until it is told to stop; return the exit code.

    Args:
        argv: the arguments, by default those of the process.
        prog: the name that the usage shows.

    """
    options = build_parser(prog).parse_args(argv)
    # A pipe, not an event: a signal may come while the main thread holds the event's
    # lock, and then neither would ever get on.
    told, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    try:
        server = EmulatorServer(
            host=options.host,
            port=options.port,
            state=options.state,
            time_scale=options.time_scale,
            admin=options.admin,
            gpu_types=options.gpu_type,
            quiet=options.quiet,
        )
    except (BindError, StoreError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        return 2 if isinstance(error, HostError) else 1
    with server:
        _announce(server, as_json=options.json)
        if options.exit_with_stdin:
            threading.Thread(target=_watch, args=(tell,), daemon=True).start()
        os.read(told, 1)
    return 0


def _announce(server: EmulatorServer, *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        told: dict[str, object] = {"url": server.url, "pid": os.getpid()}
        if server.admin_token is not None:
            told["admin_token"] = server.admin_token
        line = json.dumps(told)
    else:
        line = f"Serving the deployments API on {server.url} (Ctrl-C stops it)."
        line += f"\nWatch it in a browser: {server.url}/"
        if server.admin_token is not None:
            line += f"\nAdmin token: {server.admin_token}"
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads the line; the server is none the worse for it. The interpreter
        # would try once more at exit, so it is given somewhere to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
