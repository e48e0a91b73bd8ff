"""
`pulumi-jig`: a thin entry point to the command line tools of this package.

Each command's code is loaded when that command runs. Whatever goes wrong ends in one
sentence on stderr, never in a traceback.

Exit codes of every command:

    0    done; nothing found that needs attention
    1    something was found (drift, orphans, an interrupted run, a broken rule), or the
         command failed; nothing is half-written
    2    wrong usage
    3    could not find out: the service, the stack or a state could not be read, or the
         settings for it are missing; nothing was changed
    130  interrupted (Ctrl-C); nothing is half-written
    141  whoever read the output went away
"""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAILED: Final = 1
USAGE: Final = 2
UNKNOWN: Final = 3
#: 128 + SIGINT, and 128 + SIGPIPE, as a shell has them.
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        argv: Its arguments, without the name of the program.

    Returns:
        The exit code; see the head of this module.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _accept_any_text()
    try:
        try:
            code = _dispatch(arguments)
        except SystemExit as exit_:
            # How argparse ends.
            code = exit_.code if isinstance(exit_.code, int) else USAGE
        # What is still buffered must fail here, not when the interpreter ends.
        sys.stdout.flush()
    except KeyboardInterrupt:
        _complain("\nInterrupted; nothing is half-written.")
        return INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return PIPE_CLOSED
    except Exception as error:
        return _failed(error)
    return code


def _accept_any_text() -> None:
    """
    Let no character end a command.

    A terminal or a pipe may take ASCII only (`PYTHONIOENCODING`, a locale), what is
    printed comes from a service, and JSON can hold half of a surrogate pair.
    """
    # None where whoever started us has closed it (`>&-`).
    if sys.stdout is None or sys.stderr is None:
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_no_more() -> None:
    # The interpreter would try to flush once more at its end, and fail.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(sentence: str) -> None:
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        # Nobody listens; the exit code says it all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _dispatch(arguments: list[str]) -> int:
    own = _OTHERS.get(arguments[0]) if arguments else None
    if own is not None:
        return own(arguments[1:])
    if arguments[:1] == ["--version"]:
        from importlib.metadata import version

        sys.stdout.write(f"pulumi-jig, version {version('pulumi-jig')}\n")
        return 0
    if not all(find_spec(name) for name in ("click", "rich")):
        return _without_click(arguments)
    # A command lives for seconds, and nearly all that it makes stays until its end:
    # looking for garbage in it again and again is a tenth of its time.
    gc.set_threshold(100_000)
    from pulumi_jig.operations.commands import run

    return run(arguments)


def _without_click(arguments: list[str]) -> int:
    from pulumi_jig.naming import install_command

    install = install_command("cli")
    if arguments and arguments[0] not in ("-h", "--help"):
        _complain(
            "error: this command needs packages that are not installed; run "
            f"`{install}`."
        )
        return USAGE
    listed = "\n".join(f"  {name:10}{what}" for name, what in COMMANDS.items())
    text = (
        "Usage: pulumi-jig COMMAND [ARGS]...\n\n"
        f"Commands:\n{listed}\n\n"
        f"All but {', '.join(_OTHERS)} need packages that are not installed:\n"
        f"  {install}\n"
    )
    (sys.stdout if arguments else sys.stderr).write(text)
    return 0 if arguments else USAGE


def _failed(error: Exception) -> int:
    from pulumi_jig.errors import APIError, ConfigError, JigError, RequestError
    from pulumi_jig.text import safe_message

    if isinstance(error, JigError):
        _complain(f"error: {safe_message(error.message)}")
        asked = isinstance(error, (APIError, ConfigError, RequestError))
        return UNKNOWN if asked else FAILED
    if isinstance(error, OSError) and error.filename is None:
        # Files have names; what has none is the output (a full disk, say).
        _write_no_more()
        _complain(f"error: the output cannot be written: {error.strerror}.")
        return FAILED
    # The text of a foreign exception may hold anything, secrets included.
    _complain(
        f"error: pulumi-jig met an internal error ({type(error).__name__}); please "
        "report it. Set PULUMI_JIG_DEBUG=1 to see where it happened."
    )
    if os.environ.get("PULUMI_JIG_DEBUG", "") not in ("", "0"):
        import traceback

        for entry in traceback.extract_tb(error.__traceback__):
            _complain(f"  {entry.filename}:{entry.lineno} in {entry.name}")
    return FAILED


# --- Commands that have a command line of their own ----------------------------


def _emulator(arguments: list[str]) -> int:
    from pulumi_jig.emulator.__main__ import main as emulate

    return emulate(arguments, prog="pulumi-jig emulator")


def _rehearse(arguments: list[str]) -> int:
    from pulumi_jig.emulator import start
    from pulumi_jig.rehearsal.command import run_cli

    return run_cli(arguments, start_emulator=start)


def _policy(arguments: list[str]) -> int:
    try:
        from pulumi_jig.policy.commands import run_cli

        return run_cli(arguments, list_live=_live_deployments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pulumi_policy":
            raise
        from pulumi_jig.naming import install_command

        _complain(
            "error: this command needs packages that are not installed; run "
            f"`{install_command('policy')}`."
        )
        return USAGE


#: What the help says of each; the help without click as well.
COMMANDS: Final = {
    "convert": "Write a Pulumi program from the vendor's jig.toml.",
    "drift": "Compare what is declared with what is live.",
    "emulator": "Serve the API on loopback, without account and GPUs.",
    "import": "Write an import file and a program for running deployments.",
    "orphans": "Find marked deployments that are in no state.",
    "policy": "Check plans and stacks against the guardrails.",
    "recover": "Settle what an interrupted run left.",
    "rehearse": "Run a program's whole life without the pulumi command.",
}


def _live_deployments() -> list[dict[str, Any]]:
    """List what the account runs, as policies read it."""
    from pulumi_jig.operations import account

    client = account.connect(None)
    try:
        items = client.deployments.list(account.look())
    finally:
        client.close()
    found = []
    for item in items:
        data = item.model_dump(mode="json", exclude_none=True)
        variables = data.get("environment_variables") or []
        data["environment_variables"] = [
            one for one in variables if not one.get("name", "").startswith("TOGETHER_")
        ]
        found.append(data)
    return found


_OTHERS: Final[dict[str, Callable[[list[str]], int]]] = {
    "emulator": _emulator,
    "rehearse": _rehearse,
    "policy": _policy,
}


if __name__ == "__main__":
    sys.exit(main())
