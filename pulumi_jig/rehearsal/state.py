"""
The state of a stack: resources, pending operations, and their file.

The file is in the format of `pulumi stack export` (deployment version 3), so that every
tool that reads an exported stack also reads a rehearsed one, and a rehearsal can start
from an exported stack.
"""

from __future__ import annotations

import copy
import datetime as dt
import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulumi_jig.rehearsal.encryption import PROVIDER_TYPE, Encryption
from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.properties import (
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_STRING,
    PropertyMap,
    Secret,
    secret,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION: Final = 3


@dataclass(eq=False)
class Resource:
    """
    One resource in the state; the fields are those of the export format.

    Compared by identity: during a replacement two resources share one URN.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    outputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    protect: bool = False
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    retain_on_delete: bool = False
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    created: str = ""
    modified: str = ""
    # The URN under which the previous state knew it; not part of the file.
    aliased_from: str = ""

    @property
    def name(self) -> str:
        """The logical name: the last part of the URN."""
        return self.urn.rpartition("::")[2]

    @property
    def provider_urn(self) -> str:
        """The URN of its provider, or ""."""
        return self.provider.rpartition("::")[0]

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider resource, default or explicit."""
        return self.type.startswith("pulumi:providers:")

    @property
    def is_default_provider(self) -> bool:
        """Whether this is a provider resource that the engine made."""
        return self.is_provider and not self.parent

    def copied(self) -> Resource:
        """A copy that shares nothing with this one."""
        return copy.deepcopy(self)

    def references(self) -> list[str]:
        """URNs of all that must be deleted after this one, its provider's included."""
        urns = [*self.dependencies]
        for names in self.property_dependencies.values():
            urns += names
        return [*urns, *filter(None, [self.parent, self.provider_urn])]


@dataclass
class Operation:
    """An operation that began and did not end; `kind` is `creating`, `updating`, ..."""

    kind: str
    resource: Resource


@dataclass
class Snapshot:
    """All that is known of a stack at one moment."""

    resources: list[Resource] = field(default_factory=list)
    pending: list[Operation] = field(default_factory=list)

    def live(self) -> dict[str, Resource]:
        """Resources by URN, without those that wait for their deletion."""
        return {item.urn: item for item in self.resources if not item.delete}


def now() -> str:
    """The time as the export format writes it."""
    stamp = dt.datetime.now(tz=dt.UTC)
    return stamp.isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- To and from JSON --------------------------------------------------------------

_VALUES: Final = frozenset({"inputs", "outputs"})
#: What an engine's state may ask for and the rehearsal does not do.
_REFUSED: Final = ("taint", "deletedWith", "replacementTrigger")


def value_to_json(value: Any, encryption: Encryption | None) -> Any:
    """
    A property value for a file.

    Secrets become ciphertext; without `encryption` (`--show-secrets`) they are written
    in clear, marked as secrets.
    """
    if isinstance(value, Secret):
        clear = value_to_json(value.value, None)
        if encryption is None:
            return {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(clear)}
        return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": encryption.encrypt(clear)}
    if value is UNKNOWN:
        return UNKNOWN_STRING
    if isinstance(value, dict):
        return {key: value_to_json(item, encryption) for key, item in value.items()}
    if isinstance(value, list):
        return [value_to_json(item, encryption) for item in value]
    return whole(value)


def value_from_json(value: Any, encryption: Encryption) -> Any:
    """What `value_to_json` was given."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) != SECRET_SIGNATURE:
            return {k: value_from_json(item, encryption) for k, item in value.items()}
        if "ciphertext" in value:
            clear = encryption.decrypt(value["ciphertext"])
        else:
            clear = json.loads(value["plaintext"])
        return secret(value_from_json(clear, encryption))
    if isinstance(value, list):
        return [value_from_json(item, encryption) for item in value]
    if value == UNKNOWN_STRING:
        return UNKNOWN
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def resource_to_json(
    resource: Resource, encryption: Encryption | None
) -> dict[str, Any]:
    """One resource as the export format writes it."""
    result: dict[str, Any] = {
        "urn": resource.urn,
        "custom": resource.custom,
        "type": resource.type,
    }
    for attribute, key in _OPTIONAL.items():
        value = getattr(resource, attribute)
        if value in ("", False, [], {}):
            continue
        used = encryption if attribute in _VALUES else None
        result[key] = value_to_json(value, used)
    return result


def resource_from_json(data: dict[str, Any], encryption: Encryption) -> Resource:
    """
    One resource of an export.

    Raises:
        RehearsalError: a field that every resource has is missing, or it asks for something
            that the rehearsal does not do.
    """
    try:
        resource = Resource(
            urn=data["urn"], type=data["type"], custom=bool(data["custom"])
        )
    except (KeyError, TypeError) as error:
        message = f"the state holds a resource without {error}"
        raise RehearsalError(message) from error
    for key in _REFUSED:
        if data.get(key):
            message = (
                f"the state has `{key}` set for {resource.urn}, which a rehearsal does "
                "not support; use the `pulumi` command on this stack"
            )
            raise RehearsalError(message)
    for attribute, key in _OPTIONAL.items():
        if key in data:
            value = data[key]
            if attribute in _VALUES:
                value = value_from_json(value, encryption)
            setattr(resource, attribute, value)
    return resource


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(map(str.capitalize, tail))


#: Python name and JSON name of what is written only where it is set, as by the engine.
_OPTIONAL: Final = {
    one.name: _camel(one.name)
    for one in fields(Resource)
    if one.name not in {"urn", "type", "custom", "aliased_from"}
}


def to_json(
    snapshot: Snapshot, encryption: Encryption, *, show_secrets: bool
) -> dict[str, Any]:
    """A stack as `pulumi stack export` prints it."""
    used = None if show_secrets else encryption
    deployment: dict[str, Any] = {
        "manifest": {"time": now(), "magic": "", "version": ""},
        "resources": [resource_to_json(item, used) for item in snapshot.resources],
        "metadata": {},
    }
    if not show_secrets:
        # Left out where all is in clear: the `pulumi` command would look for a
        # provider of secrets of that name, and can import such an export without.
        deployment["secrets_providers"] = {"type": PROVIDER_TYPE, "state": {}}
    if snapshot.pending:
        deployment["pending_operations"] = [
            {"resource": resource_to_json(item.resource, used), "type": item.kind}
            for item in snapshot.pending
        ]
    return {"version": VERSION, "deployment": deployment}


def from_json(data: Any, encryption: Encryption) -> Snapshot:
    """
    The stack in an export.

    Raises:
        RehearsalError: the version is not 3, or the shape is not an export's.
    """
    if not isinstance(data, dict) or "deployment" not in data:
        message = "the state is not in the format of `pulumi stack export`"
        raise RehearsalError(message)
    if data.get("version") != VERSION:
        message = (
            f"a state of version {data.get('version')} cannot be read, only {VERSION}"
        )
        raise RehearsalError(message)
    found = data["deployment"] or {}
    return Snapshot(
        [resource_from_json(item, encryption) for item in found.get("resources") or []],
        [
            Operation(item["type"], resource_from_json(item["resource"], encryption))
            for item in found.get("pending_operations") or []
        ],
    )


# --- The file ----------------------------------------------------------------------


class StateFile:
    """The file of a stack's state; the key of its secrets lies beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.encryption = Encryption.at(path.with_name(path.name + ".key"))
        self._texts: dict[Resource, _Text] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Keep other operations off the stack, also those of other processes.

        The lock goes with the process: unlike a file backend's, it does not outlive
        one that was killed.

        Raises:
            RehearsalError: another operation is under way.
        """
        with self.path.with_name(f"{self.path.name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                message = (
                    f"the stack in {self.path} is locked: another operation on it is "
                    "under way"
                )
                raise RehearsalError(message) from error
            yield

    def load(self) -> Snapshot:
        """
        The stack in the file; an empty one where there is no file yet.

        Raises:
            RehearsalError: the file holds something else.
        """
        if not self.path.exists():
            return Snapshot()
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            message = f"{self.path} is not JSON: {error}"
            raise RehearsalError(message) from error
        return from_json(data, self.encryption)

    def text(self, snapshot: Snapshot) -> str:
        """
        The file's text for a stack, a line for each resource.

        A step changes one resource of perhaps thousands, so the texts of those that are
        as they were are taken from the last time.
        """
        known, self._texts = self._texts, {}
        resources = [self._text(item, known) for item in snapshot.resources]
        pending = [
            f'{{"type": {json.dumps(item.kind)}, '
            f'"resource": {self._text(item.resource, known)}}}'
            for item in snapshot.pending
        ]
        frame = to_json(Snapshot(), self.encryption, show_secrets=False)
        del frame["deployment"]["resources"]
        return (
            json.dumps(frame).removesuffix("}}")
            + _listed("resources", resources)
            + (_listed("pending_operations", pending) if pending else "")
            + "}}\n"
        )

    def _text(self, resource: Resource, known: dict[Resource, _Text]) -> str:
        # What it is made of is taken first: if another thread changes the resource
        # meanwhile, the text is made again next time.
        made_of = _contents(resource)
        found = known.get(resource)
        if found is None or found.made_of != made_of:
            data = resource_to_json(resource, self.encryption)
            found = _Text(made_of, json.dumps(data))
        self._texts[resource] = found
        return found.text

    def write(self, text: str) -> None:
        """
        Write a text so that a reader sees the old file or the new one, whole.

        Renaming within a directory is atomic, and it survives the death of this
        process at any instant.
        """
        scratch = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(self.path)


class _Text(NamedTuple):
    """The text of a resource, and all values that it was made of."""

    made_of: tuple[Any, ...]
    text: str


#: The values of a resource, which nobody changes in place: another one takes their place.
_contents: Final = attrgetter(*(one.name for one in fields(Resource)))


def _listed(name: str, texts: list[str]) -> str:
    """A list of the deployment, behind what stands there before it."""
    return f', "{name}": [\n' + ",\n".join(texts) + "\n]"
