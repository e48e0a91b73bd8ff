"""
What the shared steps need to know of a volume.

A volume has no description, so it cannot carry the ownership mark. Its service id in the
state is what tells that it is ours. Before there is an id (a creation whose answer was
lost), a volume of our name counts as ours only if there was none just before, its content
is the one that was asked for, it has no second version, and it was created when we asked.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import JigError, NotFoundError, RolloutError
from pulumi_jig.lifecycle.keys import ASKED_AT, place_of
from pulumi_jig.lifecycle.kind import Kind, made_around
from pulumi_jig.lifecycle.sending import ignored_parts
from pulumi_jig.lifecycle.volume.diff import wanted_type
from pulumi_jig.lifecycle.volume.inputs import (
    ASKED,
    SHOWN,
    create_body,
    normal_content,
    request_content,
    same_content,
)
from pulumi_jig.lifecycle.volume.state import (
    inputs_in,
    inputs_of,
    is_declared_content,
    state_of,
)
from pulumi_jig.lifecycle.volume.syncing import Sync, made_after
from pulumi_jig.lifecycle.volume.versions import newest_of, users_of
from pulumi_jig.naming import auto_name
from pulumi_jig.schema.responses import VolumeResponseItem
from pulumi_jig.values import reveal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.client import JigClient
    from pulumi_jig.client.resources import ResourceClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.errors import APIError
    from pulumi_jig.lifecycle.invocation import Invocation, Stored
    from pulumi_jig.lifecycle.sending import Change

#: Default time limit of a creation and an update in seconds: a copy takes its time.
SYNC_TIMEOUT: Final = 60 * 60.0
#: Seconds for which deployments may still mount what is to be deleted.
LETTING_GO: Final = 30.0
#: Seconds between two looks whether they still do.
LETTING_GO_PAUSE: Final = 2.0


class VolumeKind(Kind[VolumeResponseItem]):
    """A volume, as the shared steps see it."""

    what = "volume"
    id_key = "volume_id"
    marked = False
    create_timeout = SYNC_TIMEOUT
    update_timeout = SYNC_TIMEOUT
    #: A request for a new version makes one more each time that it arrives.
    patience = 15.0

    def noun(self, client: JigClient) -> ResourceClient[VolumeResponseItem]:
        """The verbs of the API."""
        return client.volumes

    # --- Requests ----------------------------------------------------------------

    def create_body(
        self, inputs: Mapping[str, Any], _urn: str | None
    ) -> dict[str, Any]:
        """The body of the request that creates it."""
        return create_body(inputs)

    def patch_body(
        self,
        inputs: Mapping[str, Any],
        live: VolumeResponseItem,
        inv: Invocation,
        state: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """What to send: another type, and a content wherever a new version is due."""
        ignored = ignored_parts(inv)
        body: dict[str, Any] = {}
        type_ = reveal(wanted_type(inputs, inv.old_inputs))
        if live.type and type_ not in (None, live.type) and "type" not in ignored:
            body["type"] = type_
        content = inputs.get("content")
        if "content" in ignored:
            content = normal_content(newest_of(live).content) or content
        if _is_due({**inputs, "content": content}, live, state):
            body["content"] = request_content(content)
        return body

    def arrived(
        self,
        body: Mapping[str, Any],
        found: VolumeResponseItem,
        before: VolumeResponseItem,
    ) -> bool:
        """Whether there is a version now that the update made."""
        if body.get("type") not in (None, found.type):
            return False
        content = body.get("content")
        newest = newest_of(before).number
        return content is None or made_after(found, newest, content) is not None

    def differences(
        self,
        inputs: Mapping[str, Any],
        item: VolumeResponseItem,
        inv: Invocation | None = None,
    ) -> list[str]:
        """Declared fields that are not true of an answer."""
        ignored = ignored_parts(inv) if inv is not None else {}
        found = []
        if reveal(inputs.get("type")) not in (None, item.type) and item.type:
            found.append("type")
        if not same_content(inputs.get("content"), newest_of(item).content):
            found.append("content")
        return [name for name in found if name not in ignored]

    def is_twin(
        self,
        found: VolumeResponseItem,
        data: Mapping[str, Any],
        around: float | None = None,
    ) -> bool:
        """Whether it is what a creation must have made whose answer was lost."""
        if self.differences(data, found) or newest_of(found).number != 0:
            return False
        return made_around(found, data, around, SYNC_TIMEOUT)

    # --- State -------------------------------------------------------------------

    def state_of(
        self,
        inputs: Mapping[str, Any],
        item: VolumeResponseItem | None,
        *,
        account: str | None = None,
    ) -> dict[str, Any]:
        """What the state shall hold."""
        outputs = state_of(inputs, item, account=account)
        if item is None:
            outputs[ASKED_AT] = int(time.time())
        return outputs

    def unsettled(
        self,
        change: Change[VolumeResponseItem],
        state: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """What the state shall hold where nobody knows whether an update arrived."""
        outputs = super().unsettled(change, state)
        outputs[ASKED] = newest_of(change.item).number
        # The counter of what has certainly been asked for.
        outputs.pop("version", None)
        if state is not None and state.get("version") is not None:
            outputs["version"] = state["version"]
        return outputs

    def unfinished_update(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The newest version from before: a newer one says that the update arrived."""
        known = state.get("versions")
        numbers = [v["version"] for v in known] if isinstance(known, list) else []
        return {ASKED: int(max(numbers))} if numbers else {}

    def inputs_of(
        self, old_inputs: Mapping[str, Any], item: VolumeResponseItem
    ) -> dict[str, Any]:
        """The state's inputs after a refresh: exactly the keys that they had."""
        return inputs_of(old_inputs, item)

    def inputs_in(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs that a state echoes, for a host that cannot tell them."""
        return inputs_in(state)

    def still_unready(self, item: VolumeResponseItem) -> bool:
        """Whether a look leaves what the state remembers of a failure as it is."""
        return not newest_of(item).ready

    # --- Around it ---------------------------------------------------------------

    def finish(
        self,
        change: Change[VolumeResponseItem],
        inv: Invocation,
        ctx: Deadline,
    ) -> Stored:
        """Wait until the version that the change made is ready."""
        return Sync(change, inv, ctx).run()

    def taken_unmarked(
        self, start: str, data: Mapping[str, Any], urn: str | None
    ) -> str:
        """Why one that exists is not taken for ours, and the way on."""
        place = place_of(data, urn)
        made = auto_name(
            place.resource,
            organization=place.organization,
            project=place.project,
            stack=place.stack,
            urn=place.urn,
            namespace=place.namespace,
        )
        replaced = (
            "if it is being replaced right now, set `delete_before_replace`, since two "
            "volumes cannot share a name."
        )
        if made == data.get("name"):
            return (
                f"{start}, under the name that is made for this very resource: it is "
                "left over from an interrupted run, or what is being replaced. Nothing "
                "was changed. If it is left over, `pulumi-jig recover` takes it back "
                "where the state has the interrupted operation, and `adopt=True` where "
                f"it has none; {replaced}"
            )
        return (
            f"{start}, and a volume carries no mark that tells whose it is. Nothing was "
            "changed. Choose another `name`, or take it over with `adopt=True`; "
            f"{replaced}"
        )

    # --- Before a deletion -------------------------------------------------------

    def require_unused(
        self,
        item: VolumeResponseItem,
        state: Mapping[str, Any],
        inv: Invocation,
        ctx: Deadline,
    ) -> None:
        """
        Refuse to delete what a deployment mounts, whatever the service would do.

        Its replicas go on with the files that they have; the next one to start would
        find none. No document says whether the service refuses.

        Raises:
            RolloutError: Deployments mount it.
        """
        began = ctx.clock()
        while users := _users(item, inv, ctx):
            if ctx.clock() - began >= LETTING_GO:
                raise RolloutError(_in_use(state, users))
            inv.progress(f"waiting for {', '.join(users)} to let go of it")
            ctx.pause(LETTING_GO_PAUSE)
            if ctx.expired:
                raise RolloutError(_in_use(state, users))
            try:
                item = inv.client.volumes.get(str(item.id or state["name"]), ctx)
            except NotFoundError:
                # What follows finds out what that means.
                return

    def in_use(
        self,
        state: Mapping[str, Any],
        error: APIError,
        inv: Invocation,
        ctx: Deadline,
    ) -> str:
        """Why the service refuses to delete one for good, and what to do."""
        try:
            item = inv.client.volumes.get(str(state.get("volume_id")), ctx)
            users = _users(item, inv, ctx)
        except JigError:
            users = []
        return _in_use(state, users, error.detail or error.message)


def _is_due(
    inputs: Mapping[str, Any],
    live: VolumeResponseItem,
    state: Mapping[str, Any] | None,
) -> bool:
    """Whether a new version must be asked for."""
    newest = newest_of(live)
    known = state or {}
    # The service's own form stands for the content that was declared then.
    told_before = same_content(inputs.get("content"), known.get("content"))
    shown = known.get(SHOWN) if told_before else None
    if not is_declared_content({**inputs, SHOWN: shown}, newest.content):
        return True
    if newest.failed:
        # It will not become ready any more.
        return True
    counter = inputs.get("version")
    if state is None or counter is None or counter == state.get("version"):
        return False
    # The request whose end was never seen has arrived if there is a newer version.
    asked = state.get(ASKED)
    return not (isinstance(asked, int) and newest.number > asked)


def _users(item: VolumeResponseItem, inv: Invocation, ctx: Deadline) -> list[str]:
    """Names of the deployments that mount it; ids where the service does not tell."""
    found = []
    for id_ in users_of(item):
        try:
            deployment = inv.client.deployments.get(id_, ctx)
        except NotFoundError as error:
            if not error.from_api:
                found.append(id_)
        except JigError:
            found.append(id_)
        else:
            found.append(deployment.name or id_)
    return sorted(found)


def _in_use(state: Mapping[str, Any], users: list[str], said: str | None = None) -> str:
    who = "a deployment"
    if users:
        who = f"deployment{'s' if users[1:] else ''} {', '.join(users)}"
    refused = f"The service refuses to delete it: {said} " if said else ""
    return (
        f"Volume {state['name']} is mounted by {who}. {refused}It was not deleted and "
        "stays in the state. Let them mount something else or take them down, then run "
        "the command again. (What a program mounts as a `Volume`, not by its name, it "
        "takes down first by itself.)"
    )


VOLUME: Final = VolumeKind()
