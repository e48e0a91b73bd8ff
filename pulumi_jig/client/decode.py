"""
What a response means: its data, or the error of our tree that it stands for.

The service's documents leave the body of an error open ("type: object"). The shapes
that are read here are those that the vendor's documents and tools show: `{"error":
"text"}`, `{"error": {"message", "type", "param", "code"}}`, the same four keys at the
top, `{"message": ...}`, a map of strings, `{}`, plain text and HTML. A name that is
taken is recognised by the text, whatever the status, as the vendor's own tools do.

A web page with status 404 comes from something between here and the service, and proves
nothing about a deployment (`APIError.from_api`).
"""

from __future__ import annotations

import email.utils
import json
import math
import re
import string
import time
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from pulumi_jig.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_jig.client.transport import Response
    from pulumi_jig.config import Settings

#: How much of the service's words goes into a message, in characters.
DETAIL_MAX: Final = 300
#: A longer wait than this, in seconds, is taken for a mistake of the service.
RETRY_AFTER_MAX: Final = 3600.0

_TAKEN: Final = re.compile(r"already exists|must be unique", re.IGNORECASE)
#: Characters of a code, a field's name or an id that go into a message, and of the
#: title of a web page.
_WORD_MAX: Final = 100
_TITLE_MAX: Final = 60
#: In small letters, and not one more of them, as `lower` would make of some.
_SMALL: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
#: Characters of a web page in which its title is looked for.
_HEAD: Final = 1 << 16
_CLASSES: Final[dict[int, type[APIError]]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


class UnusableError(Exception):
    """
    A complete answer that is not the API's.

    Attributes:
        why: What it is and what to do; a clause without a full stop.
        retryable: Whether asking again may bring something else.
    """

    def __init__(self, why: str, *, retryable: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.retryable = retryable


# --- Data --------------------------------------------------------------------------


def decode_data(
    answer: Response,
    settings: Settings,
    *,
    empty: bool,
) -> Any:
    """
    The data of an answer that is neither 4xx nor 5xx.

    Args:
        answer: The answer.
        settings: Where it was asked for.
        empty: Whether an empty body will do (a deletion has nothing to say).

    Raises:
        UnusableError: It is not the API's JSON.
    """
    if not 200 <= answer.status < 300:
        raise UnusableError(_redirect(answer, settings), retryable=False)
    if not answer.body.strip():
        if empty:
            return {}
        raise UnusableError(f"the answer (status {answer.status}) is empty")
    data = _json(answer.body)
    if isinstance(data, dict | list):
        return data
    raise UnusableError(
        f"the answer (status {answer.status}) is {_kind(answer)} instead of the API's "
        f"JSON; check {settings.url_setting} and the proxies between"
    )


def _redirect(answer: Response, settings: Settings) -> str:
    to = re.match(r"[a-z+]+://[^/?#@\s]+", answer.headers.get("location", ""))
    where = f" to {safe_text(to.group(), _WORD_MAX)}" if to else ""
    return (
        f"the address redirects{where} (status {answer.status}), which is not followed "
        f"since the API key would go there; correct {settings.url_setting}"
    )


def _json(body: bytes) -> Any:
    """The data, or None where it is not JSON."""
    try:
        # NaN is not JSON, and would not survive in Pulumi's state.
        return json.loads(body.decode(), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _kind(answer: Response) -> str:
    text = answer.body.decode("utf-8", "replace").strip()
    title = _title(text[:_HEAD])
    if title:
        return f'a web page ("{safe_text(title, _TITLE_MAX)}")'
    if text.startswith("<"):
        return "a web page"
    return "some other text" if text else "empty"


def _title(page: str) -> str:
    """The title of a web page, or an empty text; in one pass, whatever the page holds."""
    small = page.translate(_SMALL)
    _, found, rest = small.partition("<title")
    _, closed, rest = rest.partition(">")
    title, ended, _ = rest.partition("</title")
    if not (found and closed and ended):
        return ""
    end = len(small) - len(rest) + len(title)
    return page[end - len(title) : end]


# --- Refusals ----------------------------------------------------------------------


def decode_error(
    answer: Response,
    *,
    asked: str,
    settings: Settings,
) -> APIError:
    """
    The error that a 4xx or 5xx stands for.

    Args:
        answer: The answer.
        asked: Method and path, for the message.
        settings: Where it was asked, and with whose key.
    """
    status = answer.status
    data = _json(answer.body)
    # An empty object is an answer of the service; an empty body is anybody's.
    from_api = isinstance(data, dict)
    error = _error_of(data)
    text = _text_of(error, answer)
    detail = safe_text(text, DETAIL_MAX)
    param = _word(error.get("param"))
    code = _word(error.get("code") or error.get("type"))
    request_id = _word(
        answer.headers.get("x-request-id")
        or answer.headers.get("cf-ray")
        or error.get("request_id")
    )
    kind = _CLASSES.get(status)
    if kind is None:
        kind = ServerError if status >= 500 else BadRequestError
    # "Names of environment variables must be unique" names another field.
    if (
        _TAKEN.search(text)
        and status not in {401, 403, 404, 429}
        and param in {None, "name"}
    ):
        kind = ConflictError
    facts = [f"status {status}"]
    if code:
        facts.append(f"code {code}")
    if request_id:
        facts.append(f"request id {request_id}")
    said = f": {detail.rstrip('.')}" if detail else ""
    if not from_api and status < 500 and data is None:
        said += (
            f" (the answer is {_kind(answer)}, not the API's JSON; check "
            f"{settings.url_setting} and the proxies between)"
        )
    return kind(
        f"{_sentence(kind, asked, settings)}{said} ({', '.join(facts)}).",
        status=status,
        code=code,
        detail=detail,
        param=param,
        request_id=request_id,
        retry_after=retry_after(answer.headers),
        from_api=from_api,
    )


def _sentence(kind: type[APIError], asked: str, settings: Settings) -> str:
    if kind is AuthenticationError:
        # Whoever has set it already is told why that was not enough. (The environment's
        # key is not named here: an explicit provider does not look at it.)
        stored = (
            " (refresh and destroy use the one of the last `pulumi up`, unless "
            "--run-program is given)"
        )
        return (
            f"The service rejected the API key at {asked}; set {settings.key_setting} "
            f"to a valid one{stored if settings.key_source != 'environment' else ''}"
        )
    if kind is PermissionDeniedError:
        return (
            f"The API key of {settings.key_setting} is valid but may not do {asked}; "
            "dedicated containers have to be enabled for the account by the vendor"
        )
    if kind is NotFoundError:
        return f"The service found nothing at {asked}"
    if kind is RateLimitError:
        return f"The service is throttling {asked}"
    if kind is ServerError:
        return f"The service failed at {asked}"
    return f"The service refused {asked}"


def _error_of(data: Any) -> Mapping[str, Any]:
    """The object with `message`, `code` and so on, wherever the body has it."""
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return {}
    inner = data.get("error")
    if isinstance(inner, dict):
        return {**data, **inner}
    if isinstance(inner, str):
        return {**data, "message": inner}
    return data


def _text_of(error: Mapping[str, Any], answer: Response) -> str:
    for name in ("message", "detail", "error_description", "title"):
        value = error.get(name)
        if isinstance(value, str) and value.strip():
            return value
    known = {"code", "type", "param", "request_id", "object"}
    texts = [
        f"{k}: {v}" for k, v in error.items() if isinstance(v, str) and k not in known
    ]
    if texts:
        return "; ".join(texts)
    if error or _json(answer.body) is not None:
        return ""
    text = answer.body.decode("utf-8", "replace").strip()
    # A page is not quoted: it may hold anything, and `_kind` gives its title.
    return "" if text.startswith("<") else text


def _word(value: Any) -> str | None:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return None
    return safe_text(value, _WORD_MAX)


# --- What the service says about another attempt -----------------------------------


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """
    The seconds that the service asks to wait, or None.

    Read from `retry-after-ms`, else from `Retry-After` in seconds or as a date. What is
    negative, past, not a number, or beyond an hour is ignored.

    Args:
        headers: Of the answer, names in lower case.
        now: Wall-clock time, in seconds since 1970.
    """
    waits = [_number(headers.get("retry-after-ms")) / 1000]
    raw = headers.get("retry-after")
    waits.append(_number(raw))
    try:
        when = email.utils.parsedate_to_datetime(raw or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        pass
    else:
        waits.append(when - (time.time() if now is None else now))
    for wait in waits:
        if 0 < wait <= RETRY_AFTER_MAX:
            return wait
    return None


def _number(raw: str | None) -> float:
    try:
        return float(raw or "")
    except ValueError:
        return math.nan


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What `x-should-retry` says, or None."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())
