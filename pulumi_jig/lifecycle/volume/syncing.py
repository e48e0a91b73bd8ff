"""
From "accepted" to "ready": the wait for the version that a change made.

From here on nothing may be lost. Whatever goes wrong leaves the volume's id in the state
together with the reason, and the next update goes on from there. A version that failed
is never called good, however ready the one before it is: deployments would mount old
files under a green run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import (
    CancelledError,
    JigError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    RolloutError,
    RolloutFailedError,
    RolloutInterruptedError,
    RolloutTimeoutError,
    ServerError,
)
from pulumi_jig.lifecycle.invocation import READ_TIMEOUT, PartialFailureError, Stored
from pulumi_jig.lifecycle.keys import ASKED_AT, NONCE, UNCONFIRMED, UNREADY
from pulumi_jig.lifecycle.memory import remember_held
from pulumi_jig.lifecycle.sending import SETTLE_WINDOW, ignored_parts
from pulumi_jig.lifecycle.volume.inputs import (
    SHOWN,
    normal_content,
    same_content,
)
from pulumi_jig.lifecycle.volume.state import state_of
from pulumi_jig.lifecycle.volume.versions import (
    copied,
    newest_of,
    version_in,
    versions_of,
)
from pulumi_jig.text import safe_data
from pulumi_jig.values import storable_fault

if TYPE_CHECKING:
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.lifecycle.sending import Change
    from pulumi_jig.lifecycle.volume.versions import Version
    from pulumi_jig.schema.responses import VolumeResponseItem

#: Seconds between two looks: the first, the factor, the longest. A copy of an hour
#: makes about 370 requests.
FIRST_PAUSE: Final = 0.25
PAUSE_FACTOR: Final = 1.5
LONGEST_PAUSE: Final = 10.0
#: Seconds between the two looks that a version without any status must pass.
SETTLE: Final = 1.0
#: Seconds within which the service shows the version that a change makes. (Assumed: no
#: document says that it is there at once.)
VERSION_PATIENCE: Final = 30.0

#: Only these may pass: a wait must not end because one look failed.
_BLIPS: Final = (OutcomeUnknownError, NotSentError, RateLimitError, ServerError)


class Sync:
    """
    The wait for the version that a change made, or for the newest if it made none.

    Attributes:
        seen: The newest answer: what the state is made of, however this ends.
    """

    def __init__(
        self, change: Change[VolumeResponseItem], inv: Invocation, ctx: Deadline
    ) -> None:
        self._change = change
        self._inputs = dict(change.inputs)
        self._name = str(change.inputs.get("name"))
        self._id = change.item.id
        self._inv = inv
        self._ctx = ctx
        self._accepted = ctx.clock()
        self._shown = False
        self._line = "waiting for the service"
        self._after = _newest_before(change)
        self._number = self._told()
        self.seen = change.item
        remember_held(self._id, self._inputs.get(NONCE))

    def run(self) -> Stored:
        """
        Wait until the version is ready.

        Raises:
            PartialFailureError: It is not, or nobody could watch it.
        """
        try:
            self._watch()
        except BaseException as error:
            if isinstance(error, CancelledError):
                error = self._interruption()
            reason = _reason(error, self._name)
            # A refresh clears what the engine remembers of a failure; this does not go
            # until the version is ready.
            outputs = {**self._state(), UNREADY: [reason.splitlines()[0]]}
            raise PartialFailureError(self._name, outputs, [reason]) from None
        return Stored(self._name, self._state())

    def _state(self) -> dict[str, Any]:
        outputs = state_of(self._inputs, self.seen, account=self._change.account)
        if storable_fault(outputs) is not None:  # pragma: no cover - a safety net
            # Texts are made storable on their way in and numbers are typed, so no answer
            # is known that leads here; one that did must not lose what it is about.
            inputs = self._change.inputs
            outputs = state_of(inputs, None, account=self._change.account)
        if self._id is not None:
            outputs["volume_id"] = str(self._id)
        if "volume_id" not in outputs:
            # Under its name alone it must not be trusted later.
            outputs |= {UNCONFIRMED: True, ASKED_AT: int(time.time())}
        return outputs

    # --- Looks -----------------------------------------------------------------

    def _fetch(self) -> VolumeResponseItem | None:
        """One look; None where it told nothing."""
        ctx = self._ctx.limited_to(READ_TIMEOUT)
        try:
            self.seen = self._inv.client.volumes.get(str(self._id or self._name), ctx)
        except NotFoundError as error:
            fresh = (
                self._change.created
                and not self._shown
                and self._ctx.clock() - self._accepted < SETTLE_WINDOW
            )
            if error.from_api and not fresh:
                raise RolloutFailedError(
                    f"Volume {self._name} disappeared while its files were being "
                    "copied: somebody deleted it. Run `pulumi refresh`, then `pulumi "
                    "up`.",
                    reasons=[error.detail or "not found"],
                ) from None
            self._blip(error)
            return None
        except _BLIPS as error:
            self._blip(error)
            return None
        self._shown = True
        self._id = self.seen.id or self._id
        remember_held(self._id, self._inputs.get(NONCE))
        return self.seen

    def _blip(self, error: Exception) -> None:
        self._line = f"no answer from the service ({type(error).__name__})"
        self._inv.progress(self._line)

    # --- Waiting ---------------------------------------------------------------

    def _watch(self) -> None:
        pause, held = FIRST_PAUSE, False
        while True:
            item = self._fetch()
            version = None if item is None else self._ours(item)
            if version is not None:
                self._tell(version)
                if version.failed:
                    raise self._failure(version)
                # Versions from before there were statuses have none; nor may the first
                # answer about a version whose copy has not begun yet.
                if version.ready and (held or version.status):
                    self._compare(version)
                    return
                held = version.ready
                if held:
                    self._wait(SETTLE)
                    continue
            self._wait(pause)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)

    def _told(self) -> int | None:
        """The number of the version that the change made, where the answer has it."""
        item = self._change.item
        if self._after is None:
            return None
        made = made_after(item, self._after, self._inputs.get("content"))
        if made is not None:
            return made.number
        # What the answer to our own request shows is ours, in the service's own words.
        newest = newest_of(item).number
        return newest if newest > self._after else None

    def _ours(self, item: VolumeResponseItem) -> Version | None:
        """The version to wait for, or None where it does not show yet."""
        newest = newest_of(item)
        if self._after is None:
            return newest
        if self._number is not None:
            shown = version_in(item, self._number)
        else:
            shown = made_after(item, self._after, self._inputs.get("content"))
            if shown is None and newest.number > self._after:
                raise self._superseded(newest.number)
        if shown is not None:
            return shown
        if self._ctx.clock() - self._accepted >= VERSION_PATIENCE:
            raise RolloutFailedError(
                f"The service accepted the new content of volume {self._name} and made "
                f"no new version of it within {VERSION_PATIENCE:.0f} s: the newest is "
                f"still {newest.number}. Deployments keep what they mount. Run `pulumi "
                "up` to ask again.",
                reasons=[f"no version after {self._after}"],
            )
        self._line = "waiting for the new version"
        self._inv.progress(self._line)
        return None

    def _tell(self, version: Version) -> None:
        done = ""
        if version.number == newest_of(self.seen).number and not version.ready:
            done = copied(self.seen)
        self._line = f"version {version.number} {version.status or 'ready'}"
        if done:
            self._line += f", {done} so far"
        self._inv.progress(f"{self._line} ({self._ctx.elapsed():.0f} s)")

    def _wait(self, seconds: float) -> None:
        self._ctx.pause(seconds)
        if self._ctx.expired:
            raise RolloutTimeoutError(
                f"Volume {self._name} was not ready after {self._ctx.timeout:.0f} s "
                f"({self._line}). The wait ended, the copy did not: `pulumi up` waits "
                "again; `custom_timeouts` allows more time.",
                reasons=[f"not ready after {self._ctx.timeout:.0f} s: {self._line}"],
            )

    # --- Ends ------------------------------------------------------------------

    def _interruption(self) -> RolloutInterruptedError:
        return RolloutInterruptedError(
            f"The run was interrupted while volume {self._name} was being filled "
            f"({self._line}). The wait ended, the copy did not. The volume's id is in "
            "the state; `pulumi up` waits again, `pulumi destroy` deletes it.",
            reasons=[f"interrupted: {self._line}"],
        )

    def _failure(self, version: Version) -> RolloutFailedError:
        said = version.message.rstrip(". ") or "the service gives no reason"
        return RolloutFailedError(
            f"Version {version.number} of volume {self._name} cannot be mounted, as its "
            f"files could not be copied: {said}. Deployments keep the version that "
            "they mount. Correct the source or the program and run `pulumi up`, which "
            "asks for a new version.",
            reasons=[f"version {version.number} failed: {said}"],
        )

    def _superseded(self, number: int) -> RolloutFailedError:
        return RolloutFailedError(
            f"Somebody made version {number} of volume {self._name} with another content "
            "while this program was changing it. Run `pulumi refresh` to see it, `pulumi "
            "up` to go back to what the program declares.",
            reasons=[f"version {number} has another content"],
        )

    def _compare(self, version: Version) -> None:
        """Refuse to call another content ours, except in the service's own form."""
        newest = newest_of(self.seen)
        if newest.number != version.number and not same_content(
            self._inputs.get("content"), newest.content
        ):
            raise self._superseded(newest.number)
        if self._after is None and not self._is_as_before(version):
            raise self._superseded(version.number)
        if "content" in ignored_parts(self._inv):
            return
        if same_content(self._inputs.get("content"), version.content):
            return
        # Nothing was sent where the state knew that form already.
        self._inputs[SHOWN] = safe_data(normal_content(version.content))
        if self._after is not None:
            self._inv.log(
                "warning",
                f"the service shows the content of version {version.number} in another "
                "form than it was sent; that form is taken for the same from now on",
            )

    def _is_as_before(self, version: Version) -> bool:
        """
        Whether what stands there is what this change found, and so asked nothing of.

        Else somebody has changed it since; taken for the service's own form of what the
        program declares, it would be called the same for ever.
        """
        if same_content(self._inputs.get("content"), version.content):
            return True
        before = newest_of(self._change.item)
        told = normal_content(before.content)
        if not told:
            # It was being copied, and its content had not been shown yet.
            return version.number == before.number
        return told == normal_content(version.content)


def _newest_before(change: Change[VolumeResponseItem]) -> int | None:
    """The newest version from before the change; None where it asked for no new one."""
    if change.before is None:
        return -1
    if "content" in change.changed:
        return newest_of(change.before).number
    return None


def made_after(item: VolumeResponseItem, after: int, content: Any) -> Version | None:
    """The newest version after a given one that has a content, if there is any."""
    for version in reversed(versions_of(item)):
        if version.number > after and same_content(content, version.content):
            return version
    return None


def _reason(error: BaseException, name: str) -> str:
    if isinstance(error, RolloutError):
        return error.message
    what = (
        error.message
        if isinstance(error, JigError)
        # Not the text of the exception: nobody knows what it holds.
        else f"waiting for it ended with an internal error ({type(error).__name__})."
    )
    return (
        f"Volume {name} was accepted, but could not be watched: {what} Its id is in the "
        "state, and the next `pulumi up` waits for it again."
    )
