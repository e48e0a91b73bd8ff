"""
The format of `pulumi stack export`: resources, pending operations, encrypted values.

All command line tools read this one format, whether the `pulumi` command printed it or a
rehearsal keeps its state in it. Encrypted values are carried from place to place and never
decrypted. Other versions of the format are refused, and so is an edit that would leave a
state that the engine calls corrupt.
"""

from __future__ import annotations

import base64
import copy
import json
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi_jig.errors import InputError
from pulumi_jig.naming import DEPLOYMENT_TYPE
from pulumi_jig.redaction import remember_secret
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path as FilePath

    from pulumi_jig.values import Path

VERSION: Final = 3
#: The key and the value that mark an object as a secret, in state and import files.
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a format's marker
PROVIDER_KEY: Final = "__provider"

Record = dict[str, Any]


def provider_reference(name: str) -> str:
    """
    What a state holds for a class of `pulumi_jig.provider`: a pickled reference.

    It is written here byte by byte, because the plugin host's own function costs a
    third of a second to import; a test holds the two equal.

    Args:
        name: The class.
    """

    def text(word: str) -> bytes:
        encoded = word.encode("ascii")
        return b"\x8c" + bytes([len(encoded)]) + encoded + b"\x94"

    # A global found by module and name, called with no arguments.
    body = text("pulumi_jig.provider") + text(name) + b"\x93\x94)\x81\x94."
    frame = b"\x95" + len(body).to_bytes(8, "little")
    opening = b"\x80" + bytes([pickle.DEFAULT_PROTOCOL])
    return base64.b64encode(opening + frame + body).decode("ascii")


@dataclass(frozen=True)
class Place:
    """A project and a stack, as URNs and ownership marks name them."""

    project: str
    stack: str

    def __str__(self) -> str:
        return f"{self.project}/{self.stack}"


class Export:
    """
    An exported stack.

    Attributes:
        data: The whole document; `resources` and `pending` are parts of it.
        source: Where it came from, for messages.
    """

    def __init__(self, data: Any, source: str) -> None:
        """
        Take a document.

        Raises:
            InputError: It is not an export of version 3.
        """
        if not isinstance(data, dict) or not isinstance(
            data.get("deployment"), (dict, type(None))
        ):
            raise InputError(f"{source} is not in the format of `pulumi stack export`.")
        if data.get("version") != VERSION:
            raise InputError(
                f"{source} has version {data.get('version')} of the state's format; "
                f"this command knows version {VERSION} only."
            )
        self.data: Record = data
        self.source = source
        body = data.get("deployment")
        self._body: Record = body if isinstance(body, dict) else {}
        if body is None:
            data["deployment"] = self._body
        self._require_shape()

    def _require_shape(self) -> None:
        lists = [self._body.get(key) for key in ("resources", "pending_operations")]
        if not all(isinstance(items, (list, type(None))) for items in lists):
            raise InputError(f"{self.source} has no list of resources.")
        pending: list[Any] = self.pending
        begun = [p.get("resource") if isinstance(p, dict) else p for p in pending]
        items: list[Any] = [*self.resources, *begun]
        for item in items:
            if not isinstance(item, dict) or not (item.get("urn") and item.get("type")):
                raise InputError(f"{self.source} holds a resource without URN or type.")

    @property
    def resources(self) -> list[Record]:
        """All resources, in the order of the file."""
        found: list[Record] = self._body.get("resources") or []
        return found

    @resources.setter
    def resources(self, items: list[Record]) -> None:
        self._body["resources"] = items

    @property
    def pending(self) -> list[Record]:
        """Operations that had begun and whose end nobody wrote down."""
        found: list[Record] = self._body.get("pending_operations") or []
        return found

    @pending.setter
    def pending(self, items: list[Record]) -> None:
        self._body["pending_operations"] = items

    @property
    def written(self) -> str:
        """When the state was written (ISO 8601), or an empty string."""
        manifest = self._body.get("manifest")
        return str(manifest.get("time") or "") if isinstance(manifest, dict) else ""

    def copied(self) -> Export:
        """A copy that shares nothing with this one."""
        return Export(copy.deepcopy(self.data), self.source)

    def deployments(self) -> list[Record]:
        """Deployments that the stack manages."""
        return [
            item
            for item in self.resources
            if item["type"] == DEPLOYMENT_TYPE and not item.get("external")
        ]

    def place(self) -> Place | None:
        """Project and stack by the first URN; None for a stack without resources."""
        for item in [*self.resources, *(p["resource"] for p in self.pending)]:
            parts = str(item["urn"]).removeprefix("urn:pulumi:").split("::")
            if len(parts) >= 4:
                return Place(project=parts[1], stack=parts[0])
        return None

    def text(self) -> str:
        """The document as the `pulumi` command prints it."""
        return json.dumps(self.data, indent=4) + "\n"


def read_export(path: FilePath) -> Export:
    """
    The export in a file.

    Raises:
        InputError: It cannot be read, or is not an export.
    """
    from pulumi_jig.cli.files import read

    try:
        return Export(json.loads(read(path)), str(path))
    except ValueError:
        raise InputError(f"{path} is not JSON.") from None


def logical_name(resource: Mapping[str, Any]) -> str:
    """A resource's name in the program."""
    return str(resource["urn"]).split("::", 3)[-1]


def provider_name(resource: Mapping[str, Any]) -> str:
    """The name of a resource's provider in the program; `default` where it has none."""
    # A reference is the provider's URN, two colons and its id.
    name = str(resource.get("provider") or "").rpartition("::")[0].rpartition("::")[2]
    return "default" if not name or name.startswith("default") else name


def provider_inputs(export: Export, name: str) -> Record:
    """The inputs of an explicit provider, by its name in the program; empty for none."""
    for resource in export.resources:
        is_one = str(resource["type"]).startswith("pulumi:providers:")
        if is_one and logical_name(resource) == name:
            found: Record = resource.get("inputs") or {}
            return found
    return {}


# --- Encrypted values ----------------------------------------------------------


def is_encrypted(value: Any) -> bool:
    """Whether a value is a secret in the form of the file."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def encrypted_leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Record]]:
    """Where encrypted values stand."""
    if is_encrypted(value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from encrypted_leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from encrypted_leaves(item, (*path, index))


def with_live_values(value: Any, instead: Any, path: Path = ()) -> Any:
    """
    Data in which each encrypted value is replaced by what stands at its place elsewhere.

    Args:
        value: Data of the file.
        instead: Data of the same shape; where it has nothing at a path, a text stands
            there that is equal to nothing.
        path: Where `value` stands.
    """
    if is_encrypted(value):
        found = at(instead, path)
        return f"[encrypted {path}]" if found is None else found
    if isinstance(value, dict):
        return {k: with_live_values(v, instead, (*path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [with_live_values(v, instead, (*path, i)) for i, v in enumerate(value)]
    return value


def with_encrypted(value: Any, leaves: Mapping[Path, Any], path: Path = ()) -> Any:
    """Data in which encrypted values are back at their places, where these exist."""
    if path in leaves:
        return leaves[path]
    if isinstance(value, dict):
        return {k: with_encrypted(v, leaves, (*path, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [with_encrypted(v, leaves, (*path, i)) for i, v in enumerate(value)]
    return value


def decrypted(value: Any) -> Any:
    """
    Data with secrets that the file holds readable marked as such.

    An export made with `--show-secrets` holds them so; ciphertext stays as it is.
    """
    if is_encrypted(value):
        if "plaintext" not in value:
            return value
        secret = SecretValue(json.loads(value["plaintext"]))
        remember_secret(secret.value)
        return secret
    if isinstance(value, dict):
        return {key: decrypted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decrypted(item) for item in value]
    return value


def to_file(value: Any) -> Any:
    """Data in the form of the file: secrets marked, so that Pulumi encrypts them."""
    if isinstance(value, SecretValue):
        clear = json.dumps(to_file(value.value))
        return {SIGNATURE: SECRET, "plaintext": clear}
    if isinstance(value, dict):
        return {key: to_file(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_file(item) for item in value]
    return value


def at(data: Any, path: Path) -> Any:
    """What stands at a path, or None."""
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


# --- Order ---------------------------------------------------------------------


def in_order(resources: list[Record]) -> list[Record]:
    """
    Resources so that everything stands after what it needs.

    The engine refuses a state in which a resource stands before its parent, provider
    or dependency, or in which one that waits for its deletion stands before its
    successor of the same URN. Otherwise the order stays.
    """
    live = {item["urn"]: item for item in resources if not item.get("delete")}
    rest = {item["urn"]: item for item in resources}

    def before(item: Record) -> list[Record]:
        urns = [item.get("parent"), item.get("deletedWith")]
        urns.append(str(item.get("provider") or "").rpartition("::")[0])
        urns += item.get("dependencies") or []
        for names in (item.get("propertyDependencies") or {}).values():
            urns += names or []
        found = [live.get(urn) or rest.get(urn) for urn in urns if urn]
        if item.get("delete"):
            found.append(live.get(item["urn"]))
        return [other for other in found if other is not None and other is not item]

    done: set[int] = set()
    result: list[Record] = []
    for start in resources:
        # A stack instead of recursion: chains may be thousands of resources long.
        stack = [(start, False)]
        entered: set[int] = set()
        while stack:
            item, ready = stack.pop()
            if id(item) in done:
                continue
            if ready:
                done.add(id(item))
                result.append(item)
            elif id(item) not in entered:
                entered.add(id(item))
                stack.append((item, True))
                stack += [(other, False) for other in reversed(before(item))]
    return result
