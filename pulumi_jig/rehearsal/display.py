"""
Plans and progress for people, and the same as data for programs.

Why it exists: a person wants what `pulumi` shows: a sign, the type, the name, what
happens and which properties differ, aligned; live while it happens. Colour and live
lines only on a terminal; a log gets one line per event, and a program gets JSON.

What it refuses: to print a secret, in whatever form.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TextIO

from pulumi_jig.rehearsal.properties import UNKNOWN

if TYPE_CHECKING:
    from pulumi_jig.rehearsal.results import (
        Diagnostic,
        Outputs,
        Result,
        Step,
        Violation,
    )

_SIGNS: Final = {
    "same": " ",
    "create": "+",
    "update": "~",
    "delete": "-",
    "replace": "+-",
    "create-replacement": "++",
    "delete-replaced": "--",
    "read": ">",
    "refresh": "~",
}
_COLOURS: Final = {
    "create": "32",
    "update": "33",
    "refresh": "33",
    "delete": "31",
    "replace": "35",
    "create-replacement": "35",
    "delete-replaced": "35",
    "read": "36",
    "error": "31",
    "warning": "33",
}
_DOING: Final = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "delete": ("deleting", "deleted"),
    "create-replacement": ("creating replacement", "created replacement"),
    "delete-replaced": ("deleting original", "deleted original"),
    "replace": ("replacing", "replaced"),
    "read": ("reading", "read"),
    "refresh": ("refreshing", "refreshed"),
    "same": ("checking", "unchanged"),
}
_TITLES: Final = {
    "preview": "Previewing update",
    "up": "Updating",
    "refresh": "Refreshing",
    "destroy": "Destroying",
}
_PARTS: Final = frozenset({"create-replacement", "delete-replaced", "discard-replaced"})
_PREVIEW_WORDS: Final = {"same": "unchanged"}
_DONE_WORDS: Final = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "read": "read",
}


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
        code = _COLOURS.get(kind)
        return f"\033[{code}m{text}\033[0m" if self.on and code else text

    def strong(self, text: str) -> str:
        """`text` in bold."""
        return f"\033[1m{text}\033[0m" if self.on else text


class Progress:
    """
    Draws an operation while it runs; a watcher of its events.

    On a terminal the lines of what is under way stay at the bottom and change in place;
    elsewhere each event is a line, and progress is repeated only when it changes.
    """

    def __init__(self, stream: TextIO, *, live: bool | None = None) -> None:
        self._stream = stream
        self._paint = Paint(stream)
        self._live = stream.isatty() if live is None else live
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Step, float, str]] = {}
        self._drawn = 0
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None
        self.quiet = False

    def begin(self) -> None:
        """Start to draw."""
        if self._live:
            self._stop.clear()
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def end(self) -> None:
        """Take the live lines away."""
        if self._ticker is not None:
            self._stop.set()
            self._ticker.join()
            self._ticker = None
        with self._lock:
            self._erase()
            self._running.clear()

    def step_begins(self, step: Step) -> None:
        """Note what is under way."""
        if step.internal or self.quiet or step.operation in {"same", "replace"}:
            return
        with self._lock:
            self._running[step.urn] = (step, time.monotonic(), "")

    def step_ends(self, step: Step) -> None:
        """Print what is done."""
        if self.quiet or step.urn not in self._running:
            return
        with self._lock:
            self._running.pop(step.urn, None)
            doing, done = _DOING.get(step.operation, (step.operation,) * 2)
            if step.failed:
                text = self._paint("error", f"{doing} failed")
            else:
                text = f"{done} ({step.seconds:.1f}s)"
            if step.operation == "same":
                return  # A refresh that found nothing new.
            if step.diff:
                text += f" [diff: {','.join(step.diff)}]"
            self._erase()
            self._line(step, text)

    def diagnostic(self, diagnostic: Diagnostic) -> None:
        """Show progress beside its resource; other messages come at the end."""
        if self.quiet:
            return
        with self._lock:
            entry = self._running.get(diagnostic.urn)
            if entry is None:
                return
            step, began, before = entry
            text = diagnostic.message.strip().splitlines()[-1:] or [""]
            if text[0] == before:
                return
            self._running[diagnostic.urn] = (step, began, text[0])
            if not self._live:
                doing = _DOING.get(step.operation, (step.operation,))[0]
                passed = time.monotonic() - began
                self._line(step, f"{doing} ({passed:.0f}s) {text[0]}")

    def violation(self, violation: Violation) -> None:
        """Violations are printed with the result."""

    def _line(self, step: Step, text: str) -> None:
        sign = _SIGNS.get(step.operation, " ")
        head = self._paint(step.operation, f"{sign:>2} {short_type(step.type)}")
        self._stream.write(f" {head} {step.name} {text}\n")
        self._stream.flush()

    def _tick(self) -> None:
        while not self._stop.wait(0.15):
            self.redraw()

    def redraw(self) -> None:
        """Draw the lines of what is under way anew, in place."""
        with self._lock:
            self._erase()
            for step, began, text in self._running.values():
                doing = _DOING.get(step.operation, (step.operation,))[0]
                passed = time.monotonic() - began
                self._line(step, f"{doing} ({passed:.0f}s) {text}".rstrip())
                self._drawn += 1

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\033[{self._drawn}F\033[J")
            self._drawn = 0


def heading(kind: str, stack: str, paint: Paint) -> str:
    """The first line of an operation."""
    return paint.strong(f"{_TITLES.get(kind, kind)} ({stack}):")


def table(result: Result, paint: Paint) -> list[str]:
    """
    The steps that would change something, one aligned line each.

    For previews: what was done has been printed when it was done.
    """
    if result.kind != "preview":
        return []
    shown = [
        step
        for step in result.steps
        if not step.internal
        and step.operation != "same"
        and (step.operation not in _PARTS or step.failed)
    ]
    if not shown:
        return []
    rows = []
    for step in shown:
        info = []
        if step.failed:
            info.append("failed")
        if step.diff and step.operation in {"update", "replace"}:
            info.append(f"[diff: {','.join(step.diff)}]")
        rows.append((short_type(step.type), step.name, step.operation, " ".join(info)))
    titles = ("Type", "Name", "Plan", "Info")
    wide = [max(len(row[i]) for row in [titles, *rows]) for i in range(4)]
    lines = [paint.strong("     " + _aligned(titles, wide))]
    for step, row in zip(shown, rows, strict=True):
        text = f" {_SIGNS.get(step.operation, ' '):>2}  {_aligned(row, wide)}"
        lines.append(paint("error" if step.failed else step.operation, text))
    return lines


def _aligned(cells: tuple[str, ...], wide: list[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, wide, strict=True))
    return "  ".join(padded).rstrip()


def _done(operation: str) -> str:
    return _DONE_WORDS.get(operation, operation)


def report(result: Result, paint: Paint) -> str:
    """Everything about a finished operation that people want to see."""
    blocks: list[list[str]] = [table(result, paint)]
    blocks += [_diagnostics(result, paint), _violations(result, paint)]
    if result.kind != "destroy":
        blocks.append(_outputs(result.outputs))
    blocks.append(_summary(result, paint))
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _diagnostics(result: Result, paint: Paint) -> list[str]:
    shown = [d for d in result.diagnostics if not d.ephemeral]
    if not shown:
        return []
    lines = [paint.strong("Diagnostics:")]
    for urn in dict.fromkeys(d.urn for d in shown):
        parts = urn.split("::")
        lines.append(f"  {parts[-1]}:" if urn else "  the program and its plugins:")
        for diagnostic in shown:
            if diagnostic.urn != urn:
                continue
            head = ""
            if diagnostic.severity != "info":
                head = paint(diagnostic.severity, f"{diagnostic.severity}: ")
            text = diagnostic.message.rstrip().replace("\n", "\n    ")
            lines.append(f"    {head}{text}")
    return lines


def _violations(result: Result, paint: Paint) -> list[str]:
    if not result.violations:
        return []
    lines = [paint.strong("Policies:")]
    for violation in result.violations:
        severity = "error" if violation.level == "mandatory" else "warning"
        name = violation.urn.rpartition("::")[2]
        lines.append(
            "    "
            + paint(
                severity, f"[{violation.level}] {violation.pack} {violation.policy}"
            )
            + f"  ({name})"
        )
        text = violation.message.rstrip().replace("\n", "\n      ")
        lines.append(f"      {text}")
    return lines


def _outputs(outputs: Outputs) -> list[str]:
    if not len(outputs):
        return []
    wide = max(len(name) for name in outputs)
    return [
        "Outputs:",
        *(
            f"    {name:<{wide}}: {_output(outputs.shown[name])}"
            for name in sorted(outputs)
        ),
    ]


def _output(shown: Any) -> str:
    return json.dumps(shown, default=_unknown).replace('"[secret]"', "[secret]")


def _unknown(value: Any) -> str:
    return "[unknown]" if value is UNKNOWN else repr(value)


def _summary(result: Result, paint: Paint) -> list[str]:
    lines = [paint.strong("Resources:")]
    changes = {k: v for k, v in result.changes.items() if k not in {"same", "read"}}
    for operation, count in changes.items():
        sign = _SIGNS.get(operation, " ")
        if result.kind == "preview":
            text = f"{sign} {count} to {operation}"
        else:
            text = f"{sign} {count} {_done(operation)}"
        lines.append("    " + paint(operation, text))
    same = result.changes.get("same", 0)
    if same:
        lines.append(f"    {same} unchanged")
    failed = sum(step.failed and not step.internal for step in result.steps)
    if failed:
        lines.append("    " + paint("error", f"{failed} errored"))
    if not changes and not same and not failed:
        lines.append("    none")
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
