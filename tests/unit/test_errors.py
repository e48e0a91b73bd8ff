"""Every failure that a user can meet, as one tree."""

from __future__ import annotations

import inspect
import re

from pulumi_jig import errors
from pulumi_jig.errors import (
    APIError,
    InputError,
    JigError,
    OwnershipError,
    RequestError,
    RolloutFailedError,
)


def _drawn():
    """(name, parent) of each line of the tree in the module's docstring."""
    found, above = {}, {}
    for line in inspect.getdoc(errors).splitlines():
        match = re.match(r"^( *(?:[│├└─ ]*))(\w+Error)\b", line)
        if match:
            depth = len(match[1])
            above[depth] = match[2]
            parents = [d for d in above if d < depth]
            found[match[2]] = above[max(parents)] if parents else "Exception"
            above = {d: n for d, n in above.items() if d <= depth}
    return found


def test_the_tree_is_drawn_as_it_is():
    """Every error stands in the drawing, under its own parent."""
    defined = {
        name: kind.__bases__[0].__name__
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, JigError)
    }

    assert defined == _drawn()


def test_facts_are_attributes():
    """What a caller decides by stands in attributes, not in the text."""
    transport = RequestError("no", method="GET", path="/v1/deployments")
    api = APIError("no", status=404, from_api=False)
    taken = OwnershipError("taken", name="llm", deployment_id="id")
    failed = RolloutFailedError("no", reasons=["crash"], last={"id": "x"})
    wrong = InputError("no", [("cpu", "is too small")])

    assert ("GET", "/v1/deployments") == (transport.method, transport.path)
    assert (404, False, "", None) == (
        api.status,
        api.from_api,
        api.detail,
        api.retry_after,
    )
    assert ("llm", "id") == (taken.name, taken.deployment_id)
    assert (("crash",), {"id": "x"}) == (failed.reasons, failed.last)
    assert (("cpu", "is too small"),) == wrong.faults


def test_the_message_is_what_is_printed():
    """An error prints the sentence that it was given, nothing else."""
    assert "It failed." == str(JigError("It failed.")) == JigError("It failed.").message
