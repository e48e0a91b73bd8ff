"""The error that ends a request."""

from __future__ import annotations


class ApiError(Exception):
    """
    An error response of the service.

    Attributes:
        status: the HTTP status.
        message: the sentence in the error body.
        param: the field at fault, as a path, or None.
        code: an identifier for programs, or None.
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


def invalid(param: str, message: str) -> ApiError:
    """Return the error of one field."""
    return ApiError(400, f"{param}: {message}", param=param, code="invalid_value")


def not_found(message: str) -> ApiError:
    """Return the error of what is not there."""
    return ApiError(404, message, code="not_found")
