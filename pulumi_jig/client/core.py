"""
`JigClient`: every request to the service goes through its `request`.

Headers, time limits, retries, decoding and error mapping are here once. No message shows
what was sent in confidence.
"""

from __future__ import annotations

import contextlib
import functools
import json as jsonlib
import logging
import random
import threading
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.client.decode import (
    UnusableError,
    decode_data,
    decode_error,
    retry_after,
    should_retry,
)
from pulumi_jig.client.resources import DeploymentsClient, SecretsClient, VolumesClient
from pulumi_jig.client.retry import (
    CONNECT_RETRY_TIMEOUT,
    INITIAL_CONNECT_TIMEOUT,
    PROCESS_BUDGET,
    AttemptError,
    Retries,
    RetryBudget,
)
from pulumi_jig.client.transport import (
    Request,
    Response,
    Transport,
    TransportError,
    span,
)
from pulumi_jig.errors import (
    APIError,
    EngineDisconnectedError,
    InputError,
    JigError,
    NotSentError,
    OutcomeUnknownError,
    RequestError,
)
from pulumi_jig.redaction import remember_environment, remember_secret
from pulumi_jig.text import safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pulumi_jig.config import Settings
    from pulumi_jig.deadline import Deadline

_LOG = logging.getLogger(__name__)

#: The longest that one attempt may take, in seconds, to the last byte of its answer.
ATTEMPT_TIMEOUT: Final = 60.0
_WHOAMI: Final = "/v3/whoami"
#: Statuses of `whoami` that mean: this server does not say who we are.
_NO_WHOAMI: Final = frozenset({404, 405, 501})


@functools.cache
def _user_agent() -> str:
    try:
        return f"pulumi-jig/{version('pulumi-jig')}"
    except PackageNotFoundError:
        return "pulumi-jig"


class JigClient:
    """
    The API of one account at one address, shared by all threads of a process.

    When a request is sent again:

    - All attempts and waits of an operation share its deadline. No attempt begins and
      no wait ends after it; one attempt takes at most 60 s. The error then says how
      many attempts there were.
    - GET, PATCH and DELETE are sent again when no usable answer came, and after 408, 429
      and 5xx. (PATCH and DELETE can be: the same body or the same deletion twice has
      the effect of once. Address them by id, not by name: under a name, somebody else's
      deployment may be there by then.)
    - POST is sent again only when the service certainly did not act: it could not be
      reached, or said 429. Nothing else makes a POST be repeated, no header either. The
      same holds for a PATCH that names a volume's content: each one that arrives makes
      a version.
    - 400, 401, 403, 404, 422 are final. So is 409 and every other answer that says that
      a name exists: the caller has to GET it first.
    - A certificate that is not trusted, an address that redirects, an answer beyond
      32 MiB are final: they need a person.
    - A server that cannot be reached is tried for 60 s; for 20 s where it never was,
      since the address is more likely wrong. One that takes a connection and never said
      a word of HTTP (a TLS port that is addressed as plain http) was not reached. A
      complete answer that is not the API's
      (a web page) is asked for at most twice more.
    - `Retry-After` (seconds or date) and `retry-after-ms` are obeyed; what is negative,
      past, garbage or beyond an hour is ignored. A wait that would pass the deadline
      is not begun. `x-should-retry: false` ends the retries; `true` adds statuses that
      are not listed here (never those that are final).
    - Otherwise the n-th wait is 0.5 s x 2^n, at most 8 s (429: 1 s x 2^n, at most 20 s),
      of which a random half to all is waited.
    - All threads share one budget: 64 retries at once, 4 per second after that. Whoever
      finds it empty waits for its turn.
    - Nothing that changes something is sent, and nothing is sent again, for an engine
      that is gone.

    Whatever breaks on this side before a byte of a request has left (settings, imports,
    certificates, proxies, names, files, memory) is a `NotSentError`: nothing happened.

    Args:
        settings: Key, address, number of connections.
        transport: What sends; HTTP unless a test or a simulation gives another.
        budget: Retries shared with other clients; the process's own by default.
        rng: Random numbers from 0 to 1, for the waits.
        wall_clock: Seconds since 1970, for dates in `Retry-After`.

    Raises:
        ConfigError: The environment names certificates or a proxy that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        budget: RetryBudget = PROCESS_BUDGET,
        rng: Callable[[], float] = random.random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        if transport is None:
            from pulumi_jig.client.http import HttpTransport

            transport = HttpTransport(settings)
        remember_secret(settings.api_key)
        self.settings = settings
        self._transport = transport
        self._budget = budget
        self._rng = rng
        self._wall_clock = wall_clock
        self._headers = {
            "Authorization": f"Bearer {settings.api_key}",
            "User-Agent": _user_agent(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        self._identity: tuple[str | None] | None = None
        self._identity_lock = threading.Lock()
        self._reached = False
        self._unreached: tuple[float, JigError] | None = None
        self.deployments = DeploymentsClient(self)
        self.secrets = SecretsClient(self)
        self.volumes = VolumesClient(self)

    def __repr__(self) -> str:
        return f"JigClient({self.settings.base_url})"

    def close(self) -> None:
        """Close every connection; the client can not be used after that."""
        self._transport.close()

    def whoami(self, ctx: Deadline) -> str | None:
        """
        Who the key belongs to, in the service's own words, or None where it is silent.

        `<organization>/<project>`, or what of the two the service names. Asked once per
        client.

        Raises:
            JigError: The service refused, or could not be asked.
        """
        with self._turn(ctx):
            return self._who(ctx)

    def reach(self, ctx: Deadline) -> None:
        """
        Make sure that the server speaks HTTP, before something is asked of it.

        A creation that meets a silent server would end as one of which nobody knows
        whether it happened. So the first word to a server is a question.

        Raises:
            NotSentError: It has never said a word of HTTP.
        """
        if self._reached:
            return
        began = ctx.clock()
        with self._turn(ctx, f"nobody there has answered yet; {self._address}"):
            if self._unreached is not None and self._unreached[0] >= began:
                # Another thread has just tried for as long as makes sense.
                raise NotSentError(self._unreached[1].message)
            try:
                self._who(ctx.limited_to(INITIAL_CONNECT_TIMEOUT))
            except APIError:
                return
            except EngineDisconnectedError:
                raise
            except RequestError as error:
                if not self._reached:
                    raise NotSentError(error.message) from None

    @contextlib.contextmanager
    def _turn(
        self, ctx: Deadline, why: str = "another thread has been asking"
    ) -> Iterator[None]:
        """One thread asks, the others wait for what it hears, but not for ever."""
        if not self._identity_lock.acquire(timeout=ctx.remaining()):
            raise NotSentError(
                f"GET {_WHOAMI} was not sent within {span(ctx.timeout)}: {why}.",
                method="GET",
                path=_WHOAMI,
            )
        try:
            yield
        finally:
            self._identity_lock.release()

    def _who(self, ctx: Deadline) -> str | None:
        if self._identity is None:
            try:
                self._identity = (_identity(self.request("GET", _WHOAMI, ctx=ctx)),)
            except APIError as error:
                if error.status not in _NO_WHOAMI:
                    raise
                self._identity = (None,)
            except RequestError as error:
                self._unreached = (ctx.clock(), error)
                raise
        return self._identity[0]

    def request(
        self,
        method: str,
        path: str,
        *,
        ctx: Deadline,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
    ) -> Any:
        """
        Send a request and return the data of its answer.

        Args:
            method: `GET`, `POST`, `PATCH` or `DELETE`.
            path: Absolute, `/v1/deployments` say; parts of it already quoted.
            ctx: The deadline, and who waits.
            json: The body.
            params: The query.
            idempotent: Whether the same request twice has the effect of once, so that it
                may be sent again where it may have arrived; by default, all but POST.

        Raises:
            InputError: The body cannot be written as JSON.
            NotSentError: The service certainly did not act.
            OutcomeUnknownError: No usable answer; the service may have acted.
            EngineDisconnectedError: Nobody waits any more.
            APIError: The service refused.
        """
        asked = f"{method} {path}"
        progress = _Progress()
        try:
            return self._request(
                method,
                path,
                ctx=ctx,
                json=json,
                params=params,
                idempotent=method != "POST" if idempotent is None else idempotent,
                progress=progress,
            )
        except Exception as error:
            if method == "GET" or isinstance(error, JigError):
                raise
            # Its text may quote anything, the body included.
            _LOG.debug("%s broke", asked, exc_info=error)
            broke = f"pulumi_jig met an internal error ({type(error).__name__})"
            if progress.begun:
                raise OutcomeUnknownError(
                    f"{asked} may have taken effect, but {broke}.",
                    method=method,
                    path=path,
                ) from None
            raise NotSentError(
                f"{asked} was not sent: {broke}; set PULUMI_JIG_DEBUG=1 to see where.",
                method=method,
                path=path,
            ) from None

    def _request(
        self,
        method: str,
        path: str,
        *,
        ctx: Deadline,
        json: Mapping[str, Any] | None,
        params: Mapping[str, str] | None,
        idempotent: bool,
        progress: _Progress,
    ) -> Any:
        asked = f"{method} {path}"
        _remember(json or {})
        request = Request(
            method=method,
            path=path,
            params=params or {},
            headers=self._headers
            if json is None
            else {**self._headers, "Content-Type": "application/json"},
            body=None if json is None else _encode(json, asked),
        )

        def attempt() -> Any:
            if method != "GET":
                ctx.require_engine(f"sending {asked}")
            return self._attempt(request, ctx, asked, progress)

        return Retries(
            ctx,
            method,
            idempotent=idempotent,
            budget=self._budget,
            rng=self._rng,
            connect_timeout=CONNECT_RETRY_TIMEOUT
            if self._reached
            else INITIAL_CONNECT_TIMEOUT,
        ).run(attempt)

    def _attempt(
        self,
        request: Request,
        ctx: Deadline,
        asked: str,
        progress: _Progress,
    ) -> Any:
        began = ctx.clock()
        where = {"method": request.method, "path": request.path}
        timeout = min(ATTEMPT_TIMEOUT, ctx.remaining())
        if timeout <= 0:
            error: JigError = NotSentError(
                f"{asked} was not sent: the time limit of the operation "
                f"({span(ctx.timeout)}) has passed.",
                **where,
            )
            raise AttemptError(error, retryable=False)
        before, progress.begun = progress.begun, True
        try:
            answer = self._transport.send(request, timeout)
        except TransportError as failure:
            _LOG.debug("%s: %s (%.3f s)", asked, failure.why, ctx.clock() - began)
            progress.begun = before or failure.sent
            self._reached = self._reached or failure.spoke is True
            why = failure.why
            if not self._reached and failure.sent:
                why += f"; {self._address}"
            if failure.sent:
                error = OutcomeUnknownError(
                    f"{_without_response(request)}: {why}.", **where
                )
            else:
                error = NotSentError(f"{asked} was not sent: {why}.", **where)
            strange = failure.spoke is False and not self._reached
            raise AttemptError(
                error,
                retryable=failure.retryable and not strange,
                unreached=not self._reached,
            ) from None
        self._reached = True
        _LOG.debug("%s: %d (%.3f s)", asked, answer.status, ctx.clock() - began)
        if answer.status >= 400:
            raise self._refused(answer, asked)
        try:
            return decode_data(
                answer,
                self.settings,
                empty=request.method == "DELETE",
            )
        except UnusableError as failure:
            error = OutcomeUnknownError(
                f"{_without_response(request)}: {failure.why}.", **where
            )
            raise AttemptError(
                error, retryable=failure.retryable, unusable=True
            ) from None

    @property
    def _address(self) -> str:
        """What to check where a server has never said a word of HTTP."""
        setting = self.settings.url_setting
        if self.settings.base_url.startswith("http:"):
            return f"check {setting}, and use https:// there if the server speaks TLS"
        return f"check {setting} and the proxies between"

    def _refused(self, answer: Response, asked: str) -> AttemptError:
        refusal = decode_error(answer, asked=asked, settings=self.settings)
        refusal.retry_after = retry_after(answer.headers, self._wall_clock())
        return AttemptError(refusal, should_retry=should_retry(answer.headers))


@dataclass
class _Progress:
    """Whether a byte of any attempt at one request may have left this machine."""

    begun: bool = False


def _remember(body: Mapping[str, Any]) -> None:
    """What a request says in confidence: a refusal may quote it."""
    remember_secret(body.get("value"))
    variables = body.get("environment_variables")
    remember_environment(
        entry.get("value")
        for entry in (variables if isinstance(variables, list) else ())
        if isinstance(entry, dict)
    )


def _without_response(request: Request) -> str:
    asked = f"{request.method} {request.path}"
    if request.method == "GET":
        return f"{asked} got no usable answer"
    return f"{asked} got no usable answer and may have taken effect"


def _encode(body: Mapping[str, Any], asked: str) -> bytes:
    try:
        text = jsonlib.dumps(body, ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError):
        # The reason would quote the value, which may be a secret.
        raise InputError(
            f"The body of {asked} cannot be written as JSON: it holds NaN, infinity, "
            "half of a surrogate pair, or something that is not plain data."
        ) from None


def _identity(answer: Any) -> str | None:
    """The account in an answer of `whoami`, whose shape depends on the kind of key."""
    if not isinstance(answer, dict):
        return None
    parts = [_id(answer.get("organization")), _id(answer.get("project"))]
    if not any(parts):
        parts = [_id(answer.get(name)) for name in ("account", "user")]
    if not any(parts):
        parts = [_id(answer)]
    return "/".join(part for part in parts if part) or None


def _id(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("id")
    if not isinstance(value, str | int) or value == "":
        return None
    return safe_name(str(value))
