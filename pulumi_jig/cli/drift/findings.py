"""What was found about each thing of a state, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.cli import terminal
from pulumi_jig.cli.state_export import encrypted_leaves, logical_name
from pulumi_jig.schema.deployment import FIELDS
from pulumi_jig.text import safe_text
from pulumi_jig.values import reveal, secret_leaves

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNITS: Final = {
    **{name: field.unit for name, field in FIELDS.items() if field.unit},
    "ttl_seconds": "s",
}
#: How much of a value is shown, in characters.
_SHOWN: Final = 80


@dataclass(frozen=True)
class Finding:
    """
    One difference, or one thing worth knowing.

    Attributes:
        path: The property; `deployment`, `secret` or `volume` for the whole.
        message: What is so, without values of environment variables and secrets.
    """

    path: str
    message: str


@dataclass
class Compared:
    """
    One thing of the state.

    Attributes:
        what: `deployment`, `secret` or `volume`.
        urn: The resource.
        name: Its name in the service.
        known_id: Its id in the service, as the state knows it.
        drift: What differs.
        notes: What is worth knowing and no drift.
        unknown: What could not be compared.
    """

    what: str
    urn: str
    name: str
    known_id: str | None
    drift: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    unknown: list[Finding] = field(default_factory=list)

    @property
    def unseen(self) -> bool:
        """Whether nothing could be found out about it."""
        return any(row.path == self.what for row in self.unknown)

    def plain(self) -> dict[str, Any]:
        """For a program to read."""

        def rows(findings: Sequence[Finding]) -> list[dict[str, str]]:
            return [{"path": one.path, "message": one.message} for one in findings]

        return {
            "urn": self.urn,
            "name": self.name,
            f"{self.what}_id": self.known_id,
            "drift": rows(self.drift),
            "notes": rows(self.notes),
            "unknown": rows(self.unknown),
        }


def differs(
    name: str, wanted: Any, live: Any, stored: Any = None, *, declared: bool = True
) -> Finding:
    """
    A property whose live value is not the one that it shall have, both with their unit.

    Of a secret neither is shown: the live one may hold it, in part.

    Args:
        name: The property.
        wanted: What it shall be.
        live: What it is.
        stored: What the state holds of it, with secrets that cannot be read.
        declared: Whether the program says so; else it is held at its default.
    """
    if _is_secret(wanted) or _is_secret(stored):
        return Finding(name, "has another value live than is declared")
    wanted = _measured(name, reveal(wanted))
    what = f"declared {wanted}" if declared else f"not declared, so {wanted}"
    return Finding(name, f"{what}, live {_measured(name, live)}")


def changed(name: str, before: Any, now: Any) -> Finding:
    """A property that the service itself chooses, and that is another one now."""
    message = f"was {_measured(name, before)}, is {_measured(name, now)} now"
    if _is_secret(before):
        message = "is another one now"
    return Finding(name, f"{message}; not declared, so it is left alone")


def _is_secret(value: Any) -> bool:
    """Whether a value of the state is a secret, readable or encrypted, or holds one."""
    found = (*secret_leaves(value), *encrypted_leaves(value))
    return bool(found)


def _measured(name: str, value: Any) -> str:
    unit = f" {_UNITS[name]}" if name in _UNITS and value is not None else ""
    return f"{_shown(value)}{unit}"


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    return safe_text(value if isinstance(value, str) else _plain_text(value), _SHOWN)


def _plain_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


# --- For people -----------------------------------------------------------------


def show(found: Sequence[Compared]) -> None:
    """Tell people what differs."""
    for one in found:
        if not (one.drift or one.notes or one.unknown):
            continue
        colour = "bad" if one.drift else "notice"
        title = f"{logical_name({'urn': one.urn})} ({one.name})"
        terminal.say(terminal.paint(title, colour))
        for sign, rows in (("!", one.drift), ("?", one.unknown), ("i", one.notes)):
            for row in rows:
                subject = "" if row.path == one.what else f"{row.path}: "
                terminal.say(f"{sign} {subject}{row.message}", indent=4)
    drifted = sum(bool(one.drift) for one in found)
    open_ones = sum(bool(one.unknown) for one in found)
    if not drifted and open_ones:
        terminal.say(
            f"No drift found in {_counted(found)}, but {open_ones} of them could not be "
            "compared in full (?)."
        )
    elif not drifted:
        terminal.say(f"No drift in {_counted(found)}.")
    elif len({one.what for one in found}) == 1:
        terminal.say(f"{drifted} of {_counted(found)} drifted.")
    else:
        terminal.say(f"{drifted} of {len(found)} drifted ({_counted(found)}).")


def _counted(found: Sequence[Compared]) -> str:
    """How many there are of each kind; of what there is none, only deployments."""
    counts = dict.fromkeys(("deployment", "secret", "volume"), 0)
    for one in found:
        counts[one.what] += 1
    parts = [
        f"{count} {what}{'' if count == 1 else 's'}"
        for what, count in counts.items()
        if count or (what == "deployment" and not found)
    ]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
