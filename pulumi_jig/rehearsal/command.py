"""
`pulumi-jig rehearse [DIR]`: a program's whole life, checked at each turn.

One command says whether a program can be brought up, changes nothing when it is run
again, survives a refresh, and leaves nothing behind. What an `up` made is destroyed also
when a later step fails, unless `--keep` is given.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulumi_jig.rehearsal.display import Progress
    from pulumi_jig.rehearsal.harness import Rehearsal
    from pulumi_jig.rehearsal.results import Result

# No real key looks like this; an emulator takes any that is not `invalid...`.
_KEY: Final = "rehearsal-key"


_Function = TypeVar("_Function", bound="Callable[..., Any]")


class Emulator(Protocol):
    """What the command needs of a running emulator."""

    url: str

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Options:
    """What the command line says; see the options of `command`."""

    directory: str
    stack: str
    config: tuple[str, ...]
    secret: tuple[str, ...]
    secret_file: tuple[str, ...]
    secret_env: tuple[str, ...]
    env: tuple[str, ...]
    policy_pack: tuple[str, ...]
    policy_pack_config: tuple[str, ...]
    parallel: int | None
    state: str | None
    backend: str | None
    emulator: bool
    time_scale: float
    keep: bool
    json: bool


def _many(flag: str, metavar: str, text: str) -> Callable[[_Function], _Function]:
    return click.option(
        flag, multiple=True, metavar=metavar, help=f"{text}; repeatable."
    )


@click.command(
    "rehearse",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Example: pulumi-jig rehearse infra --emulator --time-scale 0.02",
)
@click.argument("directory", default=".", metavar="[DIR]")
@click.option("--stack", default="dev", help="Name of the stack (default: dev).")
@_many("--config", "KEY=VALUE", "A configuration value")
@_many(
    "--secret",
    "KEY[=VALUE]",
    "A secret configuration value; without VALUE, which the list of processes shows to "
    "everybody on this machine, it is asked for or read from standard input",
)
@_many("--secret-file", "KEY=FILE", "A secret configuration value, read from a file")
@_many(
    "--secret-env",
    "KEY=NAME",
    "A secret configuration value, taken from an environment variable of yours",
)
@_many(
    "--env",
    "NAME[=VALUE]",
    "An environment variable for the program, without VALUE your own; yours starting "
    "with TOGETHER_ or PULUMI_ are not passed on by themselves",
)
@_many("--policy-pack", "DIR", "Judge by this policy pack")
@_many("--policy-pack-config", "FILE", "The configuration of the pack before it")
@click.option("--parallel", type=int, help="Steps at once (default: 4 per core).")
@click.option("--state", metavar="FILE", help="Keep the state in this file.")
@click.option(
    "--backend",
    metavar="DIR",
    help="Keep the states of several stacks in this folder, so that they can refer to "
    "one another.",
)
@click.option("--emulator", is_flag=True, help="Run against an emulator of the API.")
@click.option(
    "--time-scale",
    type=float,
    default=1.0,
    help="With --emulator: real seconds per emulated second.",
)
@click.option("--keep", is_flag=True, help="Do not destroy at the end.")
@click.option("--json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> int:
    """
    Run a program's whole life without the pulumi command.

    Preview, up, a preview that must be empty, a refresh that must be empty, destroy.

    Exit code 0: every step was as it must be. 1: one was not.
    """
    from pulumi_jig.rehearsal.errors import RehearsalError

    options = Options(**given)
    # The rehearsal does not know the emulator; who offers the command hands it over.
    start_emulator = (context.obj or {}).get("start_emulator")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as stack:
            return _rehearse(options, stack, start_emulator)
    except KeyboardInterrupt:
        kept = options.state or options.backend
        where = f"; the state is in {kept}" if kept else ""
        sys.stderr.write(f"error: interrupted{where}\n")
        return 130
    except ImportError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (RehearsalError, ValueError) as error:
        if options.json:
            from pulumi_jig.rehearsal.display import dump

            dump({"ok": False, "error": str(error), "operations": []})
        else:
            sys.stderr.write(f"error: {error}\n")
        # A value of an option that is none, or a rehearsal that could not be held.
        return 2 if isinstance(error, ValueError) else 1


def _interrupt(*_: object) -> NoReturn:
    """A polite kill ends an operation as Ctrl-C does: steps that run are recorded."""
    raise KeyboardInterrupt


def _rehearse(
    args: Options,
    stack: ExitStack,
    start_emulator: Callable[..., Emulator] | None,
) -> int:
    from pulumi_jig.rehearsal.display import Progress
    from pulumi_jig.rehearsal.harness import Rehearsal

    own = (item if "=" in item else f"{item}={_variable(item)}" for item in args.env)
    env = _pairs(own, "--env")
    if args.emulator:
        if start_emulator is None:
            message = "there is no emulator here to start for --emulator"
            raise ValueError(message)
        emulator = start_emulator(time_scale=args.time_scale)
        stack.callback(emulator.stop)
        env = {"TOGETHER_BASE_URL": emulator.url, "TOGETHER_API_KEY": _KEY, **env}
    configs = args.policy_pack_config
    if configs and len(configs) != len(args.policy_pack):
        message = "give one --policy-pack-config per --policy-pack, in the same order"
        raise ValueError(message)
    packs = list(
        zip(args.policy_pack, configs or [None] * len(args.policy_pack), strict=True)
    )
    progress = Progress(sys.stdout)
    progress.quiet = args.json
    rehearsal = stack.enter_context(
        Rehearsal(
            args.directory,
            args.stack,
            config=_pairs(args.config, "--config"),
            secret_config=_secrets(args),
            policy_packs=packs,
            env=env,
            state_file=args.state,
            backend=args.backend,
            parallel=args.parallel,
            watchers=[progress],
        )
    )
    return _Life(rehearsal, args, progress).run()


def _secrets(args: Options) -> dict[str, str]:
    """The secret values, from wherever they are to be taken."""
    given = [item for item in args.secret if "=" in item]
    asked = [item for item in args.secret if "=" not in item]
    result = _pairs(given, "--secret")
    for key, path in _pairs(args.secret_file, "--secret-file").items():
        try:
            result[key] = _line(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            message = f"the file {path} for {key} cannot be read: {why}"
            raise ValueError(message) from None
    for key, name in _pairs(args.secret_env, "--secret-env").items():
        result[key] = _variable(name)
    if len(asked) > 1 and not sys.stdin.isatty():
        message = (
            f"only one of {', '.join(asked)} can be read from standard input; use "
            "--secret-file or --secret-env for the others"
        )
        raise ValueError(message)
    for key in asked:
        try:
            terminal = sys.stdin.isatty()
            result[key] = getpass(f"{key}: ") if terminal else _line(sys.stdin.read())
        except EOFError:
            result[key] = ""
        if not result[key]:
            message = f"there is no value for {key} on standard input"
            raise ValueError(message)
    return result


def _line(text: str) -> str:
    """Text without the newline at its end, as `pulumi config set` takes it."""
    return text.removesuffix("\n").removesuffix("\r")


def _variable(name: str) -> str:
    if name not in os.environ:
        message = f"the variable {name} is not set"
        raise ValueError(message)
    return os.environ[name]


def _pairs(given: Iterable[str], option: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            message = f"{option} takes KEY=VALUE"
            raise ValueError(message)
        result[key] = value
    return result


class _Life:
    """The turns of a life, and what is wrong with them."""

    def __init__(self, rehearsal: Rehearsal, args: Options, progress: Progress) -> None:
        from pulumi_jig.rehearsal.display import Paint

        self._rehearsal = rehearsal
        self._args = args
        self._progress = progress
        self._paint = Paint(sys.stdout)
        self._done: list[dict[str, Any]] = []
        self._faults: list[str] = []

    def run(self) -> int:
        """Take the turns; the exit status."""
        stack = self._rehearsal
        if self._turn("preview", stack.preview):
            if self._turn("up", stack.up) and self._turn(
                "preview", stack.preview, empty=True
            ):
                self._turn("refresh", stack.refresh, empty=True)
            if not self._args.keep and self._turn("destroy", stack.destroy):
                left = [item["urn"].rpartition("::")[2] for item in stack.resources]
                if left:
                    fault = f"after destroy the state still holds {', '.join(left)}"
                    self._faults.append(fault)
        return self._finish()

    def _turn(
        self, kind: str, operation: Callable[[], Result], *, empty: bool = False
    ) -> bool:
        from pulumi_jig.rehearsal.display import as_data, heading, report

        if not self._args.json:
            sys.stdout.write(heading(kind, self._args.stack, self._paint) + "\n")
        self._progress.quiet = self._args.json or kind == "preview"
        self._progress.begin()
        try:
            result = operation()
        finally:
            self._progress.end()
        self._done.append(as_data(result))
        if not self._args.json:
            text = report(result, self._paint)
            # The table of a preview follows its heading; all else is set apart.
            gap = "" if kind == "preview" and not result.is_empty else "\n"
            sys.stdout.write(f"{gap}{text}\n\n")
        if not result.ok:
            self._faults.append(f"{kind} failed")
        elif empty and not result.is_empty:
            changed = sorted(
                step.name
                for step in result.steps
                if step.operation not in {"same", "read"}
            )
            self._faults.append(
                f"the {kind} after up must be empty, but {', '.join(changed)} changed"
            )
        return result.ok

    def _finish(self) -> int:
        from pulumi_jig.rehearsal.display import dump

        ended = "" if self._args.keep else ", destroyed, nothing left"
        text = f"Rehearsed: up, empty preview, empty refresh{ended}."
        lines = [self._paint("create", text)]
        if self._faults:
            lines = [self._paint("error", f"error: {fault}") for fault in self._faults]
        if self._args.json:
            ok = not self._faults
            dump({"ok": ok, "faults": self._faults, "operations": self._done})
        else:
            sys.stdout.write("\n".join(lines) + "\n")
        return 1 if self._faults else 0
