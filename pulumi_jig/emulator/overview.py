"""
What the page for people shows of the service, as plain data and without any secret.

Values of environment variables, commands, arguments, and the bodies and headers of
faults never come this far: they are left out here, not hidden by the page. A snapshot
changes nothing that an operation of the API would not find changed anyway, and holds
the lock for a few deployments at a time only, so that a watched run is not a slow one.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator import replicas as lives
from pulumi_jig.emulator.clock import INSTANT
from pulumi_jig.emulator.replicas import timestamp
from pulumi_jig.emulator.visible import visible_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator.backend import Backend
    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.faults import Faults
    from pulumi_jig.emulator.request_log import RequestLog

Record = dict[str, Any]

# Deployments and requests in one response; more of them are counted, not listed.
DEPLOYMENTS = 2_000
REQUESTS = 200
# Of the one deployment that is shown in detail.
REVISIONS = 10
LOG_LINES = 20
# Deployments brought up to date under one hold of the lock.
_SLICE = 50

# Reasons that say nothing more than the status does.
_CALM = {"", "ContainerCreating", "Completed"}


def _text(value: object) -> str:
    return "" if value is None else str(value)


class Overview:
    """
    The service as one response for the page.

    Args:
        backend: the service.
        faults: the faults in force.
        request_log: the request log.

    """

    def __init__(
        self, backend: Backend, faults: Faults, request_log: RequestLog
    ) -> None:
        self._backend = backend
        self._faults = faults
        self._request_log = request_log
        # Shows a page that numbers begin anew, since the process did.
        self.run = uuid.uuid4().hex[:12]

    def snapshot(self, *, closely: str = "", after: int = 0) -> Record:
        """
        Return everything that the page shows.

        Args:
            closely: the id of a deployment to show in full; one that is not there is
                no error, since it may just have gone.
            after: the request log begins behind this number.

        """
        now = self._now()
        statuses: Counter[str] = Counter()
        types: dict[str, Counter[str]] = {}
        listed: list[Record] = []
        close: Record | None = None
        for d in self._deployments(now):
            status = self._status(d)
            statuses[status] += 1
            self._count_gpus(d, types)
            if len(listed) < DEPLOYMENTS:
                listed.append(self._summary(d, status))
            if d["id"] == closely:
                close = self._closely(d)
        seen = {
            "run": self.run,
            "now": timestamp(now.wall),
            "time_scale": now.scale,
            "deployments": listed,
            "total": sum(statuses.values()),
            "statuses": dict(statuses),
            "gpus": [{"type": name, **types[name]} for name in sorted(types)],
            "close": close,
            "faults": [self._fault(fault) for fault in self._faults.records()],
            "requests": self._requests(after),
            **self._secrets_and_volumes(now),
        }
        shown: Record = visible_data(seen)
        return shown

    def _now(self) -> Moment:
        with self._backend.lock:
            now = self._backend.clock.now()
        # At scale 0 the next operation finds everything over; so does a snapshot, but it
        # does not move time for the operations.
        return now if now.scale else replace(now, progress=now.progress + INSTANT)

    def _deployments(self, now: Moment) -> Iterator[Record]:
        records = self._backend.deployments.records(None, now)
        while True:
            with self._backend.lock, self._backend.store.transaction():
                some = list(islice(records, _SLICE))
            yield from some
            if len(some) < _SLICE:
                return

    # One deployment.

    def _status(self, d: Record) -> str:
        # What the admin interface lets responses show counts here too.
        if "status" in d.get("shown", {}):
            return _text(d["shown"]["status"])
        return self._backend.deployments.rollouts.status(d)

    def _count_gpus(self, d: Record, types: dict[str, Counter[str]]) -> None:
        mine: set[str] = set()
        for replica in d["replicas"]:
            spec = self._spec_of(d, replica)
            kind, count = spec["gpu_type"], spec["gpu_count"]
            # The admin interface can put anything into a spec, unchecked.
            if kind == "none" or not isinstance(count, int) or not count:
                continue
            found = types.setdefault(
                _text(kind), Counter(held=0, serving=0, deployments=0)
            )
            found["held"] += count
            found["serving"] += count * lives.is_serving(replica)
            mine.add(_text(kind))
        for kind in mine:
            types[kind]["deployments"] += 1

    def _spec_of(self, d: Record, replica: Record) -> Record:
        spec: Record = d["spec"]
        if replica["revision_id"] == d["revision_id"]:
            return spec
        kept = self._backend.deployments.rollouts.configuration(
            d, replica["revision_id"]
        )
        return spec if kept is None else kept["spec"]

    @staticmethod
    def _summary(d: Record, status: str) -> Record:
        spec, replicas = d["spec"], d["replicas"]
        reasons = [
            event["replica_status_reason"]
            for event in map(lives.event_of, replicas)
            if event.get("replica_status_reason", "") not in _CALM
        ]
        return {
            "id": d["id"],
            "name": d["name"],
            "account": d["account"],
            "status": status,
            "image": _text(spec["image"]),
            "gpu_type": _text(spec["gpu_type"]),
            "gpu_count": spec["gpu_count"],
            "revision": d["revision_number"],
            "desired": d["desired"],
            "serving": sum(map(lives.is_serving, replicas)),
            "failed": sum(map(lives.is_failed, replicas)),
            "draining": sum(map(lives.is_draining, replicas)),
            "replicas": len(replicas),
            "reason": _text(reasons[0]) if reasons else "",
            "deleting": "deleting_since" in d,
            "held": "held_at" in d,
            "updated_at": timestamp(d["updated_at"]),
        }

    def _closely(self, d: Record) -> Record:
        spec = d["spec"]
        events = d["events"][: -REVISIONS - 1 : -1]
        # Each replica's steps are logged when it is read, so lines come out of order.
        lines = sorted(d["log"], key=lambda line: float(line[2]))[-LOG_LINES:]
        numbers = {e["revision_id"]: e["revision_number"] for e in events}
        return {
            "id": d["id"],
            "description": _text(spec["description"]),
            "created_at": timestamp(d["created_at"]),
            "settings": self._settings(spec),
            # Names alone, and the name of the secret that a value comes from.
            "environment": [
                {
                    "name": _text(variable["name"]),
                    "secret": _text(variable.get("value_from_secret")),
                }
                for variable in spec["environment_variables"]
            ],
            "replicas": [
                self._replica(r, numbers.get(r["revision_id"])) for r in d["replicas"]
            ],
            "revisions": [
                {
                    "event": event["event_number"],
                    "number": event["revision_number"],
                    "action": _text(event["action"]),
                    "image": _text(event["image"]),
                    "at": event["activated_at"],
                    "active": event["revision_id"] == d["revision_id"],
                }
                for event in events
            ],
            "log": [
                {"at": timestamp(wall), "replica": replica_id, "line": line}
                for replica_id, _, wall, line in reversed(lines)
            ],
        }

    @staticmethod
    def _settings(spec: Record) -> list[list[str]]:
        """Return what is set, as label and value; what is not set is left out."""
        scaling = spec["autoscaling"]
        mounts = [
            f"{_text(mount['name'])} at {_text(mount['mount_path'])}"
            for mount in spec["volumes"]
        ]
        models = [_text(mount["model_id"]) for mount in spec["model_mounts"]]
        port = spec["port"]
        settings = [
            ("image", _text(spec["image"])),
            ("CPU cores", f"{spec['cpu']}"),
            ("memory", f"{spec['memory']} GiB"),
            ("storage", f"{spec['storage']} GiB"),
            ("capacity", _text(spec["capacity_type"])),
            ("port", "" if port is None else f"{port}"),
            ("health check", _text(spec["health_check_path"])),
            (
                "replica bounds",
                f"{spec['min_replicas']} to {spec['max_replicas']}",
            ),
            (
                "autoscaling",
                ", ".join(f"{k} {_text(v)}" for k, v in (scaling or {}).items()),
            ),
            ("volumes", ", ".join(mounts)),
            ("models", ", ".join(models)),
        ]
        return [[label, value] for label, value in settings if value]

    @staticmethod
    def _replica(replica: Record, number: int | None) -> Record:
        event = lives.event_of(replica)
        if lives.is_serving(replica):
            state = "serving"
        elif lives.is_draining(replica):
            state = "draining"
        else:
            state = "failed" if lives.is_failed(replica) else "starting"
        return {
            "id": replica["id"],
            "revision": number,
            "state": state,
            "status": _text(event.get("replica_status")),
            "reason": _text(event.get("replica_status_reason")),
            "message": _text(event.get("replica_status_message")),
            "preload": _text(event.get("volume_preload_status")),
            "since": _text(event.get("replica_ready_since"))
            or timestamp(replica["wall"]),
        }

    # Everything else.

    @staticmethod
    def _fault(fault: Record) -> Record:
        """Return a fault without the headers and the body of its response."""
        shown = ("id", "method", "path", "account", "nth", "times", "acted", "delay")
        return {k: fault[k] for k in (*shown, "status", "drop", "seen", "struck")}

    def _requests(self, after: int) -> Record:
        entries = self._request_log.entries()
        return {
            # Older ones are forgotten, or were never kept.
            "first": entries[0]["number"] if entries else None,
            "entries": [e for e in entries[-REQUESTS:] if e["number"] > after],
        }

    def _secrets_and_volumes(self, now: Moment) -> Record:
        backend = self._backend
        with backend.lock, backend.store.transaction():
            secrets = [
                {
                    "name": _text(secret["name"]),
                    "account": secret["account"],
                    "updated_at": timestamp(secret["updated_at"]),
                    "expires_at": ""
                    if secret["expires_at"] is None
                    else timestamp(secret["expires_at"]),
                    "users": len(backend.store.users(secret["id"])),
                }
                for secret in islice(backend.store.all("secrets"), DEPLOYMENTS)
            ]
            volumes = []
            for volume in islice(backend.store.all("volumes"), DEPLOYMENTS):
                shown = backend.volumes.view(volume, now)
                volumes.append(
                    {
                        "name": _text(volume["name"]),
                        "account": volume["account"],
                        "status": _text(shown.get("status")),
                        "versions": len(volume["versions"]),
                        "updated_at": _text(shown.get("updated_at")),
                        "users": len(backend.store.users(volume["id"])),
                    }
                )
        return {"secrets": secrets, "volumes": volumes}
