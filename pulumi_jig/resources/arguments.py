"""
From what a program writes to what the plugin gets, for every resource class alike.

It refuses options that Pulumi would ignore for a dynamic resource: an option without an
effect is a promise that nobody keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from pulumi_jig.naming import MODULE

if TYPE_CHECKING:
    from collections.abc import Mapping


def gathered(
    what: str, resource_name: str, args: Any, kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """
    The arguments of a resource, from an Args object, a dictionary and keywords.

    Raises:
        RunError: One of them is given twice.
    """
    given: dict[str, Any] = {}
    if hasattr(args, "__dataclass_fields__"):
        given = {key: getattr(args, key) for key in args.__dataclass_fields__}
    elif args is not None:
        given = dict(args)
    twice = {key for key in kwargs if given.get(key) is not None}
    if twice:
        raise pulumi.RunError(
            f"{what} {resource_name}: {', '.join(sorted(twice))} is given both in "
            "`args` and as a keyword; give it once."
        )
    return {key: v for key, v in {**given, **kwargs}.items() if v is not None}


def program_of(resource_name: str) -> dict[str, str]:
    """Where in which program a resource stands, for the plugin."""
    return {
        "organization": pulumi.get_organization(),
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "resource": resource_name,
        "namespace": pulumi.Config(MODULE).get("namespace") or "",
    }


def refuse_options(
    what: str, resource_name: str, opts: pulumi.ResourceOptions | None
) -> None:
    """
    Refuse options that Pulumi would ignore for a resource of this kind.

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
            "resources. Set `adopt=True` and `name`, or use `pulumi-jig import`."
        )
