"""
Secrets and volumes that a deployment refers to, by name or by id.

The API takes either and documents neither for its answers. Where an answer holds another
word than the program, the thing itself is asked for: if that is its other word, the
answer is put in the program's, so that no comparison takes it for a change. It refuses
to guess: what cannot be looked up stays a difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import JigError
from pulumi_jig.lifecycle.memory import is_same_thing, remember_same_thing
from pulumi_jig.lifecycle.sending import LAST_LOOK
from pulumi_jig.schema.comparison import environment_mapping
from pulumi_jig.values import reveal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.client import JigClient
    from pulumi_jig.client.resources import ResourceClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.schema.responses import DeploymentResponseItem

#: Seconds for which two words that meant one thing are taken to mean it still.
_REMEMBERED: Final = 60.0


def recognise(
    item: DeploymentResponseItem,
    data: Mapping[str, Any],
    client: JigClient,
    ctx: Deadline,
) -> DeploymentResponseItem:
    """
    An answer whose references are in the program's words, where they mean the same.

    Args:
        item: The answer.
        data: Inputs or a state.
        client: Where to look.
        ctx: The operation.
    """
    changes: dict[str, Any] = {}
    variables = _variables(item.environment_variables, data, client, ctx)
    if variables is not None:
        changes["environment_variables"] = variables
    mounts = _mounts(item.volumes, data, client, ctx)
    if mounts is not None:
        changes["volumes"] = mounts
    return item.model_copy(update=changes) if changes else item


def _variables(
    live: Any, data: Mapping[str, Any], client: JigClient, ctx: Deadline
) -> list[Any] | None:
    wanted = environment_mapping(reveal(data.get("environment_variables")))
    if not isinstance(live, list):
        return None
    found, changed = [], False
    for entry in live:
        name = entry.get("name") if isinstance(entry, dict) else None
        declared = wanted.get(name) if isinstance(name, str) else None
        word = declared.get("value_from_secret") if isinstance(declared, dict) else None
        if word and _is_other_word(client.secrets, word, entry, ctx, _SECRET):
            entry, changed = {**entry, _SECRET: word}, True  # noqa: PLW2901
        found.append(entry)
    return found if changed else None


def _mounts(
    live: Any, data: Mapping[str, Any], client: JigClient, ctx: Deadline
) -> list[Any] | None:
    declared = reveal(data.get("volumes"))
    if not isinstance(live, list) or not isinstance(declared, list):
        return None
    wanted = {
        mount.get("mount_path"): mount.get("name")
        for mount in declared
        if isinstance(mount, dict)
    }
    found, changed = [], False
    for entry in live:
        word = wanted.get(entry.get("mount_path")) if isinstance(entry, dict) else None
        if word and _is_other_word(client.volumes, word, entry, ctx, "name"):
            entry, changed = {**entry, "name": word}, True  # noqa: PLW2901
        found.append(entry)
    return found if changed else None


_SECRET: Final = "value_from_secret"  # noqa: S105 - a key of the API


def _is_other_word(
    noun: ResourceClient[Any],
    word: Any,
    entry: Mapping[str, Any],
    ctx: Deadline,
    key: str,
) -> bool:
    """Whether an answer's word is another one for what the program's word means."""
    shown = entry.get(key)
    if not isinstance(word, str) or not isinstance(shown, str) or shown == word:
        return False
    both = (noun.what, word, shown)
    if is_same_thing(both, ctx.clock()):
        return True
    try:
        found = noun.get(word, ctx.limited_to(LAST_LOOK))
    except JigError:
        return False
    same = shown in (found.id, found.name)
    if same:
        remember_same_thing(both, ctx.clock() + _REMEMBERED)
    return same
