"""
The rules of secrets: written, referred to, expiring, never read back.

What is kept of a value is its SHA-256: enough to show in a test that a new value has
arrived, and nothing that could leak.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator.errors import ApiError, not_found
from pulumi_jig.emulator.replicas import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.schemas import CreateSecretRequest, UpdateSecretRequest
    from pulumi_jig.emulator.store import Store

Record = dict[str, Any]


class Secrets:
    """Secrets of all accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, account: str, body: CreateSecretRequest, now: Moment) -> Record:
        """
        Create a secret and return it as the API shows it, without its value.

        Raises:
            ApiError: 400, for a name that is taken.
        """
        fields = body.given()
        # One that has expired no longer holds the name.
        self.find(account, fields["name"], now)
        secret: Record = {
            "id": str(uuid.uuid4()),
            "account": account,
            "name": fields["name"],
            "description": fields.get("description", ""),
            "created_at": now.wall,
            "ttl_seconds": None,
            "expires_at": None,
        }
        self._change(secret, fields, now)
        return self.view(secret)

    def get(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Return one secret by id or name.

        Raises:
            ApiError: 404.

        """
        return self.view(self._existing(account, identifier, now))

    def list_all(self, account: str, now: Moment) -> Iterator[Record]:
        """Iterate over the account's secrets as the API shows them, oldest first."""
        for secret in self._store.all("secrets", account):
            if not self._expired(secret, now):
                yield self.view(secret)

    def update(
        self,
        account: str,
        identifier: str,
        body: UpdateSecretRequest,
        now: Moment,
    ) -> Record:
        """
        Change a secret; what the body leaves out stays.

        Raises:
            ApiError: 400 or 404.

        """
        secret = self._existing(account, identifier, now)
        fields = body.given()
        if "name" in fields and fields["name"] != secret["name"]:
            self.find(account, fields["name"], now)
        if fields:
            self._change(secret, fields, now)
        return self.view(secret)

    def delete(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Delete a secret.

        Raises:
            ApiError: 404, or 409 while a deployment refers to it.

        """
        secret = self._existing(account, identifier, now)
        # Rule SECRET-5: a secret that a deployment refers to stays.
        if users := self._store.user_names(secret["id"]):
            raise ApiError(
                409,
                f"failed to delete secret {secret['name']}: it is used by deployment "
                + users,
                code="in_use",
            )
        self._store.remove("secrets", secret["id"])
        return {}

    def find(self, account: str, identifier: str, now: Moment) -> Record | None:
        """Return the record of a secret by name or id, or None; expired ones go."""
        secret = self._store.find("secrets", account, identifier)
        if secret is None:
            return None
        if self._expired(secret, now):
            self._store.remove("secrets", secret["id"])
            return None
        return secret

    def by_id(self, secret_id: str, now: Moment) -> Record | None:
        """Return the record of a secret that a deployment refers to, or None."""
        secret = self._store.by_id("secrets", secret_id)
        return None if secret is None or self._expired(secret, now) else secret

    def _existing(self, account: str, identifier: str, now: Moment) -> Record:
        secret = self.find(account, identifier, now)
        if secret is None:
            raise not_found(f"secret {identifier} not found")
        return secret

    @staticmethod
    def _expired(secret: Record, now: Moment) -> bool:
        # Rule SECRET-4: a secret past its expiry is deleted.
        return secret["expires_at"] is not None and now.wall >= secret["expires_at"]

    def _change(self, secret: Record, fields: Record, now: Moment) -> None:
        for name in ("name", "description", "ttl_seconds"):
            if name in fields:
                secret[name] = fields[name]
        if "value" in fields:
            value = fields["value"].encode()
            secret["value_sha256"] = hashlib.sha256(value).hexdigest()
        if secret["ttl_seconds"] is not None and {"value", "ttl_seconds"} & set(fields):
            # Rule SECRET-3: a new lifetime and a new value both count from now.
            secret["expires_at"] = now.wall + secret["ttl_seconds"]
        secret["updated_at"] = now.wall
        self._store.save("secrets", secret)

    @staticmethod
    def view(secret: Record) -> Record:
        """Return a secret as the API shows it (rule SECRET-1: without its value)."""
        user = f"user-{secret['account']}"
        shown: Record = {
            "object": "secret",
            "id": secret["id"],
            "name": secret["name"],
            "description": secret["description"],
            "created_at": timestamp(secret["created_at"]),
            "updated_at": timestamp(secret["updated_at"]),
            "created_by": user,
            "last_updated_by": user,
        }
        if secret["ttl_seconds"] is not None:
            shown["ttl_seconds"] = secret["ttl_seconds"]
            shown["expires_at"] = timestamp(secret["expires_at"])
        return shown
