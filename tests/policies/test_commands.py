"""The rules at a desk: check a profile, audit a state, list the catalogue."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
import wire
from wire import BUDGET, DEPLOYMENT, PACK, PROFILES, good

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy import docs
from pulumi_jig.policy.commands import audit_state, check, list_policies, run_cli
from pulumi_jig.policy.profiles import read_file

if TYPE_CHECKING:
    from pathlib import Path

TODAY = dt.date(2026, 11, 22)
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
PROVIDER = "urn:pulumi:dev::shop::pulumi:providers:pulumi-python::default"


def entry(
    inputs: dict[str, Any], name: str = "llm", type_: str = DEPLOYMENT, **more: Any
) -> dict[str, Any]:
    """A resource of an exported state."""
    return {
        "urn": wire.urn_of(type_, name, more.pop("stack", "dev")),
        "type": type_,
        "id": name,
        "inputs": inputs,
        "outputs": inputs,
        "provider": f"{PROVIDER}::id-1",
        **more,
    }


def state(tmp_path: Path, *entries: dict[str, Any], **more: Any) -> Path:
    """A file of `pulumi stack export`."""
    path = tmp_path / "state.json"
    deployment = {"resources": list(entries), **more}
    path.write_text(json.dumps({"version": 3, "deployment": deployment}))
    return path


def judged(path: Path, profile: str | None = "dev") -> dict[str, list[str]]:
    """Findings of an audit: policies by kind."""
    _, text = audit_state(
        path, profile=profile, folder=PROFILES, as_json=True, today=TODAY
    )
    found: dict[str, list[str]] = {}
    for finding in json.loads(text)["findings"]:
        found.setdefault(finding["kind"], []).append(finding["policy"])
    return found


def team(**sizes: Any) -> dict[str, Any]:
    """A budget that lists the usual deployment."""
    listed = {
        "name": "llm",
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "max_replicas": 2,
        "memory_gib": 64,
    }
    return entry({"name": "team", "members": [listed | sizes]}, "team", BUDGET)


def test_a_sound_state_passes(tmp_path: Path) -> None:
    """Nothing to say, exit code 0."""
    path = state(tmp_path, team(), entry(good()))
    code, text = audit_state(path, profile="dev", folder=PROFILES, today=TODAY)

    assert (code, text.splitlines()[0]) == (
        0,
        "dev: 1 deployments against the profile dev",
    )
    assert "0 mandatory violations, 0 other findings" in text


def test_what_exists_is_judged(tmp_path: Path) -> None:
    """A deployment from before the limit is found, exit code 1."""
    path = state(tmp_path, team(gpu_count=8), entry(good(gpu_count=8)))
    code, text = audit_state(path, profile="dev", folder=PROFILES, today=TODAY)

    assert code == 1
    assert "must not have more than 2 GPUs per replica; gpu_count is 8" in text
    assert {"jig-gpu-count", "jig-gpu-budget", "jig-stack-gpus"} <= set(
        judged(path)["violation"]
    )


def test_drift_counts_in_the_sums(tmp_path: Path) -> None:
    """Stack policies judge outputs: what a refresh saw, not what was declared."""
    path = state(tmp_path, team(), entry(good()) | {"outputs": good(max_replicas=20)})

    assert "jig-stack-gpus" in judged(path)["violation"]
    assert "jig-gpu-count" not in judged(path)["violation"]


def test_the_profile_is_the_stacks_own(tmp_path: Path) -> None:
    """Without a word the stack's name chooses, and the strictest where it is unknown."""
    for stack in ("dev", "qa"):
        path = state(tmp_path, entry(good(), stack=stack))
        _, text = audit_state(path, folder=PROFILES, today=TODAY)
        expected = "dev" if stack == "dev" else "strictest"
        assert text.startswith(f"{stack}: 1 deployments against the profile {expected}")


def test_encrypted_values_are_not_known(tmp_path: Path) -> None:
    """An audit does not call a value sound that it cannot read."""
    hidden = {**SECRET, "ciphertext": "v1:abc"}
    variables = {"LOG_LEVEL": hidden, "HF_TOKEN": hidden}
    path = state(tmp_path, team(), entry(good(environment_variables=variables)))

    assert judged(path)["violation"] == ["jig-no-plaintext-secrets"]
    assert judged(path)["unknown"] == ["jig-no-plaintext-secrets"]


def test_the_providers_address_is_judged(tmp_path: Path) -> None:
    """The provider of a resource stands in the state with its address."""
    provider = {
        "urn": PROVIDER,
        "id": "id-1",
        "type": "pulumi:providers:pulumi-python",
        "inputs": {"jig:baseUrl": "https://evil.example"},
    }
    path = state(tmp_path, provider, team(), entry(good()))

    assert judged(path)["violation"] == ["jig-no-escape"]


def test_options_are_judged(tmp_path: Path) -> None:
    """`protect` and `ignoreChanges` stand in the state too."""
    path = state(
        tmp_path, team(), entry(good(), protect=True, ignoreChanges=["gpu_count"])
    )

    assert judged(path)["violation"] == ["jig-protect"]


def test_what_is_only_looked_up_is_not_judged(tmp_path: Path) -> None:
    """What `Deployment.get` reads is somebody else's, who pays for it."""
    looked_up = {**entry(good(gpu_count=8), "theirs"), "external": True}
    path = state(tmp_path, team(), entry(good()), looked_up)
    code, text = audit_state(path, profile="dev", folder=PROFILES, today=TODAY)

    assert code == 0
    assert text.startswith("dev: 1 deployments ")


def test_what_is_about_to_be_deleted_is_not_judged(tmp_path: Path) -> None:
    """A replaced resource that only waits for its deletion breaks no limit."""
    path = state(tmp_path, team(), entry(good()), entry(good(gpu_count=8), delete=True))

    assert judged(path) == {}


def test_an_interrupted_operation_is_named(tmp_path: Path) -> None:
    """What no resource of the state knows may be running; the audit fails on it."""
    pending = [{"type": "creating", "resource": entry(good(), "lost")}]
    path = state(tmp_path, team(), entry(good()), pending_operations=pending)
    code, text = audit_state(path, profile="dev", folder=PROFILES, today=TODAY)

    assert code == 1
    assert 'The operation creating of "lost" was interrupted' in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "is not JSON; write it with `pulumi stack export --file`."),
        ("[]", "holds no deployment; write it with `pulumi stack export --file`."),
        ('{"version": 4, "deployment": {}}', "has format 4, and only 3 is known here"),
    ],
)
def test_what_is_no_state_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """One sentence with the remedy."""
    path = tmp_path / "state.json"
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        audit_state(path, folder=PROFILES)

    assert expected in caught.value.message


def test_a_disabled_policy_is_not_audited(tmp_path: Path) -> None:
    """A level of the profile counts here as in a run."""
    profile = tmp_path / "x.json"
    profile.write_text('{"all": "disabled"}')
    path = state(tmp_path, entry(good(gpu_count=64)))

    assert judged(path, str(profile)) == {}


def test_check_accepts_the_shipped_profiles() -> None:
    """Names are looked up in the folder of profiles."""
    code, text = check(["dev", "staging", "prod"], folder=PROFILES)

    assert code == 0
    assert text.count("16 policies configured, no fault.") == 3


def test_check_lists_every_fault(tmp_path: Path) -> None:
    """One line per fault, with file, policy and key; exit code 1."""
    path = tmp_path / "x.json"
    path.write_text('{"zzz": "mandatory", "jig-gpu-count": {"max": 1}}')
    code, text = check([str(path)])

    assert code == 1
    assert f"{path}: zzz is not a policy." in text.splitlines()
    assert (
        f"{path}: jig-gpu-count: max is not a key of this policy." in text.splitlines()
    )


def test_check_says_which_profiles_there_are() -> None:
    """A name without a profile is answered with the names that have one."""
    code, text = check(["prd"], folder=PROFILES)

    assert code == 3
    assert 'There is no profile "prd"' in text
    assert "dev, prod, staging" in text


def test_the_list_names_every_policy() -> None:
    """As text, and as JSON with every key."""
    _, text = list_policies()
    _, data = list_policies(style="json")

    assert len(text.splitlines()) == 16
    assert [line.split()[0] for line in text.splitlines()] == [
        policy["name"] for policy in json.loads(data)
    ]


def test_the_readme_holds_the_catalogue() -> None:
    """The README of the pack is what the catalogue says, word for word."""
    readme = (PACK / "README.md").read_text()
    _, markdown = list_policies(style="markdown")

    assert readme.endswith(markdown + "\n")
    assert readme.count(docs.BEGIN) == 1


def test_the_command_line_prints_and_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers go to stdout, what could not be answered to stderr."""
    path = state(tmp_path, team(), entry(good()))
    folder = ["--profiles", str(PROFILES)]

    assert run_cli(["list"]) == 0
    assert run_cli(["check", "dev", *folder]) == 0
    assert run_cli(["audit", str(path), "--profile", "dev", "--json", *folder]) == 0
    assert capsys.readouterr().err == ""
    assert run_cli(["audit", str(tmp_path / "nope.json")]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "cannot be read" in printed.err


def test_the_readmes_examples_are_sound(tmp_path: Path) -> None:
    """Each JSON example of the README is a profile, or a part of one, without fault."""
    readme = (PACK / "README.md").read_text()
    blocks = [part.split("```")[0] for part in readme.split("```json")[1:]]

    assert len(blocks) == 2
    for index, block in enumerate(blocks):
        text = block if block.strip().startswith("{") else f"{{{block}}}"
        path = tmp_path / f"{index}.json"
        path.write_text(text)
        _, faults = read_file(path)
        assert faults == []
