"""HTTP itself: who is answered, on which paths, in which shape."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from pulumi_jig.emulator import EmulatorServer


def raw(url, text):
    """Send bytes as they are and return all that comes back until it closes."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as s:
        s.sendall(text)
        found = b""
        while piece := s.recv(65536):
            found += piece
    return found


def test_whoami_tells_the_account_and_not_the_key(api):
    """Two keys of one account have one project, and the key is nowhere."""
    first = api.ok("GET", "/v3/whoami")
    second = type(api)(api.url, "acct:home:canary-4711").ok("GET", "/v1/whoami")

    assert first["project"] == second["project"]
    assert first["api_key"] != second["api_key"]
    assert "canary" not in repr(second)
    assert ("project_api_key", "proj_home") == (first["type"], first["project"]["id"])


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_every_path_is_served_with_and_without_its_version(api, prefix):
    """Base URLs are written both ways."""
    api.create()

    for path in (
        "/deployments",
        "/deployments/demo-app",
        "/deployments/demo-app/logs",
        "/deployments/demo-app/revisions",
        "/deployments/secrets",
        "/deployments/storage/volumes",
        "/image-repositories/base-path",
        "/whoami",
    ):
        assert 200 == api.send("GET", prefix + path).status, path
    assert 200 == api.send("POST", prefix + "/deployments/prewarm", {}).status


def test_the_registry_is_that_of_the_account(api):
    """The vendor's client strips the protocol from it."""
    assert {"base-path": "https://registry.together.ai/proj_home"} == api.ok(
        "GET", "/v1/image-repositories/base-path"
    )


def test_prewarm_is_no_reserved_name(api):
    """A deployment may be called so and is reached all the same."""
    api.create("prewarm")

    assert "prewarm" == api.get("prewarm")["name"]
    assert {} == api.ok("POST", "/v1/deployments/prewarm", {"images": []})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1", 404),
        ("GET", "/v2/deployments", 404),
        ("GET", "/v3/deployments", 404),
        ("GET", "/v1/deployments/a/b/c", 404),
        ("GET", "/v1/queue/status", 404),
        ("GET", "/v1/deployments/storage/some-file", 404),
        ("PUT", "/v1/deployments", 405),
        ("HEAD", "/v1/deployments", 405),
        ("OPTIONS", "/v1/deployments/demo-app", 405),
        ("DELETE", "/v1/deployments/secrets", 405),
        ("BREW", "/v1/deployments", 405),
        ("GET", "/v1/deployments/%ff", 400),
    ],
)
def test_what_is_not_served_is_refused(api, method, path, status):
    """Unknown paths are 404, methods 405, undecodable names 400."""
    assert status == api.send(method, path).status


def test_a_405_says_what_is_possible(api):
    """The Allow header lists the methods."""
    answer = api.send("PUT", "/v1/deployments")

    assert "GET, POST" == answer.headers["allow"]


@pytest.mark.parametrize(
    "body", ["{", "[]", '"text"', "1", b"\xff\xfe", "[" * 100_000, '{"a": NaN}']
)
def test_a_body_that_is_no_json_object_is_400(api, body):
    """One sentence, not a failure of the server."""
    status, message = api.refused("POST", "/v1/deployments", body)

    assert (400, True) == (status, message.startswith("the body"))


def test_a_lone_surrogate_is_refused(api):
    """Text that cannot be written again as UTF-8 is no text."""
    body = '{"name": "demo-app", "image": "r/a", "gpu_type": "none", '
    body += '"description": "\\ud800"}'

    assert 400 == api.refused("POST", "/v1/deployments", body)[0]


@pytest.mark.parametrize(
    "host", ["example.com", "127.0.0.1.example.com", "localhost.evil:80", "10.0.0.1"]
)
def test_a_foreign_host_header_is_refused(api, host):
    """A page that points its own name at loopback gets nothing, key or no key."""
    answer = api.send("GET", "/v1/deployments", headers={"Host": host})

    assert (403, "foreign_host") == (answer.status, answer.body["error"]["code"])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
def test_loopback_names_are_answered(api, host):
    """With a port or without."""
    assert 200 == api.send("GET", "/v1/deployments", headers={"Host": host}).status


@pytest.mark.parametrize(
    "lines",
    [
        b"GET /v1/whoami HTTP/1.1\r\n\r\n",
        b"GET http://example.com/v1/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\n\r\n",
    ],
)
def test_a_host_that_is_missing_or_contradicted_is_refused(server, lines):
    """No Host, a foreign one in the target, or a second foreign one."""
    assert raw(server.url, lines).startswith(b"HTTP/1.1 403 ")


def test_a_target_that_names_our_own_host_is_answered(server):
    """A client that takes the server for a proxy sends such a target."""
    text = b"GET http://localhost/v1/whoami HTTP/1.1\r\nHost: localhost\r\n"
    text += b"Authorization: Bearer k\r\nConnection: close\r\n\r\n"

    assert raw(server.url, text).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: x", 400),
        (
            b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1\r\nContent-Length: 2",
            400,
        ),
        (
            b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: gzip",
            501,
        ),
        (
            b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\nContent-Length: 3",
            400,
        ),
        (
            b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
        (
            b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
            413,
        ),
        (
            b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 99999999",
            413,
        ),
    ],
)
def test_a_broken_request_is_refused_in_the_services_shape(server, lines, status):
    """Even what is no HTTP gets a JSON error, and the connection is closed."""
    text = raw(server.url, lines.removesuffix(b"\r\n\r\n") + b"\r\n\r\n")

    head, _, body = text.partition(b"\r\n\r\n")
    assert status == int(head.split()[1])
    assert {"error"} == set(json.loads(body))


def test_a_connection_serves_many_requests(server):
    """Connections are kept open, answers and refusals alike."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    sockets = set()
    for path in ("/v1/whoami", "/nowhere", "/v1/deployments"):
        connection.request("GET", path, headers={"Authorization": "Bearer k"})
        connection.getresponse().read()
        sockets.add(connection.sock)
    connection.close()

    assert 1 == len(sockets)


def test_followed_logs_are_json_lines_until_the_deployment_is_gone(clock):
    """New lines come as they are written; the stream ends with the deployment."""
    with EmulatorServer(wall=clock) as running:
        address = urlsplit(running.url)
        connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=30
        )
        headers = {"Authorization": "Bearer k"}

        def send(method, path, body=None):
            other = http.client.HTTPConnection(
                address.hostname, address.port, timeout=30
            )
            other.request(method, path, json.dumps(body), headers)
            other.getresponse().read()
            other.close()

        create = {"name": "demo-app", "image": "r/a:1", "gpu_type": "none"}
        send("POST", "/v1/deployments", create)
        connection.request(
            "GET", "/v1/deployments/demo-app/logs?follow=true", headers=headers
        )
        response = connection.getresponse()
        first = json.loads(response.readline())
        clock.pass_(30)
        second = json.loads(response.readline())
        send("DELETE", "/v1/deployments/demo-app")
        clock.pass_(30)
        rest = response.read()
        connection.close()

    assert "application/x-ndjson" == response.getheader("content-type")
    assert ["pulling the image"] == [x.split(" ", 2)[2] for x in first["lines"]]
    assert ["container started"] == [x.split(" ", 2)[2] for x in second["lines"]]
    assert b"" == rest


def test_the_description_of_the_api_is_published(server, api):
    """OpenAPI 3.1, without a key, naming every path that is served."""
    answer = api.send("GET", "/openapi.json", headers={"Authorization": ""})

    assert (200, "3.1.0") == (answer.status, answer.body["openapi"])
    assert {
        "/deployments",
        "/deployments/{id}",
        "/deployments/{id}/logs",
        "/deployments/{id}/revisions",
        "/deployments/{id}/revisions/{revision}",
        "/deployments/{id}/rollback",
        "/deployments/secrets",
        "/deployments/secrets/{id}",
        "/deployments/storage/volumes",
        "/deployments/storage/volumes/{id}",
        "/deployments/prewarm",
        "/image-repositories/base-path",
        "/whoami",
    } == set(answer.body["paths"])


def test_a_stopped_server_ends_its_connections(clock):
    """A client that keeps a connection open sees it end, not hang."""
    with EmulatorServer(wall=clock) as running:
        address = urlsplit(running.url)
        connection = http.client.HTTPConnection(
            address.hostname, address.port, timeout=30
        )
        connection.request("GET", "/v1/whoami", headers={"Authorization": "Bearer k"})
        connection.getresponse().read()

        kept = connection.sock

    assert b"" == kept.recv(1)
    connection.close()


def test_a_client_that_asks_first_is_told_to_go_on(server):
    """The interim answer comes before the body was sent, not with the final one."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as s:
        s.sendall(
            b"POST /v1/deployments/prewarm HTTP/1.1\r\nHost: localhost\r\n"
            b"Authorization: Bearer k\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert s.recv(65536).startswith(b"HTTP/1.1 100 ")
        s.sendall(b"{}")
        assert s.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_key_that_no_text_can_hold_breaks_nothing(api, admin):
    """It is unknown, so it is ignored, and the request log can be read."""
    api.ok("POST", "/v1/deployments/prewarm", '{"\\ud800": 1}')

    assert [["?"]] == [entry["body"] for entry in admin.requests()]


BODY = {"name": "chunked-one", "image": "i:1", "gpu_type": "none"}


def test_a_body_in_chunks_is_read(server):
    """A client that does not know the length beforehand is served, again and again."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    for number in range(2):
        text = json.dumps({**BODY, "name": f"chunked-{number}"}).encode()
        connection.request(
            "POST",
            "/v1/deployments",
            body=iter([text[:5], text[5:6], text[6:]]),
            headers={"Authorization": "Bearer k"},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        assert json.loads(answer.read())["name"] == f"chunked-{number}"
    connection.close()


@pytest.mark.parametrize("chunked", [True, False])
def test_a_refusal_reaches_a_client_that_is_still_sending(server, chunked):
    """The body of a refused request is read to its end: no broken pipe, no reset."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    piece = b"x" * 1_000_000
    headers = {"Authorization": "Bearer k"}
    if not chunked:
        headers["Content-Length"] = str(20 * len(piece))
    connection.request(
        "POST",
        "/v1/deployments",
        body=iter([piece] * 20),
        headers=headers,
        encode_chunked=chunked,
    )
    answer = connection.getresponse()
    assert (413, "too_large") == (
        answer.status,
        json.loads(answer.read())["error"]["code"],
    )
    connection.close()


@pytest.mark.parametrize(
    "begun",
    [
        b"P",
        b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        b"POST /v1/deployments HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n9\r\n{",
    ],
)
def test_a_request_that_stalls_is_ended(server, monkeypatch, begun):
    """Wherever it stalls or trickles, the connection is closed and its thread is free."""
    monkeypatch.setattr("pulumi_jig.emulator.handler.REQUEST_TIMEOUT", 0.3)
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as s:
        s.sendall(begun)
        ended = threading.Event()

        def trickle():
            while not ended.wait(0.05):
                try:
                    s.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            while s.recv(4096):
                pass
        except ConnectionResetError:
            # What trickled in after the end.
            pass
        ended.set()
        thread.join()


def test_an_idle_connection_is_no_stalled_request(server, monkeypatch):
    """Between two requests a client may take its time."""
    monkeypatch.setattr("pulumi_jig.emulator.handler.REQUEST_TIMEOUT", 0.2)
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    for _ in range(2):
        connection.request("GET", "/v1/whoami", headers={"Authorization": "Bearer k"})
        assert connection.getresponse().read()
        own = connection.sock
        time.sleep(0.5)
    assert own is connection.sock
    connection.close()
