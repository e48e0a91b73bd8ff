"""What the API knows, and that every verb asks for the right thing."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from scripted import FakeClock, Say, Scripted

from pulumi_jig.client import JigClient, Request, Response, TransportError
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline
from pulumi_jig.errors import (
    APIError,
    AuthenticationError,
    ConflictError,
    InputError,
    NotFoundError,
    NotSentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

D, S, V = (
    "/v1/deployments",
    "/v1/deployments/secrets",
    "/v1/deployments/storage/volumes",
)

#: Every public verb of every noun: arguments, then what must be asked.
VERBS: list[tuple[str, str, tuple[Any, ...], str, str, Any]] = [
    ("deployments", "create", ({"a": 1},), "POST", D, {"a": 1}),
    ("deployments", "get", ("llm",), "GET", f"{D}/llm", None),
    ("deployments", "list", (), "GET", D, None),
    ("deployments", "update", ("llm", {"a": 1}), "PATCH", f"{D}/llm", {"a": 1}),
    ("deployments", "delete", ("llm",), "DELETE", f"{D}/llm", None),
    ("deployments", "logs", ("llm",), "GET", f"{D}/llm/logs", None),
    (
        "deployments",
        "revisions",
        ("llm",),
        "GET",
        f"{D}/llm/revisions?limit=100",
        None,
    ),
    ("deployments", "revision", ("llm", 3), "GET", f"{D}/llm/revisions/3", None),
    (
        "deployments",
        "rollback",
        ("llm", 3),
        "POST",
        f"{D}/llm/rollback",
        {"revision_identifier": "3"},
    ),
    ("secrets", "create", ({"a": 1},), "POST", S, {"a": 1}),
    ("secrets", "get", ("hf/key",), "GET", f"{S}/hf%2Fkey", None),
    ("secrets", "list", (), "GET", S, None),
    ("secrets", "update", ("hf.key", {"a": 1}), "PATCH", f"{S}/hf.key", {"a": 1}),
    ("secrets", "delete", ("hf",), "DELETE", f"{S}/hf", None),
    ("volumes", "create", ({"a": 1},), "POST", V, {"a": 1}),
    ("volumes", "get", ("w",), "GET", f"{V}/w", None),
    ("volumes", "list", (), "GET", V, None),
    ("volumes", "update", ("w", {"a": 1}), "PATCH", f"{V}/w", {"a": 1}),
    ("volumes", "delete", ("w",), "DELETE", f"{V}/w", None),
]


class TestVerbs:
    @pytest.mark.parametrize(
        ("noun", "verb", "args", "method", "target", "body"), VERBS
    )
    def test_each_verb_asks_for_the_right_thing(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        *,
        noun: str,
        verb: str,
        args: tuple[Any, ...],
        method: str,
        target: str,
        body: Any,
    ) -> None:
        """Method, path and body are those of the API's documents."""
        with Scripted() as server:
            getattr(getattr(connect(server.url), noun), verb)(*args, ctx)

            seen = server.seen[0]
        assert (seen.method, seen.target, seen.body) == (method, target, body)

    def test_every_verb_is_in_the_table(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """A verb that is added without a test fails here."""
        client = connect("http://127.0.0.1:1")

        found = {
            (noun, verb)
            for noun in ("deployments", "secrets", "volumes")
            for verb in dir(getattr(client, noun))
            if not verb.startswith("_")
            and callable(getattr(getattr(client, noun), verb))
        } - {(noun, "item") for noun in ("deployments", "secrets", "volumes")}

        assert found == {(noun, verb) for noun, verb, *_ in VERBS}

    def test_headers(self, connect: Callable[..., JigClient], ctx: Deadline) -> None:
        """The key goes in a header; who asks is told; a body is announced as JSON."""
        with Scripted() as server:
            client = connect(server.url)
            client.deployments.create({"name": "é"}, ctx)
            client.deployments.list(ctx)

            post, get = (seen.headers for seen in server.seen)
        assert post["authorization"] == "Bearer key-canary-0123456789abcdef"
        assert post["user-agent"].startswith("pulumi-jig/")
        assert (post["accept"], post["accept-encoding"]) == ("application/json", "gzip")
        assert (post["content-type"], "content-type" in get) == (
            "application/json",
            False,
        )

    def test_the_agent_has_no_version_where_there_is_none(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A copy that was not installed still says who it is."""
        from importlib.metadata import PackageNotFoundError

        from pulumi_jig.client import core

        def missing(_: str) -> str:
            raise PackageNotFoundError

        monkeypatch.setattr(core, "version", missing)
        # It is looked up once in a process, and another test may have been first.
        monkeypatch.setattr(core, "_user_agent", core._user_agent.__wrapped__)
        asked: list[Request] = []

        class Transport:
            def send(self, request: Request, _: float) -> Response:
                asked.append(request)
                return Response(status=200, body=b"{}")

            def close(self) -> None:
                pass

        client = JigClient(Settings(api_key="k"), transport=Transport())
        client.deployments.list(Deadline(1))

        assert asked[0].headers["User-Agent"] == "pulumi-jig"

    def test_a_prefix_of_the_address_is_kept(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case N12: a gateway's path stands before the API's."""
        with Scripted() as server:
            connect(f"{server.url}/gateway").deployments.get("llm", ctx)

            assert server.seen[0].target == "/gateway/v1/deployments/llm"


class TestNames:
    @pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\x00", "x" * 201])
    @pytest.mark.parametrize("noun", ["deployments", "secrets", "volumes"])
    def test_names_that_lead_elsewhere_are_refused(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        noun: str,
        name: str,
    ) -> None:
        """Case N11: nothing is sent for a name that would change the path."""
        with Scripted() as server:
            with pytest.raises(InputError, match="cannot be the name") as caught:
                getattr(connect(server.url), noun).delete(name, ctx)

            assert server.seen == []
        assert caught.value.faults[0][0] == "name"

    @pytest.mark.parametrize("name", ["secrets", "storage", "prewarm"])
    def test_a_deployment_cannot_be_called_like_a_path(
        self, connect: Callable[..., JigClient], ctx: Deadline, name: str
    ) -> None:
        """`DELETE /deployments/secrets` is not about a deployment."""
        with pytest.raises(InputError):
            connect("http://127.0.0.1:1").deployments.delete(name, ctx)

    @pytest.mark.parametrize(
        "name", ["a/../b", "a/b", "a?b=c", "a#b", "a%2Fb", "a b", "é", "a\\b", "a;b"]
    )
    def test_a_name_stays_one_segment(
        self, connect: Callable[..., JigClient], ctx: Deadline, name: str
    ) -> None:
        """Case N11: whatever stands in a name, the path keeps its depth."""
        from urllib.parse import unquote

        with Scripted() as server:
            connect(server.url).secrets.get(name, ctx)

            target = server.seen[0].target
        assert target.startswith(f"{S}/")
        assert target.count("/") == S.count("/") + 1
        assert unquote(target.removeprefix(f"{S}/")) == name


class TestLists:
    @pytest.mark.parametrize(
        "body",
        [
            {"object": "list", "data": [{"name": "a"}, {"name": "b"}]},
            [{"name": "a"}, {"name": "b"}],
            {"data": [{"name": "a"}, None, 17, {"name": "b"}]},
        ],
    )
    def test_a_list_is_read_in_every_form(
        self, connect: Callable[..., JigClient], ctx: Deadline, body: Any
    ) -> None:
        """Case V4: bare or wrapped, and what is not a thing is left out."""
        with Scripted(Say(200, body)) as server:
            found = connect(server.url).secrets.list(ctx)

        assert [item.name for item in found] == ["a", "b"]

    @pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {"a": 1}}])
    def test_a_list_without_things_is_empty(
        self, connect: Callable[..., JigClient], ctx: Deadline, body: Any
    ) -> None:
        """Case V4: a list that is missing is no reason to fail."""
        with Scripted(Say(200, body)) as server:
            assert connect(server.url).volumes.list(ctx) == []

    def test_one_thing_may_be_wrapped(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case V4: an answer in an envelope is opened; a list is not a thing."""
        with Scripted(Say(200, {"data": {"name": "a"}}), Say(200, [])) as server:
            client = connect(server.url)

            names = [client.deployments.get("a", ctx).name for _ in range(2)]
        assert names == ["a", None]


class TestLogs:
    @pytest.mark.parametrize(
        ("body", "lines"),
        [
            ({"lines": ["a", "b"]}, ["a", "b"]),
            ({"lines": ["x" * 300_000]}, ["x" * 300_000]),
            (["a"], ["a"]),
            ({"lines": [1, {"m": 2}]}, ["1", "{'m': 2}"]),
            ({"lines": None}, []),
            ({}, []),
        ],
    )
    def test_lines_are_read_in_every_form(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        body: Any,
        lines: list[str],
    ) -> None:
        """Peers' bug 54: a very long line, or a strange one, ends nothing."""
        with Scripted(Say(200, body)) as server:
            assert connect(server.url).deployments.logs("llm", ctx) == lines

    def test_filters_are_sent(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Replica, revision and version narrow the logs; what is unset is not sent."""
        with Scripted() as server:
            connect(server.url).deployments.logs(
                "llm", ctx, replica_id="r/1", version="v2"
            )

            target = server.seen[0].target
        assert target == f"{D}/llm/logs?replica_id=r%2F1&version=v2"


def history(*, total: int, stuck: bool = False) -> Callable[[Any], Say]:
    """A server with so many events, newest first."""

    def page(seen: Any) -> Say:
        query = dict(p.split("=") for p in seen.target.partition("?")[2].split("&"))
        before = total + 1 if stuck else int(query.get("before", total + 1))
        numbers = range(before - 1, 0, -1)[: int(query["limit"])]
        return Say(200, {"data": [{"event_number": n} for n in numbers]})

    return page


class TestRevisions:
    @pytest.mark.parametrize(
        ("total", "limit", "found", "requests"),
        [
            (0, None, 0, 1),
            (99, None, 99, 1),
            (100, None, 100, 2),
            (250, None, 250, 3),
            (250, 1, 1, 1),
            (250, 150, 150, 2),
            (5, 10, 5, 1),
        ],
    )
    def test_all_pages_are_read(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        *,
        total: int,
        limit: int | None,
        found: int,
        requests: int,
    ) -> None:
        """Peers' bug 52: the history does not end at the first page."""
        with Scripted(history(total=total)) as server:
            events = connect(server.url).deployments.revisions("llm", ctx, limit=limit)

            assert len(server.seen) == requests
        assert [e.event_number for e in events] == list(range(total, 0, -1))[:found]

    def test_a_server_that_repeats_itself_is_not_asked_for_ever(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A page that does not go back is the last one."""
        with Scripted(history(total=150, stuck=True)) as server:
            connect(server.url).deployments.revisions("llm", ctx)

            assert len(server.seen) == 2

    def test_events_without_numbers_end_the_history(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Without event numbers there is no next page to ask for."""
        with Scripted(Say(200, {"data": [{"action": "create"}] * 100})) as server:
            events = connect(server.url).deployments.revisions("llm", ctx)

        assert len(events) == 100


ORGANIZATION = {"id": "org_1", "name": "Acme"}
PROJECT = {"id": "proj_2", "name": "ml", "slug": "ml"}


class TestWhoami:
    @pytest.mark.parametrize(
        ("body", "who"),
        [
            (
                {
                    "type": "project_api_key",
                    "api_key": {"id": "key_3"},
                    "organization": ORGANIZATION,
                    "project": PROJECT,
                },
                "org_1/proj_2",
            ),
            ({"type": "org_api_key", "organization": ORGANIZATION}, "org_1"),
            ({"project": PROJECT}, "proj_2"),
            ({"project": "proj_2"}, "proj_2"),
            ({"type": "user_jwt", "user": {"id": "u_4"}}, "u_4"),
            ({"account": {"id": 5}}, "5"),
            ({"id": "x"}, "x"),
            ({"api_key": {"id": "key_3"}}, None),
            ({}, None),
            ([], None),
        ],
    )
    def test_the_account_is_read_from_every_kind_of_key(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        body: Any,
        who: str | None,
    ) -> None:
        """The key's own id is not the account: another key may have the same one."""
        with Scripted(Say(200, body)) as server:
            assert connect(server.url).whoami(ctx) == who

            assert server.seen[0].target == "/v3/whoami"

    @pytest.mark.parametrize("status", [404, 405, 501])
    def test_a_server_that_does_not_say_is_not_asked_again(
        self, connect: Callable[..., JigClient], ctx: Deadline, status: int
    ) -> None:
        """An older service has no such path; then nobody knows."""
        with Scripted(Say(status, {}, {"x-should-retry": "false"})) as server:
            client = connect(server.url)

            assert [client.whoami(ctx), client.whoami(ctx)] == [None, None]
            assert len(server.seen) == 1

    def test_it_is_asked_once_for_all_threads(
        self, connect: Callable[..., JigClient]
    ) -> None:
        """64 operations that begin at once ask one question."""
        with Scripted(Say(200, {"id": "x"})) as server:
            client = connect(server.url)
            threads = [
                threading.Thread(target=client.whoami, args=(Deadline(30),))
                for _ in range(64)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert len(server.seen) == 1

    def test_a_rejected_key_is_an_error_each_time(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Only an answer is remembered, never a failure."""
        with Scripted(Say(401), Say(200, {"id": "x"})) as server:
            client = connect(server.url)
            with pytest.raises(AuthenticationError):
                client.whoami(ctx)

            assert client.whoami(ctx) == "x"

    def test_nobody_waits_longer_than_the_deadline_for_another_thread(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A thread that hangs in the question does not hold the others."""
        gate, arrived = threading.Event(), threading.Event()

        def slow(_: Any) -> Say:
            arrived.set()
            gate.wait(60)
            return Say(200, {"id": "x"})

        with Scripted(slow) as server:
            client = connect(server.url)
            thread = threading.Thread(target=client.whoami, args=(Deadline(60),))
            thread.start()
            arrived.wait(30)
            with pytest.raises(NotSentError, match="another thread"):
                client.whoami(Deadline(0.05))
            gate.set()
            thread.join()


def test_a_life_against_the_emulator(
    connect: Callable[..., JigClient], emulator: str
) -> None:
    """Every verb of a deployment works against a server with the API's rules."""
    client, ctx = connect(emulator), Deadline(60)
    body = {
        "name": "client-life",
        "image": "registry.together.ai/p/llm:1",
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "environment_variables": [{"name": "A", "value": "1"}],
    }

    made = client.deployments.create(body, ctx)
    with pytest.raises(ConflictError):
        client.deployments.create(body, ctx)
    changed = client.deployments.update("client-life", {"gpu_count": 2}, ctx)
    by_id = client.deployments.get(str(made.id), ctx)
    listed = [item.name for item in client.deployments.list(ctx)]
    client.deployments.delete(str(made.id), ctx)
    with pytest.raises(NotFoundError) as caught:
        client.deployments.get("client-life", ctx)

    assert made.name == "client-life"
    assert (changed.gpu_count, by_id.id) == (2, made.id)
    assert changed.revision_id != made.revision_id
    assert "client-life" in listed
    assert caught.value.from_api is True
    assert isinstance(client.whoami(ctx), str)


def test_making_ready_loads_no_http_library() -> None:
    """httpx and tenacity are loaded when something is sent, not by an import."""
    code = (
        "import sys, pulumi_jig.client\n"
        "print([m for m in ('httpx', 'httpcore', 'tenacity', 'ssl', 'pulumi') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_wire_of_ones_own_needs_no_network(clock: FakeClock) -> None:
    """The seam below the rules takes anything that sends: here, a dictionary."""

    class Transport:
        def send(self, request: Request, timeout: float) -> Response:
            if request.method == "DELETE":
                raise TransportError("unplugged", sent=False, retryable=False)
            assert timeout == 60
            return Response(status=409, body=b'{"error": "taken"}')

        def close(self) -> None:
            pass

    client = JigClient(Settings(api_key="k"), transport=Transport())
    ctx = Deadline(300, clock=clock, sleep=clock.sleep)

    with pytest.raises(APIError, match="taken"):
        client.deployments.list(ctx)
    with pytest.raises(NotSentError, match="was not sent: unplugged"):
        client.deployments.delete("llm", ctx)
    client.close()
