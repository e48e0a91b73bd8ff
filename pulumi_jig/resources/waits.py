"""
Who waits for whom: finds an output that can never be known.

A budget waits for the sizes of its members, and each member waits for the budget. A size
that hangs on another member's outputs closes that circle, and a program in it would
stand still without a word. Nothing in Pulumi's contract tells what an output hangs on
before it is known, so this follows what asyncio's tasks are blocked on.

Each step is looked for before it is taken (`_fut_waiter` of tasks, `_children` of
`gather`, variables of the SDK's registrations). Where one is missing the chain ends and
nothing is found: it never takes a wait that can end for one that cannot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pulumi

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")

#: The names of the coroutines of the SDK that register or read one resource.
_REGISTRATIONS: Final = frozenset(
    {"register_resource.<locals>.do_register", "read_resource.<locals>.do_read"}
)
#: The coroutine behind `apply`, and what older versions of the SDK resolve in it.
_APPLY: Final = "Output.apply.<locals>.run"
_APPLY_RESULTS: Final = ("result_resources", "result_is_known", "result_is_secret")

_Future = asyncio.Future[Any]


def futures(output: pulumi.Output[Any]) -> list[_Future]:
    """The futures in which an output keeps what it will be."""
    # By what is there, not by name: the names differ between versions of the SDK.
    return [item for item in vars(output).values() if isinstance(item, asyncio.Future)]


def is_settled(output: pulumi.Output[Any]) -> bool:
    """Whether everything about an output is known, or has failed."""
    return all(future.done() for future in futures(output))


def outputs_in(value: Any) -> Iterator[pulumi.Output[Any]]:
    """The outputs that stand in an argument, at any depth of its lists and mappings."""
    if isinstance(value, pulumi.Output):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from outputs_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from outputs_in(item)


def attributes(resource: pulumi.Resource) -> Iterator[tuple[str, pulumi.Output[Any]]]:
    """The outputs that a resource has, by name."""
    for name, value in list(vars(resource).items()):
        if isinstance(value, pulumi.Output):
            yield name, value


def first_met(output: pulumi.Output[Any], marks: Mapping[int, T]) -> T | None:
    """
    The mark of the nearest future that an output hangs on, or None.

    Args:
        output: What is waited for.
        marks: What to look for, by the identity of a future.
    """
    resolvers = _resolvers()
    waiting: list[_Future] = futures(output)
    seen: set[int] = set()
    while waiting:
        future = waiting.pop(0)
        if id(future) in seen or future.done():
            continue
        seen.add(id(future))
        if id(future) in marks:
            return marks[id(future)]
        waiting += _blockers(future)
        if id(future) in resolvers:
            waiting.append(resolvers[id(future)])
    return None


def _blockers(future: _Future) -> Iterable[_Future]:
    waiter = getattr(future, "_fut_waiter", None)
    if isinstance(waiter, asyncio.Future):
        yield waiter
    for child in getattr(future, "_children", None) or ():
        if isinstance(child, asyncio.Future):
            yield child


def _resolvers() -> dict[int, asyncio.Task[Any]]:
    """The futures that running tasks of the SDK will resolve, each with its task."""
    found: dict[int, asyncio.Task[Any]] = {}
    for task in asyncio.all_tasks():
        coroutine = task.get_coro()
        kind = getattr(coroutine, "__qualname__", "")
        if kind not in _REGISTRATIONS and kind != _APPLY:
            continue
        frame = getattr(coroutine, "cr_frame", None)
        variables = {} if frame is None else frame.f_locals
        resource = variables.get("res")
        if kind == _APPLY:
            found.update((id(variables.get(name)), task) for name in _APPLY_RESULTS)
        elif isinstance(resource, pulumi.Resource):
            for _, output in attributes(resource):
                found.update((id(future), task) for future in futures(output))
    return found
