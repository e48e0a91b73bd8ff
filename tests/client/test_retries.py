"""When a request is sent again, and how long is waited."""

from __future__ import annotations

import email.utils
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from scripted import FakeClock, RawServer, Say, Scripted, free_port, read_head

from pulumi_jig.client import JigClient, RetryBudget, TransportError
from pulumi_jig.client.retry import BUDGET, BUDGET_RATE
from pulumi_jig.client.transport import Response
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.errors import (
    APIError,
    BadRequestError,
    ConflictError,
    EngineDisconnectedError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitError,
    RequestError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultproxy import FaultProxy

OK = Say(200, {"id": "d1", "name": "llm"})
VERBS = ("POST", "GET", "PATCH", "DELETE")
BODY = {
    "name": "llm",
    "image": "registry.together.ai/p/llm:1",
    "gpu_type": "h100-80gb",
    "gpu_count": 1,
}


def send(client: JigClient, method: str, ctx: Deadline) -> Any:
    """The deployment verb of this method."""
    deployments = client.deployments
    match method:
        case "POST":
            return deployments.create({"name": "llm"}, ctx)
        case "GET":
            return deployments.get("llm", ctx)
        case "PATCH":
            return deployments.update("llm", {"cpu": 1}, ctx)
    return deployments.delete("llm", ctx)


class TestStatuses:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    def test_passing_failures_are_tried_again(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        ctx: Deadline,
        method: str,
        status: int,
    ) -> None:
        """Case T8: what may be said twice is said again after a passing failure."""
        with Scripted(Say(status), Say(status), OK, clock=clock) as server:
            send(connect(server.url), method, ctx)

            assert len(server.seen) == 3

    @pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
    @pytest.mark.parametrize("header", [{}, {"x-should-retry": "true"}])
    def test_a_post_is_not(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        status: int,
        header: dict[str, str],
    ) -> None:
        """Cases R2, T7: a POST that may have acted is not repeated, header or not."""
        with Scripted(Say(status, {}, {"Retry-After": "1", **header}), OK) as server:
            with pytest.raises(APIError):
                send(connect(server.url), "POST", ctx)

            assert len(server.seen) == 1

    def test_a_throttled_post_is(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case T1: 429 says that nothing was done, so a POST is sent again."""
        with Scripted(Say(429), Say(429), OK) as server:
            assert send(connect(server.url), "POST", ctx).id == "d1"

            assert [seen.body for seen in server.seen] == [{"name": "llm"}] * 3

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    @pytest.mark.parametrize("method", VERBS)
    @pytest.mark.parametrize("header", [{}, {"x-should-retry": "true"}])
    def test_final_answers_are_final(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        method: str,
        status: int,
        header: dict[str, str],
    ) -> None:
        """Case T8: 400, 401, 403, 404, 422 are never repeated, header or not."""
        with Scripted(Say(status, {}, header), OK) as server:
            with pytest.raises(APIError):
                send(connect(server.url), method, ctx)

            assert len(server.seen) == 1

    @pytest.mark.parametrize("header", [{}, {"x-should-retry": "true"}])
    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_a_conflict_is_for_the_caller_to_look_at(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        method: str,
        header: dict[str, str],
    ) -> None:
        """Case T8: 409 on PATCH reaches the caller, who reads again."""
        with Scripted(Say(409, {}, header), OK) as server:
            with pytest.raises(ConflictError):
                send(connect(server.url), method, ctx)

            assert len(server.seen) == 1

    def test_the_service_can_forbid_another_attempt(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case T7: `x-should-retry: false` on 500 ends the retries."""
        with Scripted(Say(500, {}, {"x-should-retry": "false"}), OK) as server:
            with pytest.raises(ServerError):
                send(connect(server.url), "GET", ctx)

            assert len(server.seen) == 1

    @pytest.mark.parametrize(("header", "requests"), [("true", 2), ("maybe", 1)])
    def test_the_service_can_ask_for_another_attempt(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        header: str,
        requests: int,
    ) -> None:
        """Case T7: `x-should-retry: true` adds statuses that are not listed."""
        with Scripted(Say(425, {}, {"x-should-retry": header}), OK) as server:
            try:
                send(connect(server.url), "GET", ctx)
            except BadRequestError:
                pass

            assert len(server.seen) == requests

    def test_a_page_is_asked_for_twice_more(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A captive portal answers quickly and for ever; nobody waits for it."""
        with Scripted(Say(200, "<html>log in</html>")) as server:
            with pytest.raises(OutcomeUnknownError, match="after 3 attempts") as caught:
                send(connect(server.url), "PATCH", ctx)

            assert len(server.seen) == 3
        # Said once is enough.
        assert caught.value.message.count("may have taken effect") == 1


class TestWaits:
    def wait(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        ctx: Deadline,
        headers: dict[str, str],
        status: int = 429,
    ) -> float:
        """Seconds between a refusal with these headers and the next request."""
        with Scripted(Say(status, {}, headers), OK, clock=clock) as server:
            client = connect(server.url, wall_clock=lambda: 1_800_000_000.0)
            client.deployments.get("llm", ctx)

            return server.waits[0]

    @pytest.mark.parametrize("asked", [2, 61, 250])
    def test_seconds_are_obeyed(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        ctx: Deadline,
        asked: int,
    ) -> None:
        """Cases T1, T4: never earlier than asked, and hardly later."""
        waited = self.wait(connect, clock, ctx, {"Retry-After": str(asked)})

        assert asked <= waited <= asked * 1.1 + 0.01

    def test_a_date_is_obeyed(
        self, connect: Callable[..., JigClient], clock: FakeClock, ctx: Deadline
    ) -> None:
        """Case T2: a date in the future is a wait."""
        date = email.utils.formatdate(1_800_000_030, usegmt=True)

        assert 30 <= self.wait(connect, clock, ctx, {"Retry-After": date}) <= 33.1

    @pytest.mark.parametrize("status", [429, 503])
    def test_milliseconds_are_obeyed(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        ctx: Deadline,
        status: int,
    ) -> None:
        """Case T3: `retry-after-ms` wins over seconds, on any status."""
        headers = {"retry-after-ms": "2500", "Retry-After": "9"}

        assert 2.5 <= self.wait(connect, clock, ctx, headers, status) <= 2.76

    @pytest.mark.parametrize(
        "garbage",
        [
            *("-1", "0", "soon", "", "nan", "inf", "1e9", "3601"),
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Thu, 99 Foo 2030 00:00:00 GMT",
        ],
    )
    def test_garbage_is_ignored(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        ctx: Deadline,
        garbage: str,
    ) -> None:
        """Cases T2, T5: a past date, a negative or absurd number is no wait."""
        assert self.wait(connect, clock, ctx, {"Retry-After": garbage}) == 1.0

    @pytest.mark.parametrize(
        ("status", "longest"),
        [
            (500, [0.5, 1, 2, 4, 8, 8, 8]),
            (429, [1, 2, 4, 8, 16, 20, 20]),
        ],
    )
    @pytest.mark.parametrize("luck", [0.0, 0.5, 1.0])
    def test_waits_grow_up_to_a_cap(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        *,
        status: int,
        longest: list[float],
        luck: float,
    ) -> None:
        """Case T11: doubled, capped, and then a random half to all of it."""
        with Scripted(*[Say(status)] * 7, OK, clock=clock) as server:
            ctx = Deadline(300, clock=clock, sleep=clock.sleep)
            connect(server.url, rng=lambda: luck).deployments.get("llm", ctx)

            expected = [wait * (0.5 + 0.5 * luck) for wait in longest]
            assert server.waits == pytest.approx(expected)

    def test_nobody_sleeps_past_the_deadline(
        self, connect: Callable[..., JigClient], clock: FakeClock, ctx: Deadline
    ) -> None:
        """Cases T4, T11: a wait that would pass the deadline is not begun."""
        with Scripted(Say(429, {}, {"Retry-After": "60"}), OK, clock=clock) as server:
            with pytest.raises(RateLimitError) as caught:
                send(connect(server.url), "GET", ctx.limited_to(59))

            assert len(server.seen) == 1
        assert (clock.now, caught.value.retry_after) == (1000.0, 60.0)
        assert "asked to wait 60 s, which is more than" in caught.value.message

    def test_the_end_says_how_often_it_was_tried(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case T6: 429 for ever ends at the deadline, with the count of attempts."""
        with Scripted(Say(429)) as server:
            with pytest.raises(RateLimitError) as caught:
                send(connect(server.url), "GET", ctx.limited_to(30))

            tried = len(server.seen)
        assert tried == 5
        assert f"Given up after {tried} attempts in 15 s." in str(caught.value)
        assert str(caught.value) == caught.value.message

    def test_one_attempt_is_not_counted(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """An error at the first attempt does not speak of attempts."""
        with Scripted(Say(404)) as server, pytest.raises(NotFoundError) as caught:
            send(connect(server.url), "GET", ctx)

        assert "attempt" not in caught.value.message

    def test_after_the_deadline_nothing_is_sent(
        self, connect: Callable[..., JigClient], clock: FakeClock, ctx: Deadline
    ) -> None:
        """An operation whose time is over sends nothing, and says so."""
        clock.now += 301
        with Scripted() as server:
            with pytest.raises(
                NotSentError, match=r"time limit .* \(300 s\) has passed"
            ):
                send(connect(server.url), "POST", ctx)

            assert server.seen == []


class TestUnreachable:
    def test_a_server_that_comes_up_gets_exactly_one_post(
        self, broken: Callable[..., FaultProxy], connect: Callable[..., JigClient]
    ) -> None:
        """Case R1: refused connections are retried; one POST is accepted."""
        proxy = broken({"on": "start", "do": "refuse", "seconds": 0.7})

        made = connect(proxy.url).deployments.create(
            {**BODY, "name": "r1-refused"}, Deadline(20)
        )

        assert made.name == "r1-refused"
        assert proxy.count("POST /deployments", forwarded=True) == 1

    @pytest.mark.parametrize("method", VERBS)
    def test_patience_with_a_server_that_is_not_there(
        self,
        connect: Callable[..., JigClient],
        clock: FakeClock,
        ctx: Deadline,
        method: str,
    ) -> None:
        """Nobody waits a minute for a wrong port: after 20 s it is told."""
        url = f"http://127.0.0.1:{free_port()}"

        with pytest.raises(NotSentError, match="nothing listens") as caught:
            send(connect(url), method, ctx)

        assert 20 <= clock.now - 1000 <= 29
        assert (caught.value.method, caught.value.path.startswith("/v1/")) == (
            method,
            True,
        )

    def test_a_name_without_an_address(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """
        Case R1, peers' bug 47: a host that does not exist names the setting to check.
        """
        with pytest.raises(NotSentError, match="has no address; check TOGETHER_BASE"):
            send(connect("https://no-such-host.invalid"), "POST", ctx.limited_to(1))


class TestAmbiguous:
    """Case R9 for all verbs: the server acted, its answer was lost or spoilt."""

    FAULTS = (
        *("reset-after-forward", "close-after-forward", "truncate", "bad-gzip"),
        *("half-gzip", "empty-after-forward", "html-after-forward"),
        "latin-after-forward",
    )

    @pytest.mark.parametrize("do", FAULTS)
    def test_a_post_is_ambiguous(
        self,
        broken: Callable[..., FaultProxy],
        connect: Callable[..., JigClient],
        ctx: Deadline,
        do: str,
    ) -> None:
        """Cases R3, R4, R9: it is sent once, and the caller is told to look."""
        proxy = broken({"on": "POST /deployments", "nth": 1, "do": do})
        client, name = connect(proxy.url), f"amb-{do}"

        with pytest.raises(OutcomeUnknownError, match="may have taken effect"):
            client.deployments.create({**BODY, "name": name}, ctx)

        assert proxy.count("POST /deployments") == 1
        assert client.deployments.get(name, ctx).name == name

    @pytest.mark.parametrize("do", FAULTS)
    def test_a_read_is_repeated(
        self,
        broken: Callable[..., FaultProxy],
        connect: Callable[..., JigClient],
        ctx: Deadline,
        do: str,
    ) -> None:
        """What only reads is asked again until it is answered."""
        proxy = broken({"on": "GET /deployments", "nth": 1, "do": do})

        connect(proxy.url).deployments.list(ctx)

        assert proxy.count("GET /deployments") == 2

    @pytest.mark.parametrize("do", ["reset-after-forward", "close-after-forward"])
    def test_a_change_and_a_deletion_are_repeated(
        self,
        broken: Callable[..., FaultProxy],
        connect: Callable[..., JigClient],
        ctx: Deadline,
        do: str,
    ) -> None:
        """The same body twice is the same change; a second deletion finds nothing."""
        proxy = broken(
            {"on": "PATCH /deployments/*", "nth": 1, "do": do},
            {"on": "DELETE /deployments/*", "nth": 1, "do": do},
        )
        client, name = connect(proxy.url), f"twice-{do}"
        client.deployments.create({**BODY, "name": name}, ctx)

        changed = client.deployments.update(name, {"description": "new"}, ctx)
        with pytest.raises(NotFoundError) as caught:
            client.deployments.delete(name, ctx)

        assert changed.description == "new"
        assert proxy.count("PATCH *") == 2
        assert "An earlier attempt may have taken effect." in caught.value.message

    def test_a_new_version_of_a_volume_is_asked_for_once(
        self,
        broken: Callable[..., FaultProxy],
        connect: Callable[..., JigClient],
        ctx: Deadline,
    ) -> None:
        """Each content that arrives makes a version, so who asked has to look first."""
        where = "PATCH /deployments/storage/volumes/*"
        proxy = broken({"on": where, "nth": 1, "do": "reset-after-forward"})
        client = connect(proxy.url)
        content = {"type": "files", "source_prefix": "models/llm/1"}
        client.volumes.create(
            {"name": "once", "type": "readOnly", "content": content}, ctx
        )

        with pytest.raises(OutcomeUnknownError):
            client.volumes.update("once", {"content": content}, ctx)

        assert client.volumes.get("once", ctx).current_version == 1
        assert client.volumes.update("once", {"type": "readOnly"}, ctx).name == "once"

    def test_a_change_that_may_have_been_made_is_never_called_unsent(
        self, clock: FakeClock, ctx: Deadline
    ) -> None:
        """A lost answer and then a refused connection is an ambiguous end."""

        class Transport:
            sent = True

            def send(self, *_: object) -> Response:
                sent, self.sent = self.sent, False
                raise TransportError("the wire broke", sent=sent)

            def close(self) -> None:
                pass

        client = JigClient(Settings(api_key="k"), transport=Transport())

        with pytest.raises(OutcomeUnknownError) as caught:
            client.deployments.update("llm", {"cpu": 1}, ctx)

        assert caught.value.message.endswith(
            "An earlier attempt may have taken effect."
        )
        assert caught.value.method == "PATCH"
        assert caught.value.uncertain

    def test_a_request_that_never_reached_the_server_but_might_have(
        self, broken: Callable[..., FaultProxy], connect: Callable[..., JigClient]
    ) -> None:
        """From here a reset before and after the server acted look alike."""
        proxy = broken({"on": "POST *", "do": "reset-before-forward"})

        with pytest.raises(OutcomeUnknownError, match="was reset"):
            connect(proxy.url).deployments.create(BODY, Deadline(20))

        assert proxy.count("POST *", forwarded=True) == 0


class TestBudget:
    def test_threads_share_one_budget(self, clock: FakeClock) -> None:
        """Case T12: 64 threads against a dead service stay within the budget."""
        # Threads that share a clock that jumps would each let the others' time pass,
        # so each has a clock of its own and the budget's stands still.
        calls: list[str] = []
        frozen = FakeClock()

        class Dead:
            def send(self, *_: object) -> Response:
                calls.append("x")
                return Response(status=503)

            def close(self) -> None:
                pass

        client = JigClient(
            Settings(api_key="k"), transport=Dead(), budget=RetryBudget(clock=frozen)
        )

        def operate() -> None:
            own = FakeClock()
            with pytest.raises(ServerError):
                client.deployments.list(Deadline(20, clock=own, sleep=own.sleep))

        threads = [threading.Thread(target=operate) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        # 64 first attempts; retries: what may be made at once, and what comes back
        # within the 20 s of the operation.
        assert 64 < len(calls) <= 64 + BUDGET + 20 * BUDGET_RATE

    def test_whoever_finds_it_empty_waits_for_a_turn(self, clock: FakeClock) -> None:
        """Two at once, then one every half second, in the order of asking."""
        budget = RetryBudget(2, 2.0, clock=clock)

        assert [budget.reserve() for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]

    def test_tokens_come_back_with_time_up_to_the_capacity(
        self, clock: FakeClock
    ) -> None:
        """A quiet hour does not allow a storm after it."""
        budget = RetryBudget(2, 2.0, clock=clock)
        budget.reserve()
        clock.now += 3600

        assert [budget.reserve() for _ in range(3)] == [0, 0, 0.5]

    def test_a_turn_that_is_not_taken_is_given_back(self, clock: FakeClock) -> None:
        """Whoever gives up at the deadline leaves the token to others."""
        budget = RetryBudget(1, 1.0, clock=clock)
        budget.reserve()
        budget.refund()
        budget.refund()

        assert [budget.reserve(), budget.reserve()] == [0, 1.0]

    def test_an_empty_budget_delays_a_retry(
        self, connect: Callable[..., JigClient], clock: FakeClock, ctx: Deadline
    ) -> None:
        """The wait of a request is the longer of its own and the budget's."""
        budget = RetryBudget(1, 0.1, clock=clock)
        with Scripted(Say(500), Say(500), OK, clock=clock) as server:
            connect(server.url, budget=budget).deployments.get("llm", ctx)

            assert server.waits == pytest.approx([0.5, 9.5])

    def test_who_gives_up_leaves_its_turn_to_others(
        self, connect: Callable[..., JigClient], clock: FakeClock, ctx: Deadline
    ) -> None:
        """An attempt that the deadline forbids costs the others nothing."""
        budget = RetryBudget(1, 0.001, clock=clock)
        with Scripted(Say(500), Say(500), OK, clock=clock) as server:
            client = connect(server.url, budget=budget)
            with pytest.raises(ServerError):
                client.deployments.get("llm", ctx.limited_to(0.1))
            client.deployments.get("llm", ctx)

            assert server.waits[1] == pytest.approx(0.5)


class TestEngineGone:
    @pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
    def test_nothing_is_changed_for_nobody(
        self, connect: Callable[..., JigClient], method: str
    ) -> None:
        """Cases R14, T15: a plugin that outlived its engine sends no change."""
        with Scripted() as server:
            with pytest.raises(
                EngineDisconnectedError, match=f"before sending {method}"
            ):
                send(
                    connect(server.url),
                    method,
                    Deadline(20, engine_alive=lambda: False),
                )

            assert server.seen == []

    def test_retries_stop_when_the_engine_goes(
        self, connect: Callable[..., JigClient], clock: FakeClock
    ) -> None:
        """Case T15: a retry that waits does not outlive whoever asked."""
        with Scripted(Say(429, {}, {"Retry-After": "100"}), OK) as server:
            ctx = Deadline(
                300,
                clock=clock,
                sleep=clock.sleep,
                engine_alive=lambda: clock.now < 1005,
            )
            with pytest.raises(EngineDisconnectedError):
                send(connect(server.url), "GET", ctx)

            assert len(server.seen) == 1
        assert clock.now <= 1006

    def test_a_post_that_waited_is_not_sent_for_nobody(
        self, connect: Callable[..., JigClient], clock: FakeClock
    ) -> None:
        """The engine is asked for before each attempt, not only before the first."""
        alive = [True]

        def throttle(_: Any) -> Say:
            alive[0] = False
            return Say(429, {}, {"retry-after-ms": "1"})

        with Scripted(throttle, OK) as server:
            ctx = Deadline(
                300, clock=clock, sleep=clock.sleep, engine_alive=lambda: alive[0]
            )
            with pytest.raises(EngineDisconnectedError):
                send(connect(server.url), "POST", ctx)

            assert len(server.seen) == 1


def test_stale_connections_are_told_from_fresh_ones(
    connect: Callable[..., JigClient],
) -> None:
    """Case T13: a server that closes after each answer loses a POST, never a read."""

    def serve(sock: Any) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        # The second request on this connection is read, and then it is closed.
        read_head(sock)

    with RawServer(serve) as server:
        client = connect(server.url)
        client.deployments.list(Deadline(20))
        with pytest.raises(OutcomeUnknownError):
            client.deployments.create({"name": "llm"}, Deadline(20))
        client.deployments.list(Deadline(20))
        client.deployments.list(Deadline(20))

    assert server.connections == 3


def test_a_connection_that_the_server_closed_is_not_used(
    connect: Callable[..., JigClient],
) -> None:
    """Case T13: a POST after an idle while opens a new connection, and is not lost."""
    closed = threading.Event()

    def serve(sock: Any) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    with RawServer(serve) as server:
        client = connect(server.url)
        client.deployments.list(Deadline(20))
        closed.wait(20)
        client.deployments.create({}, Deadline(20))

    assert server.connections == 2


def test_other_exceptions_are_not_ours_to_repeat(
    connect: Callable[..., JigClient], ctx: Deadline
) -> None:
    """Whatever is not a failed attempt passes through at once."""

    class Transport:
        def send(self, *_: object) -> Response:
            raise KeyboardInterrupt

        def close(self) -> None:
            pass

    with pytest.raises(KeyboardInterrupt):
        JigClient(Settings(api_key="k"), transport=Transport()).deployments.list(ctx)


def test_transport_errors_know_their_request(
    connect: Callable[..., JigClient], ctx: Deadline
) -> None:
    """Method and path are attributes, so that nobody has to read the message."""
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(RequestError) as caught:
        connect(url).secrets.delete("a/b", ctx.limited_to(0.1))

    expected = ("DELETE", "/v1/deployments/secrets/a%2Fb")
    assert (caught.value.method, caught.value.path) == expected
