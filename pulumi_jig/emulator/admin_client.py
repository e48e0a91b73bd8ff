"""
The admin interface from the test's side.

Standard library only, and never through a proxy: it must work in any environment that
a test sets up.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

Record = dict[str, Any]


class AdminError(Exception):
    """The emulator refused an admin request; the message is its own sentence."""


class AdminClient:
    """
    What a test may do to a running emulator.

    Args:
        url: the emulator's base URL.
        token: the admin token that its start printed.

    """

    def __init__(self, url: str, token: str) -> None:
        self._address = urlsplit(url)
        self._token = token

    def _call(self, method: str, path: str, body: Record | None = None) -> Any:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=60
        )
        try:
            connection.request(
                method,
                "/_emulator/" + path,
                body=json.dumps(body or {}),
                headers={
                    "X-Emulator-Token": self._token,
                    "Content-Type": "application/json",
                },
            )
            response = connection.getresponse()
            value = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise AdminError(value["error"]["message"])
        return value

    def reset(self) -> None:
        """Forget all state, faults, holds and requests."""
        self._call("POST", "reset")

    def dump(self) -> Record:
        """Return all state; secret and environment values appear as digests only."""
        found: Record = self._call("GET", "dump")
        return found

    def deployments(self) -> list[Record]:
        """Return the records of all deployments of all accounts."""
        found: list[Record] = self.dump()["deployments"]
        return found

    def requests(self, after: int = 0) -> list[Record]:
        """Return the API requests numbered above *after*, oldest first."""
        found: list[Record] = self._call("GET", f"requests?after={after}")["data"]
        return found

    def clear_requests(self) -> None:
        """Forget the request log."""
        self._call("DELETE", "requests")

    def fault(
        self,
        method: str = "*",
        path: str = "**",
        *,
        nth: int = 1,
        times: int | None = 1,
        status: int | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
        delay: float = 0,
        drop: str | None = None,
        acted: bool = False,
        account: str | None = None,
    ) -> int:
        """
        Put a fault in force and return its number.

        Args:
            method: the HTTP method that it strikes, or ``*``.
            path: the path without ``/v1``; ``*`` is one segment, ``**`` anything.
            nth: the first matching request that is struck, counted from 1.
            times: how many are struck, None for all from then on.
            status: respond with this status instead.
            body: its body: text as it is, anything else as JSON.
            headers: further headers of that response.
            delay: real seconds to wait, before acting or (*acted*) after it.
            drop: ``reset`` or ``close`` the connection instead of answering.
            acted: whether the service acts on the request first.
            account: strike this account's requests only.

        Raises:
            AdminError: the fault makes no sense.

        """
        made = self._call(
            "POST",
            "faults",
            {
                "method": method,
                "path": path,
                "nth": nth,
                "times": times,
                "status": status,
                "body": body,
                "headers": headers or {},
                "delay": delay,
                "drop": drop,
                "acted": acted,
                "account": account,
            },
        )
        return int(made["id"])

    def faults(self) -> list[Record]:
        """Return the faults in force, with how often each was seen and has struck."""
        found: list[Record] = self._call("GET", "faults")["data"]
        return found

    def clear_faults(self, number: int | None = None) -> None:
        """Take one fault out of force, or all."""
        self._call("DELETE", "faults" if number is None else f"faults/{number}")

    def hold(self, name: str) -> None:
        """
        Stop the time of a deployment, by name, id or pattern (``*``).

        Deployments created later under a name that fits are born on hold.
        """
        self._call("POST", f"deployments/{quote(name, safe='')}/hold")

    def advance(self, name: str, seconds: float | None = None) -> Record | None:
        """
        Move a deployment's own time on, by emulated seconds or to its next change.

        Returns:
            The deployment as the API shows it then, or None once it is gone.

        """
        response = self._call(
            "POST", f"deployments/{quote(name, safe='')}/advance", {"seconds": seconds}
        )
        found: Record | None = response["deployment"]
        return found

    def release(self, name: str) -> None:
        """Let the time of held deployments go on from where it stood still."""
        self._call("POST", f"deployments/{quote(name, safe='')}/release")

    def view(self, name: str) -> Record:
        """Return any account's deployment as the API shows it to its owner."""
        found: Record = self._call("GET", f"deployments/{quote(name, safe='')}")
        return found

    def patch(
        self,
        name: str,
        fields: Record | None = None,
        *,
        new_revision: bool = False,
        **more: object,
    ) -> Record:
        """
        Change a deployment behind its owner's back, unchecked.

        Args:
            name: name or id.
            fields: fields of its spec.
            new_revision: whether the change makes a revision, and so a roll-out.
            more: ``action`` (its name in the history), ``desired_replicas`` (what an
                autoscaler decides), ``replica_events`` (replicas set by hand, None
                takes one away), ``shown`` (keys of every response overridden or added,
                such as ``status``; None ends it), ``name``, ``account``.

        """
        found: Record = self._call(
            "PATCH",
            f"deployments/{quote(name, safe='')}",
            {"fields": fields or {}, "new_revision": new_revision, **more},
        )
        return found

    def set_status(self, name: str, status: str | None) -> Record:
        """Let a deployment show a status of your own; None ends it."""
        return self.patch(name, shown={"status": status})

    def remove(self, name: str) -> None:
        """Take a deployment away at once, as if somebody else had deleted it."""
        self._call("DELETE", f"deployments/{quote(name, safe='')}")

    def remove_secret(self, name: str) -> None:
        """Take a secret away, whoever uses it."""
        self._call("DELETE", f"secrets/{quote(name, safe='')}")

    def remove_volume(self, name: str) -> None:
        """Take a volume away, whoever mounts it."""
        self._call("DELETE", f"volumes/{quote(name, safe='')}")

    def set_volume(
        self,
        name: str,
        status: str | None,
        message: str = "",
        version: int | None = None,
    ) -> Record:
        """Set the state of a volume's version by hand; None gives it back to time."""
        body: Record = {"status": status, "status_message": message}
        if version is not None:
            body["version"] = version
        found: Record = self._call("PATCH", f"volumes/{quote(name, safe='')}", body)
        return found

    def foreign(
        self, name: str, account: str = "somebody-else", **fields: object
    ) -> Record:
        """
        Insert a deployment of any account, running for long, its fields unchecked.

        Names that are legal no more can be inserted too.
        """
        found: Record = self._call(
            "POST", "deployments", {"account": account, "name": name, "fields": fields}
        )
        return found

    def set_time_scale(self, scale: float) -> None:
        """Change the time scale from now on (real seconds per emulated second)."""
        self._call("PATCH", "clock", {"time_scale": scale})

    def skip(self, seconds: float) -> None:
        """Let so many seconds of service time pass at once, wall time included."""
        self._call("PATCH", "clock", {"skip": seconds})

    def clock(self) -> Record:
        """Return the clocks: ``time_scale``, ``progress`` and ``wall``, in seconds."""
        found: Record = self._call("GET", "clock")
        return found
