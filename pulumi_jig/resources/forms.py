"""
Turns every form in which a program may write an argument into plain data.

An argument may be a value, an `Output`, an awaitable, an args object, a mapping or a
sequence of any class, a member of an enumeration, and any of these inside any other.
What is known at once is converted at once; the rest stays an `Output` and is converted
when it is known, so that each value keeps its own secrecy and its own dependencies.

A resource stands for itself only where an argument takes one (`environment_variables`,
`volumes`). Everywhere else, and for everything that has no plain form, the program ends
in one sentence that names the argument: Pulumi would send a name, an id or `str(value)`
in its place, and the run would be green.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import pulumi

from pulumi_jig.values import Path, format_path

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Sequences by their class that nobody means as a list.
_NO_LISTS: Final = (str, bytes, bytearray, memoryview, range)


@dataclass(frozen=True)
class Where:
    """
    The place of a value among the arguments of a resource.

    Attributes:
        resource: Type and name of the resource, as messages begin with it.
        path: Property path; empty for the arguments themselves.
    """

    resource: str
    path: Path = ()

    def __truediv__(self, part: str | int) -> Where:
        return Where(self.resource, (*self.path, part))

    def refused(self, why: str) -> pulumi.RunError:
        """The error for what cannot stand here; `why` goes on from the property path."""
        return pulumi.RunError(f"{self.resource}: {format_path(self.path)} {why}")


@dataclass(frozen=True)
class _Box:
    """Keeps the SDK from merging what an awaitable returns into one `Output`."""

    value: Any


def _held(value: Any) -> Any:
    """The value, with an `Output` in the place of an awaitable."""
    if isinstance(value, pulumi.Output) or not inspect.isawaitable(value):
        return value

    async def boxed(awaitable: Awaitable[Any]) -> _Box:
        return _Box(await awaitable)

    # `from_input` would unwrap a dictionary, and one secret in it would hide the rest.
    box: pulumi.Output[_Box] = pulumi.Output.from_input(cast("Any", boxed(value)))
    return box.apply(lambda box: box.value)


def when_known(value: Any, then: Callable[[Any], Any]) -> Any:
    """`then(value)` now, or an `Output` of it."""
    value = _held(value)
    if not isinstance(value, pulumi.Output):
        return then(value)
    # Known may still be an `Output`: one that a coroutine returned.
    return value.apply(lambda known: when_known(known, then))


def shape(value: Any, where: Where) -> Any:
    """
    The outermost layer of a known value as a dict, a list, a resource or a scalar.

    Keys without a value are left out, as Pulumi does. Awaitables inside become outputs:
    they can be awaited once only, and the result is read more than once.

    Raises:
        RunError: It has no plain form.
    """
    if isinstance(value, enum.Enum):
        return shape(value.value, where)
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, (bool, int, float, pulumi.Resource)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        named = {_key(key, where): value[key] for key in value}
        return {key: _held(item) for key, item in named.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, _NO_LISTS):
        return [_held(item) for item in value]
    raise where.refused(
        f"is of type {type(value).__name__}; give plain data (text, a number, a list, "
        "a mapping), or an output of it."
    )


def _key(key: Any, where: Where) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if not isinstance(key, str):
        raise where.refused(f"has a key of type {type(key).__name__}; keys are text.")
    return str.__str__(key)


def plain(value: Any, where: Where) -> Any:
    """
    A value as plain data; what is an output stays one, and is plain inside.

    Raises:
        RunError: It holds a resource, or something else that is not data.
    """

    def known(value: Any) -> Any:
        value = shape(value, where)
        if isinstance(value, pulumi.Resource):
            raise where.refused(
                f"is a whole resource ({type(value).__name__}); give one of its "
                "outputs, such as its `name`."
            )
        if isinstance(value, dict):
            return {key: plain(item, where / key) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item, where / index) for index, item in enumerate(value)]
        return value

    return when_known(value, known)
