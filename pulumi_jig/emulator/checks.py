"""
Checks of single values, and the refusal that each of them ends in.

A value goes in as parsed JSON and comes out as it is to be stored; anything else raises
`Refused`, which names the field by its path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]


class Refused(Exception):  # noqa: N818 - it is the answer to a request, not a fault.
    """
    A request that the service answers with an error.

    Attributes:
        status: the HTTP status.
        message: the sentence in the error body.
        param: the field at fault, as a path, or None.
        code: a word for programs, or None.

    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


def bad(param: str, message: str) -> Refused:
    """Return the refusal of one field."""
    return Refused(400, f"{param}: {message}", param=param, code="invalid_value")


def check_text(path: str, value: Any, *, most: int = 100_000) -> str:
    """
    Return text of at most *most* characters that UTF-8 can write.

    Raises:
        Refused: 400.

    """
    if not isinstance(value, str):
        raise bad(path, "must be a string")
    if len(value) > most:
        raise bad(path, f"must have at most {most} characters")
    if "\x00" in value:
        raise bad(path, "must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise bad(path, "must be valid Unicode text") from None
    return value


def check_integer(
    path: str,
    value: Any,
    low: int,
    high: int,
) -> int:
    """
    Return a whole number in the range, bounds included.

    Raises:
        Refused: 400.

    """
    # Rule NUM-1: the service is written in Go, whose decoder takes 1 but not 1.0.
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad(path, "must be an integer")
    if not low <= value <= high:
        raise bad(path, f"must be from {low} to {high}")
    return value


def check_number(path: str, value: Any) -> float | int:
    """
    Return a number.

    Raises:
        Refused: 400.

    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(path, "must be a number")
    return value


def check_strings(path: str, value: Any) -> list[str]:
    """
    Return a list of texts.

    Raises:
        Refused: 400.

    """
    if not isinstance(value, list):
        raise bad(path, "must be a list of strings")
    return [check_text(f"{path}[{index}]", item) for index, item in enumerate(value)]


def check_records(path: str, value: Any) -> list[Record]:
    """
    Return a list of objects.

    Raises:
        Refused: 400.

    """
    if not isinstance(value, list):
        raise bad(path, "must be a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise bad(f"{path}[{index}]", "must be an object")
    return value


def required(body: Record, names: Iterable[str]) -> None:
    """
    Refuse a body in which a required key is absent or null.

    Raises:
        Refused: 400.

    """
    for name in names:
        if body.get(name) is None:
            raise Refused(400, f"{name}: is required", param=name, code="missing_field")
