"""Import of running deployments: the file, the program, and an empty preview."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from programs import CANARY, KEY, Engine, Workspace, steps

from pulumi_jig.client import JigClient
from pulumi_jig.config import Settings
from pulumi_jig.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulumi_jig.emulator import RunningEmulator

FULL = {
    "name": "run-full",
    "image": "registry.together.ai/p/x:1",
    "gpu_type": "h100-80gb",
    "gpu_count": 2,
    "cpu": 4,
    "memory": 64,
    "storage": 50,
    "min_replicas": 1,
    "max_replicas": 4,
    "port": 8000,
    "health_check_path": "/health",
    "command": ["vllm", "serve"],
    "args": ["--x", 'quote " and \\ and ü'],
    "autoscaling": {
        "metric": "CustomMetric",
        "custom_metric_name": "vllm:x",
        "target": 4,
        "model": "run-full",
    },
    "environment_variables": [
        {"name": "TOKEN", "value": f'{CANARY} "quoted"\nsecond line'},
        {"name": "LEVEL", "value": "debug"},
        {"name": "FROM", "value_from_secret": "some-secret"},
    ],
    "termination_grace_period_seconds": 30,
    "description": "ours",
}
PLAIN = {"name": "run-plain", "image": "i:1", "gpu_type": "none"}


def values(document: dict[str, Any]) -> dict[str, str]:
    """The configuration that the program of an import file reads."""
    found = {}
    for entry in document["resources"]:
        variables = entry["inputs"].get("environment_variables", {})
        for name, value in variables.items():
            if "plaintext" in value:
                key = f"{entry['name']}-{name}"
                found[key] = json.loads(value["plaintext"])
    return found


def imported(workspace: Workspace, state: dict[str, Any]) -> dict[str, Any]:
    """
    A state into which the engine has imported `import.json`.

    The rehearsal has no import; this is what the engine's does: the given inputs and
    outputs under the stack, at the default provider.
    """
    document = json.loads((workspace.folder / "import.json").read_text())
    resources = state["deployment"]["resources"]
    root = next(r for r in resources if r["type"] == "pulumi:pulumi:Stack")
    provider = next(r for r in resources if r["type"].startswith("pulumi:providers:"))
    for entry in document["resources"]:
        resources.append(
            {
                "urn": f"urn:pulumi:dev::shop::{entry['type']}::{entry['name']}",
                "custom": True,
                "type": entry["type"],
                "id": entry["id"],
                "inputs": entry["inputs"],
                "outputs": entry["outputs"],
                "parent": root["urn"],
                "provider": f"{provider['urn']}::{provider['id']}",
            }
        )
    return state


@pytest.fixture(scope="module")
def seed(
    tmp_path_factory: pytest.TempPathFactory, emulator_process: RunningEmulator
) -> Iterator[dict[str, Any]]:
    """A state with a stack and its default provider, and nothing else."""
    folder = tmp_path_factory.mktemp("seed") / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    workspace = Workspace(folder, emulator_process.url)
    workspace.write('Deployment("seed", image="i:1", gpu_type="none", name="seed-one")')
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
        state = stack.export()
        resources = state["deployment"]["resources"]
        state["deployment"]["resources"] = [
            r for r in resources if not r["type"].endswith(":Deployment")
        ]
        yield state


def preview(workspace: Workspace, seed: dict[str, Any]) -> dict[str, str]:
    """What a preview after the import would do."""
    document = json.loads((workspace.folder / "import.json").read_text())
    workspace.secrets = values(document)
    with workspace.stack() as stack:
        stack.import_(imported(workspace, json.loads(json.dumps(seed))))
        return steps(stack.preview().raise_if_failed())


def write(workspace: Workspace, *args: str) -> None:
    done = workspace.jig("import", "--program", "__main__.py", "--force", *args)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def running(workspace: Workspace, client: JigClient, ctx: Deadline) -> Workspace:
    """Two deployments that nobody manages."""
    client.secrets.create({"name": "some-secret", "value": "x"}, ctx)
    client.deployments.create(FULL, ctx)
    client.deployments.create(PLAIN, ctx)
    return workspace


def test_the_preview_after_an_import_is_empty(
    running: Workspace, seed: dict[str, Any]
) -> None:
    """Every field that the service tells is declared, so nothing differs."""
    write(running, "run-full", "run-plain")
    assert preview(running, seed) == {}


def test_the_imported_resource_can_be_changed_and_deleted(
    running: Workspace, seed: dict[str, Any], emulator: RunningEmulator
) -> None:
    """After the import it is a resource like any other: update and destroy work."""
    write(running, "--all")
    assert preview(running, seed) == {}
    path = running.folder / "__main__.py"
    path.write_text(path.read_text().replace("memory=64", "memory=96"))
    with running.stack() as stack:
        assert steps(stack.up().raise_if_failed()) == {"run-full": "update"}
        stack.destroy().raise_if_failed()
    assert emulator.admin.deployments() == []


def test_values_stand_in_the_import_file_only(running: Workspace) -> None:
    """Values are in the import file, in secret form, for the owner alone."""
    done = running.jig("import", "--all")
    assert done.returncode == 0
    program = (running.folder / "imported.py").read_text()
    assert CANARY not in program + done.stdout + done.stderr
    assert 'config.require_secret("run-full-TOKEN")' in program
    assert "pulumi config set --secret run-full-TOKEN\n" in done.stdout
    path = running.folder / "import.json"
    assert path.stat().st_mode & 0o777 == 0o600
    entry = json.loads(path.read_text())["resources"][0]
    for side in ("inputs", "outputs"):
        variables = entry[side]["environment_variables"]
        assert set(variables["TOKEN"]) > {"plaintext"}
        assert set(variables["LEVEL"]) > {"plaintext"}


def nothing_written(workspace: Workspace) -> bool:
    return sorted(p.name for p in workspace.folder.iterdir()) == ["Pulumi.yaml"]


def test_what_does_not_exist_is_refused(running: Workspace) -> None:
    """One sentence for each name that does not exist, and nothing is written."""
    done = running.jig("import", "run-plain", "nope-one", "nope-two")
    assert done.returncode == 1
    assert done.stderr.count("There is no deployment") == 2
    assert nothing_written(running)


def test_another_stacks_is_refused_without_the_flag(
    running: Workspace, client: JigClient, ctx: Deadline, seed: dict[str, Any]
) -> None:
    """A mark of another stack is an obstacle; with the flag its nonce is kept."""
    mark = "[pulumi-jig web/prod/x 0123456789ab]"
    client.deployments.update("run-plain", {"description": mark}, ctx)
    done = running.jig("import", "run-plain")
    assert (done.returncode, "web/prod/x" in done.stderr) == (1, True)
    assert nothing_written(running)
    write(running, "run-plain", "--adopt-marked")
    document = json.loads((running.folder / "import.json").read_text())
    assert document["resources"][0]["inputs"]["__nonce"] == "0123456789ab"
    assert preview(running, seed) == {}


def test_a_failing_one_is_refused(
    running: Workspace, emulator: RunningEmulator
) -> None:
    """A deployment that fails could not give an empty preview."""
    emulator.admin.set_status("run-plain", "Failed")
    done = running.jig("import", "run-plain", "run-full")
    assert (done.returncode, "is failing" in done.stderr) == (1, True)
    assert nothing_written(running)


def test_all_leaves_out_what_others_have(
    running: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """`--all` takes what nobody has marked, without what `--except` names."""
    other = {**PLAIN, "name": "run-other"}
    mark = "[pulumi-jig web/prod/x 0123456789ab]"
    client.deployments.create({**other, "description": mark}, ctx)
    done = running.jig("import", "--all", "--except", "run-full", "--json")
    names = [one["name"] for one in json.loads(done.stdout)["deployments"]]
    assert names == ["run-plain"]


def test_existing_files_stay(running: Workspace) -> None:
    """A file that is there is not written over, and the other is not written."""
    (running.folder / "imported.py").write_text("mine")
    done = running.jig("import", "--all")
    assert done.returncode == 1
    assert (running.folder / "imported.py").read_text() == "mine"
    assert not (running.folder / "import.json").exists()


def test_named_twice_is_imported_once(
    running: Workspace, client: JigClient, ctx: Deadline
) -> None:
    """A deployment that is named by name and id stands in the file once."""
    id_ = str(client.deployments.get("run-plain", ctx).id)
    write(running, "run-plain", id_)
    document = json.loads((running.folder / "import.json").read_text())
    assert [entry["id"] for entry in document["resources"]] == ["run-plain"]


def test_the_tools_own_queue_name_is_left_out(running: Workspace) -> None:
    """The name that the vendor's tool adds to any metric is not declared again."""
    write(running, "run-full")
    text = (running.folder / "__main__.py").read_text()
    assert ('"custom_metric_name": "vllm:x"' in text, '"model"' in text) == (
        True,
        False,
    )


def test_names_or_all(running: Workspace) -> None:
    """Names and `--all` exclude each other; neither is wrong usage too."""
    assert running.jig("import").returncode == 2
    assert running.jig("import", "--all", "run-plain").returncode == 2


# --- Every kind of deployment ---------------------------------------------------

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]),
    max_size=12,
)
PART = st.text("abcdefghijklmnopqrstuvwxyz0123456789./-_", min_size=1, max_size=10)
AUTOSCALING = st.one_of(
    st.fixed_dictionaries(
        {"metric": st.sampled_from(["HTTPTotalRequests", "HTTPAvgRequestDuration"])},
        optional={
            "target": st.integers(1, 1000),
            "time_interval_minutes": st.integers(1, 60),
        },
    ),
    st.fixed_dictionaries(
        {"metric": st.just("QueueBacklogPerWorker")},
        optional={"target": st.floats(0.5, 10), "model": PART},
    ),
    st.fixed_dictionaries(
        {
            "metric": st.just("CustomMetric"),
            "custom_metric_name": st.sampled_from(["vllm:x", "a_b"]),
        },
        optional={"target": st.integers(1, 100)},
    ),
)
VARIABLE = st.one_of(
    st.fixed_dictionaries({"value": TEXT}),
    st.just({"value_from_secret": "some-secret"}),
)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A request that the service accepts."""
    gpu = draw(st.sampled_from(["h100-80gb", "h200-140gb", "b200-192gb", "none"]))
    low = draw(st.integers(0, 3))
    body: dict[str, Any] = {
        "image": draw(st.sampled_from(["i:1", "registry.together.ai/p/x@sha256:ab"])),
        "gpu_type": gpu,
        "min_replicas": low,
        "max_replicas": max(1, low + draw(st.integers(0, 3))),
    }
    if gpu != "none":
        body["gpu_count"] = draw(st.integers(0, 8))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "cpu": st.sampled_from([0.1, 0.5, 1, 7.25]),
        "memory": st.sampled_from([0.5, 1, 64, 1000]),
        "storage": st.integers(1, 400),
        "port": st.integers(1, 65535),
        "health_check_path": st.sampled_from(["/", "/health"]),
        "command": st.lists(TEXT, max_size=3),
        "args": st.lists(TEXT, max_size=3),
        "autoscaling": AUTOSCALING,
        "capacity_type": st.sampled_from(["stable", "preemptible"]),
        "description": TEXT,
        "termination_grace_period_seconds": st.integers(0, 600),
        "environment_variables": st.dictionaries(
            st.sampled_from(["A", "B_C", "_D"]), VARIABLE, max_size=3
        ).map(lambda d: [{"name": k, **v} for k, v in d.items()]),
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            body[name] = draw(strategy)
    return body


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    # Each example is a preview in real processes: shrinking would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(many=st.lists(bodies(), min_size=6, max_size=12))
def test_import_of_every_kind_is_followed_by_an_empty_preview(
    many: list[dict[str, Any]],
    seed: dict[str, Any],
    emulator_process: RunningEmulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever a deployment looks like, its import is followed by an empty preview."""
    every_kind(many, seed, emulator_process, tmp_path_factory.mktemp("kinds"))


def every_kind(
    many: list[dict[str, Any]],
    seed: dict[str, Any],
    emulator: RunningEmulator,
    folder: Path,
) -> None:
    run_all(many, emulator)
    program = folder / "program"
    program.mkdir(exist_ok=True)
    (program / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    workspace = Workspace(program, emulator.url)
    write(workspace, "--all")
    assert preview(workspace, seed) == {}


def run_all(many: list[dict[str, Any]], emulator: RunningEmulator) -> None:
    """Have an account with nothing but these deployments in it."""
    emulator.admin.reset()
    ctx = Deadline(60)
    client = JigClient(Settings(api_key=KEY, base_url=emulator.url))
    client.secrets.create({"name": "some-secret", "value": "x"}, ctx)
    for index, body in enumerate(many):
        client.deployments.create({**body, "name": f"kind-{index}"}, ctx)
    client.close()


class TestEngine:
    """The same with the real `pulumi import`."""

    pytestmark = pytest.mark.engine

    def test_all_of_an_account(
        self,
        engine: Engine,
        client: JigClient,
        ctx: Deadline,
    ) -> None:
        """`import --all --set-config`, `pulumi import`, and the preview is empty."""
        client.secrets.create({"name": "some-secret", "value": "x"}, ctx)
        for body in (FULL, PLAIN):
            client.deployments.create(body, ctx)
        write(engine, "--all", "--set-config")
        done = engine.pulumi(
            *("import", "--file", "import.json", "--generate-code=false"),
            *("--protect=false", "--skip-preview", "--yes"),
        )
        assert done.returncode == 0, done.stdout
        assert engine.is_empty()
        assert CANARY not in engine.pulumi("stack", "export").stdout
        again = engine.jig("import", "--all", "--force")
        assert "nothing to import" in again.stdout
        held = engine.jig("import", "run-plain", "--force")
        assert "is a resource of shop/dev already" in held.stderr

    @settings(
        max_examples=3,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(many=st.lists(bodies(), min_size=6, max_size=12))
    def test_every_kind(
        self, many: list[dict[str, Any]], engine: Engine, emulator: RunningEmulator
    ) -> None:
        """Whatever a deployment looks like, its import is followed by an empty one."""
        # An example has the stack that the one before had left.
        engine.pulumi("stack", "rm", "--force", "--yes", "dev")
        engine.pulumi("stack", "init", "dev")
        run_all(many, emulator)
        write(engine, "--all", "--set-config")
        done = engine.pulumi(
            *("import", "--file", "import.json", "--generate-code=false"),
            *("--protect=false", "--skip-preview", "--yes"),
        )
        assert done.returncode == 0, done.stdout
        assert engine.is_empty()
