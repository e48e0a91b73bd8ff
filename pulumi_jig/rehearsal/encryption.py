"""
Encryption of secrets in state files.

This is no secrets manager for real stacks. The key lies beside the state file (mode
0600), and whoever can read both can read the secrets. It keeps secrets out of logs,
diffs, copies and commits of the state, no more.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet, InvalidToken

from pulumi_jig.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from pathlib import Path

PROVIDER_TYPE: Final = "rehearsal"


class Encryption:
    """Encrypts and decrypts values with one key."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @classmethod
    def at(cls, path: Path) -> Encryption:
        """
        Take the key from the file `path`, which is written where there is none.

        Raises:
            RehearsalError: the file holds something other than a key.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            try:
                return cls(path.read_bytes().strip())
            except ValueError as error:
                message = f"{path} does not hold the key of a rehearsed stack"
                raise RehearsalError(message) from error
        key = Fernet.generate_key()
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + b"\n")
        return cls(key)

    def encrypt(self, value: Any) -> str:
        """`value`, which must be JSON, as ciphertext."""
        return self._fernet.encrypt(json.dumps(value).encode()).decode("ascii")

    def decrypt(self, ciphertext: str) -> Any:
        """
        The value that `encrypt` was given.

        Raises:
            RehearsalError: it was encrypted with another key, or changed.
        """
        try:
            return json.loads(self._fernet.decrypt(ciphertext))
        except (InvalidToken, TypeError) as error:
            message = (
                "the state holds a secret that this rehearsal cannot decrypt: it was "
                "encrypted with another stack's key or by the `pulumi` command; export "
                "it with --show-secrets first"
            )
            raise RehearsalError(message) from error
