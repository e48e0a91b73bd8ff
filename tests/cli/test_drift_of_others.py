"""Drift of what deployments use: secrets and volumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from programs import CANARY

from pulumi_jig.cli.drift.findings import Compared, Finding, show
from pulumi_jig.cli.drift.secret import compare
from pulumi_jig.schema.responses import SecretResponseItem

if TYPE_CHECKING:
    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline
    from pulumi_jig.emulator import RunningEmulator

DAY = 86_400
PROGRAM = f"""
    from pulumi_jig import Secret, Volume
    Secret(
        "token", name="hf-token", value="{CANARY}", description="for models",
        ttl_seconds={10 * DAY},
    )
    Volume("weights", name="weights", content={{"source_prefix": "models/llm"}})
"""


@pytest.fixture
def up(workspace: Workspace) -> Workspace:
    """A stack with a secret and a volume."""
    workspace.write(PROGRAM)
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
    return workspace


def found(workspace: Workspace, kind: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the only thing of a kind in the JSON answer."""
    done = workspace.jig("drift", "--file", str(workspace.state), "--json")
    assert done.stderr == ""
    assert CANARY not in done.stdout
    (one,) = json.loads(done.stdout)[kind]
    return done.returncode, one


def rows(one: dict[str, Any], kind: str = "drift") -> list[tuple[str, str]]:
    return [(row["path"], row["message"]) for row in one[kind]]


def test_nothing_changed_is_no_drift(up: Workspace) -> None:
    """Right after `up` nothing is told of either, and people hear what was compared."""
    for kind in ("secrets", "volumes"):
        code, one = found(up, kind)
        assert (code, one["drift"], one["notes"], one["unknown"]) == (0, [], [], [])
    done = up.jig("drift", "--file", str(up.state))
    assert done.stdout == "No drift in 1 secret and 1 volume.\n"


def test_a_changed_lifetime_is_drift(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A secret's lifetime is compared, in seconds."""
    client.secrets.update("hf-token", {"ttl_seconds": 9 * DAY}, ctx)
    code, one = found(up, "secrets")
    assert code == 1
    assert rows(one) == [("ttl_seconds", "declared 864000 s, live 777600 s")]


def test_a_value_that_somebody_wrote_is_not_known(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """The service shows no value, so a write is named, and nothing is claimed of it."""
    client.secrets.update("hf-token", {"value": "another"}, ctx)
    code, one = found(up, "secrets")
    assert (code, rows(one)) == (0, [])
    ((path, words),) = rows(one, "unknown")
    assert path == "value"
    assert "somebody wrote to it outside of Pulumi" in words


def test_a_deleted_secret_is_drift(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Deployments that start without it fail, so a night must not pass over it."""
    client.secrets.delete("hf-token", ctx)
    code, one = found(up, "secrets")
    assert code == 1
    assert rows(one) == [
        ("secret", "does not exist any more; `pulumi up` makes it anew")
    ]


@pytest.mark.parametrize(
    ("expires_at", "kind", "words"),
    [
        ("2020-01-01T00:00:00Z", "drift", "has expired"),
        ("2999-01-01T00:00:00Z", None, ""),
    ],
)
def test_an_expired_secret_is_drift(
    client: JigClient, expires_at: str, kind: str | None, words: str
) -> None:
    """One past its end that the service still shows is as good as gone."""
    one = Compared("secret", "urn:pulumi:dev::shop::t::token", "hf-token", "sec_1")
    item = SecretResponseItem.parse(
        {"id": "sec_1", "name": "hf-token", "expires_at": expires_at}
    )
    compare(one, {"name": "hf-token"}, {}, item, client)
    told = {"drift": one.drift, "notes": one.notes, "unknown": one.unknown}
    said = {name: found[0].message for name, found in told.items() if found}
    assert set(said) == ({kind} if kind else set())
    assert words in said.get(kind or "", "")


def test_a_secret_that_ends_soon_is_a_note(
    workspace: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """Within the last week every comparison says so, as every preview does."""
    workspace.write(PROGRAM.replace(str(10 * DAY), str(3 * DAY)))
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
    code, one = found(workspace, "secrets")
    assert (code, rows(one)) == (0, [])
    ((path, words),) = rows(one, "notes")
    assert path == "expires_at"
    assert "expires in" in words


def test_another_content_is_drift(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A version of another content is what the next update would take back."""
    content = {"type": "files", "source_prefix": "models/other"}
    client.volumes.update("weights", {"content": content}, ctx)
    code, one = found(up, "volumes")
    assert code == 1
    ((path, words),) = rows(one)
    assert path == "content"
    assert "models/llm" in words.partition(", live ")[0]
    assert "models/other" in words.partition(", live ")[2]


def test_another_copy_of_the_same_content_is_a_note(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A fresh snapshot that somebody took elsewhere is told, and is no drift."""
    content = {"type": "files", "source_prefix": "models/llm"}
    client.volumes.update("weights", {"content": content}, ctx)
    code, one = found(up, "volumes")
    assert (code, rows(one)) == (0, [])
    assert "somebody made version" in dict(rows(one, "notes"))["current_version"]


def test_a_deleted_volume_is_drift(
    up: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """So is one that is gone."""
    client.volumes.delete("weights", ctx)
    code, one = found(up, "volumes")
    assert (code, [path for path, _ in rows(one)]) == (1, ["volume"])


def test_what_is_another_accounts_is_unknown(up: Workspace) -> None:
    """With a key of another account the answer is "could not find out", 3."""
    done = up.jig(
        "drift", "--file", str(up.state), TOGETHER_API_KEY="key-of-somebody-else"
    )
    assert done.returncode == 3
    assert done.stdout.count("belongs to account") == 2


def test_what_is_not_found_by_an_unknown_key_is_unknown(
    up: Workspace, emulator: RunningEmulator
) -> None:
    """Where the service does not say whose the key is, a 404 proves nothing."""
    emulator.admin.fault("GET", "/whoami", times=None, status=404)
    try:
        done = up.jig(
            "drift", "--file", str(up.state), TOGETHER_API_KEY="key-of-somebody-else"
        )
    finally:
        emulator.admin.clear_faults()
    assert done.returncode == 3
    assert done.stdout.count("does not say whose this key is") == 2


def test_people_are_told_how_many_of_what(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line counts each kind, and what drifted of all."""
    gone = [Finding("deployment", "is gone")]
    llm = Compared("deployment", "urn:pulumi:dev::s::t::llm", "llm", "d", gone)
    token = Compared("secret", "urn:pulumi:dev::s::t::token", "token", "s")
    weights = Compared("volume", "urn:pulumi:dev::s::t::weights", "weights", "v")
    for given, last in (
        ([], "No drift in 0 deployments."),
        ([llm, llm], "2 of 2 deployments drifted."),
        (
            [llm, token, weights],
            "1 of 3 drifted (1 deployment, 1 secret and 1 volume).",
        ),
    ):
        show(given)
        assert capsys.readouterr().out.splitlines()[-1] == last
