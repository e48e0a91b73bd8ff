"""
Checking the inputs of a volume: all faults at once, before anything is sent.

Each fault has the property's path and a remedy. What is not known yet (a preview) is let
through at any depth; it is checked when it is known. Nothing here raises: an exception
in a check ends the whole run.

Two words are open, since the service may add to them: the type of a volume and of its
content. One that this package does not know gives a warning and is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

from pulumi_jig.lifecycle.checking import (
    completed,
    distinct,
    made_name,
    name_claim_faults,
    unknown_properties,
)
from pulumi_jig.lifecycle.invocation import Checked
from pulumi_jig.lifecycle.volume.inputs import (
    DEFAULT_CONTENT,
    DEFAULT_TYPE,
    FIELDS,
    OPTIONS,
)
from pulumi_jig.lifecycle.wording import near, short
from pulumi_jig.values import (
    UNKNOWN,
    format_path,
    reveal,
    whole_numbers,
    without_none,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pulumi_jig.lifecycle.invocation import Severity
    from pulumi_jig.lifecycle.wording import Fault

#: Longest name that the client takes as a part of a path, in characters. (The service
#: documents no rule for the names of volumes.)
LONGEST_NAME: Final = 200

_CONTENT: Final = (
    '{"source_prefix": "..."} for uploaded files, or '
    '{"origin": {"s3": {"uri": "s3://...", "role_arn": "..."}}} for a copy from S3'
)
_S3: Final = '{"uri": "s3://bucket/prefix", "role_arn": "arn:aws:iam::..."}'


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
    Complete and check the inputs of a volume.

    Args:
        olds: The inputs that the state holds; empty at creation and replacement.
        news: What the program says now, possibly with values not known yet.
        old_outputs: Not used: a volume's inputs tell all that its check needs.
        urn: The resource's URN, if the host can tell.
        log: Takes warnings.
        config_faults: What is wrong with the credentials, as (setting, sentence).

    Returns:
        The inputs as they will be stored, and every fault.
    """
    news = whole_numbers(without_none(news))
    olds = reveal(whole_numbers(without_none(olds)))
    faults: list[Fault] = [("", sentence) for _, sentence in config_faults]

    inputs = {key: v for key, v in news.items() if not key.startswith("__")}
    declared = sorted(inputs)
    faults += unknown_properties("volume", declared, (*FIELDS, *OPTIONS))
    inputs["name"], name_faults = _name(reveal(inputs), olds, news, urn)
    faults += name_faults
    inputs |= completed("volume", olds, news, declared, urn)

    plain = reveal(inputs)
    faults += _content_faults(plain.get("content"))
    faults += _option_faults(plain)
    faults += name_claim_faults("volume", plain, urn)
    if log is not None:
        for warning in _warnings(plain):
            log("warning", warning)
    return Checked(without_none(inputs), tuple(distinct(faults)))


# --- The name ------------------------------------------------------------------


def _name(
    inputs: Mapping[str, Any],
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    urn: str | None,
) -> tuple[Any, list[Fault]]:
    declared, old = inputs.get("name"), olds.get("name")
    if declared is UNKNOWN:
        return declared, []
    if declared is not None:
        fault = _name_fault(declared)
        return declared, [("name", fault)] if fault else []
    if isinstance(old, str) and old:
        return old, []
    return made_name("volume", news, urn)


def _name_fault(name: Any) -> str | None:
    takes = (
        f"1 to {LONGEST_NAME} printable characters without spaces around them. Leave "
        "it out to have one made from the resource's name"
    )
    if not isinstance(name, str):
        return f"must be a string: {takes}"
    whole = name.strip() == name and name.isprintable() and len(name) > 0
    if not whole or len(name) > LONGEST_NAME:
        return f"must be {takes}"
    if name in {".", ".."}:
        return f'"{name}" would lead to another path of the API; choose another'
    return None


# --- The content ---------------------------------------------------------------


def _content_faults(content: Any) -> Iterator[Fault]:
    if content is UNKNOWN:
        return
    if content is None:
        yield "content", f"is required; it takes {_CONTENT}"
        return
    if not isinstance(content, dict):
        yield "content", f"must be a mapping; it takes {_CONTENT}"
        return
    content = without_none(content)
    yield from _unknown_keys("content", content, ("type", "source_prefix", "origin"))
    kind = content.get("type", DEFAULT_CONTENT)
    if kind is not UNKNOWN and not _is_text(kind):
        yield (
            "content.type",
            f'must be a word of the API; left out, it is "{DEFAULT_CONTENT}"',
        )
    prefix, origin = content.get("source_prefix"), content.get("origin")
    if (prefix is None) == (origin is None):
        # Both may be unknown, but that both are there is known.
        yield "content", f"needs exactly one source; it takes {_CONTENT}"
    if prefix is not None and prefix is not UNKNOWN and not _is_text(prefix):
        yield (
            "content.source_prefix",
            'must be the prefix of files that were uploaded, such as "models/llm/3"',
        )
    if origin is not None and origin is not UNKNOWN:
        yield from _origin_faults(origin)


def _origin_faults(origin: Any) -> Iterator[Fault]:
    path = "content.origin"
    if not isinstance(origin, dict) or origin.get("s3") is None:
        yield path, f'must be {{"s3": {_S3}}}'
        return
    yield from _unknown_keys(path, without_none(origin), ("s3",))
    source = origin["s3"]
    if source is UNKNOWN:
        return
    if not isinstance(source, dict):
        yield f"{path}.s3", f"must be {_S3}"
        return
    yield from _unknown_keys(f"{path}.s3", without_none(source), ("uri", "role_arn"))
    uri, role = source.get("uri"), source.get("role_arn")
    if uri is not UNKNOWN and not (_is_text(uri) and _bucket(uri)):
        yield f"{path}.s3.uri", 'must be "s3://bucket" or "s3://bucket/prefix"'
    if role is not UNKNOWN and not (_is_text(role) and role.startswith("arn:")):
        yield (
            f"{path}.s3.role_arn",
            "must be the ARN of the IAM role that the service assumes, such as "
            '"arn:aws:iam::123456789012:role/read-models"',
        )


def _bucket(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[0] if uri[:5] == "s3://" else ""


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _unknown_keys(
    path: str, given: Mapping[str, Any], known: tuple[str, ...]
) -> Iterator[Fault]:
    for key in given:
        if key not in known:
            taken = ", ".join(known)
            sentence = f"is not a key here; {path} takes {taken}.{near(key, known)}"
            yield path + _joined(key), sentence


def _joined(key: str) -> str:
    part = format_path((key,))
    return part if part.startswith("[") else f".{part}"


# --- Options and words ---------------------------------------------------------


def _option_faults(inputs: Mapping[str, Any]) -> Iterator[Fault]:
    kind, version = inputs.get("type"), inputs.get("version")
    if kind not in (None, UNKNOWN) and not _is_text(kind):
        yield "type", f'must be a word of the API, such as "{DEFAULT_TYPE}"'
    if version not in (None, UNKNOWN) and not _is_counter(version):
        yield (
            "version",
            "must be a whole number from 0: raise it to have a new version of the "
            "same content",
        )
    if inputs.get("adopt") not in (None, UNKNOWN, True, False):
        yield "adopt", "must be true or false"


def _is_counter(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _warnings(inputs: Mapping[str, Any]) -> Iterator[str]:
    kind = inputs.get("type")
    if _is_text(kind) and kind != DEFAULT_TYPE:
        yield (
            f'type: "{short(kind)}" is not a type of volume that this package knows; '
            "it is sent as it is"
        )
    content = inputs.get("content")
    inner = content.get("type") if isinstance(content, dict) else None
    if _is_text(inner) and inner != DEFAULT_CONTENT:
        yield (
            f'content.type: "{short(inner)}" is not a type of content that this '
            "package knows; it is sent as it is"
        )
