"""
From what a program writes to what the plugin gets, for every resource class alike.

It refuses options that Pulumi would ignore for a dynamic resource: an option without an
effect is a promise that nobody keeps.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
from pulumi.runtime.config import get_config, is_config_secret

from pulumi_jig.naming import MODULE
from pulumi_jig.resources.forms import plain, shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pulumi_jig.resources.forms import Where

Class = TypeVar("Class", bound=type)


def typed(cls: Class) -> Class:
    """
    Give a resource class its output types as types, not as text.

    Pulumi reads them again for every resource of a program, and would compile each
    again: 7 % of what a deployment costs there.
    """
    cls.__annotations__ = inspect.get_annotations(cls, eval_str=True)
    return cls


def gathered(where: Where, args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """
    The arguments of a resource, from an Args object, a dictionary and keywords.

    Args:
        where: The resource.
        args: Its Args object, a mapping, or None.
        kwargs: The keywords.

    Raises:
        RunError: One of them is given twice, or `args` is something else.
    """
    given = shape({} if args is None else args, where)
    if not isinstance(given, dict):
        raise pulumi.RunError(
            f"{where.resource}: the arguments are of type {type(args).__name__}; give an "
            "args object, a dictionary or keywords."
        )
    more = shape(kwargs, where)
    if twice := given.keys() & more.keys():
        raise pulumi.RunError(
            f"{where.resource}: {', '.join(sorted(twice))} is given both in `args` and "
            "as a keyword; give it once."
        )
    return {**given, **more}


def existing(
    where: Where, name: pulumi.Input[str], opts: pulumi.ResourceOptions | None
) -> tuple[dict[str, Any], pulumi.ResourceOptions]:
    """
    Arguments and options with which a resource is read, not managed.

    Args:
        where: The resource.
        name: Its name in the service, which is its Pulumi id.
        opts: Pulumi's options.
    """
    name = plain(name, where / "id")
    found = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(id=name))
    return {"name": name}, found


@functools.cache
def _warn_of_readable_key(_project: str, _stack: str) -> None:
    """Warn, once per stack, of a key that whoever has the stack's file can read."""
    key = f"{MODULE}:apiKey"
    if get_config(key) and not is_config_secret(key):
        pulumi.log.warn(
            f"{key} is readable in the stack's configuration file. Encrypt it with "
            f"`pulumi config set --secret {key} <key>`, and replace the key where "
            "others may have seen the file."
        )


def program_of(resource_name: str) -> dict[str, str]:
    """Where in which program a resource stands, for the plugin."""
    _warn_of_readable_key(pulumi.get_project(), pulumi.get_stack())
    return {
        "organization": pulumi.get_organization(),
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "resource": resource_name,
        "namespace": pulumi.Config(MODULE).get("namespace") or "",
    }


def properties(
    resource_name: str,
    given: Mapping[str, Any],
    keys: Iterable[str],
    convert: Callable[[str, Any], Any],
) -> dict[str, Any]:
    """
    The properties of a resource, with where it stands in the program.

    Args:
        resource_name: Its name in the program.
        given: The arguments that were given.
        keys: All outputs of the class: the object has no output that is not there from
            the start, and each costs a tenth of a millisecond. (What was given and is
            no output is stored all the same.)
        convert: An argument of a name as plain data.
    """
    props: dict[str, Any] = dict.fromkeys(keys)
    props |= {key: convert(key, value) for key, value in given.items()}
    props["__program"] = program_of(resource_name)
    outputs = list(_outputs(props))
    if outputs:
        props["__secrets"] = pulumi.Output.from_input(_secret_paths(outputs))
    return props


async def _secret_paths(
    outputs: list[tuple[list[str | int], pulumi.Output[Any]]],
) -> list[list[str | int]]:
    """
    Where among the arguments secrets are.

    The engine hands them to a dynamic provider in clear, so only the program can tell it
    what must not be repeated.
    """
    return [path for path, output in outputs if await output.is_secret()]


def _outputs(value: Any, *path: str | int) -> Iterator[tuple[list[str | int], Any]]:
    if isinstance(value, pulumi.Output):
        yield [*path], value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _outputs(item, *path, key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _outputs(item, *path, index)


def refuse_options(
    what: str,
    resource_name: str,
    opts: pulumi.ResourceOptions | None,
    *,
    instead: str = "Set `adopt=True` and `name`.",
) -> None:
    """
    Refuse options that Pulumi would ignore, or that leave something running unseen.

    Args:
        what: What the resource is.
        resource_name: Its name in the program.
        opts: Its options.
        instead: What to do instead of `import_`.

    Raises:
        RunError: There is one.
    """
    if opts is None:
        return
    fields = [path for path in opts.replace_on_changes or [] if path != "#initerror"]
    if fields:
        raise pulumi.RunError(
            f"{what} {resource_name}: replace_on_changes has no effect on a dynamic "
            "resource (its provider decides what replaces it). Only `name` replaces a "
            f"{what.lower()}; use `pulumi up --replace URN` for a replacement by hand."
        )
    if opts.import_:
        raise pulumi.RunError(
            f"{what} {resource_name}: the `import_` option does not work with dynamic "
            f"resources. {instead}"
        )
    if opts.deleted_with is not None:
        # The engine drops the resource from the state and never asks us to delete it.
        # Nothing in the service takes another thing down with it.
        raise pulumi.RunError(
            f"{what} {resource_name}: with deleted_with the {what.lower()} would be "
            "forgotten, not deleted: the service keeps it, and it goes on billing. Leave "
            "the option out; what depends on others is deleted before them anyway."
        )
