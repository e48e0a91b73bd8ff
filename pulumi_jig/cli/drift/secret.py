"""
What of a live secret differs from what is declared.

The service never shows a value. What it shows is when the secret was last written to, so
a value that somebody else may have changed is named as not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_jig.cli.drift.comparing import ownership, readable
from pulumi_jig.cli.drift.findings import Compared, Finding, differs
from pulumi_jig.lifecycle.secret.expiry import is_expired, remarks
from pulumi_jig.lifecycle.secret.inputs import live_fields
from pulumi_jig.lifecycle.secret.kind import SECRET

if TYPE_CHECKING:
    from pulumi_jig.cli.state_export import Record
    from pulumi_jig.client import JigClient
    from pulumi_jig.schema.responses import SecretResponseItem


def compare(
    found: Compared,
    inputs: Record,
    state: Record,
    item: SecretResponseItem,
    _client: JigClient,
) -> None:
    """Add what differs, and what is worth knowing."""
    live = live_fields(item)
    plain = readable(found, inputs, live, ("description", "ttl_seconds"))
    for name in SECRET.differences(plain, item):
        found.drift.append(differs(name, plain.get(name), live[name], inputs.get(name)))
    ownership(found, SECRET, plain, item)
    told = {"name": found.name, "expires_at": item.expires_at}
    rows = found.drift if is_expired(told) else found.notes
    rows += [Finding("expires_at", message.rstrip(".")) for message in remarks(told)]
    # A creation of which nobody saw the end has no time to compare with.
    if state.get("updated_at") not in (None, item.updated_at):
        message = (
            f"somebody wrote to it outside of Pulumi (at {item.updated_at}); whether it "
            "is still the declared value, the service does not show"
        )
        found.unknown.append(Finding("value", message))
