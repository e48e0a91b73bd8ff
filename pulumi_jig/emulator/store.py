"""
Where the emulated service keeps its records: SQLite, in a file or in memory.

Every record is one JSON document with the few columns that are looked up by. A write
is committed before its response is sent; the file is in write-ahead mode, so a process
killed at any instant leaves every confirmed write readable and no half of another.
This module knows neither rules nor HTTP, and refuses a file made by another version.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_jig.emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]

# Raised whenever the shape of a record changes.
STATE_VERSION = 2
# "PJEM" in SQLite's own application id, to tell our file from any other database.
APPLICATION_ID = 0x504A454D

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE deployments (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, account TEXT NOT NULL,
    data TEXT NOT NULL);
CREATE INDEX deployments_account ON deployments (account);
CREATE TABLE uses (
    deployment TEXT NOT NULL, target TEXT NOT NULL, version INTEGER,
    PRIMARY KEY (deployment, target)) WITHOUT ROWID;
CREATE INDEX uses_target ON uses (target);
CREATE TABLE secrets (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL,
    data TEXT NOT NULL, UNIQUE (account, name));
CREATE TABLE volumes (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL,
    data TEXT NOT NULL, UNIQUE (account, name));
"""
_BATCH = 100
_TABLES = ("deployments", "uses", "secrets", "volumes")


class StoreError(Exception):
    """The state file cannot be used; the message is one sentence for the user."""


def name_taken(table: str, name: str) -> ApiError:
    """Return the error of a name that another record holds; clients read this text."""
    message = f"{table[:-1]} with name {name} already exists"
    return ApiError(400, message, param="name", code="already_exists")


def _sql(table: str, statement: str) -> str:
    """Return a statement for one of our tables; a table's name cannot be bound."""
    assert table in _TABLES
    return statement.replace("TABLE_", table)


def _dumps(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


class Store:
    """
    The records of one emulated service.

    Args:
        path: the state file, or None for memory.

    Raises:
        StoreError: the file cannot be opened, is not ours, or is newer than we are.

    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._db = self._open(path)
        self._depth = 0
        # Called just before a commit, for what must be written along with the rest.
        self.before_commit: Callable[[], None] | None = None

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if path is None:
            database = sqlite3.connect(":memory:", check_same_thread=False)
            database.isolation_level = None
            self._create(database)
            return database
        if path.is_dir():
            message = f"state file {path} is a directory: name a file."
            raise StoreError(message)
        if not path.parent.is_dir():
            message = f"state file {path}: its folder does not exist: create it first."
            raise StoreError(message)
        # Values of secrets are in it. What SQLite makes beside a file (-wal, -shm) gets
        # the permissions of the file.
        with suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            database = sqlite3.connect(str(path), check_same_thread=False, timeout=0.2)
            database.isolation_level = None
            # One process per file: two would each believe that it is the service.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA request_log_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("BEGIN IMMEDIATE")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            owner = database.execute("PRAGMA application_id").fetchone()[0]
            tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables[0] == 0:
                database.execute("COMMIT")
                self._create(database)
                return database
            database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            text = str(error)
            if "locked" in text:
                message = (
                    f"state file {path} is in use by another process: stop that "
                    "emulator or name another file."
                )
            else:
                message = (
                    f"state file {path} cannot be written ({text}): give write "
                    "permission on the file and its folder, or name another file."
                )
            raise StoreError(message) from None
        except sqlite3.DatabaseError:
            message = (
                f"state file {path} is not an emulator state file: name another file."
            )
            raise StoreError(message) from None
        if owner != APPLICATION_ID:
            message = (
                f"state file {path} is not an emulator state file: name another file."
            )
            raise StoreError(message)
        if version != STATE_VERSION:
            remedy = "upgrade pulumi_jig or " if version > STATE_VERSION else ""
            message = (
                f"state file {path} has version {version} and this emulator reads "
                f"version {STATE_VERSION}: {remedy}name another file."
            )
            raise StoreError(message)
        # One that an older emulator made; other people's files are left as they are.
        for name in (path, f"{path}-wal", f"{path}-shm"):
            with suppress(OSError):
                Path(name).chmod(0o600)
        return database

    @staticmethod
    def _create(database: sqlite3.Connection) -> None:
        database.executescript(
            f"BEGIN;{_SCHEMA}"
            f"PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {STATE_VERSION};COMMIT;"
        )

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """
        Commit all writes of the block together, or none when it raises.

        A block that writes nothing costs nothing: the transaction begins with the first
        write. Blocks may nest; the outermost one commits.
        """
        self._depth += 1
        try:
            yield
        except BaseException:
            if self._depth == 1 and self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        else:
            if self._depth == 1 and self._db.in_transaction:
                if self.before_commit is not None:
                    self.before_commit()
                self._db.execute("COMMIT")
        finally:
            self._depth -= 1

    def _write(self, sql: str, values: tuple[object, ...] = ()) -> None:
        if self._depth and not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(sql, values)

    # Meta: the clock and the like.

    def get_meta(self, key: str) -> Any:
        """Return the value stored under *key*, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,))
        found = row.fetchone()
        return None if found is None else json.loads(found[0])

    def set_meta(self, key: str, value: Any) -> None:
        """Store *value* under *key*."""
        self._write(
            "INSERT INTO meta VALUES (?, ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, json.dumps(value)),
        )

    # The three kinds of records, which have an id, an account and a name.

    def save(self, table: str, record: Record) -> None:
        """
        Insert or replace a record.

        Raises:
            ApiError: 400, another record of the table holds the name.

        """
        try:
            self._write(
                _sql(
                    table,
                    "INSERT INTO TABLE_ (id, account, name, data) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET account = excluded.account, "
                    "name = excluded.name, data = excluded.data",
                ),
                (record["id"], record["account"], record["name"], _dumps(record)),
            )
        except sqlite3.IntegrityError:
            raise name_taken(table, record["name"]) from None

    def _one(self, sql: str, *values: object) -> Record | None:
        row = self._db.execute(sql, values).fetchone()
        if row is None:
            return None
        record: Record = json.loads(row[0])
        return record

    def by_id(self, table: str, record_id: str) -> Record | None:
        """Return the record with that id, or None."""
        return self._one(_sql(table, "SELECT data FROM TABLE_ WHERE id = ?"), record_id)

    def by_name(
        self, table: str, name: str, account: str | None = None
    ) -> Record | None:
        """Return the record with that name, in one account or in any."""
        if account is None:
            return self._one(
                _sql(table, "SELECT data FROM TABLE_ WHERE name = ?"), name
            )
        return self._one(
            _sql(table, "SELECT data FROM TABLE_ WHERE name = ? AND account = ?"),
            name,
            account,
        )

    def find(self, table: str, account: str, identifier: str) -> Record | None:
        """Return the account's record by name or id, or None."""
        found = self.by_name(table, identifier, account)
        found = found or self.by_id(table, identifier)
        return found if found is not None and found["account"] == account else None

    def all(self, table: str, account: str | None = None) -> Iterator[Record]:
        """
        Iterate over the records, of one account or of all, oldest first.

        The caller may write while it iterates. A batch of rows is held at a time, so
        that ten thousand records do not all lie in memory at once.
        """
        if account is None:
            statement = _sql(
                table,
                "SELECT rowid, data FROM TABLE_ WHERE rowid > ? ORDER BY rowid LIMIT ?",
            )
        else:
            statement = _sql(
                table,
                "SELECT rowid, data FROM TABLE_ WHERE account = ? AND rowid > ? "
                "ORDER BY rowid LIMIT ?",
            )
        values = () if account is None else (account,)
        last = 0
        while True:
            rows = self._db.execute(statement, (*values, last, _BATCH)).fetchall()
            for _, data in rows:
                yield json.loads(data)
            if len(rows) < _BATCH:
                return
            last = rows[-1][0]

    def remove(self, table: str, record_id: str) -> None:
        """Delete a record, and what a deployment refers to."""
        self._write(_sql(table, "DELETE FROM TABLE_ WHERE id = ?"), (record_id,))
        if table == "deployments":
            self._write("DELETE FROM uses WHERE deployment = ?", (record_id,))

    # Who uses what.

    def set_uses(self, deployment: str, targets: dict[str, int | None]) -> None:
        """Note which secrets and volumes (with the version) a deployment refers to."""
        self._write("DELETE FROM uses WHERE deployment = ?", (deployment,))
        for target, version in targets.items():
            self._write(
                "INSERT INTO uses VALUES (?, ?, ?)", (deployment, target, version)
            )

    def users(self, target: str) -> list[tuple[str, int | None]]:
        """Return the deployments that refer to a secret or volume, with the version."""
        rows = self._db.execute(
            "SELECT deployment, version FROM uses WHERE target = ? ORDER BY deployment",
            (target,),
        )
        return [(row[0], row[1]) for row in rows]

    def user_names(self, target: str) -> str:
        """Return the names of the deployments that refer to a secret or volume."""
        found = [
            (user, self.by_id("deployments", user)) for user, _ in self.users(target)
        ]
        return ", ".join(sorted(d["name"] if d else user for user, d in found))

    def clear(self) -> None:
        """Forget every record."""
        with self.transaction():
            for table in _TABLES:
                self._write(_sql(table, "DELETE FROM TABLE_"))
