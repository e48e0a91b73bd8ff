"""
The rules of volumes: versions, and how their contents come to be there.

A version's content is named once and never changes; a change of content makes the next
version. Contents under a files prefix are there already; contents in S3 are copied,
which takes time and can fail. The copy is judged on reads, from the time that passed.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator import behaviors
from pulumi_jig.emulator.errors import ApiError, not_found
from pulumi_jig.emulator.replicas import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_jig.emulator.clock import Moment
    from pulumi_jig.emulator.schemas import CreateVolumeRequest, UpdateVolumeRequest
    from pulumi_jig.emulator.store import Store

Record = dict[str, Any]

_BUCKET = re.compile(r"s3://([^/]+)")
_MISSING = re.compile(r"s3://[^/]*no-such-bucket")
_DENIED = re.compile(r"/(access-denied|sync-failed)(?=[/._-]|$)")
_FLAKY = re.compile(r"/flaky(?=[/._-]|$)")
_SLOW = re.compile(r"/slow(?=[/._-]|$)")

# What every volume holds: so many files of so many bytes.
_FILES = 4
_FILE_SIZE = 250_000_000


class Volumes:
    """Volumes of all accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Operations of the API.

    def create(self, account: str, body: CreateVolumeRequest, now: Moment) -> Record:
        """
        Create a volume with its version 0 and return it as the API shows it.

        Raises:
            ApiError: 400, for a name that is taken.
        """
        fields = body.given()
        volume: Record = {
            "id": str(uuid.uuid4()),
            "account": account,
            "name": fields["name"],
            "created_at": now.wall,
            "updated_at": now.wall,
            "versions": [],
        }
        self._add_version(volume, fields["content"], now)
        self._store.save("volumes", volume)
        return self.view(volume, now)

    def get(
        self, account: str, identifier: str, version: int | None, now: Moment
    ) -> Record:
        """
        Return a volume by id or name, at its current version or at *version*.

        Raises:
            ApiError: 404.
        """
        volume = self._existing(account, identifier)
        if version is not None and version >= len(volume["versions"]):
            raise not_found(f"volume {volume['name']} has no version {version}")
        return self.view(volume, now, version)

    def list_all(self, account: str, now: Moment) -> Iterator[Record]:
        """Iterate over the account's volumes as the API shows them, oldest first."""
        for volume in self._store.all("volumes", account):
            yield self.view(volume, now)

    def update(
        self,
        account: str,
        identifier: str,
        body: UpdateVolumeRequest,
        now: Moment,
    ) -> Record:
        """
        Change a volume; content makes the next version.

        Raises:
            ApiError: 400 or 404.

        """
        volume = self._existing(account, identifier)
        fields = body.given()
        if not fields:
            return self.view(volume, now)
        volume["name"] = fields.get("name", volume["name"])
        if "content" in fields:
            # Rule VOLUME-2: even equal content is copied anew, into a new version.
            self._add_version(volume, fields["content"], now)
        volume["updated_at"] = now.wall
        self._store.save("volumes", volume)
        return self.view(volume, now)

    def delete(self, account: str, identifier: str) -> Record:
        """
        Delete a volume with all its versions.

        Raises:
            ApiError: 404, or 409 while a deployment mounts it.

        """
        volume = self._existing(account, identifier)
        # Rule VOLUME-5: a volume that a deployment mounts stays.
        if users := self._store.user_names(volume["id"]):
            raise ApiError(
                409,
                f"failed to delete volume {volume['name']}: it is mounted by "
                f"deployment {users}",
                code="in_use",
            )
        self._store.remove("volumes", volume["id"])
        return {}

    # What deployments need.

    def pin(self, account: str, mount: Record, before: Record | None) -> Record:
        """
        Return a mount with its version and the volume's id.

        Args:
            account: whose volume.
            mount: the mount as the body had it.
            before: the mount of the same volume that the deployment has now, if any.

        Raises:
            ApiError: 400, for a volume or version that does not exist.

        """
        volume = self._store.find("volumes", account, mount["name"])
        if volume is None:
            raise ApiError(
                400,
                f"volumes[0].name: volume not found: {mount['name']}",
                param="volumes[0].name",
                code="not_found",
            )
        version = mount.get("version")
        if version is None:
            # Rule VOLUME-3: on create the latest, on update the one that is mounted.
            same = before is not None and before["volume_id"] == volume["id"]
            version = (
                before["version"]
                if before is not None and same
                else len(volume["versions"]) - 1
            )
        if version >= len(volume["versions"]):
            raise ApiError(
                400,
                f"volumes[0].version: volume {mount['name']} has no version {version}",
                param="volumes[0].version",
                code="not_found",
            )
        return {**mount, "version": version, "volume_id": volume["id"]}

    def state_of(self, mount: Record, now: Moment) -> tuple[str, float]:
        """Return the state of a mounted version, and the progress since when."""
        volume = self._store.by_id("volumes", mount["volume_id"])
        if volume is None:
            return "failed", now.progress
        version = volume["versions"][mount["version"]]
        status, _ = self._state(version, now)
        if "manual" in version:
            return status, version["manual"]["since"]
        origin = version["content"].get("origin")
        if origin is None or status in {"pending", "syncing"}:
            return status, version["since"]
        return status, version["since"] + behaviors.PENDING + self._sync(origin)

    # Versions.

    @staticmethod
    def _add_version(volume: Record, content: Record, now: Moment) -> None:
        volume["versions"].append(
            {
                "content": content,
                "number": len(volume["versions"]),
                "since": now.progress,
                "at": now.wall,
            }
        )

    @staticmethod
    def _state(version: Record, now: Moment) -> tuple[str, str]:
        """Return status and status message of a version."""
        manual = version.get("manual")
        if manual is not None:
            return manual["status"], manual.get("status_message", "")
        origin = version["content"].get("origin")
        if origin is None:
            # Rule VOLUME-4: uploaded files are in place before the volume is made.
            return "ready", ""
        uri = origin["s3"]["uri"]
        gone = now.progress - version["since"]
        if gone < behaviors.PENDING:
            return "pending", ""
        if gone < behaviors.PENDING + Volumes._sync(origin):
            return "syncing", ""
        if _MISSING.match(uri):
            bucket = _BUCKET.match(uri)
            name = bucket.group(1) if bucket else ""
            return "failed", f"bucket '{name}' does not exist"
        if _DENIED.search(uri):
            return "failed", "access denied"
        if _FLAKY.search(uri) and version.get("number") == 0:
            return "failed", "connection to the bucket was lost"
        return "ready", ""

    @staticmethod
    def _sync(origin: Record) -> float:
        slow = _SLOW.search(origin["s3"]["uri"])
        return behaviors.SYNC * (behaviors.SLOW if slow else 1)

    def _existing(self, account: str, identifier: str) -> Record:
        volume = self._store.find("volumes", account, identifier)
        if volume is None:
            raise not_found(f"volume {identifier} not found")
        return volume

    def view(self, volume: Record, now: Moment, number: int | None = None) -> Record:
        """Return a volume as the API shows it, at one version."""
        versions = volume["versions"]
        current = len(versions) - 1
        users = self._store.users(volume["id"])

        def of(number: int) -> Record:
            status, message = self._state(versions[number], now)
            shown: Record = {
                "content": versions[number]["content"],
                "mounted_by": [user for user, version in users if version == number],
                "status": status,
            }
            if message:
                shown["status_message"] = message
            return shown

        shown = {
            "object": "volume",
            "id": volume["id"],
            "name": volume["name"],
            "type": "readOnly",
            "current_version": current,
            "created_at": timestamp(volume["created_at"]),
            "updated_at": timestamp(volume["updated_at"]),
            **of(current if number is None else number),
            "version_history": {
                str(old): {"version": old, **of(old)} for old in range(current)
            },
        }
        files = self._files(versions[current if number is None else number], now)
        if files:
            shown["content"] = {**shown["content"], "files": files}
        return shown

    def _files(self, version: Record, now: Moment) -> list[Record]:
        """Return the files of a version that are there: while it is copied, some."""
        status, _ = self._state(version, now)
        there = _FILES if status == "ready" else 0
        origin = version["content"].get("origin")
        if status == "syncing" and origin is not None:
            # Rule VOLUME-8: files show as they come.
            gone = now.progress - version["since"] - behaviors.PENDING
            there = int(_FILES * min(max(gone / self._sync(origin), 0.0), 0.99))
        return [
            {
                "name": f"model-{number + 1:05}-of-{_FILES:05}.safetensors",
                "size": _FILE_SIZE,
                "last_modified": timestamp(version["at"]),
            }
            for number in range(there)
        ]
