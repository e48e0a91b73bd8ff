"""
The rules of deployments: create, read, change, delete, logs.

Records go in and out of the store; what follows from a change is `rollouts`' work;
bodies are checked by `validation`. Nothing here knows HTTP, and nothing runs by itself:
each operation first brings the deployment that it touches up to the present.
"""

from __future__ import annotations

import fnmatch
import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator import replicas as lives
from pulumi_jig.emulator.errors import ApiError, invalid, not_found
from pulumi_jig.emulator.replicas import timestamp
from pulumi_jig.emulator.rollouts import Rollouts
from pulumi_jig.emulator.schemas import (
    BOUNDS,
    DEFAULTS,
    OUTSIDE_REVISION,
    REVISION_VARIABLE,
    check_spec,
)
from pulumi_jig.emulator.store import name_taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.schemas import (
        CreateDeploymentRequest,
        LogsQuery,
        UpdateDeploymentRequest,
    )
    from pulumi_jig.emulator.secrets import Secrets
    from pulumi_jig.emulator.store import Store
    from pulumi_jig.emulator.volumes import Volumes

Record = dict[str, Any]

# What of a spec is shown just as it was given.
_PLAIN = (
    "description",
    "image",
    "gpu_type",
    "gpu_count",
    "cpu",
    "memory",
    "storage",
    "capacity_type",
    "min_replicas",
    "max_replicas",
    "health_check_path",
    "command",
    "args",
    "termination_grace_period_seconds",
    "model_mounts",
)


def show_mounts(spec: Record) -> list[Record]:
    """Return the volume mounts without our own bookkeeping."""
    return [
        {key: value for key, value in mount.items() if key != "volume_id"}
        for mount in spec["volumes"]
    ]


class Deployments:
    """
    Deployments of all accounts.

    Args:
        store: where records are kept.
        volumes: the volumes that deployments mount.
        secrets: the secrets that deployments refer to.
    """

    def __init__(self, store: Store, volumes: Volumes, secrets: Secrets) -> None:
        self._store = store
        self._volumes = volumes
        self._secrets = secrets
        self.rollouts = Rollouts(store, volumes, secrets)
        # Names and patterns whose deployments are born on hold.
        self.holds: set[str] = set()

    # Operations of the API.

    def create(
        self, account: str, body: CreateDeploymentRequest, now: Moment
    ) -> Record:
        """
        Create a deployment and return it as the API shows it.

        Raises:
            ApiError: 400, for a name taken, a contradiction, or an unknown reference.
        """
        return self.view(self.insert(account, body.name, body.given(), now), now)

    def get(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Return one deployment by id or name.

        Raises:
            ApiError: 404.

        """
        return self.view(self.find(account, identifier, now), now)

    def list_all(self, account: str, now: Moment) -> Iterator[Record]:
        """Iterate over the account's deployments as the API shows them, oldest first."""
        for d in self.records(account, now):
            yield self.view(d, now)

    def update(
        self,
        account: str,
        identifier: str,
        body: UpdateDeploymentRequest,
        now: Moment,
    ) -> Record:
        """
        Change a deployment by the rules of PATCH; return it as the API shows it.

        Raises:
            ApiError: 400, 404, or 409 while it is being deleted.

        """
        d = self.find(account, identifier, now)
        self.rollouts.not_deleting(d)
        if body.name not in {None, d["name"]}:
            # Rule NAME-4: the same name is harmless, the vendor's CLI always sends it.
            raise invalid("name", "cannot be changed")
        self.change(d, body.given(), now)
        return self.view(d, now)

    def delete(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Begin to take a deployment down.

        Raises:
            ApiError: 404.

        """
        d = self.find(account, identifier, now)
        if "deleting_since" not in d:
            self.rollouts.begin_delete(d, self.rollouts.local(d, now))
        # Rule DELETE-1.
        return {}

    def logs(
        self, account: str, identifier: str, wanted: LogsQuery, now: Moment
    ) -> list[str]:
        """
        Return log lines, oldest first.

        Args:
            account: who asks.
            identifier: id or name of the deployment.
            wanted: which lines.
            now: the clocks.

        Raises:
            ApiError: 404.

        """
        d = self.find(account, identifier, now)
        # Rule LOGS-1.
        images = {e["revision_id"]: e["image"] for e in d["events"]}
        lines = []
        for replica_id, revision_id, wall, line in d["log"]:
            if wanted.replica_id not in {"", replica_id}:
                continue
            if wanted.revision not in {"", revision_id}:
                continue
            if wanted.version:
                image = images.get(revision_id, "")
                tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
                digest = image.partition("@")[2][-4:]
                if wanted.version not in {tag, digest}:
                    continue
            lines.append(f"{timestamp(wall)} {replica_id} {line}")
        return lines

    # What other resources and the admin interface need.

    def insert(
        self,
        account: str,
        name: str,
        given: Record,
        now: Moment,
        *,
        since: Moment | None = None,
    ) -> Record:
        """
        Store a new deployment of checked fields and return its record.

        Args:
            account: whose it is.
            name: its name, checked.
            given: the fields of its spec, checked.
            now: the clocks.
            since: when its life began, if not now.

        Raises:
            ApiError: 400.

        """
        spec = {**DEFAULTS, **given}
        # Rule DEFAULT-2: the ceiling follows the floor.
        spec.setdefault("max_replicas", spec["min_replicas"])
        check_spec(spec)
        self.resolve(account, spec, None, now)
        # Rule NAME-3: names are unique over all customers.
        # Rule DELETE-3: a name whose deployment has drained is free again.
        holder = self._store.by_name("deployments", name)
        if holder is not None and self.rollouts.advance(holder, now) is not None:
            raise name_taken("deployments", name)
        d: Record = {
            "id": str(uuid.uuid4()),
            "account": account,
            "name": name,
            "created_at": now.wall,
            "updated_at": now.wall,
            "spec": spec,
            "revisions_made": 0,
            "events_made": 0,
            "events": [],
            "revisions": [],
            "desired": spec["min_replicas"],
            "phase": "Updating",
            "phase_since": now.progress,
            "replicas": [],
            "log": [],
        }
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.holds):
            d["held_at"] = now.progress
        self.rollouts.new_revision(d, "create", since or now)
        self._store.save("deployments", d)
        return d

    def records(self, account: str | None, now: Moment) -> Iterator[Record]:
        """Iterate over deployments of an account (None: of all), up to date."""
        for record in self._store.all("deployments", account):
            d = self.rollouts.advance(record, now)
            if d is not None:
                yield d

    def find(self, account: str | None, identifier: str, now: Moment) -> Record:
        """
        Return the record of a deployment of the account (None: of any), up to date.

        Raises:
            ApiError: 404.

        """
        record = self._store.by_name("deployments", identifier)
        if record is not None and "deleting_since" in record and account is not None:
            # Rule DELETE-2: a deployment that is being deleted is found by its id alone.
            record = None
        if record is None:
            record = self._store.by_id("deployments", identifier)
        # Rule ACCOUNT-2: what belongs to another account does not exist for this one.
        if record is not None and account in {None, record["account"]}:
            d = self.rollouts.advance(record, now)
            if d is not None:
                return d
        raise not_found(f"deployment {identifier} not found")

    def change(self, d: Record, given: Record, now: Moment) -> None:
        """
        Give a deployment checked values, and store what follows from them.

        Raises:
            ApiError: 400.

        """
        # Rule PATCH-2, rule PATCH-4: what is given replaces, lists and all.
        spec = {**d["spec"], **given}
        check_spec(spec)
        self.resolve(d["account"], spec, d["spec"], now)
        changed = {key for key in spec if spec[key] != d["spec"][key]}
        if not changed:
            # Rule PATCH-5: asking for what is there changes nothing.
            return
        now = self.rollouts.local(d, now)
        d["spec"] = spec
        d["updated_at"] = now.wall
        d["desired"] = self.rollouts.wanted(d)
        if changed - set(OUTSIDE_REVISION):
            # Rule REVISION-1.
            self.rollouts.new_revision(d, "update", now)
        elif changed & set(BOUNDS):
            # Rule REVISION-2: replica bounds alone keep the revision.
            self.rollouts.save_configuration(d)
            self.rollouts.rescale(d, now)
        self._store.save("deployments", d)

    def view(self, d: Record, now: Moment) -> Record:
        """Return a deployment as the API shows it."""
        spec = d["spec"]
        shown: Record = {
            "object": "deployment",
            "id": d["id"],
            "name": d["name"],
            "status": self.rollouts.status(d),
            **{key: spec[key] for key in _PLAIN},
            "desired_replicas": d["desired"],
            # Rule ROLL-5: whoever serves counts, of whatever revision.
            "ready_replicas": sum(map(lives.is_serving, d["replicas"])),
            "environment_variables": [
                *(self._show_variable(v, now) for v in spec["environment_variables"]),
                # Rule ENV-3: the service shows its own variable among the others.
                {"name": REVISION_VARIABLE, "value": d["revision_id"]},
            ],
            "volumes": show_mounts(spec),
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

    def _show_variable(self, variable: Record, now: Moment) -> Record:
        if "secret_id" not in variable:
            return variable
        shown = {k: v for k, v in variable.items() if k != "secret_id"}
        secret = self._secrets.by_id(variable["secret_id"], now)
        if secret is not None and secret["expires_at"] is not None:
            # Rule ENV-5.
            shown["value_from_secret_expires_at"] = timestamp(secret["expires_at"])
        return shown

    # References.

    def resolve(
        self, account: str, spec: Record, before: Record | None, now: Moment
    ) -> None:
        """
        Check that secrets and volumes exist, and pin what was left open.

        Args:
            account: whose references they are.
            spec: changed in place.
            before: the spec that the deployment has now, if any.
            now: the clocks.

        Raises:
            ApiError: 400.

        """
        held = before or {"volumes": [], "model_mounts": []}
        variables = []
        for index, variable in enumerate(spec["environment_variables"]):
            reference = variable.get("value_from_secret")
            if reference is None or "secret_id" in variable:
                # Untouched entries keep what they referred to.
                variables.append(variable)
                continue
            secret = self._secrets.find(account, reference, now)
            if secret is None:
                path = f"environment_variables[{index}].value_from_secret"
                # Rule ENV-2: a secret must exist when it is referred to.
                raise ApiError(
                    400,
                    f"{path}: secret {reference} not found",
                    param=path,
                    code="not_found",
                )
            variables.append({**variable, "secret_id": secret["id"]})
        spec["environment_variables"] = variables
        mounted = {m["name"]: m for m in held["volumes"]}
        spec["volumes"] = [
            m
            if "volume_id" in m
            else self._volumes.pin(account, m, mounted.get(m["name"]))
            for m in spec["volumes"]
        ]
        pinned = {m["model_id"]: m["revision_id"] for m in held["model_mounts"]}
        # Rule MODEL-2: a revision that was left open is pinned, and shown.
        spec["model_mounts"] = [
            {
                **mount,
                "revision_id": mount.get("revision_id")
                or pinned.get(mount["model_id"])
                or "rv_" + hashlib.sha256(mount["model_id"].encode()).hexdigest()[:21],
            }
            for mount in spec["model_mounts"]
        ]
