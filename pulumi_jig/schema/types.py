"""
Single values as the API takes them: whole numbers, numbers, texts, paths.

Refused here is what would be read differently than it was meant: 2.5 GPUs, `true` as a
number, "8" as a number, half of a surrogate pair. No message holds the value.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

# Pulumi hands every number over as a float, so 8.0 is 8 here; 2.5, true and "8" are not.


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("whole", "must be a whole number")
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer():
            raise PydanticCustomError("whole", "must be a whole number")
        return int(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("number", "must be a number")
    if not math.isfinite(value):
        raise PydanticCustomError("number", "must be a finite number")
    return value


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "must be a string")
    if "\0" in value:
        raise PydanticCustomError("text", "must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError(
            "text", "must be valid Unicode (it holds half of a surrogate pair)"
        ) from None
    return value


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
Text = Annotated[str, BeforeValidator(_text)]
NonEmpty = Annotated[Text, StringConstraints(min_length=1)]


def matches(pattern: str, rule: str) -> AfterValidator:
    """A validator that demands a pattern and answers with the rule in words."""
    compiled = re.compile(pattern)

    def validate(value: str) -> str:
        # fullmatch: `$` would let a trailing newline through.
        if compiled.fullmatch(value) is None:
            raise PydanticCustomError("pattern", "{rule}", {"rule": rule})
        return value

    return AfterValidator(validate)


def _clean_image(value: str) -> str:
    if value != value.strip() or any(c.isspace() for c in value):
        raise PydanticCustomError("image", "must not contain white space")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise PydanticCustomError("absolute", 'must begin with "/"')
    return value


def absolute_or_off(value: str) -> str:
    """An absolute path, or the empty string, which switches the thing off."""
    return value if value == "" else _absolute(value)


def _below_root(value: str) -> str:
    parts = _absolute(value).split("/")
    if ".." in parts or not any(parts):
        raise PydanticCustomError("mount_path", 'must be below "/", without ".."')
    return value


VariableName = Annotated[
    Text,
    matches(
        r"[A-Za-z_][A-Za-z0-9_]*",
        "must begin with a letter or underscore, followed by letters, digits or "
        "underscores",
    ),
]
MetricName = Annotated[
    Text,
    matches(
        r"[a-zA-Z_:][a-zA-Z0-9_:]*",
        "must be a Prometheus metric name: letters, digits, underscores and colons, "
        "not beginning with a digit",
    ),
]
#: The vendor's server refuses an "invalid mount_path"; what that is stands in no
#: document. A mount over the root would hide the whole image.
MountPath = Annotated[Text, AfterValidator(_below_root)]
SecretName = Annotated[
    Text,
    matches(
        r"[A-Za-z0-9_\-/.]{1,100}",
        "must be 1 to 100 letters, digits, or any of _ - / .",
    ),
]
Image = Annotated[NonEmpty, AfterValidator(_clean_image)]
Target = Annotated[Number, Field(gt=0)]
