"""
The inputs of a volume: which keys there are, and when two contents are the same.

A volume is a name and a content. The service keeps contents in versions: a request that
names a content makes a version, even where the content is the one that is there already
(a new snapshot of a bucket). So whether two contents are the same decides whether
terabytes are copied and fleets roll, and it is decided here only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.lifecycle import keys
from pulumi_jig.values import has_unknown, reveal, whole_numbers, without_none

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Fields of the API that a program may set.
FIELDS: Final = ("name", "type", "content")
#: Options of ours: they steer the provider and are never sent.
OPTIONS: Final = ("version", "adopt")

#: What the service tells and nobody declares.
OUTPUTS: Final = (
    "volume_id",
    "current_version",
    "status",
    "status_message",
    "versions",
    "created_at",
    "updated_at",
)

#: The only type that there is (API document); a newer word gives a warning and is sent.
DEFAULT_TYPE: Final = "readOnly"
#: The only type of content that there is (API document).
DEFAULT_CONTENT: Final = "files"

#: The content as the service showed it right after ours was accepted, where it writes
#: the same thing in another way: else every update would make one more version.
SHOWN: Final = "__shown_content"
#: The newest version from before a request for a new one whose end was never seen.
ASKED: Final = "__asked_after"


def declared_keys(data: Mapping[str, Any]) -> set[str]:
    """The names of the keys that the program set, from inputs or state."""
    found: set[str] = keys.declared_keys(data, {*FIELDS, *OPTIONS})
    return found


def normal_content(content: Any) -> dict[str, Any]:
    """
    What a content is made of, without what the service adds; empty where nothing is told.

    A copy may also show where the service has put it (`source_prefix`); the origin is
    what somebody asked for, so it alone counts.
    """
    content = whole_numbers(reveal(content))
    if not isinstance(content, dict):
        return {}
    found: dict[str, Any] = {}
    if content.get("type") not in (None, "", DEFAULT_CONTENT):
        found["type"] = content["type"]
    origin = content.get("origin")
    # An object that is there with nothing in it is how a field that is off is shown.
    if isinstance(origin, dict):
        origin = {key: value for key, value in origin.items() if value}
    if origin:
        found["origin"] = origin
    elif content.get("source_prefix") not in (None, ""):
        found["source_prefix"] = content["source_prefix"]
    return found


def same_content(declared: Any, live: Any) -> bool:
    """
    Whether a live content is the declared one.

    What the service does not tell (while it still copies, it may tell nothing) is no
    difference. Nothing is known to be the same as what is not known yet.
    """
    if has_unknown(reveal(declared)):
        return False
    wanted, shown = normal_content(declared), normal_content(live)
    if not shown:
        return True
    if wanted.keys() != shown.keys():
        return False
    return all(_agrees(wanted[key], shown[key]) for key in wanted)


def _agrees(wanted: Any, shown: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(shown, dict):
        told = without_none(shown)
        return all(_agrees(wanted[key], told[key]) for key in wanted if key in told)
    return bool(wanted == shown)


def request_content(content: Any) -> dict[str, Any]:
    """A content as a request holds it."""
    return {"type": DEFAULT_CONTENT, **normal_content(content)}


def create_body(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the request that creates the volume."""
    return {
        "name": reveal(inputs.get("name")),
        "type": reveal(inputs.get("type")) or DEFAULT_TYPE,
        "content": request_content(inputs.get("content")),
    }
