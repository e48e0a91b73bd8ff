"""
The admin interface under ``/_emulator/``: what a test may do that a customer cannot.

Reset, dump all state, put faults in force, hold time still for one deployment, and
act as others who change a real account: a colleague's console, the
autoscaler, the service itself. It exists only with ``--admin``, and only for the
token that the start printed. Secret values are not shown, not even here.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pulumi_jig.emulator import replicas as lives
from pulumi_jig.emulator.errors import ApiError, invalid, not_found
from pulumi_jig.emulator.messages import error, error_response, json_response

if TYPE_CHECKING:
    from pulumi_jig.emulator.backend import Backend
    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.faults import Faults
    from pulumi_jig.emulator.messages import Request, Response
    from pulumi_jig.emulator.request_log import RequestLog

Record = dict[str, Any]

PREFIX = "/_emulator/"
TOKEN_HEADER = "x-emulator-token"  # noqa: S105 - a header's name.
# A deployment that is inserted has been running for so many emulated seconds.
_LONG_AGO = 100_000.0


def _number(body: Record, name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(name, "must be a number")
    if not 0 <= value < float("inf"):
        raise invalid(name, "must be 0 or more")
    return float(value)


def _object(body: Record, name: str) -> Record:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise invalid(name, "must be an object")
    return value


_HIDDEN = "[redacted]"
# A description may end in a mark that says whose the deployment is; it is no secret.
_MARKED = re.compile(r"(?s).+?( ?\[[^\[\]]*\])?")


def _redacted(record: Record) -> Record:
    """
    Return a deployment record without what its owner may have written in confidence.

    Values of variables become digests, `command`, `args` and `description` are hidden,
    and so is a value that a container has printed.
    """
    spec = dict(record["spec"])
    variables = spec["environment_variables"]
    values = [variable["value"] for variable in variables if variable.get("value")]
    found: Record = {**record, "spec": spec}
    for key in ("log", "replicas"):
        if key in record:
            found[key] = _without(record[key], values)
    spec["environment_variables"] = [
        {
            **{k: v for k, v in variable.items() if k != "value"},
            "value": _HIDDEN,
            "value_sha256": hashlib.sha256(variable["value"].encode()).hexdigest(),
        }
        if "value" in variable
        else variable
        for variable in variables
    ]
    for key in ("command", "args"):
        if spec.get(key):
            spec[key] = [_HIDDEN] * len(spec[key])
    spec["description"] = _described(spec.get("description"))
    return found


def _described(text: Any) -> Any:
    if not text or not isinstance(text, str):
        return text
    match = _MARKED.fullmatch(text)
    mark = (match and match[1]) or ""
    return f"{_HIDDEN if len(mark) < len(text) else ''}{mark}"


def _without(value: Any, hidden: list[str]) -> Any:
    """Return data without texts of some length; short ones are no secrets."""
    if isinstance(value, str):
        for text in hidden:
            if len(text) >= 6:
                value = value.replace(text, _HIDDEN)
        return value
    if isinstance(value, dict):
        return {key: _without(item, hidden) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without(item, hidden) for item in value]
    return value


class Admin:
    """The admin interface of one server."""

    def __init__(
        self, backend: Backend, faults: Faults, request_log: RequestLog, token: str
    ) -> None:
        self._backend = backend
        self._faults = faults
        self._request_log = request_log
        self._token = token

    def handle(self, request: Request) -> Response:
        """Answer one request to the admin interface."""
        token = request.headers.get(TOKEN_HEADER, "")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return error(
                403,
                "the X-Emulator-Token header must hold the token printed at start",
                code="bad_token",
            )
        parts = [unquote(p) for p in request.path[len(PREFIX) :].strip("/").split("/")]
        try:
            return json_response(200, self._route(request, parts))
        except ApiError as refused:
            return error_response(refused)
        except ValueError as wrong:
            return error(400, str(wrong), code="invalid_value")

    def _route(self, request: Request, parts: list[str]) -> Record:
        body = request.record()
        run = self._backend.run
        match request.method, *parts:
            case "POST", "reset":
                return self._reset()
            case "GET", "dump":
                return run(self.dump)
            case "GET", "requests":
                after = request.query.get("after", "0")
                if not (after.isascii() and after.isdigit()):
                    raise invalid("after", "must be a whole number")
                return {"data": self._request_log.entries(int(after[:18]))}
            case "DELETE", "requests":
                self._request_log.clear()
                return {}
            case "GET", "faults":
                return {"data": self._faults.records()}
            case "POST", "faults":
                return self._faults.add(body).model_dump()
            case "DELETE", "faults":
                return {"cleared": self._faults.clear()}
            case "DELETE", "faults", number if number.isdigit():
                return {"cleared": self._faults.clear(int(number[:18]))}
            case "GET", "clock":
                return run(self._clock)
            case "PATCH", "clock":
                return run(lambda now: self._set_clock(body, now))
            case "POST", "deployments":
                return run(lambda now: self._insert(body, now))
            case "GET", "deployments", name:
                return run(lambda now: self._view(name, now))
            case "PATCH", "deployments", name:
                return run(lambda now: self._patch(name, body, now))
            case "DELETE", "deployments", name:
                return run(lambda now: self._remove(name, now))
            case "POST", "deployments", name, "hold":
                return run(lambda now: self._hold(name, now))
            case "POST", "deployments", name, "advance":
                return run(lambda now: self._advance(name, body, now))
            case "POST", "deployments", name, "release":
                return run(lambda now: self._release(name, now))
            case "PATCH", "volumes", name:
                return run(lambda now: self._patch_volume(name, body, now))
            case "DELETE", ("secrets" | "volumes") as table, name:
                return run(lambda _: self._remove_record(table, name))
            case _:
                raise not_found(f"no such path: {request.path}")

    # The whole.

    def _reset(self) -> Record:
        with self._backend.lock:
            self._backend.store.clear()
            self._backend.deployments.holds.clear()
            self._faults.clear()
            self._request_log.clear()
        return {}

    def dump(self, now: Moment) -> Record:
        """Return all state, with every secret value redacted."""
        backend = self._backend
        store = backend.store
        deployments = []
        for d in backend.deployments.records(None, now):
            configurations = [_redacted(r) for r in d.pop("revisions")]
            deployments.append(
                {
                    **_redacted(d),
                    "status": backend.deployments.rollouts.status(d),
                    "ready": sum(map(lives.is_serving, d["replicas"])),
                    "configurations": configurations,
                    "events": d["events"][::-1],
                }
            )
        secrets = [
            {**s, "value": _HIDDEN, "description": _described(s.get("description"))}
            for s in store.all("secrets")
        ]
        return {
            "clock": self._clock(now),
            "deployments": deployments,
            "secrets": secrets,
            "volumes": list(store.all("volumes")),
            "holds": sorted(backend.deployments.holds),
            "faults": self._faults.records(),
        }

    def _clock(self, now: Moment) -> Record:
        return {
            "time_scale": self._backend.clock.scale,
            "progress": now.progress,
            "wall": now.wall,
        }

    def _set_clock(self, body: Record, now: Moment) -> Record:
        clock = self._backend.clock
        if "time_scale" in body:
            clock.set_scale(_number(body, "time_scale"))
        if "skip" in body:
            clock.skip(_number(body, "skip"))
        del now
        return self._clock(clock.now())

    # Time of one deployment.

    def _hold(self, name: str, now: Moment) -> Record:
        """Stop a deployment's time; a name or pattern not there yet is remembered."""
        store = self._backend.store
        held = []
        for d in list(self._backend.deployments.records(None, now)):
            if fnmatch.fnmatchcase(d["name"], name) or d["id"] == name:
                if "held_at" not in d:
                    d["held_at"] = self._backend.deployments.rollouts.local(
                        d, now
                    ).progress
                    store.save("deployments", d)
                held.append(d["name"])
        self._backend.deployments.holds.add(name)
        return {"held": held}

    def _advance(self, name: str, body: Record, now: Moment) -> Record:
        """Move a deployment's own time on, by seconds or to its next change."""
        deployments = self._backend.deployments
        d = deployments.find(None, name, now)
        local = deployments.rollouts.local(d, now)
        if body.get("seconds") is not None:
            seconds: float | None = _number(body, "seconds")
        else:
            seconds = deployments.rollouts.next_change(d, local)
        moved = seconds or 0.0
        if "held_at" in d:
            # A hair more, so that no rounding keeps the change from coming.
            d["held_at"] += moved + 1e-6
        else:
            d["lag"] = d.get("lag", 0.0) - moved - 1e-6
        self._backend.store.save("deployments", d)
        if deployments.rollouts.advance(d, now) is None:
            return {"advanced": moved, "deployment": None}
        return {"advanced": moved, "deployment": deployments.view(d, now)}

    def _release(self, name: str, now: Moment) -> Record:
        """Let time go on where it stood still."""
        released = []
        for d in list(self._backend.deployments.records(None, now)):
            match = fnmatch.fnmatchcase(d["name"], name) or d["id"] == name
            if match and "held_at" in d:
                d["lag"] = now.progress - d.pop("held_at")
                self._backend.store.save("deployments", d)
                released.append(d["name"])
        self._backend.deployments.holds.discard(name)
        return {"released": released}

    # What others do to an account.

    def _view(self, name: str, now: Moment) -> Record:
        deployments = self._backend.deployments
        return deployments.view(deployments.find(None, name, now), now)

    def _insert(self, body: Record, now: Moment) -> Record:
        """Insert a deployment, of any account and any name, running for long."""
        account, name = body.get("account"), body.get("name")
        if not (isinstance(account, str) and isinstance(name, str) and name):
            raise invalid("account and name", "must be strings")
        given = {
            "image": f"registry.together.ai/proj_{account}/app:1",
            "gpu_type": "none",
            **_object(body, "fields"),
        }
        deployments = self._backend.deployments
        since = now.at(now.progress - _LONG_AGO)
        d = deployments.insert(account, name, given, now, since=since)
        deployments.rollouts.advance(d, now)
        return deployments.view(d, now)

    def _patch(self, name: str, body: Record, now: Moment) -> Record:
        """
        Change a deployment behind its owner's back.

        ``fields`` change the spec, unchecked, with a new revision where
        ``new_revision`` says so (``action`` names it in the history). ``name`` and
        ``account`` move it. ``desired_replicas`` is what an autoscaler would decide. ``replica_events`` sets replicas by hand (null takes one away).
        ``shown`` overrides or adds keys of every response (null ends that).
        """
        backend = self._backend
        d = backend.deployments.find(None, name, now)
        rollouts = backend.deployments.rollouts
        local = rollouts.local(d, now)
        for key in ("name", "account"):
            if key in body:
                d[key] = str(body[key])
        fields = _object(body, "fields")
        if fields:
            unknown = set(fields) - set(d["spec"])
            if unknown:
                raise invalid("fields", f"no such field: {', '.join(sorted(unknown))}")
            spec = {**d["spec"], **fields}
            backend.deployments.resolve(d["account"], spec, d["spec"], now)
            d["spec"] = spec
            d["updated_at"] = now.wall
            d["desired"] = rollouts.wanted(d)
        if body.get("new_revision"):
            rollouts.new_revision(d, str(body.get("action", "update")), local)
        elif fields:
            rollouts.save_configuration(d)
            if {"min_replicas", "max_replicas"} & set(fields):
                rollouts.rescale(d, local)
        if "desired_replicas" in body:
            desired = body["desired_replicas"]
            low, high = d["spec"]["min_replicas"], d["spec"]["max_replicas"]
            if not isinstance(desired, int) or not low <= desired <= high:
                raise invalid("desired_replicas", f"must be from {low} to {high}")
            d["desired"] = desired
            rollouts.rescale(d, local)
        if "replica_events" in body:
            self._set_events(d, _object(body, "replica_events"), local)
        for key, value in _object(body, "shown").items():
            shown = d.setdefault("shown", {})
            shown[key] = value
            if value is None:
                del shown[key]
        backend.store.save("deployments", d)
        return backend.deployments.view(d, now)

    @staticmethod
    def _set_events(d: Record, events: Record, now: Moment) -> None:
        known = {replica["id"]: replica for replica in d["replicas"]}
        for replica_id, event in events.items():
            if event is None:
                d["replicas"] = [r for r in d["replicas"] if r["id"] != replica_id]
                continue
            if not isinstance(event, dict):
                raise invalid("replica_events", "must hold objects")
            replica = known.get(replica_id)
            if replica is None:
                replica = lives.new_replica(
                    replica_id,
                    revision_id=str(event.get("revision_id", d["revision_id"])),
                    image=event.get("image", d["spec"]["image"]),
                    mounted=False,
                    now=now,
                )
                d["replicas"].append(replica)
            replica.pop("draining_since", None)
            replica["revision_id"] = event.get("revision_id", replica["revision_id"])
            replica["manual"] = event

    def _remove(self, name: str, now: Moment) -> Record:
        """Take a deployment away at once, as if somebody else had deleted it."""
        d = self._backend.deployments.find(None, name, now)
        self._backend.store.remove("deployments", d["id"])
        return {}

    def _remove_record(self, table: str, name: str) -> Record:
        store = self._backend.store
        record = store.by_name(table, name) or store.by_id(table, name)
        if record is None:
            raise not_found(f"{table[:-1]} {name} not found")
        store.remove(table, record["id"])
        return {}

    def _patch_volume(self, name: str, body: Record, now: Moment) -> Record:
        """Set the state of a volume's version by hand (null gives it back to time)."""
        store = self._backend.store
        volume = store.by_name("volumes", name) or store.by_id("volumes", name)
        if volume is None:
            raise not_found(f"volume {name} not found")
        number = body.get("version", len(volume["versions"]) - 1)
        if not isinstance(number, int) or not 0 <= number < len(volume["versions"]):
            raise invalid("version", "no such version")
        version = volume["versions"][number]
        status = body.get("status")
        if status is None:
            version.pop("manual", None)
        elif status in ("pending", "syncing", "ready", "failed"):
            message = str(body.get("status_message", ""))
            version["manual"] = {
                "status": status,
                "status_message": message,
                "since": now.progress,
            }
        else:
            raise invalid("status", "must be pending, syncing, ready or failed")
        store.save("volumes", volume)
        return self._backend.volumes.view(volume, now)


def new_token() -> str:
    """Return a token for the admin interface."""
    return uuid.uuid4().hex
