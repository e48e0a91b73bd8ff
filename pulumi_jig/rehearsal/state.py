"""
The state of a stack: resources, pending operations, and their file.

Why it exists: the file is in the format of `pulumi stack export` (deployment version
3), pending operations included, so that every tool that reads an exported stack also
reads a rehearsed one, and a rehearsal can start from an exported stack.

What it refuses: other versions of the format.
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
from pulumi_jig.rehearsal.properties import (
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_STRING,
    PropertyMap,
    Secret,
    secret,
    tidy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION: Final = 3


class StateError(ValueError):
    """A state cannot be read, with the reason."""


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
    taint: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    replacement_trigger: Any = None
    created: str = ""
    modified: str = ""
    source_position: str = ""
    # The URN under which the previous state knew it; not part of the file.
    aliased_from: str = ""

    @property
    def name(self) -> str:
        """The logical name: the last part of the URN."""
        return self.urn.rpartition("::")[2]

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider resource, default or explicit."""
        return self.type.startswith("pulumi:providers:")

    def copied(self) -> Resource:
        """A copy that shares nothing with this one."""
        return copy.deepcopy(self)

    def references(self) -> list[str]:
        """URNs of all that must be deleted after this one, its provider's included."""
        urns = [*self.dependencies]
        for names in self.property_dependencies.values():
            urns += names
        if self.parent:
            urns.append(self.parent)
        if self.deleted_with:
            urns.append(self.deleted_with)
        if self.provider:
            urns.append(self.provider.rpartition("::")[0])
        return urns


@dataclass
class Operation:
    """An operation that had begun and whose end is not known."""

    kind: str  # creating, updating, deleting, reading
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


# ------------------------------------------------------------------ to and from JSON

# Python name, JSON name: written only where set, as the engine does.
_OPTIONAL: Final = (
    ("delete", "delete"),
    ("id", "id"),
    ("inputs", "inputs"),
    ("outputs", "outputs"),
    ("parent", "parent"),
    ("protect", "protect"),
    ("taint", "taint"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("init_errors", "initErrors"),
    ("provider", "provider"),
    ("property_dependencies", "propertyDependencies"),
    ("pending_replacement", "pendingReplacement"),
    ("additional_secret_outputs", "additionalSecretOutputs"),
    ("custom_timeouts", "customTimeouts"),
    ("retain_on_delete", "retainOnDelete"),
    ("deleted_with", "deletedWith"),
    ("replacement_trigger", "replacementTrigger"),
    ("created", "created"),
    ("modified", "modified"),
    ("source_position", "sourcePosition"),
    ("ignore_changes", "ignoreChanges"),
    ("replace_on_changes", "replaceOnChanges"),
)
_VALUES: Final = frozenset({"inputs", "outputs", "replacement_trigger"})


def value_to_json(value: Any, encryption: Encryption | None) -> Any:
    """
    A property value for a file.

    Secrets become ciphertext; without a encryption (`--show-secrets`) they are written in
    clear, marked as secrets.
    """
    if isinstance(value, Secret):
        clear = value_to_json(tidy(value.value), None)
        if encryption is None:
            return {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(clear)}
        return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": encryption.encrypt(clear)}
    if value is UNKNOWN:
        return UNKNOWN_STRING
    if isinstance(value, dict):
        return {key: value_to_json(item, encryption) for key, item in value.items()}
    if isinstance(value, list):
        return [value_to_json(item, encryption) for item in value]
    return tidy(value)


def value_from_json(value: Any, encryption: Encryption) -> Any:
    """What `value_to_json` was given."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            if "ciphertext" in value:
                return secret(
                    value_from_json(encryption.decrypt(value["ciphertext"]), encryption)
                )
            clear = json.loads(value["plaintext"])
            return secret(value_from_json(clear, encryption))
        return {key: value_from_json(item, encryption) for key, item in value.items()}
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
    for attribute, key in _OPTIONAL:
        value = getattr(resource, attribute)
        if value in (None, "", False, [], {}):
            continue
        if attribute in _VALUES:
            value = value_to_json(value, encryption)
        result[key] = tidy(value) if attribute == "custom_timeouts" else value
    return result


def resource_from_json(data: dict[str, Any], encryption: Encryption) -> Resource:
    """
    One resource of an export.

    Raises:
        StateError: a field that every resource has is missing.
    """
    try:
        resource = Resource(
            urn=data["urn"], type=data["type"], custom=bool(data["custom"])
        )
    except (KeyError, TypeError) as error:
        message = f"the state holds a resource without {error}"
        raise StateError(message) from error
    for attribute, key in _OPTIONAL:
        if key in data:
            value = data[key]
            if attribute in _VALUES:
                value = value_from_json(value, encryption)
            setattr(resource, attribute, value)
    return resource


def to_json(
    snapshot: Snapshot, encryption: Encryption, *, show_secrets: bool
) -> dict[str, Any]:
    """A stack as `pulumi stack export` prints it."""
    seal = None if show_secrets else encryption
    deployment: dict[str, Any] = {
        "manifest": {"time": now(), "magic": "", "version": ""},
        "resources": [resource_to_json(item, seal) for item in snapshot.resources],
        "metadata": {},
    }
    if not show_secrets:
        # Left out where all is in clear: the `pulumi` command would look for a
        # provider of secrets of that name, and can import such an export without.
        deployment["secrets_providers"] = {
            "type": PROVIDER_TYPE,
            "state": {"key": encryption.fingerprint},
        }
    if snapshot.pending:
        deployment["pending_operations"] = [
            {"resource": resource_to_json(item.resource, seal), "type": item.kind}
            for item in snapshot.pending
        ]
    return {"version": VERSION, "deployment": deployment}


def from_json(data: Any, encryption: Encryption) -> Snapshot:
    """
    The stack in an export.

    Raises:
        StateError: the version is not 3, or the shape is not an export's.
    """
    if not isinstance(data, dict) or "deployment" not in data:
        message = "the state is not in the format of `pulumi stack export`"
        raise StateError(message)
    if data.get("version") != VERSION:
        message = (
            f"a state of version {data.get('version')} cannot be read, only {VERSION}"
        )
        raise StateError(message)
    deployment = data["deployment"] or {}
    return Snapshot(
        [
            resource_from_json(item, encryption)
            for item in deployment.get("resources") or []
        ],
        [
            Operation(item["type"], resource_from_json(item["resource"], encryption))
            for item in deployment.get("pending_operations") or []
        ],
    )


class StateFile:
    """The one place where a rehearsed stack lies on disk."""

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
            StateError: another operation is under way.
        """
        with self.path.with_name(f"{self.path.name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                message = (
                    f"the stack in {self.path} is locked: another operation on it is "
                    "under way"
                )
                raise StateError(message) from error
            yield

    def load(self) -> Snapshot:
        """The stack in the file; an empty one where there is no file yet."""
        if not self.path.exists():
            return Snapshot()
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            message = f"{self.path} is not JSON: {error}"
            raise StateError(message) from error
        return from_json(data, self.encryption)

    def save(self, snapshot: Snapshot) -> None:
        """Write the stack; see `write`."""
        self.write(self.text(snapshot))

    def text(self, snapshot: Snapshot) -> str:
        """
        What stands in the file for a stack.

        A step changes one resource of perhaps thousands, so the texts of those that are
        as they were are taken from the last time.
        """
        known, self._texts = self._texts, {}
        frame = to_json(Snapshot(), self.encryption, show_secrets=False)
        del frame["deployment"]["resources"]
        lists = {"resources": [self._text(item, known) for item in snapshot.resources]}
        if snapshot.pending:
            lists["pending_operations"] = [
                f'{{"resource": {self._text(item.resource, known)}, '
                f'"type": {json.dumps(item.kind)}}}'
                for item in snapshot.pending
            ]
        opening = json.dumps(frame, indent=4).removesuffix(_CLOSING)
        return opening + "".join(map(_listed, lists, lists.values())) + _CLOSING

    def _text(self, resource: Resource, known: dict[Resource, _Text]) -> str:
        # What it is made of is taken first: if another thread changes the resource
        # meanwhile, the text is made anew next time.
        made_of = _contents(resource)
        found = known.get(resource)
        if found is None or found.made_of != made_of:
            data = resource_to_json(resource, self.encryption)
            found = _Text(made_of, json.dumps(data, indent=4).replace("\n", _BREAK))
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
#: A resource stands three levels deep in the document, which ends with these lines.
_BREAK: Final = "\n" + 12 * " "
_CLOSING: Final = "\n    }\n}"


def _listed(name: str, texts: list[str]) -> str:
    """A list of the deployment, behind what stands there before it."""
    inside = ",".join(_BREAK + text for text in texts)
    return f',\n        "{name}": [{inside}' + ("\n        ]" if texts else "]")
