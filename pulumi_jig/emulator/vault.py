"""
The rules of secrets: written, referred to, expiring, never read back.

What is kept of a value is its SHA-256: enough to show in a test that a new value has
arrived, and nothing that could leak.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import TYPE_CHECKING, Any

from .checks import Refused, bad, check_integer, check_text, required
from .replicas import timestamp
from .store import NameTakenError

if TYPE_CHECKING:
    from .clock import Moment
    from .store import Store

Record = dict[str, Any]


# Rule SECRET-2.
_NAME = re.compile(r"[A-Za-z0-9_\-/.]{1,100}")


def secret_fields(body: Record) -> Record:
    """
    Return the fields that a secret's body sets, each checked.

    Raises:
        Refused: 400.

    """
    fields: Record = {}
    if body.get("name") is not None:
        name = body["name"]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise bad("name", "must be 1-100 letters, digits, or any of _ - / .")
        fields["name"] = name
    if body.get("value") is not None:
        value = body["value"]
        if not isinstance(value, str) or not value:
            raise bad("value", "must be a string of at least one character")
        fields["value"] = check_text("value", value, most=1_000_000)
    if body.get("description") is not None:
        fields["description"] = check_text("description", body["description"], most=500)
    if body.get("ttl_seconds") is not None:
        fields["ttl_seconds"] = check_integer(
            "ttl_seconds", body["ttl_seconds"], 86_400, 1_209_600
        )
    return fields


class Vault:
    """Secrets of all accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, account: str, body: Record, now: Moment) -> Record:
        """
        Create a secret and return it as the API shows it, without its value.

        Raises:
            Refused: 400.

        """
        required(body, ("name", "value"))
        fields = secret_fields(body)
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
            Refused: 404.

        """
        return self.view(self._existing(account, identifier, now))

    def list_all(self, account: str, now: Moment) -> Record:
        """Return the account's secrets, oldest first."""
        found = [
            self.view(secret)
            for secret in self._store.all("secrets", account)
            if not self._expired(secret, now)
        ]
        return {"object": "list", "data": found}

    def update(
        self, account: str, identifier: str, body: Record, now: Moment
    ) -> Record:
        """
        Change a secret; what the body leaves out stays.

        Raises:
            Refused: 400 or 404.

        """
        secret = self._existing(account, identifier, now)
        fields = secret_fields(body)
        if "name" in fields and fields["name"] != secret["name"]:
            self.find(account, fields["name"], now)
        if fields:
            self._change(secret, fields, now)
        return self.view(secret)

    def delete(self, account: str, identifier: str, now: Moment) -> Record:
        """
        Delete a secret.

        Raises:
            Refused: 404, or 409 while a deployment refers to it.

        """
        secret = self._existing(account, identifier, now)
        # Rule SECRET-5: a secret that a deployment refers to stays.
        users = self._store.users(secret["id"])
        if users:
            names = []
            for user, _ in users:
                deployment = self._store.by_id("deployments", user)
                names.append(deployment["name"] if deployment else user)
            raise Refused(
                409,
                f"failed to delete secret {secret['name']}: it is used by deployment "
                + ", ".join(sorted(names)),
                code="in_use",
            )
        self._store.remove("secrets", secret["id"])
        return {}

    def find(self, account: str, identifier: str, now: Moment) -> Record | None:
        """Return the record of a secret by name or id, or None; expired ones go."""
        secret = self._store.by_name("secrets", identifier, account)
        if secret is None:
            secret = self._store.by_id("secrets", identifier)
        if secret is None or secret["account"] != account:
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
            raise Refused(404, f"secret {identifier} not found", code="not_found")
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
        try:
            self._store.save("secrets", secret)
        except NameTakenError:
            raise Refused(
                400,
                f"secret with name {secret['name']} already exists",
                param="name",
                code="already_exists",
            ) from None

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
