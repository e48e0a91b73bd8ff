"""
How a rehearsal keeps secrets out of the clear in its state files.

Why it exists: a state file lies on disk, and what a program marks as secret must not
lie there readable. The scheme needs the standard library only: a random key per
stack, a random nonce per value, a keystream of HMAC-SHA256 blocks, and an HMAC over
nonce and ciphertext, so that a changed byte is noticed.

What it refuses: to be a secrets manager for real stacks. The key lies beside the state
file (mode 0600); whoever can read both can read the secrets. It protects against
secrets in logs, diffs, copies and commits of the state, no more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER_TYPE: Final = "rehearsal"
_VERSION: Final = "r1"


class DecryptionError(ValueError):
    """A ciphertext cannot be opened with the key at hand."""


class Encryption:
    """Seals and opens values with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def at(cls, path: Path) -> Encryption:
        """
        The encryption whose key lies in the file `path`; drawn anew where there is none.

        Raises:
            DecryptionError: the file holds something other than a key.
        """
        if path.exists():
            text = path.read_text(encoding="ascii").strip()
            try:
                key = bytes.fromhex(text)
            except ValueError:
                key = b""
            if len(key) != hashlib.sha256().digest_size:
                message = f"{path} does not hold the key of a rehearsed stack"
                raise DecryptionError(message)
            return cls(key)
        key = secrets.token_bytes(hashlib.sha256().digest_size)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
        return cls(key)

    @property
    def fingerprint(self) -> str:
        """What tells one key from another without giving it away."""
        return hmac.new(self._key, b"fingerprint", hashlib.sha256).hexdigest()[:16]

    def encrypt(self, value: Any) -> str:
        """`value`, which must be JSON, as one line of ciphertext."""
        clear = json.dumps(value, sort_keys=True).encode()
        nonce = secrets.token_bytes(12)
        body = self._mask(nonce, clear)
        tag = self._tag(nonce, body)
        return ":".join((_VERSION, *(_text(part) for part in (nonce, body, tag))))

    def decrypt(self, ciphertext: str) -> Any:
        """
        The value that `encrypt` was given.

        Raises:
            DecryptionError: another key sealed it, or it was changed.
        """
        try:
            version, *parts = ciphertext.split(":")
            nonce, body, tag = (base64.b64decode(part) for part in parts)
        except ValueError:
            version, nonce, body, tag = "", b"", b"", b""
        if version != _VERSION or not hmac.compare_digest(tag, self._tag(nonce, body)):
            message = (
                "the state holds a secret that this rehearsal cannot open: it was "
                "written by another stack's key or by the `pulumi` command; export it "
                "with --show-secrets first"
            )
            raise DecryptionError(message)
        return json.loads(self._mask(nonce, body))

    def _mask(self, nonce: bytes, data: bytes) -> bytes:
        size = hashlib.sha256().digest_size
        stream = b"".join(
            hmac.new(
                self._key, b"stream" + nonce + index.to_bytes(8, "big"), hashlib.sha256
            ).digest()
            for index in range(len(data) // size + 1)
        )
        return bytes(a ^ b for a, b in zip(data, stream, strict=False))

    def _tag(self, nonce: bytes, body: bytes) -> bytes:
        return hmac.new(self._key, b"tag" + nonce + body, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
