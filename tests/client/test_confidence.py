"""What was sent in confidence is in nothing that is said (cases S1, S4, S5)."""

from __future__ import annotations

import base64
import html
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from scripted import RawServer, Say, Scripted, read_head

from pulumi_jig.client.transport import Request, Response
from pulumi_jig.errors import APIError, JigError
from pulumi_jig.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline

KEY = "key-canary-0123456789abcdef"
VALUE = 'env-canary "quoted" <tag> é\nsecond-canary-line'
CANARIES = ("key-canary", "env-canary", "second-canary", "secret-canary")
BODY = {
    "name": "llm",
    "environment_variables": [
        {"name": "A", "value": VALUE},
        {"name": "B", "value_from_secret": "hf"},
        {"name": "C", "value": "xy"},
    ],
}


def everything(error: JigError, log: pytest.LogCaptureFixture) -> str:
    """All that anybody could get to see of a failure."""
    facts = [str(value) for value in vars(error).values()]
    trace = "".join(traceback.format_exception(error))
    return "\n".join([str(error), repr(error), trace, log.text, *facts])


#: How a server may quote what it was sent.
QUOTED = {
    "whole": VALUE,
    "in a dump of the body": json.dumps(BODY),
    "in a dump with its own letters": json.dumps(BODY, ensure_ascii=False),
    "dumped twice": json.dumps(json.dumps(BODY)),
    "as Python writes it": repr(BODY),
    "in a page": html.escape(VALUE),
    "in a form": quote(VALUE, safe=""),
    "in base 64": base64.b64encode(VALUE.encode()).decode(),
    "cut short": VALUE[:14],
    "by lines": "line 1: second-canary-line",
    "with the key": f"bad header Authorization: Bearer {KEY}",
    "the key cut short": f"unknown key {KEY[:12]}...",
}


class TestRefusals:
    @pytest.mark.parametrize("quoted", QUOTED.values(), ids=QUOTED.keys())
    @pytest.mark.parametrize(
        "shape",
        [
            lambda text: {"error": text},
            lambda text: {"error": {"message": text, "code": text, "param": text}},
            lambda text: {"message": text, "request_id": text},
            lambda text: {"environment_variables": text},
            lambda text: text,
            lambda text: f"<html><title>{text}</title></html>",
        ],
        ids=["error", "object", "flat", "map", "text", "page"],
    )
    def test_a_quotation_of_the_request_is_redacted(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        caplog: pytest.LogCaptureFixture,
        shape: Callable[[str], Any],
        quoted: str,
    ) -> None:
        """Case S4: however a 400 quotes the request, no value gets through."""
        caplog.set_level(logging.DEBUG)
        server = Scripted(Say(400, shape(quoted)))

        with server, pytest.raises(APIError) as caught:
            connect(server.url).deployments.create(BODY, ctx)

        said = everything(caught.value, caplog)
        assert [canary for canary in CANARIES if canary in said] == []

    @pytest.mark.parametrize("status", [200, 302, 401, 404, 409, 429, 500])
    def test_no_status_repeats_it(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        caplog: pytest.LogCaptureFixture,
        status: int,
    ) -> None:
        """Case S1, peers' bug 51: pages, redirects and headers are no way around it."""
        caplog.set_level(logging.DEBUG)
        page = f"<title>{KEY}</title>{KEY} env-canary {VALUE}"
        headers = {
            "Location": f"https://other.example/?key={KEY}",
            "X-Request-Id": KEY,
        }
        server = Scripted(Say(status, page, headers))

        with server, pytest.raises(JigError) as caught:
            connect(server.url).deployments.create(BODY, ctx.limited_to(1))

        said = everything(caught.value, caplog)
        assert [canary for canary in CANARIES if canary in said] == []

    def test_the_value_of_a_secret_is_one(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Case S4: creating a secret that is refused does not show it."""
        caplog.set_level(logging.DEBUG)
        body = {"value": "secret-canary-1"}
        server = Scripted(Say(400, {"error": f"bad value {body['value']}"}))

        with server, pytest.raises(APIError) as caught:
            connect(server.url).secrets.create(body, ctx)

        assert "secret-canary" not in everything(caught.value, caplog)
        assert f"bad value {REDACTED}" in caught.value.message

    def test_a_broken_answer_does_not_repeat_it(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Case S1: what no HTTP library can read is not quoted."""
        caplog.set_level(logging.DEBUG)

        def serve(sock: Any) -> None:
            # The whole request comes back as if it were an answer.
            sock.sendall(read_head(sock))

        with RawServer(serve) as server, pytest.raises(JigError) as caught:
            connect(server.url).deployments.create(BODY, ctx)

        said = str(caught.value) + "".join(traceback.format_exception(caught.value))
        assert [canary for canary in CANARIES if canary in said] == []
        assert [canary for canary in CANARIES if canary in caplog.text] == []

    def test_a_body_that_is_not_json_is_not_quoted(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case S1: the error about a lone surrogate does not hold its value."""
        body = {"value": "secret-canary\ud800"}

        with pytest.raises(JigError) as caught:
            connect("http://127.0.0.1:1").secrets.create(body, ctx)

        trace = "".join(traceback.format_exception(caught.value))
        assert "secret-canary" not in trace


class TestRepresentations:
    def test_nothing_shows_the_key(self, connect: Callable[..., JigClient]) -> None:
        """Case S5: client, settings and parts of the wire have a safe repr."""
        client = connect("http://127.0.0.1:1")
        request = Request(
            method="POST",
            path="/",
            headers={"Authorization": f"Bearer {KEY}"},
            body=KEY.encode(),
        )

        shown = [repr(x) for x in (client, client.settings, client._transport, request)]
        shown.append(repr(Response(status=200, body=KEY.encode())))

        assert [text for text in shown if KEY in text] == []
        assert repr(client) == "JigClient(http://127.0.0.1:1)"
