"""What an answer means: every body of a refusal that is known, and what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scripted import Say, Scripted

from pulumi_jig.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InputError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline

PAGE = "<!doctype html>\n<html><head><title>\n 502 Bad\n Gateway</title></head></html>"


@pytest.fixture
def refuse(connect: Callable[..., JigClient], ctx: Deadline) -> Callable[..., Any]:
    """POST to a server that answers so, and return the error."""

    def ask(
        status: int, body: Any = "", headers: dict[str, str] | None = None, **sent: Any
    ) -> APIError:
        with Scripted(Say(status, body, headers or {})) as server:
            client = connect(server.url)
            with pytest.raises(APIError) as caught:
                client.deployments.create({"name": "llm", **sent}, ctx)
        # The short deadline of a throttled POST is not what these tests are about.
        return caught.value

    return ask


SHAPES: list[tuple[Any, str, str | None, str | None]] = [
    # body, detail, code, param
    ({"error": "no such image"}, "no such image", None, None),
    ({"error": {"message": "no such image"}}, "no such image", None, None),
    (
        {
            "error": {
                "message": "cpu is too small",
                "type": "invalid_request_error",
                "param": "cpu",
                "code": "out_of_range",
            }
        },
        "cpu is too small",
        "out_of_range",
        "cpu",
    ),
    (
        {"error": {"message": "bad", "type": "invalid", "param": None, "code": None}},
        "bad",
        "invalid",
        None,
    ),
    (
        {"message": "bad", "code": "c1", "type": "t", "param": "image"},
        "bad",
        "c1",
        "image",
    ),
    ({"message": "bad"}, "bad", None, None),
    ({"detail": "bad"}, "bad", None, None),
    ({"error": "slug", "message": "long words"}, "slug", None, None),
    (
        {"name": "is too short", "cpu": "is required"},
        "name: is too short; cpu: is required",
        None,
        None,
    ),
    ({"error": {"code": 17}}, "", "17", None),
    ({"error": {"code": True}}, "", None, None),
    ({"error": None}, "", None, None),
    ({"error": ["a", "b"]}, "", None, None),
    ({"message": {"en": "bad"}}, "", None, None),
    ([{"message": "bad"}], "bad", None, None),
    ([], "", None, None),
    ({}, "", None, None),
    ("bad request", "bad request", None, None),
    (PAGE, "", None, None),
    ("", "", None, None),
    ("null", "null", None, None),
    (b"\xff\xfe broken", "\ufffd\ufffd broken", None, None),
]


class TestShapes:
    @pytest.mark.parametrize(("body", "detail", "code", "param"), SHAPES)
    def test_every_known_shape_is_read(
        self,
        refuse: Callable[..., APIError],
        body: Any,
        detail: str,
        code: str | None,
        param: str | None,
    ) -> None:
        """The service's own words are found in each shape, and nothing is invented."""
        error = refuse(400, body)

        assert (error.detail, error.code, error.param) == (detail, code, param)
        assert detail.rstrip(".") in error.message
        assert isinstance(error, BadRequestError)

    def test_the_message_ends_with_what_support_asks_for(
        self, refuse: Callable[..., APIError]
    ) -> None:
        """Status, code and request id stand at the end of one sentence."""
        error = refuse(
            422,
            {"error": {"message": "Bad cpu.", "code": "range"}},
            {"X-Request-Id": "req-7"},
        )

        expected = (
            "The service refused POST /v1/deployments: Bad cpu "
            "(status 422, code range, request id req-7)."
        )
        assert error.message == expected
        assert (error.status, error.request_id) == (422, "req-7")

    def test_long_words_are_shortened(self, refuse: Callable[..., APIError]) -> None:
        """A body of a megabyte does not fill the screen, nor do control characters."""
        error = refuse(400, {"error": "x\x1b[31m\n" + "word " * 100_000})

        assert len(error.detail) <= 300
        assert error.detail.startswith("x [31m word")
        assert error.detail.endswith("…")


class TestClasses:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, BadRequestError),
            (401, AuthenticationError),
            (402, BadRequestError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (408, BadRequestError),
            (409, ConflictError),
            (418, BadRequestError),
            (422, BadRequestError),
            (500, ServerError),
            (502, ServerError),
            (599, ServerError),
        ],
    )
    def test_statuses_have_their_class(
        self, refuse: Callable[..., APIError], status: int, kind: type[APIError]
    ) -> None:
        """Each status that a caller handles has a class of its own."""
        assert type(refuse(status, {"error": "no"})) is kind

    @pytest.mark.parametrize("status", [400, 409, 422, 500])
    @pytest.mark.parametrize(
        "words", ["Deployment llm already exists", "name must be unique"]
    )
    def test_a_taken_name_is_told_by_the_text(
        self, refuse: Callable[..., APIError], status: int, words: str
    ) -> None:
        """Case R8: whatever the status, "already exists" is a conflict."""
        assert type(refuse(status, {"error": words})) is ConflictError

    def test_a_taken_name_is_seen_at_the_end_of_long_words(
        self, refuse: Callable[..., APIError]
    ) -> None:
        """The text is read before it is shortened."""
        error = refuse(400, {"error": "so sorry " * 60 + "it already exists"})

        assert type(error) is ConflictError

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_words_do_not_make_a_conflict_of_another_refusal(
        self, refuse: Callable[..., APIError], status: int
    ) -> None:
        """A rejected key stays a rejected key, whatever the sentence says."""
        assert type(refuse(status, {"error": "already exists"})) is not ConflictError

    def test_another_field_that_must_be_unique_is_no_conflict(
        self, refuse: Callable[..., APIError]
    ) -> None:
        """Duplicate variables are a fault of the request, not a taken name."""
        body = {"error": {"message": "names must be unique", "param": "volumes"}}

        assert type(refuse(400, body)) is BadRequestError

    @pytest.mark.parametrize(
        ("source", "name"),
        [("environment", "TOGETHER_API_KEY"), ("config", "jig:apiKey")],
    )
    @pytest.mark.parametrize("status", [401, 403])
    def test_a_rejected_key_names_its_setting(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        source: str,
        name: str,
        status: int,
    ) -> None:
        """The message says where the key came from that has to be replaced."""
        with Scripted(Say(status, {"error": "no"})) as server:
            client = connect(server.url, key_source=source)
            with pytest.raises(APIError, match=name):
                client.deployments.list(ctx)

    def test_throttling_that_does_not_end(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """429 up to the deadline is an error of its own class."""
        slow = Scripted(Say(429, {"error": "slow down"}))

        with slow as server, pytest.raises(RateLimitError, match="slow down"):
            connect(server.url).deployments.list(ctx.limited_to(5))


class TestDefinitive:
    @pytest.mark.parametrize("body", [{}, {"error": {"message": "not found"}}])
    def test_the_services_own_404_is_proof(
        self, refuse: Callable[..., APIError], body: Any
    ) -> None:
        """A JSON object, an empty one too, is the service's own word."""
        assert refuse(404, body).from_api is True

    @pytest.mark.parametrize("body", [PAGE, "not found", "", "[]", "null", b"\xff"])
    def test_anything_else_proves_nothing(
        self, refuse: Callable[..., APIError], body: Any
    ) -> None:
        """Case L5: a 404 of a proxy or a captive portal deletes nothing."""
        assert refuse(404, body).from_api is False

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (PAGE, 'a web page ("502 Bad Gateway")'),
            ("<p>gone</p>", "a web page"),
            ("gone", "some other text"),
            ("", "empty"),
        ],
    )
    def test_a_page_is_called_a_page(
        self, refuse: Callable[..., APIError], body: str, words: str
    ) -> None:
        """The message says what came instead, and which setting to check."""
        message = refuse(404, body).message

        assert words in message
        assert "TOGETHER_BASE_URL" in message


class TestAccepted:
    @pytest.mark.parametrize("status", [200, 201, 202, 299])
    def test_every_success_counts(
        self, connect: Callable[..., JigClient], ctx: Deadline, status: int
    ) -> None:
        """Case R11, peers' bug 49: 201 and 202 are as good as 200."""
        with Scripted(Say(status, {"name": "llm", "id": "d1"})) as server:
            made = connect(server.url).deployments.create({"name": "llm"}, ctx)

        assert (made.id, made.name) == ("d1", "llm")

    def test_an_answer_without_an_id_is_accepted(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """Case R11: a name without an id is an accepted deployment."""
        with Scripted(Say(200, {"name": "llm", "storage": "weird"})) as server:
            made = connect(server.url).deployments.create({"name": "llm"}, ctx)

        assert (made.id, made.name) == (None, "llm")

    def test_numbers_that_are_none_do_not_reach_the_state(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """NaN, which Pulumi's state cannot hold, is read as nothing."""
        with Scripted(Say(200, '{"name": "llm", "cpu": NaN}')) as server:
            assert connect(server.url).deployments.get("llm", ctx).cpu is None

    @pytest.mark.parametrize("body", ["", {}, "  \n"])
    @pytest.mark.parametrize("status", [200, 204])
    def test_a_deletion_has_nothing_to_say(
        self,
        connect: Callable[..., JigClient],
        ctx: Deadline,
        status: int,
        body: Any,
    ) -> None:
        """An empty answer to DELETE is a success."""
        with Scripted(Say(status, "" if status == 204 else body)) as server:
            assert connect(server.url).deployments.delete("llm", ctx) is None

    @pytest.mark.parametrize(
        "body", ["", PAGE, "null", "17", "gone", b'"caf\xe9"', "[" * 100_000]
    )
    def test_a_success_that_is_not_the_apis_is_ambiguous(
        self, connect: Callable[..., JigClient], ctx: Deadline, body: Any
    ) -> None:
        """
        Case R9, peers' bug 47: an accepted POST may hide behind a page; it is not
        repeated.
        """
        with Scripted(Say(200, body)) as server:
            with pytest.raises(OutcomeUnknownError, match="may have taken effect"):
                connect(server.url).deployments.create({"name": "llm"}, ctx)

            assert len(server.seen) == 1

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(
        self, connect: Callable[..., JigClient], ctx: Deadline, status: int
    ) -> None:
        """
        Case R10, peers' bug 50: the key stays at home, and the message names the
        setting.
        """
        with Scripted() as elsewhere:
            to = {"Location": f"{elsewhere.url}/v1/deployments?token=1"}
            with Scripted(Say(status, "", to)) as server:
                with pytest.raises(OutcomeUnknownError) as caught:
                    connect(server.url).deployments.list(ctx)

                assert len(server.seen) == 1
            assert elsewhere.seen == []

        assert f"redirects to {elsewhere.url} (status" in caught.value.message
        assert "correct TOGETHER_BASE_URL" in caught.value.message

    def test_a_redirect_to_nowhere(
        self, connect: Callable[..., JigClient], ctx: Deadline
    ) -> None:
        """A redirect without an address is an error as well."""
        words = r"redirects \(status 302\)"

        with (
            Scripted(Say(302, "")) as server,
            pytest.raises(OutcomeUnknownError, match=words),
        ):
            connect(server.url).deployments.list(ctx)


@pytest.mark.parametrize(
    "body",
    [
        {"cpu": float("nan")},
        {"cpu": float("inf")},
        {"description": "\ud800"},
        {"image": object()},
    ],
)
def test_a_body_that_is_not_json_is_not_sent(
    connect: Callable[..., JigClient], ctx: Deadline, body: dict[str, Any]
) -> None:
    """Cases V13, V16: what cannot be written as JSON is refused before it is sent."""
    with Scripted() as server:
        with pytest.raises(InputError, match="cannot be written as JSON"):
            connect(server.url).deployments.create(body, ctx)

        assert server.seen == []
