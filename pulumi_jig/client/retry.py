"""
When a request is sent again, how long is waited, and how much all threads may repeat.

The rules are written once, in English, in `JigClient`'s docstring; this module follows
them. A request that is not idempotent (a POST, a new version of a volume) is never
repeated once the service may have acted upon it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from pulumi_jig.client.transport import span
from pulumi_jig.errors import (
    APIError,
    ConflictError,
    EngineDisconnectedError,
    JigError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import tenacity

    from pulumi_jig.deadline import Deadline

T = TypeVar("T")

#: First wait and longest wait, in seconds, before jitter.
TRANSIENT: Final = (0.5, 8.0)
THROTTLED: Final = (1.0, 20.0)
#: Seconds for which one request is repeated to a server that cannot be reached any more.
CONNECT_RETRY_TIMEOUT: Final = 60.0
#: The same where this client has never reached it: more likely a wrong address.
INITIAL_CONNECT_TIMEOUT: Final = 20.0
#: Repetitions after complete answers that are not the API's (a captive portal's page).
UNUSABLE: Final = 2
#: Retries that one process may make at once, and per second after that.
BUDGET: Final = 64
BUDGET_RATE: Final = 4.0

#: Statuses after which the same request fails again, whatever a header says.
_FINAL: Final = frozenset({400, 401, 403, 404, 422})


class RetryBudget:
    """
    How many retries all threads of a process may make together.

    A bucket of tokens: one retry takes one, and they come back at a steady rate. Whoever
    finds it empty has to wait for the next one, so that 64 threads against
    a dead service make no more requests than a few threads would.

    Args:
        capacity: Retries that may be made at once.
        rate: Retries per second after that.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        capacity: float = BUDGET,
        rate: float = BUDGET_RATE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(capacity)
        self._at = clock()

    def reserve(self) -> float:
        """Take a token; seconds until it may be used."""
        with self._lock:
            now = self._clock()
            self._tokens = min(
                self._capacity, self._tokens + (now - self._at) * self._rate
            )
            self._at = now
            self._tokens -= 1
            return max(0.0, -self._tokens / self._rate)

    def refund(self) -> None:
        """Give back a token that was not used."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + 1)


#: Shared by every client of this process.
PROCESS_BUDGET: Final = RetryBudget()


class AttemptError(Exception):
    """
    One attempt's failure, with what decides about another.

    Attributes:
        error: What the caller would see.
        retryable: Whether another attempt may end differently.
        unusable: Whether a complete answer came that is not the API's.
        unreached: Whether the server has never said a word of HTTP to this client.
        should_retry: What the service said about it, if it did.
    """

    def __init__(
        self,
        error: JigError,
        *,
        retryable: bool = True,
        unusable: bool = False,
        unreached: bool = False,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.retryable = retryable
        self.unusable = unusable
        self.unreached = unreached
        self.should_retry = should_retry


class Retries:
    """
    The retries of one request.

    Args:
        ctx: The operation's deadline and sign of life.
        method: The HTTP method.
        idempotent: Whether the same request twice has the effect of once.
        budget: What all threads share.
        rng: Random numbers from 0 to 1.
        connect_timeout: Seconds for a server that cannot be reached.
    """

    def __init__(
        self,
        ctx: Deadline,
        method: str,
        *,
        idempotent: bool,
        budget: RetryBudget,
        rng: Callable[[], float],
        connect_timeout: float = CONNECT_RETRY_TIMEOUT,
    ) -> None:
        self._ctx = ctx
        self._method = method
        self._idempotent = idempotent
        self._budget = budget
        self._rng = rng
        self._connect_timeout = connect_timeout
        self._started = ctx.clock()
        self._attempts = 0
        self._unusable = 0
        self._uncertain = False
        self._asked: float | None = None

    def run(self, attempt: Callable[[], T]) -> T:
        """
        Call `attempt` until it succeeds, or another call is not allowed.

        Raises:
            JigError: The last attempt's error, with the number of attempts.
        """
        import tenacity

        def counted() -> T:
            self._attempts += 1
            return attempt()

        try:
            return tenacity.Retrying(
                retry=tenacity.retry_if_exception(self._may_repeat),
                wait=self._wait,
                stop=self._no_room,
                sleep=self._ctx.pause,
                reraise=True,
            )(counted)
        except AttemptError as failure:
            raise self._told(failure.error) from None
        except EngineDisconnectedError as gone:
            if not self._uncertain or self._method == "GET":
                raise
            # That nobody waits is not all there is to say.
            raise OutcomeUnknownError(
                f"{gone.message} An earlier attempt may have taken effect."
            ) from None

    # --- The rules ----------------------------------------------------------------

    def _may_repeat(self, failure: BaseException) -> bool:
        if not isinstance(failure, AttemptError):
            return False
        error = failure.error
        if not failure.retryable or failure.should_retry is False:
            return False
        may_connect = self._ctx.clock() - self._started < self._connect_timeout
        if isinstance(error, NotSentError):
            return may_connect
        if isinstance(error, RateLimitError):
            return True
        if not self._idempotent or isinstance(error, ConflictError):
            return False
        if failure.unreached:
            return may_connect
        if failure.unusable:
            self._unusable += 1
            return self._unusable <= UNUSABLE
        if isinstance(error, APIError):
            if error.status in _FINAL:
                return False
            passing = error.status == 408 or error.status >= 500
            return passing or failure.should_retry is True
        return isinstance(error, OutcomeUnknownError)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = _error_of(state)
        asked = error.retry_after if isinstance(error, APIError) else None
        if asked is not None:
            # Never earlier than asked; a little later, so that threads do not return
            # all at once.
            own = asked * (1 + 0.1 * self._rng())
        else:
            first, longest = (
                THROTTLED if isinstance(error, RateLimitError) else TRANSIENT
            )
            # The exponent is bounded so that a day of retries does not overflow.
            wait = min(longest, first * 2 ** min(self._attempts - 1, 16))
            own = wait * (0.5 + 0.5 * self._rng())
        return max(own, self._budget.reserve())

    def _no_room(self, state: tenacity.RetryCallState) -> bool:
        if state.upcoming_sleep >= self._ctx.remaining():
            self._budget.refund()
            error = _error_of(state)
            self._asked = error.retry_after if isinstance(error, APIError) else None
            return True
        # An attempt without an answer, or with a server's failure, may have acted.
        if not isinstance(_error_of(state), NotSentError | RateLimitError):
            self._uncertain = True
        return False

    # --- The end ------------------------------------------------------------------

    def _told(self, error: JigError) -> JigError:
        """The last attempt's error, true about the earlier ones as well."""
        message = error.message
        if self._attempts > 1:
            seconds = self._ctx.clock() - self._started
            message = f"{message} Given up after {self._attempts} attempts in {span(seconds)}."
        if self._asked is not None:
            message = (
                f"{message} The service asked to wait {span(self._asked)}, which is "
                "more than the operation's time limit leaves."
            )
        if self._uncertain and self._method != "GET":
            if not isinstance(error, OutcomeUnknownError):
                message = f"{message} An earlier attempt may have taken effect."
            if isinstance(error, NotSentError):
                # The last attempt certainly did not act, but that is not the whole
                # truth about the request.
                error = OutcomeUnknownError("", method=error.method, path=error.path)
            error.uncertain = True
        error.message = message
        error.args = (message,)
        return error


def _error_of(state: tenacity.RetryCallState) -> JigError:
    failure = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(failure, AttemptError)
    return failure.error
