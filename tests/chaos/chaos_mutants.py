"""Builds with a safety taken out, which chaos must catch: made at run time only."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from pulumi_jig.errors import JigError
from pulumi_jig.lifecycle import deleting, reading, updating
from pulumi_jig.lifecycle.deployment import create, serving
from pulumi_jig.lifecycle.invocation import PartialFailureError
from pulumi_jig.rollout import sight, watch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_ownership_check() -> Iterator[None]:
    """Whatever stands under the id of the state is taken for ours."""
    with (
        mock.patch.object(updating, "refuse_foreign", return_value=None),
        mock.patch.object(deleting, "foreign", return_value=None),
        mock.patch.object(reading, "foreign", return_value=None),
    ):
        yield


@contextmanager
def no_partial_state() -> Iterator[None]:
    """A roll-out that fails is a failed create, and nothing more."""

    made = create.create

    def plain(*given: Any) -> Any:
        try:
            return made(*given)
        except PartialFailureError as error:
            raise JigError(error.message) from None

    with mock.patch.object(create, "create", plain):
        yield


@contextmanager
def no_revision_check() -> Iterator[None]:
    """Any replica that serves counts, whichever revision it runs."""

    def look(item: Any, goal: Any) -> Any:
        return sight.look(item, replace(goal, revision_id=None, not_before=None))

    with (
        mock.patch.object(watch, "look", look),
        mock.patch.object(serving._RollOut, "_moved_from", lambda _, __, new: new),
    ):
        yield


MUTANTS = (no_ownership_check, no_partial_state, no_revision_check)
