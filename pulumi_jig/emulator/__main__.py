"""
`python -m pulumi_jig.emulator`: the command line of the emulator.

Start prints one line: for a program a JSON object with ``url``, ``pid`` and, with
``--admin``, ``admin_token``; for a person on a terminal a sentence. Exit codes: 0 after
SIGTERM or SIGINT, 1 when it cannot start, with one sentence that says why, 2 for wrong
usage.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

import click

from pulumi_jig.emulator.server import BindError, EmulatorServer, HostError
from pulumi_jig.emulator.store import StoreError


def _time_scale(
    _context: click.Context, _option: click.Parameter, value: float
) -> float:
    if not 0 <= value < float("inf"):
        raise click.BadParameter(f"{value} is not 0 or a positive number.")
    return value


def _watch(tell: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    os.write(tell, b".")


@click.command(
    "emulator",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Example: pulumi-jig emulator --port 8321 --state demo.db --time-scale 0.02",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; loopback only.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Port to listen on (default: 0, any free one).",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="State file (default: memory).",
)
@click.option(
    "--time-scale",
    type=float,
    callback=_time_scale,
    default=1.0,
    metavar="X",
    help="Real seconds per emulated second: 1 is real time (default), 0.02 fifty times "
    "faster, 0 finishes every transition before the next request.",
)
@click.option("--admin", is_flag=True, help="Serve the admin interface /_emulator/.")
@click.option(
    "--gpu-type",
    "gpu_types",
    multiple=True,
    metavar="NAME",
    help="Accept this gpu_type too; repeatable.",
)
@click.option("--quiet", is_flag=True, help="No line per request on stderr.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the start as JSON on a terminal too."
)
@click.option(
    "--exit-with-stdin",
    is_flag=True,
    help="Stop when standard input ends, so as not to outlive a parent.",
)
@click.pass_context
def command(
    context: click.Context,
    *,
    host: str,
    port: int,
    state: Path | None,
    time_scale: float,
    admin: bool,
    gpu_types: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    exit_with_stdin: bool,
) -> None:
    """
    Serve the API on loopback, without account and GPUs.

    The deployments API for tests and demos: a server with durable state. It runs until
    SIGTERM or Ctrl-C.
    """
    # A pipe, not an event: a signal may come while the main thread holds the event's
    # lock, and then neither would ever get on.
    told, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    try:
        server = EmulatorServer(
            host=host,
            port=port,
            state=state,
            time_scale=time_scale,
            admin=admin,
            gpu_types=gpu_types,
            quiet=quiet,
        )
    except (BindError, StoreError) as error:
        sys.stderr.write(f"emulator: {error}\n")
        context.exit(2 if isinstance(error, HostError) else 1)
    with server:
        _announce(server, as_json=as_json)
        if exit_with_stdin:
            threading.Thread(target=_watch, args=(tell,), daemon=True).start()
        os.read(told, 1)


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
    command(prog_name="python -m pulumi_jig.emulator")
