"""
Every failure that a user can meet, as one tree.

The tree is drawn here so that one can see where a new failure belongs. Facts are in
attributes: nothing in this package decides by reading the text of a message.

    JigError
    ├── ConfigError                 nothing was sent: no key, a bad address, a bad option
    ├── InputError                  nothing was sent: inputs that the API cannot take
    ├── RequestError                no usable answer came back
    │   ├── NotSentError            the server certainly did not act (may be repeated)
    │   ├── OutcomeUnknownError     the server may have acted (GET before repeating)
    │   └── EngineDisconnectedError the engine that asked is gone, so nothing was sent
    │       └── CancelledError      it was asked to stop (Ctrl-C)
    ├── APIError                    the service answered, and the answer is "no"
    │   ├── BadRequestError         400, 422
    │   ├── AuthenticationError     401
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404
    │   ├── ConflictError           409, or any status whose text says that it exists
    │   ├── RateLimitError          429, after the retries
    │   └── ServerError             5xx, after the retries
    ├── OwnershipError              the deployment of this name is not ours to touch
    └── RolloutError                accepted by the service, but not serving
        ├── RolloutFailedError      it failed, with the reason
        ├── RolloutTimeoutError     it did not finish in time; the wait ended, not it
        └── RolloutInterruptedError somebody pressed Ctrl-C; the wait ended, not it

Only statuses that some caller handles have a class of their own. Messages never hold
an API key, the value of an environment variable, or the body of a request.

This module imports the standard library only, since policies and the user's program
load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class JigError(Exception):
    """
    Anything that this package reports to its user.

    Attributes:
        message: One sentence or more for the person who ran the command: what
            happened, whether something may be running and billing, what to do.
        uncertain: Whether an earlier attempt of the same request may have taken
            effect, whatever became of the last one.
    """

    uncertain = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(JigError):
    """A credential, address or option is missing or unusable; nothing was sent."""


class InputError(JigError):
    """
    Inputs that the API cannot take; nothing was sent.

    Attributes:
        faults: `(property path, sentence)` per fault, all of them at once.
    """

    def __init__(self, message: str, faults: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class RequestError(JigError):
    """
    No usable answer came back.

    Attributes:
        method: The HTTP method of the request.
        path: Its path, without host and query.
    """

    def __init__(self, message: str, *, method: str = "", path: str = "") -> None:
        super().__init__(message)
        self.method = method
        self.path = path


class NotSentError(RequestError):
    """The server certainly did not act: it was never reached."""


class OutcomeUnknownError(RequestError):
    """
    The server may have acted: the request went out, no usable answer came.

    A request that changes something must not be repeated after this without a GET
    of what is there.
    """


class EngineDisconnectedError(RequestError):
    """The engine that asked for this is gone; nothing more is sent on its behalf."""


class CancelledError(EngineDisconnectedError):
    """The run was interrupted (Ctrl-C), so nothing is begun or waited for any more."""


class APIError(JigError):
    """
    The service answered with a refusal.

    Attributes:
        status: HTTP status code.
        code: The service's own error code, if the body had one.
        detail: The service's own words, shortened, without secrets; may be empty.
        param: The field that the service named, if any.
        request_id: What to quote to the vendor's support, if the answer had one.
        retry_after: Seconds that the service asked to wait, if it did.
        from_api: True when the body was the API's own JSON. An HTML page from a
            proxy with status 404 proves nothing about a deployment.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        detail: str = "",
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        from_api: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        self.from_api = from_api


class BadRequestError(APIError):
    """400 or 422: the service refuses the request's content."""


class AuthenticationError(APIError):
    """401: the key is missing, malformed, expired or revoked."""


class PermissionDeniedError(APIError):
    """403: the key is valid, but not for this."""


class NotFoundError(APIError):
    """404: nothing here, for this account, under this name or id."""


class ConflictError(APIError):
    """409, or a refusal of any status whose text says that the name exists."""


class RateLimitError(APIError):
    """429, and the deadline left no room for another attempt."""


class ServerError(APIError):
    """5xx: the service failed; what it did before that is not known."""


class OwnershipError(JigError):
    """
    A deployment of this name exists and is not this resource's.

    Attributes:
        name: The deployment's name.
        deployment_id: Its id, where it is known.
    """

    def __init__(
        self, message: str, *, name: str, deployment_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.name = name
        self.deployment_id = deployment_id


class RolloutError(JigError):
    """
    The service accepted the deployment, but it does not serve as asked.

    Attributes:
        reasons: Short sentences, the most telling first.
        last: The last answer that was seen, as plain data, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        reasons: Sequence[str] = (),
        last: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)
        self.last = last


class RolloutFailedError(RolloutError):
    """The roll-out ended badly; waiting longer would not help."""


class RolloutTimeoutError(RolloutError):
    """The time limit passed. The wait ended; the deployment goes on."""


class RolloutInterruptedError(RolloutError):
    """The run was interrupted. The wait ended; the deployment goes on."""
