"""
Checking the inputs of a secret: all faults at once, before anything is sent.

Each fault has the property's path and a remedy, and none of them holds the value. What
is not known yet is let through. Nothing here raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pulumi_jig.lifecycle.checking import (
    claim_option_faults,
    completed,
    distinct,
    last_sent,
    made_name,
    name_claim_faults,
    unknown_properties,
)
from pulumi_jig.lifecycle.invocation import Checked
from pulumi_jig.lifecycle.keys import NONCE, mark_of
from pulumi_jig.lifecycle.secret.inputs import (
    FIELDS,
    OPTIONS,
    VALUE_VERSION,
    declared_keys,
    text_of,
)
from pulumi_jig.naming import join_description, split_description
from pulumi_jig.schema.requests import CreateSecretRequest
from pulumi_jig.values import (
    UNKNOWN,
    SecretValue,
    reveal,
    whole_numbers,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pulumi_jig.lifecycle.invocation import Severity
    from pulumi_jig.lifecycle.wording import Fault

#: What a field takes, for the second half of a fault's sentence.
_TAKES: Final = {
    "name": "1 to 100 letters, digits, or any of _ - / .",
    "value": "a text of at least one character; put numbers into quotes",
    "description": "a text of at most 500 characters",
    "ttl_seconds": "seconds, a whole number from 86400 (1 day) to 1209600 (14 days)",
}
#: What the model finds, in words.
_WORDS: Final = {
    "missing": "is required",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "too_long": "is too long",
    "string_too_long": "is too long",
    "greater_than_equal": "is out of bounds",
    "less_than_equal": "is out of bounds",
}
#: Characters that a description may have, the ownership mark included (API document).
MAX_DESCRIPTION: Final = 500


def check(
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    old_outputs: Mapping[str, Any] | None = None,
    urn: str | None = None,
    log: Callable[[Severity, str], None] | None = None,
    config_faults: Iterable[tuple[str, str]] = (),
) -> Checked:
    """
    Complete and check the inputs of a secret.

    Args:
        olds: The inputs that the state holds; empty at creation and replacement.
        news: What the program says now, possibly with values not known yet.
        old_outputs: The outputs that the state holds, where the engine tells them.
        urn: The resource's URN, if the host can tell.
        log: Takes warnings.
        config_faults: What is wrong with the credentials, as (setting, sentence).

    Returns:
        The inputs as they will be stored, and every fault.
    """
    news = reveal(whole_numbers(without_none(news)))
    olds = reveal(whole_numbers(without_none(olds)))
    faults: list[Fault] = [("", sentence) for _, sentence in config_faults]

    inputs = {k: v for k, v in news.items() if not k.startswith("__")}
    # Made here; a file of imports brings it along.
    inputs.pop(VALUE_VERSION, None)
    declared = sorted(inputs)
    faults += unknown_properties("secret", declared, (*FIELDS, *OPTIONS))
    faults += _name_faults(inputs, olds, news, urn)
    inputs |= completed("secret", olds, news, declared, urn)
    sent = last_sent(olds, old_outputs)
    inputs[VALUE_VERSION] = _value_version(inputs, sent)
    faults += _shape_faults(inputs)
    faults += _description_faults(inputs, urn)
    faults += claim_option_faults("secret", inputs)
    version = inputs.get("version")
    if isinstance(version, bool) or not isinstance(
        version, int | type(None) | type(UNKNOWN)
    ):
        faults.append(("version", "must be a whole number; raise it to rotate"))
    faults += _dropped_faults(inputs, olds, sent)
    faults += name_claim_faults("secret", inputs, urn)
    if inputs.get("value") is not UNKNOWN and "value" in inputs:
        inputs["value"] = SecretValue(inputs["value"])
    return Checked(without_none(inputs), tuple(distinct(faults)))


def _name_faults(
    inputs: dict[str, Any],
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    urn: str | None,
) -> list[Fault]:
    """Make a name where none is given; the model judges one that is."""
    name = inputs.get("name")
    if name in (".", ".."):
        return [("name", "would lead to another path of the API; choose another")]
    if name is not None:
        return []
    old = olds.get("name")
    if isinstance(old, str) and old:
        inputs["name"] = old
        return []
    inputs["name"], faults = made_name("secret", news, urn)
    return faults


def _value_version(inputs: Mapping[str, Any], sent: Mapping[str, Any]) -> Any:
    """
    What changes with each new value.

    The nonce is in it because a replacement counts from the beginning again.
    """
    beginning = f"{inputs[NONCE][:6]}-"
    before = sent.get(VALUE_VERSION)
    if not isinstance(before, str) or not before.startswith(beginning):
        return f"{beginning}1"
    now = (inputs.get("value"), inputs.get("version"))
    if any(part is UNKNOWN for part in now):
        return UNKNOWN
    count = before.removeprefix(beginning)
    if now == (sent.get("value"), sent.get("version")) or not count.isdecimal():
        return before
    return f"{beginning}{int(count) + 1}"


def _shape_faults(inputs: Mapping[str, Any]) -> Iterator[Fault]:
    body = {name: inputs[name] for name in FIELDS if inputs.get(name) is not None}
    try:
        CreateSecretRequest.parse(body)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            name = str(item["loc"][0])
            if body.get(name) is UNKNOWN or (name == "name" and name not in body):
                continue
            words = _WORDS.get(item["type"], item["msg"])
            yield name, f"{words}; it takes {_TAKES[name]}"


def _description_faults(inputs: Mapping[str, Any], urn: str | None) -> Iterator[Fault]:
    text, mark = text_of(inputs), mark_of(inputs, urn)
    if split_description(text)[1]:
        yield (
            "description",
            "must not end with an ownership mark; the provider writes it itself",
        )
    elif mark is not None and len(text) <= MAX_DESCRIPTION:
        over = len(join_description(text, mark)) - MAX_DESCRIPTION
        if over > 0:
            yield (
                "description",
                f"leaves no room for the ownership mark, which takes {len(str(mark))} "
                f"of the {MAX_DESCRIPTION} characters; shorten it by {over}, or set "
                "`ownership_mark=False`",
            )


def _dropped_faults(
    inputs: Mapping[str, Any], olds: Mapping[str, Any], sent: Mapping[str, Any]
) -> Iterator[Fault]:
    if inputs.get("name") != olds.get("name"):
        # Another name is another secret, which begins with the defaults.
        return
    before = declared_keys(olds) | declared_keys(sent)
    if "ttl_seconds" in before and "ttl_seconds" not in inputs:
        yield (
            "ttl_seconds",
            "cannot be unset: the service has no way to make a secret last for "
            f"ever again. Declare a lifetime (it is {sent.get('ttl_seconds')} now), or "
            "give the secret another `name`",
        )
