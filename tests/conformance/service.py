"""
A service under test: a base URL, a key, and what was made there.

Everything that the suite creates has a name with one prefix, so that it can be found and
deleted afterwards, by this process or by another one (`sweep`).
"""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Names of this suite begin so, on whichever account it runs.
PREFIX: Final = "jig-conf-"
DEPLOYMENTS: Final = "/v1/deployments"
SECRETS: Final = "/v1/deployments/secrets"
VOLUMES: Final = "/v1/deployments/storage/volumes"
REVISION: Final = "TOGETHER_DEPLOYMENT_REVISION_ID"
#: A copy from a bucket that nobody has: it is accepted, and fails later.
ROLE: Final = "arn:aws:iam::123456789012:role/none"

Body = dict[str, Any]


class UnusableError(Exception):
    """The service cannot be tested at all, in one sentence."""


@dataclass
class Settings:
    """
    What is tested, and how patiently.

    Attributes:
        url: The base URL, with or without `/v1`.
        key: The API key.
        other_key: A key of another account; rules about two accounts need it.
        image: An image that the account may run and that serves on port 8000.
        crashing_image: One whose container ends at once; rules about failure need it.
        undone_image: One that the service itself takes back; rule HISTORY-4 needs it.
        files: A prefix of uploaded files; rules about volumes need it.
        bucket: The URI of an S3 prefix that can be copied.
        model: The id of a model that can be mounted.
        interval: Seconds between two GETs of a wait.
        limit: Seconds that a roll-out may take.
    """

    url: str
    key: str = field(repr=False)
    other_key: str = field(default="", repr=False)
    image: str = ""
    crashing_image: str = ""
    undone_image: str = ""
    files: str = ""
    bucket: str = ""
    model: str = ""
    interval: float = 3.0
    limit: float = 900.0
    #: Lets so many seconds pass for the service, where somebody can.
    let_pass: Callable[[float], None] | None = field(default=None, repr=False)
    #: What no report may show; names of accounts are added as they are learnt.
    hidden: list[str] = field(default_factory=list, repr=False)


class Service:
    """A plain client that sends what it is told, and remembers what it made."""

    def __init__(self, settings: Settings, *, key: str | None = None) -> None:
        self.settings = settings
        self.run = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        parts = urlsplit(settings.url)
        self.host = parts.netloc
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"
        self._http = httpx.Client(
            base_url=base,
            headers={"Authorization": f"Bearer {key or settings.key}"},
            timeout=60,
        )
        settings.hidden += [key or settings.key]

    def close(self) -> None:
        self._http.close()

    def name(self) -> str:
        """A new name."""
        return f"{PREFIX}{self.run}-{next(self._numbers)}"

    def redact(self, text: str) -> str:
        """A text that may be shown to others: without keys and names of accounts."""
        for word in sorted(filter(None, self.settings.hidden), key=len, reverse=True):
            text = text.replace(word, "[hidden]")
        return text

    # -- requests

    def send(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Send one request; the response, whatever its status."""
        if body is not None:
            options["json"] = body
        return self._http.request(method, path, **options)

    def ok(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Send one request that must succeed; its body."""
        response = self.send(method, path, body, **options)
        assert response.status_code == 200, said(response)
        return response.json()

    def refused(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Send one request that must be refused; what it made is deleted at once."""
        response = self.send(method, path, body)
        if response.status_code < 300 and method == "POST":
            name = response.json().get("id") or (body or {})["name"]  # type: ignore[index]
            self.send("DELETE", f"{path}/{name}")
        assert 400 <= response.status_code < 500, said(response)
        return response

    def send_bare(self, method: str, path: str, authorization: str | None) -> Any:
        """Send one request with another Authorization header, or none."""
        request = self._http.build_request(method, path)
        del request.headers["Authorization"]
        if authorization is not None:
            request.headers["Authorization"] = authorization
        return self._http.send(request)

    def stream(self, path: str) -> Any:
        """A response that is read line by line, as long as it takes."""
        return self._http.stream("GET", path, timeout=None)

    # -- deployments

    def body(self, **fields: Any) -> Body:
        """A deployment without GPUs and with one replica, of the smallest size."""
        return {
            "name": self.name(),
            "image": self.settings.image,
            "gpu_type": "none",
            "cpu": 0.1,
            "memory": 0.5,
            "storage": 1,
            "port": 8000,
            **fields,
        }

    def create(self, **fields: Any) -> Body:
        """Create a deployment."""
        created: Body = self.ok("POST", DEPLOYMENTS, self.body(**fields))
        return created

    def get(self, identifier: str) -> Body:
        """Read a deployment."""
        found: Body = self.ok("GET", f"{DEPLOYMENTS}/{identifier}")
        return found

    def patch(self, identifier: str, /, **fields: Any) -> Body:
        """Change a deployment."""
        changed: Body = self.ok("PATCH", f"{DEPLOYMENTS}/{identifier}", fields)
        return changed

    def until(
        self, condition: Callable[[], Any], what: str, limit: float | None = None
    ) -> Any:
        """Wait for something; what it was, once it is true."""
        deadline = time.monotonic() + (limit or self.settings.limit)
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what}: did not happen in time"
            time.sleep(self.settings.interval)
        return found

    def watch(self, identifier: str, limit: float | None = None) -> Iterator[Body]:
        """What GET says, again and again, until it says 404 or time is up."""
        deadline = time.monotonic() + (limit or self.settings.limit)
        while time.monotonic() < deadline:
            response = self.send("GET", f"{DEPLOYMENTS}/{identifier}")
            if response.status_code == 404:
                return
            assert response.status_code == 200, said(response)
            yield response.json()
            time.sleep(self.settings.interval)

    def serving(self, identifier: str) -> Body:
        """The deployment, once it serves with all that it wants."""

        def ready() -> Body | None:
            found = self.get(identifier)
            assert found["status"] != "Failed", f"it failed: {events(found)}"
            done = found["status"] in {"Ready", "ScaledToZero"}
            return found if done else None

        found: Body = self.until(ready, "waiting until it serves")
        return found

    def delete(self, identifier: str) -> None:
        """Delete a deployment and wait until it is gone, name and all."""
        found = self.send("GET", f"{DEPLOYMENTS}/{identifier}")
        response = self.send("DELETE", f"{DEPLOYMENTS}/{identifier}")
        assert response.status_code in {200, 404}, said(response)
        if found.status_code == 200:
            path = f"{DEPLOYMENTS}/{found.json()['id']}"
            self.until(
                lambda: self.send("GET", path).status_code == 404, "waiting for its end"
            )

    # -- what is left

    def sweep(self, prefix: str = PREFIX) -> list[str]:
        """
        Delete all that has a name of this suite, deployments first; their names.

        Raises:
            UnusableError: something is left, or the service does not answer.
        """
        deleted = []
        for path in (DEPLOYMENTS, SECRETS, VOLUMES):
            listed = self.send("GET", path)
            if listed.status_code != 200:
                message = f"{self.host} cannot be listed: {self.redact(said(listed))}"
                raise UnusableError(message)
            for item in listed.json()["data"]:
                if item["name"].startswith(prefix):
                    self.send("DELETE", f"{path}/{quote(item['id'], safe='')}")
                    deleted.append(item["name"])
            try:
                self.until(lambda path=path: not self.left(path, prefix), "the sweep")
            except AssertionError as error:
                names = ", ".join(self.left(path, prefix))
                message = f"still there on {self.host}, delete it by hand: {names}"
                raise UnusableError(message) from error
        return deleted

    def left(self, path: str, prefix: str = PREFIX) -> list[str]:
        """Names of this suite that a list still holds."""
        items = self.ok("GET", path)["data"]
        return [item["name"] for item in items if item["name"].startswith(prefix)]


def said(response: httpx.Response) -> str:
    """A response in one line."""
    return f"{response.status_code} {' '.join(response.text.split())[:300]}"


def param(response: httpx.Response) -> Any:
    """Which field a refusal names."""
    return response.json()["error"]["param"]


def revision(deployment: Body) -> str:
    """The revision that the service shows among the variables."""
    found = {v["name"]: v.get("value") for v in deployment["environment_variables"]}
    return str(found[REVISION])


def variables(deployment: Body) -> list[Body]:
    """The variables without the service's own."""
    return [
        item
        for item in deployment["environment_variables"]
        if not item["name"].startswith("TOGETHER_")
    ]


def events(deployment: Body) -> list[tuple[str, str, bool]]:
    """Status, reason and readiness of each replica."""
    return [
        (
            event.get("replica_status", ""),
            event.get("replica_status_reason", ""),
            bool(event.get("replica_ready_since")),
        )
        for event in deployment.get("replica_events", {}).values()
    ]
