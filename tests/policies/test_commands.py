"""The rules at a desk: check a profile, audit a state, list the catalogue."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import wire
from commands import run_command
from wire import DEPLOYMENT, PACK, PROFILES, good

from pulumi_jig.cli import main as cli
from pulumi_jig.emulator import start
from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.commands import audit, check, command, list_policies
from pulumi_jig.policy.init import write_pack
from pulumi_jig.policy.profile import read_file
from pulumi_jig.policy.registry import POLICIES

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
    _, text = audit(path, profile=profile, folder=PROFILES, as_json=True, today=TODAY)
    found: dict[str, list[str]] = {}
    for finding in json.loads(text)["findings"]:
        found.setdefault(finding["kind"], []).append(finding["policy"])
    return found


def test_a_sound_state_passes(tmp_path: Path) -> None:
    """Nothing to say, exit code 0."""
    path = state(tmp_path, entry(good()))
    code, text = audit(path, profile="dev", folder=PROFILES, today=TODAY)

    assert (code, text.splitlines()[0]) == (
        0,
        "dev: 1 deployments against the profile dev",
    )
    assert "0 mandatory violations, 0 other findings" in text


def test_what_exists_is_judged(tmp_path: Path) -> None:
    """A deployment from before the limit is found, exit code 1."""
    path = state(tmp_path, entry(good(gpu_count=8)))
    code, text = audit(path, profile="dev", folder=PROFILES, today=TODAY)

    assert code == 1
    assert "must not have more than 2 GPUs per replica; gpu_count is 8" in text
    assert {"jig-gpu-count", "jig-stack-gpus"} <= set(judged(path)["violation"])


def test_drift_counts_in_the_sums(tmp_path: Path) -> None:
    """Stack policies judge outputs: what a refresh saw, not what was declared."""
    path = state(tmp_path, entry(good()) | {"outputs": good(max_replicas=20)})

    assert "jig-stack-gpus" in judged(path)["violation"]
    assert "jig-gpu-count" not in judged(path)["violation"]


def test_the_profile_is_the_stacks_own(tmp_path: Path) -> None:
    """Without a word the stack's name chooses, and the strictest where it is unknown."""
    for stack in ("dev", "qa"):
        path = state(tmp_path, entry(good(), stack=stack))
        _, text = audit(path, folder=PROFILES, today=TODAY)
        expected = "dev" if stack == "dev" else "strictest"
        assert text.startswith(f"{stack}: 1 deployments against the profile {expected}")


def test_encrypted_values_are_not_known(tmp_path: Path) -> None:
    """An audit does not call a value sound that it cannot read."""
    hidden = {**SECRET, "ciphertext": "v1:abc"}
    variables = {"LOG_LEVEL": hidden, "HF_TOKEN": hidden}
    path = state(tmp_path, entry(good(environment_variables=variables)))

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
    path = state(tmp_path, provider, entry(good()))

    assert judged(path)["violation"] == ["jig-no-bypass"]


def test_options_are_judged(tmp_path: Path) -> None:
    """`protect` and `ignoreChanges` stand in the state too."""
    path = state(tmp_path, entry(good(), protect=True, ignoreChanges=["gpu_count"]))

    assert judged(path)["violation"] == ["jig-protect"]


def test_what_is_about_to_be_deleted_is_not_judged(tmp_path: Path) -> None:
    """A replaced resource that only waits for its deletion breaks no limit."""
    path = state(tmp_path, entry(good()), entry(good(gpu_count=8), delete=True))

    assert judged(path) == {}


def test_an_interrupted_operation_is_named(tmp_path: Path) -> None:
    """What no resource of the state knows may be running; the audit fails on it."""
    pending = [{"type": "creating", "resource": entry(good(), "lost")}]
    path = state(tmp_path, entry(good()), pending_operations=pending)
    code, text = audit(path, profile="dev", folder=PROFILES, today=TODAY)

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
        audit(path, folder=PROFILES)

    assert expected in caught.value.message


def test_a_disabled_policy_is_not_audited(tmp_path: Path) -> None:
    """A level of the profile counts here as in a run."""
    profile = tmp_path / "x.json"
    levels = {p.name: "disabled" for p in POLICIES if p.name != "jig-image"}
    profile.write_text(json.dumps(levels))
    path = state(tmp_path, entry(good(gpu_count=64)))

    assert judged(path, str(profile)) == {}


def test_check_accepts_the_shipped_profiles() -> None:
    """Names are looked up in the folder of profiles."""
    code, text = check(["dev", "staging", "prod"], folder=PROFILES)

    assert code == 0
    assert text.count("18 policies configured, no fault.") == 3


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
    _, data = list_policies(as_json=True)

    assert len(text.splitlines()) == len(POLICIES)
    assert [line.split()[0] for line in text.splitlines()] == [
        policy["name"] for policy in json.loads(data)
    ]


def test_the_command_line_prints_and_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers go to stdout, what could not be answered to stderr."""
    path = state(tmp_path, entry(good()))
    folder = ["--profiles", str(PROFILES)]

    assert run_command(command, ["list"]) == 0
    assert run_command(command, ["check", "dev", *folder]) == 0
    assert (
        run_command(
            command, ["audit", str(path), "--profile", "dev", "--json", *folder]
        )
        == 0
    )
    assert capsys.readouterr().err == ""
    assert run_command(command, ["audit", str(tmp_path / "nope.json")]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "cannot be read" in printed.err


def test_the_readmes_examples_are_sound(tmp_path: Path) -> None:
    """Each JSON example of the README is a profile, or a part of one, without fault."""
    readme = (PACK / "README.md").read_text()
    blocks = [part.split("```")[0] for part in readme.split("```json")[1:]]

    assert len(blocks) == 3
    for index, block in enumerate(blocks):
        text = block if block.strip().startswith("{") else f"{{{block}}}"
        path = tmp_path / f"{index}.json"
        path.write_text(text)
        _, faults = read_file(path)
        assert faults == []


def test_a_live_audit_judges_what_no_state_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the account runs is judged, and what this state does not hold is named."""
    with start() as emulator:
        monkeypatch.setenv("TOGETHER_API_KEY", "acct:a:key")
        monkeypatch.setenv("TOGETHER_BASE_URL", emulator.url)
        for name, gpus in (("llm-0001", 1), ("llm-0002", 8)):
            body = {**good(name=name, gpu_count=gpus), "environment_variables": []}
            request = urllib.request.Request(
                f"{emulator.url}/v1/deployments",
                data=json.dumps(body).encode(),
                headers={
                    "Authorization": "Bearer acct:a:key",
                    "Content-Type": "application/json",
                },
            )
            urllib.request.urlopen(request).close()
        path = state(tmp_path, entry(good()))
        folder = ["--profiles", str(PROFILES), "--profile", "dev"]
        code = cli(["policy", "audit", str(path), "--live", *folder])

    said = capsys.readouterr().out
    assert code == 1
    assert said.startswith("the account: 2 deployments against the profile dev")
    assert 'The deployment "llm-0002" must be in a state' in said
    assert '"llm-0001" must be in a state' not in said
    assert "must not have more than 2 GPUs per replica; gpu_count is 8" in said
    assert "jig-stack-gpus" in said


def test_a_live_audit_needs_to_be_told_the_limits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An account has no stack whose name would choose a profile."""
    assert run_command(command, ["audit", "--live"], list_live=list) == 3
    assert "--profile NAME" in capsys.readouterr().err


def test_init_writes_a_pack_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nothing to a pack and a profile without a fault; nothing is overwritten."""
    monkeypatch.chdir(tmp_path)

    assert run_command(command, ["init", "research"]) == 0
    assert run_command(command, ["check", "research"]) == 0
    assert run_command(command, ["init", "research"]) == 3
    assert "is there already" in capsys.readouterr().err
    with wire.process(
        tmp_path / "policies" / "gpu-guardrails", PULUMI_STACK="research"
    ) as pack:
        pack.configure({})
        said = pack.resource(good(gpu_count=8), stack="research")
    assert "jig-gpu-count" in wire.mandatory(said)


def test_init_writes_the_pack_of_this_repository(tmp_path: Path) -> None:
    """The pack that a team gets is the one that is tried here."""
    write_pack("team", tmp_path)

    for name in ("__main__.py", "PulumiPolicy.yaml"):
        written = (tmp_path / "gpu-guardrails" / name).read_text()
        assert written == (PACK / name).read_text()


@pytest.mark.parametrize("name", ["../x", "", "a b", "x/y", ".hidden"])
def test_init_refuses_what_is_no_name(tmp_path: Path, name: str) -> None:
    """A profile is a file in the folder of profiles, nowhere else."""
    with pytest.raises(ConfigError, match="name of a profile must be"):
        write_pack(name, tmp_path)


def test_an_external_resource_is_not_the_stacks(tmp_path: Path) -> None:
    """What another program owns and this one reads is judged by no limit here."""
    path = state(tmp_path, entry(good()), entry(good(gpu_count=8), "b", external=True))

    assert judged(path) == {}


def test_retain_on_delete_is_judged(tmp_path: Path) -> None:
    """The engine hides the option from packs; the state has it."""
    path = state(tmp_path, entry(good(), retainOnDelete=True))

    assert judged(path, "prod")["violation"].count("jig-protect") == 2


def test_check_shows_what_holds_as_data() -> None:
    """Every setting with its value, level and source."""
    _, text = check(["dev"], folder=PROFILES, as_json=True)
    (answer,) = json.loads(text)
    found = {(row["policy"], row["key"]): row for row in answer["effective"]}

    assert found["jig-gpu-count", "max_per_replica"] == {
        "policy": "jig-gpu-count",
        "level": "mandatory",
        "key": "max_per_replica",
        "value": 2,
        "source": "dev",
    }
    assert found["jig-image", "moving_tags"]["source"] == "default"


def test_an_audit_takes_the_profile_that_a_run_takes(tmp_path: Path) -> None:
    """What a profile leaves out comes from the one that is named as the stack is."""
    team = tmp_path / "team.json"
    team.write_text(
        '{"jig-gpu-count": {"max_per_replica": 1, "max_per_deployment": 1}}'
    )
    path = state(tmp_path, entry(good()))

    assert judged(path, str(team))["violation"] == ["jig-gpu-count"]


def test_a_check_for_a_stack_shows_what_a_run_holds(tmp_path: Path) -> None:
    """Limits that share their name with the stack's profile are completed by it."""
    limits = tmp_path / "dev.json"
    limits.write_text('{"jig-gpu-count": {"max_per_replica": 1}}')
    _, text = check([str(limits)], folder=PROFILES, stack="dev", as_json=True)
    (answer,) = json.loads(text)
    found = {row["key"]: row for row in answer["effective"]}
    with wire.process(
        PULUMI_STACK="dev", PULUMI_PROJECT="shop", PULUMI_DRY_RUN="true"
    ) as pack:
        pack.configure(json.loads(limits.read_text()))
        refused = wire.mandatory(pack.resource(good(gpu_type="b200-192gb")))
        sound = wire.mandatory(pack.resource(good(gpu_count=1)))

    assert found["max_per_replica"]["value"] == 1
    assert found["max_peak_usd_per_hour"]["source"] == "dev"
    assert "b200-192gb" not in found["allow"]["value"]
    assert (refused, sound) == (["jig-gpu-types"], [])
