"""
`GpuBudget`: a limit that stands before the deployments that it limits.

A stack policy speaks when everything exists; a budget is a resource that every member
waits for. It is registered with the sizes of all its members, so one refusal (of its own
check, or of a policy) comes before any of them is created, without a preview too.

    with GpuBudget("team", max_gpus={"h100-80gb": 16}):
        Deployment("llm", ...)

It refuses to let a member pass whose size it has not counted: one that is declared
after the block has ended, one in two budgets, one whose size hangs on another member,
and one that the engine's budget does not list as it is (because the budget was left out
of the run, or has failed).
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import pulumi
from pulumi import dynamic

from pulumi_jig.naming import MODULE
from pulumi_jig.policy.membership import BUDGET_INPUT, MEMBER_KEYS, member_of
from pulumi_jig.provider import COUNTED, GpuBudgetProvider
from pulumi_jig.resources import waits
from pulumi_jig.resources.arguments import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextvars import Token
    from types import TracebackType

#: Seconds after which an unfinished wait is told of, once.
PATIENCE: Final = 60.0
#: Seconds after which a budget that nobody has opened is taken to be a mistake.
OPENING: Final = 2.0
_FIRST_LOOK, _LONGEST_PAUSE = 0.02, 0.25

_active: ContextVar[GpuBudget | None] = ContextVar("pulumi_jig_budget", default=None)


class BlockError(Exception):
    """What ended the block of a budget, where the SDK would reword the error itself."""


@dataclass(frozen=True)
class _Member:
    """A deployment of the block, and what it asks for as the program wrote it."""

    resource: pulumi.Resource
    name: str
    size: dict[str, Any]


@typed
class GpuBudget(dynamic.Resource, module=MODULE, name="GpuBudget"):
    """
    Limits for the deployments that are declared inside its `with` block.

    All limits are of what runs when every replica runs, are kept by the budget itself
    (also with `pulumi up --skip-preview`), and can be left out; a budget without limits
    still lets the policies judge its members together before they are created. Values
    may be outputs of resources that are not members; what a preview does not know yet
    is judged before anything is created.

    Members get `budget` set to this budget's name and depend on it, so it is changed
    before them and destroyed after them. Adding or removing one changes it in place.
    A deployment is in one budget: blocks cannot be nested, and a budget is opened once.
    Deployments in components inside the block are members as well; what
    `Deployment.get` looks up is not.

    Args:
        resource_name: The budget's name, which members and policies call it by.
        max_gpus: GPUs by type. A type that it does not name is limited to none.
        max_total_gpus: GPUs of all types; a MIG slice counts as the part that it is.
        max_memory_gib: GiB of memory. Every member must then declare its `memory`.
        max_usd_per_hour: US dollars per hour for GPUs. Needs `prices`.
        prices: US dollars per GPU and hour, by type.
        opts: Pulumi's options.

    Raises:
        RunError: The program uses it in a way that could let a member pass uncounted;
            nothing of the block is created then.
    """

    name: pulumi.Output[str]
    """What members name in their `budget`."""
    max_gpus: pulumi.Output[dict[str, float] | None]
    """GPUs by type."""
    max_total_gpus: pulumi.Output[float | None]
    """GPUs of all types."""
    max_memory_gib: pulumi.Output[float | None]
    """GiB of memory."""
    max_usd_per_hour: pulumi.Output[float | None]
    """US dollars per hour."""
    prices: pulumi.Output[dict[str, float] | None]
    """US dollars per GPU and hour, by type."""
    members: pulumi.Output[list[dict[str, Any]]]
    """Name and size of every member; `memory_gib` is in GiB per replica."""

    def __init_subclass__(cls, **_kwargs: Any) -> None:
        """Keep the type token: a subclass without one would be another resource."""
        super().__init_subclass__(module=MODULE, name="GpuBudget")

    def __init__(
        self,
        resource_name: str,
        *,
        max_gpus: pulumi.Input[Mapping[str, pulumi.Input[float]]] | None = None,
        max_total_gpus: pulumi.Input[float] | None = None,
        max_memory_gib: pulumi.Input[float] | None = None,
        max_usd_per_hour: pulumi.Input[float] | None = None,
        prices: pulumi.Input[Mapping[str, pulumi.Input[float]]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        self._called = resource_name
        self._joined: list[_Member] = []
        self._opened = False
        self._token: Token[GpuBudget | None] | None = None
        # Set when the block ends; the registration below waits for it.
        self._closed = False
        self._failure: Exception | None = None
        self._limits = {
            "max_gpus": max_gpus,
            "max_total_gpus": max_total_gpus,
            "max_memory_gib": max_memory_gib,
            "max_usd_per_hour": max_usd_per_hour,
            "prices": prices,
        }
        told = asyncio.ensure_future(self._tell())
        # It is waited for by the registration, which may itself have failed before.
        told.add_done_callback(lambda task: task.cancelled() or task.exception())
        super().__init__(
            GpuBudgetProvider(),
            resource_name,
            {"name": resource_name, **self._limits, "members": told},
            opts,
        )

    # --- The block -------------------------------------------------------------

    def __enter__(self) -> Self:
        """Let the deployments that follow be members."""
        outer = _active.get()
        error = None
        if outer is not None:
            error = pulumi.RunError(
                f"GpuBudget {self._called}: it is opened inside the block of "
                "another budget, and a deployment is in one only. End that block "
                "first."
            )
        elif self._opened:
            error = pulumi.RunError(
                f"GpuBudget {self._called}: it has been opened before, and what it was "
                "told then has gone out. Put all its members into one block."
            )
        if error is not None:
            self._end(error)
            raise error
        self._opened = True
        self._token = _active.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Register the budget; after an error, let all its members fail with it."""
        if self._token is not None:
            _active.reset(self._token)
        if isinstance(error, (ValueError, AssertionError)):
            # The SDK takes these for faults of an argument and buries their words.
            cause = error
            error = BlockError(f"{type(cause).__name__}: {cause}")
            error.__cause__ = cause
        if error is not None and not isinstance(error, Exception):
            # An event loop would end at once if a task of its own ended in this.
            error = pulumi.RunError(
                f"GpuBudget {self._called}: its block was left by {type(error).__name__} "
                "before its end, so none of its deployments is created."
            )
        self._end(error)

    def _end(self, error: Exception | None) -> None:
        self._closed = True
        self._failure = self._failure or error

    # --- Members ---------------------------------------------------------------

    def _join(
        self, resource: pulumi.Resource, name: str, props: dict[str, Any]
    ) -> None:
        """Count a deployment."""
        if self._closed:
            raise pulumi.RunError(
                f"Deployment {name}: it is declared by something that was begun in the "
                f"block of the budget {self._called} (an `apply`, a task) and runs after "
                "its end, so the budget does not count it. Declare it in the block "
                "itself."
            )
        if props.get(BUDGET_INPUT) not in (None, self._called):
            raise pulumi.RunError(
                f"Deployment {name}: it names another budget inside the block of "
                f"{self._called}. Leave `budget` out, or move it out of the block."
            )
        props[BUDGET_INPUT] = self._called
        member = _Member(resource, name, member_of(name, props))
        self._joined.append(member)
        # The plugin refuses it, not the program: a refresh or a destroy that runs the
        # program compares it with an old budget, and must not fail for that.
        props[COUNTED] = pulumi.Output.from_input(self._counted(member))

    async def _counted(self, member: _Member) -> dict[str, Any] | None:
        """How the budget that the engine holds counts a member; see its check."""
        listed = await self.members.future()
        size = await pulumi.Output.from_input(member.size).future()
        if listed is None or size is None:
            # A preview need not know. Where a run goes on after a failure, what has
            # failed looks like this as well.
            failed = listed is None and not pulumi.runtime.is_dry_run()
            return (
                {"fault": f"the budget {self._called} has failed."} if failed else None
            )
        asked = {key: value for key, value in size.items() if value is not None}
        if any(_counts(entry, asked) for entry in listed):
            return {"size": asked}
        return {
            "fault": f"the budget {self._called} does not count this deployment as it "
            "is now, since the budget is not part of this run, or ignores changes. Run "
            "the whole program, or add the budget to --target."
        }

    async def _tell(self) -> list[dict[str, Any]]:
        """The members, as soon as their sizes are known or can be seen never to be."""
        loop = asyncio.get_running_loop()
        begun, pause, told = loop.time(), _FIRST_LOOK, False
        while True:
            waiting = self._waiting()
            if self._failure is not None:
                # The error of the block is the error of the budget.
                raise self._failure
            if self._closed:
                if not waiting:
                    members = sorted(self._joined, key=lambda member: member.name)
                    return [member.size for member in members]
                self._refuse_circles(waiting)
            elif not self._opened and loop.time() - begun > OPENING:
                raise pulumi.RunError(
                    f"GpuBudget {self._called}: it limits nothing, since nobody opened "
                    f'it. Write "with GpuBudget({self._called!r}, ...):" and declare '
                    "its deployments inside."
                )
            if not told and loop.time() - begun > PATIENCE:
                told = True
                pulumi.log.warn(self._patience(waiting), self)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _waiting(self) -> list[tuple[str, pulumi.Output[Any]]]:
        """What the budget does not know yet: where it stands, and the output."""
        return [
            (where, output)
            for where, value in self._values()
            for output in waits.outputs_in(value)
            if not waits.is_settled(output)
        ]

    def _values(self) -> Iterator[tuple[str, Any]]:
        for key, value in self._limits.items():
            yield f"{key} of the budget itself", value
        for member in self._joined:
            for key, value in member.size.items():
                yield f"{MEMBER_KEYS.get(key, key)} of {member.name}", value

    def _refuse_circles(self, waiting: list[tuple[str, pulumi.Output[Any]]]) -> None:
        marks = {
            id(future): f"{attribute} of {member.name}"
            for member in self._joined
            for attribute, output in waits.attributes(member.resource)
            for future in waits.futures(output)
        }
        marks |= {
            id(future): "the budget itself"
            for _, output in waits.attributes(self)
            for future in waits.futures(output)
        }
        for where, output in waiting:
            met = waits.first_met(output, marks)
            if met is not None:
                raise pulumi.RunError(
                    f"GpuBudget {self._called}: {where} hangs on {met}, which is known "
                    "only after the budget, and the budget must know every size first. "
                    "Give it a value of its own, or one of a resource outside the block."
                )

    def _patience(self, waiting: list[tuple[str, pulumi.Output[Any]]]) -> str:
        begin = f"GpuBudget {self._called} and its deployments still wait"
        if not self._closed:
            return (
                f"{begin}: its block has not ended. Nothing inside the block may wait "
                "for a deployment of the block."
            )
        places = ", ".join(dict.fromkeys(where for where, _ in waiting))
        return (
            f"{begin} for {places}. If that hangs on a deployment of the block, it will "
            "never be known: give it a value of its own."
        )


def _counts(entry: Any, asked: Mapping[str, Any]) -> bool:
    if not isinstance(entry, dict):
        return False
    return {key: value for key, value in entry.items() if value is not None} == asked


def join_active_budget(
    resource: pulumi.Resource,
    resource_name: str,
    props: dict[str, Any],
    opts: pulumi.ResourceOptions | None,
) -> pulumi.ResourceOptions | None:
    """
    Make a deployment a member of the budget in whose block it is declared, if any.

    Args:
        resource: The deployment, before it is registered.
        resource_name: Its name in the program.
        props: Its inputs; `budget` and a note for its check are set in them.
        opts: Its options.

    Returns:
        Options with which it waits for the budget.

    Raises:
        RunError: The budget cannot count it.
    """
    budget = _active.get()
    # What is only looked up belongs to somebody else, who pays for it.
    if budget is None or (opts is not None and opts.id is not None):
        return opts
    budget._join(resource, resource_name, props)  # noqa: SLF001 - not for programs
    waiting = pulumi.ResourceOptions(depends_on=[budget])
    return pulumi.ResourceOptions.merge(opts, waiting)
