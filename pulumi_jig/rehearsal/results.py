"""What an operation gives back: steps, outputs, diagnostics, violations, as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.properties import contains_secret, reveal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["preview", "up", "refresh", "destroy"]
Severity = Literal["debug", "info", "warning", "error"]
# Steps that a person sees as one replacement.
PARTS_OF_REPLACE: Final = frozenset(
    {"create-replacement", "delete-replaced", "discard-replaced"}
)


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step of the plan, named as the engine names it.

    Attributes:
        operation: `same`, `create`, `update`, `delete`, `read`, `refresh`; a
            replacement is three steps: `create-replacement`, `replace`,
            `delete-replaced`.
        urn: The resource.
        type: Its type token.
        name: Its logical name.
        changed: Paths of input properties that differ, for an update, a replacement or
            a refresh; never values. Bookkeeping keys (`__...`) are left out.
        diff: The same by top-level key, with `+`, `-` or `~` before it.
        replaces: Property names that forced a replacement.
        failed: Whether the provider refused or failed it.
        seconds: How long it took; 0 in a preview.
        messages: What was logged about the resource while the step ran.
        internal: A default provider, which nobody asked for; the CLI hides it too.
    """

    operation: str
    urn: str
    type: str
    name: str
    changed: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    failed: bool = False
    seconds: float = 0.0
    messages: tuple[str, ...] = ()
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message; `ephemeral` ones were progress that later ones overwrote."""

    severity: Severity
    message: str
    urn: str = ""
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation of a policy; `level` is `advisory` or `mandatory`."""

    pack: str
    policy: str
    level: str
    message: str
    urn: str = ""
    description: str = ""
    severity: str = ""
    pack_version: str = ""


@dataclass(frozen=True, slots=True)
class Outputs:
    """
    Stack outputs, secrets unwrapped.

    Attributes:
        values: The outputs; not for display.
        secret_names: Which outputs are secret or hold a secret.
        shown: The outputs with `[secret]` in the place of each secret, at any depth.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    secret_names: frozenset[str] = frozenset()
    shown: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def get(self, name: str, default: Any = None) -> Any:
        """The output of that name, or `default`."""
        return self.values.get(name, default)

    def __repr__(self) -> str:
        return f"Outputs({dict(self.shown)!r})"


@dataclass(frozen=True, slots=True)
class Result:
    """
    The outcome of one operation.

    Attributes:
        kind: Which operation it was.
        steps: All steps in the order in which they were taken.
        outputs: The stack's outputs as they are afterwards.
        diagnostics: All that was logged, ephemeral progress included.
        violations: Findings of policy packs.
        ok: Whether it succeeded.
        program_status: The program's exit status; None where no program ran.
    """

    kind: Kind
    steps: tuple[Step, ...]
    outputs: Outputs
    diagnostics: tuple[Diagnostic, ...]
    violations: tuple[Violation, ...]
    ok: bool
    program_status: int | None = None
    seconds: float = 0.0

    @property
    def is_empty(self) -> bool:
        """
        Whether nothing changed or would change.

        A default provider takes the stack's new configuration without anybody calling
        that a change; the engine's `--expect-no-changes` does not, either.
        """
        return self.ok and not any(
            step.changed if step.operation == "refresh" else step.operation != "same"
            for step in self.steps
            if step.operation != "read" and not step.internal
        )

    @property
    def changes(self) -> dict[str, int]:
        """
        How many resources per operation, as the CLI counts them.

        A replacement counts once, as `replace`; a step that failed does not count.
        """
        return dict(
            Counter(
                step.operation
                for step in self.steps
                if not step.internal
                and not step.failed
                and step.operation not in PARTS_OF_REPLACE
            )
        )

    @property
    def errors(self) -> tuple[str, ...]:
        """Messages of severity `error`."""
        return tuple(d.message for d in self.diagnostics if d.severity == "error")

    def of(self, name: str) -> tuple[str, ...]:
        """Operations on the resource of this logical name or URN, in order."""
        return tuple(
            step.operation for step in self.steps if name in {step.name, step.urn}
        )

    def step(self, name: str) -> Step:
        """
        The one step that says what happens to the resource `name`.

        For a replacement it is the `replace` step.

        Raises:
            KeyError: no step concerns a resource of this name.
        """
        found = [step for step in self.steps if name in {step.name, step.urn}]
        if not found:
            message = f"no step concerns a resource named {name!r}"
            raise KeyError(message)
        return min(found, key=lambda step: step.operation in PARTS_OF_REPLACE)

    def raise_if_failed(self) -> Result:
        """
        This result, if it succeeded.

        Raises:
            RehearsalError: with the errors and mandatory violations, one per line.
        """
        if self.ok:
            return self
        violations = [
            f"{v.policy}: {v.message}" for v in self.violations if v.level != "advisory"
        ]
        text = "\n".join([*self.errors, *violations]) or "no reason was given"
        message = f"{self.kind} failed: {text}"
        raise RehearsalError(message)


def outputs_of(properties: Mapping[str, Any]) -> Outputs:
    """Stack outputs from property values."""
    return Outputs(
        {key: reveal(value) for key, value in properties.items()},
        frozenset(key for key, value in properties.items() if contains_secret(value)),
        {key: reveal(value, "[secret]") for key, value in properties.items()},
    )
