"""
How a change becomes running replicas, and when it is over.

A deployment wants replicas of one revision, the active one. Replicas of an older one go
on serving until the new ones do; a revision that fails leaves them there. All of it is
judged on reads, from the time that passed since the last change; a deployment on hold
has a time of its own, which only the admin interface moves.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator import behaviors
from pulumi_jig.emulator import replicas as lives
from pulumi_jig.emulator.errors import ApiError
from pulumi_jig.emulator.replicas import timestamp

if TYPE_CHECKING:
    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.secrets import Secrets
    from pulumi_jig.emulator.store import Store
    from pulumi_jig.emulator.volumes import Volumes

Record = dict[str, Any]

# Rule HISTORY-1, rule HISTORY-2: how much of the past is kept.
EVENTS_KEPT = 200
CONFIGURATIONS_KEPT = 50
LOG_LINES_KEPT = 200


class Rollouts:
    """
    The passage of time in deployments.

    Args:
        store: where records are kept.
        volumes: whose contents replicas wait for.
        secrets: whose secrets replicas need.

    """

    def __init__(self, store: Store, volumes: Volumes, secrets: Secrets) -> None:
        self._store = store
        self._volumes = volumes
        self._secrets = secrets

    # Time.

    @staticmethod
    def local(d: Record, now: Moment) -> Moment:
        """Return *now* in the deployment's own time."""
        if "held_at" in d:
            return now.at(d["held_at"])
        return now.at(now.progress - d.get("lag", 0.0))

    def advance(self, d: Record, now: Moment) -> Record | None:
        """Bring a record up to *now* and store what changed; None once it is gone."""
        now = self.local(d, now)
        if "deleting_since" in d:
            if now.progress - d["deleting_since"] >= self._grace(d):
                self._store.remove("deployments", d["id"])
                return None
            return d
        changed = False
        # A phase that ends can begin another: a failed revision is rolled back, and
        # the replicas of the one before need no time at all.
        while True:
            self._walk(d, now)
            ended = self._settle(d, now) or self._give_up(d, now)
            changed = d.pop("walked", False) or ended or changed
            if not ended:
                break
        if changed:
            self._store.save("deployments", d)
        return d

    def _walk(self, d: Record, now: Moment) -> None:
        mounts = d["spec"]["volumes"]
        content = self._volumes.state_of(mounts[0], now) if mounts else ("ready", 0.0)
        for replica in d["replicas"]:
            for step, wall in lives.walk(replica, now, content=content):
                d["walked"] = True
                self._log(d, replica, wall, step.line)
        kept = [
            r
            for r in d["replicas"]
            if not lives.is_draining(r)
            or now.progress - r["draining_since"] < self._grace(d)
        ]
        if len(kept) != len(d["replicas"]):
            d["replicas"] = kept
            d["walked"] = True

    def _settle(self, d: Record, now: Moment) -> bool:
        """End a phase whose work is done; return whether it did."""
        if d["phase"] == "Steady":
            return False
        serving = [r for r in self.target(d) if lives.is_serving(r)]
        if len(serving) < d["desired"]:
            return False
        done = max(
            [d["phase_since"] + behaviors.SETTLE, *(r["since"] for r in serving)]
        )
        if now.progress < done:
            return False
        d["phase"] = "Steady"
        d["good_revision"] = d["revision_number"]
        # Rule ROLL-2: replicas of the old revision serve until the new ones do.
        for replica in d["replicas"]:
            if replica["revision_id"] != d["revision_id"]:
                lives.drain(replica, done)
        return True

    def _give_up(self, d: Record, now: Moment) -> bool:
        """Let the service itself undo a failed /rollback revision; return whether it did."""
        good = d.get("good_revision")
        if good is None or good == d["revision_number"]:
            return False
        failed = [
            r
            for r in self.target(d)
            if r["script"] == "rollback" and lives.is_failed(r)
        ]
        if not failed:
            return False
        since = min(r["since"] for r in failed) + behaviors.PATIENCE
        before = self.configuration(d, str(good))
        if now.progress < since or before is None:
            return False
        # Rule HISTORY-4: the event says that nobody asked for it.
        self.reactivate(d, before, "system", now.at(since))
        return True

    @staticmethod
    def _grace(d: Record) -> float:
        return float(
            min(behaviors.DRAIN, d["spec"]["termination_grace_period_seconds"])
        )

    @staticmethod
    def next_change(d: Record, now: Moment) -> float | None:
        """Return the emulated seconds until something changes by itself, or None."""
        grace = Rollouts._grace(d)
        waits: list[float | None] = []
        if "deleting_since" in d:
            waits.append(d["deleting_since"] + grace - now.progress)
        else:
            for replica in d["replicas"]:
                waits.append(lives.remaining(replica, now))
                if lives.is_draining(replica):
                    waits.append(replica["draining_since"] + grace - now.progress)
            serving = sum(map(lives.is_serving, Rollouts.target(d)))
            if d["phase"] != "Steady" and serving >= d["desired"]:
                waits.append(d["phase_since"] + behaviors.SETTLE - now.progress)
            waits += [
                r["since"] + behaviors.PATIENCE - now.progress
                for r in d["replicas"]
                if r["script"] == "rollback" and lives.is_failed(r)
            ]
        future = [wait for wait in waits if wait is not None and wait > 0]
        return min(future) if future else None

    # Changes.

    def new_revision(self, d: Record, action: str, now: Moment) -> None:
        """Make the spec that the deployment has now its newest, active revision."""
        d["revisions_made"] += 1
        d["revision_number"] = d["revisions_made"]
        d["revision_id"] = str(uuid.uuid4())
        d["revision_at"] = now.wall
        self._activate(d, action, now)

    def reactivate(
        self, d: Record, configuration: Record, action: str, now: Moment
    ) -> None:
        """Make an earlier revision the active one again, under its own id."""
        description = d["spec"]["description"]
        d["spec"] = {**configuration["spec"], "description": description}
        d["revision_number"] = configuration["number"]
        d["revision_id"] = configuration["revision_id"]
        d["revision_at"] = configuration["created_at"]
        d["updated_at"] = now.wall
        d["desired"] = self.wanted(d)
        self._activate(d, action, now)

    def _activate(self, d: Record, action: str, now: Moment) -> None:
        d["events_made"] += 1
        self.save_configuration(d)
        event = {
            "object": "revision_event",
            "action": action,
            "activated_at": timestamp(now.wall_of(now.progress)),
            "event_number": d["events_made"],
            "image": d["spec"]["image"],
            "revision_id": d["revision_id"],
            "revision_number": d["revision_number"],
        }
        d["events"] = [*d["events"], event][-EVENTS_KEPT:]
        self._store.set_uses(d["id"], self._uses(d["spec"]))
        for replica in d["replicas"]:
            # Rule ROLL-3: what never served is stopped at once.
            if replica["revision_id"] != d["revision_id"] and not lives.is_serving(
                replica
            ):
                lives.drain(replica, now.progress)
        # Rule PATCH-6: the phase is shown at once, and ends later.
        self.rescale(d, now, phase="Updating")

    def rescale(self, d: Record, now: Moment, *, phase: str = "Scaling") -> None:
        """Start or stop replicas of the active revision until they are as desired."""
        target = self.target(d)
        # What does not serve goes first, then the youngest.
        target.sort(key=lives.is_serving, reverse=True)
        for replica in target[d["desired"] :]:
            lives.drain(replica, now.progress)
        for _ in range(d["desired"] - len(target)):
            self._start(d, now)
        if phase == "Updating" or d["phase"] == "Steady":
            d["phase"] = phase
        d["phase_since"] = now.progress

    def _start(self, d: Record, now: Moment) -> None:
        spec = d["spec"]
        missing = any(
            "secret_id" in variable
            and self._secrets.by_id(variable["secret_id"], now) is None
            for variable in spec["environment_variables"]
        )
        replica = lives.new_replica(
            f"{d['name']}-{d['revision_id'][:8]}-{uuid.uuid4().hex[:5]}",
            revision_id=d["revision_id"],
            image=spec["image"],
            mounted=bool(spec["volumes"] or spec["model_mounts"]),
            now=now,
            # Rule SECRET-6: a container whose secret has expired cannot start.
            script="missing-secret" if missing else None,
        )
        d["replicas"].append(replica)
        self._log(d, replica, now.wall, lives.step_of(replica).line)

    def begin_delete(self, d: Record, now: Moment) -> None:
        """Begin to take a deployment down; its replicas drain."""
        d["deleting_since"] = now.progress
        d["updated_at"] = now.wall
        d["desired"] = 0
        for replica in d["replicas"]:
            lives.drain(replica, now.progress)
        # Rule DELETE-4: what it referred to is free at once.
        self._store.set_uses(d["id"], {})
        self._store.save("deployments", d)

    @staticmethod
    def _uses(spec: Record) -> dict[str, int | None]:
        uses: dict[str, int | None] = {
            v["secret_id"]: None
            for v in spec["environment_variables"]
            if "secret_id" in v
        }
        uses.update({m["volume_id"]: m["version"] for m in spec["volumes"]})
        return uses

    @staticmethod
    def save_configuration(d: Record) -> None:
        """Keep the spec as that of the active revision."""
        active = {
            "revision_id": d["revision_id"],
            "number": d["revision_number"],
            "created_at": d["revision_at"],
            "spec": d["spec"],
        }
        others = [r for r in d["revisions"] if r["number"] != active["number"]]
        kept = sorted([*others, active], key=lambda r: int(r["number"]))
        oldest = kept[-CONFIGURATIONS_KEPT:][0]["number"]
        d["revisions"] = [r for r in kept if r["number"] >= oldest or r is active]

    @staticmethod
    def configuration(d: Record, revision: str) -> Record | None:
        """Return the configuration of a revision by id or number, if it is kept."""
        for kept in d["revisions"]:
            if revision in {kept["revision_id"], str(kept["number"])}:
                found: Record = kept
                return found
        return None

    # Judgement.

    @staticmethod
    def wanted(d: Record) -> int:
        """Return how many replicas the bounds ask for, given how many there are."""
        low, high = d["spec"]["min_replicas"], d["spec"]["max_replicas"]
        # Rule SCALE-5: without an autoscaler nothing goes above the floor.
        if d["spec"]["autoscaling"] is None:
            return int(low)
        return int(min(max(d["desired"], low), high))

    @staticmethod
    def target(d: Record) -> list[Record]:
        """Return the replicas that run the active revision and are to stay."""
        return [
            r
            for r in d["replicas"]
            if r["revision_id"] == d["revision_id"] and not lives.is_draining(r)
        ]

    def status(self, d: Record) -> str:
        """Return the status."""
        if "deleting_since" in d:
            return "Scaling"
        target = self.target(d)
        # Rule ROLL-4: a failure of the active revision counts, whoever else serves.
        if any(map(lives.is_failed, target)):
            return "Failed"
        if d["phase"] != "Steady":
            return str(d["phase"])
        # Rule SCALE-6.
        if d["desired"] == 0:
            return "ScaledToZero"
        serving = sum(map(lives.is_serving, target))
        return "Ready" if serving >= d["desired"] else "Scaling"

    @staticmethod
    def not_deleting(d: Record) -> None:
        """
        Refuse a change of a deployment that is going.

        Raises:
            ApiError: 409.

        """
        if "deleting_since" in d:
            raise ApiError(
                409, f"deployment {d['name']} is being deleted", code="deleting"
            )

    @staticmethod
    def _log(d: Record, replica: Record, wall: float, line: str) -> None:
        d["log"].append([replica["id"], replica["revision_id"], wall, line])
        del d["log"][:-LOG_LINES_KEPT]
