"""
The revision history of a deployment: what ran when, and the way back.

Events are the list of what became active; configurations are what it was. The service
keeps more of the first than of the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator.deployments import show_mounts
from pulumi_jig.emulator.errors import not_found
from pulumi_jig.emulator.replicas import timestamp

if TYPE_CHECKING:
    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.deployments import Deployments
    from pulumi_jig.emulator.store import Store

Record = dict[str, Any]


class History:
    """Revisions of all deployments."""

    def __init__(self, store: Store, deployments: Deployments) -> None:
        self._store = store
        self._deployments = deployments

    def events(
        self,
        account: str,
        identifier: str,
        limit: int,
        before: int | None,
        now: Moment,
    ) -> Record:
        """
        Return at most *limit* revision events, newest first.

        Raises:
            ApiError: 404.
        """
        d = self._deployments.find(account, identifier, now)
        found = [
            event
            for event in reversed(d["events"])
            if before is None or event["event_number"] < before
        ]
        return {"object": "list", "data": found[:limit]}

    def revision(
        self, account: str, identifier: str, revision: str, now: Moment
    ) -> Record:
        """
        Return the configuration of one revision, by number or id.

        Raises:
            ApiError: 404, also where the configuration is no longer kept.

        """
        d = self._deployments.find(account, identifier, now)
        kept = self._kept(d, revision)
        spec = kept["spec"]
        shown = {
            "object": "revision",
            "revision_id": kept["revision_id"],
            "created_at": timestamp(kept["created_at"]),
            "protocol": "http",
            **{
                key: spec[key]
                for key in (
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
            },
            # The vendor's type has a port always; 0 means none.
            "port": spec["port"] or 0,
            "environment_variables": [
                {k: v for k, v in variable.items() if k != "secret_id"}
                for variable in spec["environment_variables"]
            ],
            "volumes": show_mounts(spec),
        }
        if spec["autoscaling"] is not None:
            shown["autoscaling"] = spec["autoscaling"]
        return shown

    def roll_back(
        self, account: str, identifier: str, revision: str, now: Moment
    ) -> Record:
        """
        Re-apply the spec of an earlier revision; return the deployment.

        Raises:
            ApiError: 404, or 409 while it is being deleted.
        """
        d = self._deployments.find(account, identifier, now)
        rollouts = self._deployments.rollouts
        rollouts.not_deleting(d)
        kept = self._kept(d, revision)
        if kept["revision_id"] != d["revision_id"]:
            # Rule HISTORY-3: the old revision's own id and number become active again.
            rollouts.reactivate(d, kept, "rollback", rollouts.local(d, now))
            self._store.save("deployments", d)
        return self._deployments.view(d, now)

    def _kept(self, d: Record, revision: str) -> Record:
        kept = self._deployments.rollouts.configuration(d, revision)
        if kept is None:
            # Rule HISTORY-2: an old configuration is gone, though its event is listed.
            raise not_found(f"revision {revision} not found")
        return kept
