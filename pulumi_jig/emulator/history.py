"""
The revision history of a deployment: what ran when, and the way back.

Events are the list of what became active; configurations are what it was. The service
keeps more of the first than of the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .checks import Refused, required
from .deployments import show_mounts
from .replicas import timestamp

if TYPE_CHECKING:
    from .clock import Moment
    from .deployments import Deployments
    from .store import Store

Record = dict[str, Any]


def _whole(query: dict[str, str], name: str, low: int, high: int) -> int | None:
    """
    Return a whole number of the query, or None where it is absent.

    Raises:
        Refused: 400.

    """
    text = query.get(name)
    if text is None:
        return None
    digits = text.isascii() and text.isdigit() and len(text) <= 18
    if not digits or not low <= int(text) <= high:
        raise Refused(
            400,
            f"{name}: must be a whole number from {low} to {high}",
            param=name,
            code="invalid_value",
        )
    return int(text)


class History:
    """Revisions of all deployments."""

    def __init__(self, store: Store, deployments: Deployments) -> None:
        self._store = store
        self._deployments = deployments

    def events(
        self, account: str, identifier: str, query: dict[str, str], now: Moment
    ) -> Record:
        """
        Return revision events, newest first.

        Raises:
            Refused: 400 for a bad ``limit`` or ``before``, 404.

        """
        d = self._deployments.find(account, identifier, now)
        limit = _whole(query, "limit", 1, 100)
        before = _whole(query, "before", 0, 10**18 - 1)
        found = self._store.events(
            d["id"], before=before, limit=10 if limit is None else limit
        )
        return {"object": "list", "data": found}

    def revision(
        self, account: str, identifier: str, revision: str, now: Moment
    ) -> Record:
        """
        Return the configuration of one revision, by number or id.

        Raises:
            Refused: 404, also where the configuration is no longer kept.

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
            # The vendor's type has a port always; 0 stands for none.
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
        self, account: str, identifier: str, body: Record, now: Moment
    ) -> Record:
        """
        Re-apply the spec of an earlier revision; return the deployment.

        Raises:
            Refused: 400, 404, or 409 while it is being deleted.

        """
        required(body, ("revision_identifier",))
        wanted = body["revision_identifier"]
        if not isinstance(wanted, str) or not wanted:
            raise Refused(
                400,
                "revision_identifier: must be a revision number or id, as a string",
                param="revision_identifier",
                code="invalid_value",
            )
        d = self._deployments.find(account, identifier, now)
        rollouts = self._deployments.rollouts
        rollouts.not_deleting(d)
        kept = self._kept(d, wanted)
        if kept["revision_id"] != d["revision_id"]:
            # Rule HISTORY-3: the old revision's own id and number become active again.
            rollouts.reactivate(d, kept, "rollback", rollouts.local(d, now))
            self._store.save("deployments", d)
        return self._deployments.view(d, now)

    def _kept(self, d: Record, revision: str) -> Record:
        kept = self._store.revision(d["id"], revision)
        if kept is None:
            # Rule HISTORY-2: an old configuration is gone, though its event is listed.
            raise Refused(404, f"revision {revision} not found", code="not_found")
        return kept
