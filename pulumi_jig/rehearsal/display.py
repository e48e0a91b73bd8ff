"""
Plans and progress for people, as `pulumi` shows them, and the same as data for programs.

Colour and live lines appear only on a terminal; a log gets one line per event. No secret
is shown in any form.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

from pulumi_jig.rehearsal.properties import UNKNOWN
from pulumi_jig.rehearsal.results import PARTS_OF_REPLACE

if TYPE_CHECKING:
    from rich.live import Live

    from pulumi_jig.rehearsal.results import Diagnostic, Outputs, Result, Step


class _Look(NamedTuple):
    """How an operation is shown: sign, ANSI colour, and words while and after it runs."""

    sign: str = " "
    colour: str = ""
    doing: str = ""
    done: str = ""


_LOOKS: Final = {
    "same": _Look(" ", "", "checking", "unchanged"),
    "create": _Look("+", "32", "creating", "created"),
    "update": _Look("~", "33", "updating", "updated"),
    "delete": _Look("-", "31", "deleting", "deleted"),
    "replace": _Look("+-", "35", "replacing", "replaced"),
    "create-replacement": _Look(
        "++", "35", "creating replacement", "created replacement"
    ),
    "delete-replaced": _Look("--", "35", "deleting original", "deleted original"),
    "read": _Look(">", "36", "reading", "read"),
    "refresh": _Look("~", "33", "refreshing", "refreshed"),
    "error": _Look(colour="31"),
    "warning": _Look(colour="33"),
}
_TITLES: Final = {
    "preview": "Previewing update",
    "up": "Updating",
    "refresh": "Refreshing",
    "destroy": "Destroying",
}


def _look(operation: str) -> _Look:
    return _LOOKS.get(operation) or _Look(doing=operation, done=operation)


def short_type(token: str) -> str:
    """A type token without its module's file, as the CLI shows it."""
    package, _, rest = token.partition(":")
    module, _, name = rest.partition(":")
    return f"{package}:{module.partition('/')[0]}:{name}" if name else token


class Paint:
    """Colours, or none."""

    def __init__(self, stream: TextIO, *, colour: bool | None = None) -> None:
        """`colour=None` means: on a terminal only."""
        self.on = stream.isatty() if colour is None else colour

    def __call__(self, kind: str, text: str) -> str:
        """`text` in the colour of an operation or severity."""
        code = _look(kind).colour
        return f"\033[{code}m{text}\033[0m" if self.on and code else text

    def strong(self, text: str) -> str:
        """`text` in bold."""
        return f"\033[1m{text}\033[0m" if self.on else text


class Progress:
    """
    Shows an operation while it runs; a watcher of its events.

    On a terminal the lines of what is under way stay at the bottom and change in place;
    elsewhere each event is a line, and progress is repeated only when it changes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._paint = Paint(stream)
        self._lock = threading.RLock()
        self._running: dict[str, tuple[Step, float, str]] = {}
        self._live: Live | None = None
        self.quiet = False

    def begin(self) -> None:
        """Start to show what is under way, on a terminal."""
        if not self._stream.isatty():
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        def under_way() -> Text:
            # Without our lock, which whoever prints holds while it waits for the display's.
            lines = [self._under_way(*entry) for entry in list(self._running.values())]
            return Text.from_ansi("\n".join(lines))

        self._live = Live(
            console=Console(file=self._stream, soft_wrap=True),
            get_renderable=under_way,
            refresh_per_second=8,
            transient=True,
        )
        self._live.start()

    def end(self) -> None:
        """Take the live lines away."""
        self._running.clear()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def step_begins(self, step: Step) -> None:
        """Note what is under way."""
        if step.internal or self.quiet or step.operation in {"same", "replace"}:
            return
        with self._lock:
            self._running[step.urn] = (step, time.monotonic(), "")

    def step_ends(self, step: Step) -> None:
        """Print what is done."""
        with self._lock:
            # A refresh that found nothing new is not printed.
            was_shown = self._running.pop(step.urn, None)
            if self.quiet or was_shown is None or step.operation == "same":
                return
            look = _look(step.operation)
            text = f"{look.done} ({step.seconds:.1f}s)"
            if step.failed:
                text = self._paint("error", f"{look.doing} failed")
            if step.diff:
                text += f" [diff: {','.join(step.diff)}]"
            self._print(self._line(step, text))

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Show progress beside its resource; other messages come at the end."""
        with self._lock:
            entry = self._running.get(diagnostic.urn)
            text = (diagnostic.message.strip().splitlines() or [""])[-1]
            if self.quiet or entry is None or entry[2] == text:
                return
            entry = (*entry[:2], text)
            self._running[diagnostic.urn] = entry
            if self._live is None:
                self._print(self._under_way(*entry))

    def _under_way(self, step: Step, began: float, text: str) -> str:
        passed = time.monotonic() - began
        doing = f"{_look(step.operation).doing} ({passed:.0f}s) {text}"
        return self._line(step, doing.rstrip())

    def _line(self, step: Step, text: str) -> str:
        head = f"{_look(step.operation).sign:>2} {short_type(step.type)}"
        return f" {self._paint(step.operation, head)} {step.name} {text}"

    def _print(self, line: str) -> None:
        if self._live is not None:
            # The line is written above what is still under way.
            self._live.refresh()
            self._live.console.out(line, highlight=False)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()


# --- Results ---------------------------------------------------------------------


def heading(kind: str, stack: str, paint: Paint) -> str:
    """The first line of an operation."""
    return paint.strong(f"{_TITLES.get(kind, kind)} ({stack}):")


def report(result: Result, paint: Paint) -> str:
    """Everything about a finished operation that people want to see."""
    blocks = [_plan(result, paint), _diagnostics(result, paint)]
    blocks.append(_violations(result, paint))
    if result.kind != "destroy":
        blocks.append(_outputs(result.outputs))
    blocks.append(_summary(result, paint))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _plan(result: Result, paint: Paint) -> list[str]:
    """The steps of a preview; what was done has been printed when it was done."""
    rows = [("", "     ", "Type", "Name", "Plan", "Info")]
    for step in result.steps if result.kind == "preview" else ():
        is_part = step.operation in PARTS_OF_REPLACE and not step.failed
        if step.internal or step.operation == "same" or is_part:
            continue
        info = ["failed"] if step.failed else []
        if step.diff and step.operation in {"update", "replace"}:
            info.append(f"[diff: {','.join(step.diff)}]")
        kind = "error" if step.failed else step.operation
        sign = f" {_look(step.operation).sign:>2}  "
        shown = short_type(step.type), step.name, step.operation, " ".join(info)
        rows.append((kind, sign, *shown))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for kind, sign, *cells in rows:
        padded = (f"{c:<{w}}" for c, w in zip(cells, wide[2:], strict=True))
        line = sign + "  ".join(padded).rstrip()
        lines.append(paint(kind, line) if kind else paint.strong(line))
    return lines if len(rows) > 1 else []


def _diagnostics(result: Result, paint: Paint) -> list[str]:
    by_urn: dict[str, list[Diagnostic]] = {}
    for diagnostic in result.diagnostics:
        if not diagnostic.ephemeral:
            by_urn.setdefault(diagnostic.urn, []).append(diagnostic)
    lines = [paint.strong("Diagnostics:")] if by_urn else []
    for urn, diagnostics in by_urn.items():
        name = urn.rpartition("::")[2]
        lines.append(f"  {name or 'the program and its plugins'}:")
        for diagnostic in diagnostics:
            severity = diagnostic.severity
            head = "" if severity == "info" else paint(severity, f"{severity}: ")
            lines.append(f"    {head}{_indented(diagnostic.message, 4)}")
    return lines


def _violations(result: Result, paint: Paint) -> list[str]:
    lines = [paint.strong("Policies:")] if result.violations else []
    for violation in result.violations:
        kind = "error" if violation.level == "mandatory" else "warning"
        title = f"[{violation.level}] {violation.pack} {violation.policy}"
        name = violation.urn.rpartition("::")[2]
        lines.append(f"    {paint(kind, title)}  ({name})")
        lines.append(f"      {_indented(violation.message, 6)}")
    return lines


def _indented(text: str, by: int) -> str:
    return text.rstrip().replace("\n", "\n" + by * " ")


def _outputs(outputs: Outputs) -> list[str]:
    wide = max(map(len, outputs), default=0)
    lines = ["Outputs:"] if len(outputs) else []
    for name in sorted(outputs):
        text = json.dumps(outputs.shown[name], default=_unknown)
        text = text.replace('"[secret]"', "[secret]")
        lines.append(f"    {name:<{wide}}: {text}")
    return lines


def _summary(result: Result, paint: Paint) -> list[str]:
    lines = []
    for operation, count in result.changes.items():
        look = _look(operation)
        text = f"{look.sign} {count} {look.done}"
        if result.kind == "preview":
            text = f"{look.sign} {count} to {operation}"
        if operation not in {"same", "read"}:
            lines.append("    " + paint(operation, text))
    if same := result.changes.get("same"):
        lines.append(f"    {same} unchanged")
    failed = sum(step.failed and not step.internal for step in result.steps)
    if failed:
        lines.append("    " + paint("error", f"{failed} errored"))
    lines = [paint.strong("Resources:"), *(lines or ["    none"])]
    if result.kind != "preview":
        lines += ["", f"Duration: {result.seconds:.1f}s"]
    return lines


def as_data(result: Result) -> dict[str, Any]:
    """An operation as plain data, secrets replaced by `[secret]`."""
    return {
        "operation": result.kind,
        "ok": result.ok,
        "empty": result.is_empty,
        "changes": result.changes,
        "steps": [asdict(step) for step in result.steps if not step.internal],
        "outputs": dict(result.outputs.shown),
        "diagnostics": [asdict(item) for item in result.diagnostics],
        "violations": [asdict(item) for item in result.violations],
        "seconds": round(result.seconds, 3),
    }


def dump(data: Any) -> None:
    """Data as JSON on stdout; unknown values as `[unknown]`."""
    sys.stdout.write(json.dumps(data, indent=2, default=_unknown) + "\n")


def _unknown(value: Any) -> str:
    return "[unknown]" if value is UNKNOWN else repr(value)
