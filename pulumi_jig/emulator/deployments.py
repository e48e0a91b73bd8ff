"""
The rules of deployments: create, read, change, roll back, delete.

Records go in and out of the store; replicas walk in `replicas`; bodies have been checked
by `validation`. Nothing here knows HTTP, and nothing runs by itself: each operation
first brings the deployment that it touches up to the present.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from . import replicas as lives
from .replicas import timestamp
from .store import NameTakenError
from .validation import (
    BOUNDS,
    DEFAULTS,
    OUTSIDE_REVISION,
    REVISION_VARIABLE,
    Refused,
    deployment_fields,
    deployment_name,
    required,
    whole_spec,
)

if TYPE_CHECKING:
    from .clock import Moment
    from .store import Store
    from .volumes import Volumes

Record = dict[str, Any]

EVENTS_KEPT = 200
CONFIGURATIONS_KEPT = 50
LOG_LINES_KEPT = 200
# A change that starts nothing still takes the service a moment to settle.
SETTLE = 2.0
# How long the service watches a revision of the /rollback behaviour fail.
PATIENCE = 15.0


def _not_found(what: str) -> Refused:
    return Refused(404, f"{what} not found", code="not_found")


class Deployments:
    """
    Deployments of all accounts.

    Args:
        store: where records are kept.
        volumes: the volumes that deployments mount.
        gpu_types: what ``gpu_type`` may be.

    """

    def __init__(
        self, store: Store, volumes: Volumes, gpu_types: tuple[str, ...]
    ) -> None:
        self._store = store
        self._volumes = volumes
        self._gpu_types = gpu_types

    # Operations of the API.

    def create(self, account: str, body: Record, now: Moment) -> Record:
        """
        Create a deployment and return it as the API shows it.

        Raises:
            Refused: 400, for a bad field, a name taken, or an unknown reference.

        """
        required(body, ("name", "image", "gpu_type"))
        name = deployment_name(body["name"])
        given = deployment_fields(body, self._gpu_types)
        spec = {**DEFAULTS, **given}
        spec.setdefault("max_replicas", spec["min_replicas"])
        whole_spec(spec)
        self._resolve(account, spec, None, now)
        # A name whose deployment is at the end of its draining is free again.
        holder = self._store.by_name("deployments", name)
        if holder is not None and self._bring_up(holder, now) is not None:
            # Rule NAME-2: names are unique over all customers.
            raise Refused(
                400,
                f"deployment with name {name} already exists",
                param="name",
                code="already_exists",
            )
        d: Record = {
            "id": str(uuid.uuid4()),
            "account": account,
            "name": name,
            "created_at": now.wall,
            "updated_at": now.wall,
            "spec": spec,
            "revision_id": "",
            "revision_number": 0,
            "revisions_made": 0,
            "events_made": 0,
            "desired": spec["min_replicas"],
            "phase": "Updating",
            "phase_since": now.progress,
            "replicas": [],
            "log": [],
        }
        with self._store.transaction():
            self._new_revision(d, "create", now)
            self._save(d)
        return self.view(d, now)

    def get(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Return one deployment by id or name.

        Raises:
            Refused: 404.

        """
        return self.view(self.find(account, identifier, now), now)

    def list(self, account: str, now: Moment) -> Record:
        """Return the account's deployments, oldest first."""
        found = []
        for record in self._store.all("deployments", account):
            d = self._bring_up(record, now)
            if d is not None:
                found.append(self.view(d, now))
        return {"object": "list", "data": found}

    def update(
        self, account: str, identifier: str, body: Record, now: Moment
    ) -> Record:
        """
        Change a deployment by the rules of PATCH; return it as the API shows it.

        Raises:
            Refused: 400, 404, or 409 while it is being deleted.

        """
        d = self.find(account, identifier, now)
        self._not_deleting(d)
        if body.get("name") is not None and body["name"] != d["name"]:
            # Rule NAME-3: the same name is harmless, the vendor's CLI always sends it.
            raise Refused(
                400, "name: cannot be changed", param="name", code="invalid_value"
            )
        given = deployment_fields(body, self._gpu_types)
        self.apply(d, given, "update", now)
        return self.view(d, now)

    def delete(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Begin to take a deployment down.

        Raises:
            Refused: 404.

        """
        d = self.find(account, identifier, now)
        if "deleting_since" not in d:
            d["deleting_since"] = now.progress
            d["updated_at"] = now.wall
            d["desired"] = 0
            for replica in d["replicas"]:
                lives.drain(replica, now.progress)
            if self._grace(d) == 0:
                self._store_remove(d)
            else:
                self._save(d)
        return {}

    # What other nouns and the admin interface need.

    def find(self, account: str | None, identifier: str, now: Moment) -> Record:
        """
        Return the record of a deployment of the account (None: of any), up to date.

        Raises:
            Refused: 404.

        """
        record = self._store.by_name("deployments", identifier)
        if record is not None and "deleting_since" in record and account is not None:
            # Rule DELETE-2: a deployment that is going answers to its id alone.
            record = None
        if record is None:
            record = self._store.by_id("deployments", identifier)
        if record is not None and account in {None, record["account"]}:
            d = self._bring_up(record, now)
            if d is not None:
                return d
        raise _not_found(f"deployment {identifier}")

    def apply(
        self,
        d: Record,
        given: Record,
        action: str,
        now: Moment,
    ) -> None:
        """
        Give a deployment new values, and what follows from them.

        Raises:
            Refused: 400.

        """
        spec = {**d["spec"], **given}
        if "max_replicas" in given or "min_replicas" in given:
            whole_spec(spec)
        else:
            whole_spec(spec)
        self._resolve(d["account"], spec, d["spec"], now)
        changed = {key for key in spec if spec[key] != d["spec"].get(key)}
        if not changed:
            # Rule PATCH-6: asking for what is there changes nothing.
            return
        d["spec"] = spec
        d["updated_at"] = now.wall
        low, high = spec["min_replicas"], spec["max_replicas"]
        d["desired"] = min(max(d["desired"], low), high)
        with self._store.transaction():
            if changed - set(OUTSIDE_REVISION):
                self._new_revision(d, action, now)
            elif changed & set(BOUNDS):
                self._save_configuration(d, now)
                self._rescale(d, now)
            self._save(d)

    def view(self, d: Record, now: Moment) -> Record:
        """Return a deployment as the API shows it."""
        spec = d["spec"]
        shown: Record = {
            "object": "deployment",
            "id": d["id"],
            "name": d["name"],
            "status": self.status(d),
            "description": spec["description"],
            "image": spec["image"],
            "gpu_type": spec["gpu_type"],
            "gpu_count": spec["gpu_count"],
            "cpu": spec["cpu"],
            "memory": spec["memory"],
            "storage": spec["storage"],
            "capacity_type": spec["capacity_type"],
            "min_replicas": spec["min_replicas"],
            "max_replicas": spec["max_replicas"],
            "desired_replicas": d["desired"],
            "ready_replicas": sum(map(lives.is_serving, d["replicas"])),
            "health_check_path": spec["health_check_path"],
            "command": spec["command"],
            "args": spec["args"],
            "termination_grace_period_seconds": spec[
                "termination_grace_period_seconds"
            ],
            "environment_variables": [
                *self._shown_variables(d, now),
                {"name": REVISION_VARIABLE, "value": d["revision_id"]},
            ],
            "volumes": spec["volumes"],
            "model_mounts": spec["model_mounts"],
            "replica_events": {r["id"]: lives.event_of(r) for r in d["replicas"]},
            "created_at": timestamp(d["created_at"]),
            "updated_at": timestamp(d["updated_at"]),
        }
        if spec["port"] is not None:
            shown["port"] = spec["port"]
        if spec["autoscaling"] is not None:
            shown["autoscaling"] = spec["autoscaling"]
        shown.update(d.get("shown", {}))
        return shown

    def status(self, d: Record) -> str:
        """Return the status word."""
        if "deleting_since" in d:
            return "Scaling"
        target = self._target(d)
        if any(map(lives.is_failed, target)):
            return "Failed"
        if d["phase"] != "Steady":
            return str(d["phase"])
        if d["desired"] == 0:
            return "ScaledToZero"
        serving = sum(map(lives.is_serving, target))
        return "Ready" if serving >= d["desired"] else "Scaling"

    # Time.

    def _bring_up(self, d: Record, now: Moment) -> Record | None:
        """Bring a record up to *now*, store what changed; None once it is gone."""
        before = repr(d)
        if "held_at" in d:
            now = now.at(d["held_at"])
        if "deleting_since" in d and now.progress - d["deleting_since"] >= self._grace(
            d
        ):
            self._store_remove(d)
            return None
        state = self._preloadable(d, now)
        for replica in d["replicas"]:
            for step in lives.walk(replica, now, preloadable=state):
                self._say(d, replica, now.wall_of(replica["since"]), step.line)
        self._settle(d, now)
        grace = self._grace(d)
        d["replicas"] = [
            r
            for r in d["replicas"]
            if "draining_since" not in r
            or "deleting_since" in d
            or now.progress - r["draining_since"] < grace
        ]
        if repr(d) != before:
            self._save(d)
        return d

    def _settle(self, d: Record, now: Moment) -> None:
        """End a phase whose work is done, and let a failed /rollback roll back."""
        if "deleting_since" in d or d["phase"] == "Steady":
            return
        target = self._target(d)
        serving = [r for r in target if lives.is_serving(r)]
        if len(serving) < d["desired"]:
            return
        done = max([d["phase_since"] + SETTLE, *(r["since"] for r in serving)])
        if now.progress < done:
            return
        d["phase"] = "Steady"
        # Rule ROLL-2: the old replicas serve until the new ones do.
        for replica in d["replicas"]:
            if replica["revision_id"] != d["revision_id"]:
                lives.drain(replica, done)

    def _grace(self, d: Record) -> float:
        return float(min(lives.DRAIN, d["spec"]["termination_grace_period_seconds"]))

    def _preloadable(self, d: Record, now: Moment) -> str:
        for mount in d["spec"]["volumes"]:
            return self._volumes.version_state(d["account"], mount, now)
        return "ready"

    # Revisions and replicas.

    def _new_revision(self, d: Record, action: str, now: Moment) -> None:
        d["revisions_made"] += 1
        d["revision_number"] = d["revisions_made"]
        d["revision_id"] = str(uuid.uuid4())
        d["revision_at"] = now.wall
        self._activate(d, action, now)

    def _activate(self, d: Record, action: str, now: Moment) -> None:
        """Make the deployment's revision the one that its replicas shall run."""
        d["events_made"] += 1
        self._save_configuration(d, now)
        self._store.save_event(
            d["id"],
            d["events_made"],
            {
                "object": "revision_event",
                "action": action,
                "activated_at": timestamp(now.wall),
                "event_number": d["events_made"],
                "image": d["spec"]["image"],
                "revision_id": d["revision_id"],
                "revision_number": d["revision_number"],
            },
        )
        self._store.prune_events(d["id"], EVENTS_KEPT)
        self._store.prune_revisions(d["id"], CONFIGURATIONS_KEPT, d["revision_number"])
        # Replicas of a revision that never served are of no use to anyone.
        for replica in d["replicas"]:
            if replica["revision_id"] != d["revision_id"] and not lives.is_serving(
                replica
            ):
                lives.drain(replica, now.progress)
        self._fill(d, now)
        d["phase"] = "Updating"
        d["phase_since"] = now.progress

    def _rescale(self, d: Record, now: Moment) -> None:
        """Start or stop replicas of the active revision until they are as desired."""
        target = self._target(d)
        for replica in target[d["desired"] :]:
            lives.drain(replica, now.progress)
        self._fill(d, now)
        if d["phase"] == "Steady":
            d["phase"] = "Scaling"
        d["phase_since"] = now.progress

    def _fill(self, d: Record, now: Moment) -> None:
        missing = d["desired"] - len(self._target(d))
        spec = d["spec"]
        for _ in range(missing):
            replica = lives.new_replica(
                f"{d['name']}-{d['revision_id'][:8]}-{uuid.uuid4().hex[:5]}",
                revision_id=d["revision_id"],
                image=spec["image"],
                mounted=bool(spec["volumes"] or spec["model_mounts"]),
                now=now,
            )
            d["replicas"].append(replica)
            self._say(d, replica, now.wall, lives.step_of(replica).line)

    @staticmethod
    def _target(d: Record) -> list[Record]:
        """Return the replicas that run the active revision and are to stay."""
        return [
            r
            for r in d["replicas"]
            if r["revision_id"] == d["revision_id"] and "draining_since" not in r
        ]

    def _save_configuration(self, d: Record, now: Moment) -> None:
        del now
        self._store.save_revision(
            d["id"],
            d["revision_number"],
            d["revision_id"],
            {
                "revision_id": d["revision_id"],
                "number": d["revision_number"],
                "created_at": d["revision_at"],
                "spec": d["spec"],
            },
        )

    def _say(self, d: Record, replica: Record, wall: float, line: str) -> None:
        if line:
            d["log"].append([replica["id"], replica["revision_id"], wall, line])
            del d["log"][:-LOG_LINES_KEPT]

    # References.

    def _resolve(
        self, account: str, spec: Record, before: Record | None, now: Moment
    ) -> None:
        """Check that secrets and volumes exist, and pin what was left open."""
        for index, variable in enumerate(spec["environment_variables"]):
            reference = variable.get("value_from_secret")
            if reference is not None and self.secret(account, reference) is None:
                path = f"environment_variables[{index}].value_from_secret"
                raise Refused(
                    400,
                    f"{path}: secret {reference} not found",
                    param=path,
                    code="not_found",
                )
        mounted = {m["name"]: m for m in (before or {}).get("volumes", [])}
        spec["volumes"] = [
            self._volumes.pin(account, mount, mounted.get(mount["name"]), now)
            for mount in spec["volumes"]
        ]
        pinned = {m["model_id"]: m for m in (before or {}).get("model_mounts", [])}
        # Rule MODEL-2: the revision that was left open is pinned, and shown.
        spec["model_mounts"] = [
            {
                **mount,
                "revision_id": mount.get("revision_id")
                or pinned.get(mount["model_id"], {}).get("revision_id")
                or "rv_" + hashlib.sha256(mount["model_id"].encode()).hexdigest()[:21],
            }
            for mount in spec["model_mounts"]
        ]

    def secret(self, account: str, reference: str) -> Record | None:
        """Return the secret that a reference (name or id) means, or None."""
        found = self._store.by_name("secrets", reference, account)
        if found is None:
            found = self._store.by_id("secrets", reference)
            if found is not None and found["account"] != account:
                return None
        return found

    def _shown_variables(self, d: Record, now: Moment) -> list[Record]:
        del now
        shown = []
        for variable in d["spec"]["environment_variables"]:
            entry = variable
            reference = variable.get("value_from_secret")
            if reference is not None:
                secret = self.secret(d["account"], reference)
                if secret is not None and secret.get("expires_at") is not None:
                    entry = {
                        **variable,
                        "value_from_secret_expires_at": timestamp(secret["expires_at"]),
                    }
            shown.append(entry)
        return shown

    @staticmethod
    def _not_deleting(d: Record) -> None:
        if "deleting_since" in d:
            raise Refused(
                409, f"deployment {d['name']} is being deleted", code="deleting"
            )

    def _save(self, d: Record) -> None:
        try:
            self._store.save("deployments", d)
        except NameTakenError:
            raise Refused(
                400,
                f"deployment with name {d['name']} already exists",
                param="name",
                code="already_exists",
            ) from None

    def _store_remove(self, d: Record) -> None:
        with self._store.transaction():
            self._store.remove("deployments", d["id"])
