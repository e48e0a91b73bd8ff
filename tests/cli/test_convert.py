"""A program from the vendor's file."""

from __future__ import annotations

import ast
import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from programs import steps

if TYPE_CHECKING:
    from pathlib import Path

    from programs import Workspace

    from pulumi_jig.client import JigClient
    from pulumi_jig.deadline import Deadline

# The shapes of the vendor's own examples.
HELLO = """
    [project]
    name = "hello-world"
    [tool.jig.image]
    python_version = "3.11"
    cmd = "python app.py"
    [tool.jig.deploy]
    image = "registry.together.ai/p/hello:1"
    gpu_type = "none"
    gpu_count = 0
    cpu = 1
    memory = 2
    storage = 10
    port = 8000
    min_replicas = 1
    max_replicas = 1
    [[tool.jig.deploy.volume_mounts]]
    name = "kitchen-sink-pantry"
    mount_path = "/pantry"
    [tool.jig.deploy.autoscaling]
    metric = "QueueBacklogPerWorker"
    target = 1.01
"""
QWEN = """
    [project]
    name = "qwen25-vl"
    [tool.jig]
    model_name = "does nothing"
    [tool.jig.deploy]
    image = "vllm/vllm-openai:v0.17.1"
    gpu_type = "h100-80gb"
    gpu_count = 2
    cpu = 4
    memory = 64
    port = 8000
    min_replicas = 1
    max_replicas = 10
    command = ["vllm","serve","Qwen/Qwen2.5-VL-32B-Instruct","--port","8000"]
    [tool.jig.deploy.environment_variables]
    VLLM_LOGGING_LEVEL = "debug"
    [tool.jig.deploy.autoscaling]
    metric = "CustomMetric"
    custom_metric_name = "vllm:num_requests_running"
    target = 4
"""
MODEL = """
    name = "with-model"
    [experimental]
    auto_optimize = true
    capacity_type = "preemptible"
    [deploy]
    image = "i:1"
    health_check_path = ""
    description = "a model"
    [[model_mounts]]
    model = "ml_abc@rv_xyz"
    mount_path = "/models"
    [deploy.environment_variables]
    HF_TOKEN = "hf-canary-not-in-the-program"
"""
MINIMAL = """
    name = "built-here"
    [deploy]
"""


def put(workspace: Workspace, name: str, text: str) -> None:
    (workspace.folder / name).write_text(textwrap.dedent(text))


def convert(workspace: Workspace, *args: str) -> str:
    """Convert, and return the program."""
    done = workspace.jig("convert", "--program", "__main__.py", "--force", *args)
    assert done.returncode == 0, done.stderr
    return (workspace.folder / "__main__.py").read_text()


def arguments(text: str) -> dict[str, Any]:
    """The keyword arguments of a program's only deployment, code as text."""
    calls = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Deployment"
    ]
    assert len(calls) == 1
    found: dict[str, Any] = {}
    for word in calls[0].keywords:
        try:
            found[str(word.arg)] = ast.literal_eval(word.value)
        except ValueError:
            found[str(word.arg)] = ast.unparse(word.value)
    return found


@pytest.mark.parametrize("text", [HELLO, QWEN])
def test_the_vendors_examples_come_up(
    workspace: Workspace, client: JigClient, ctx: Deadline, text: str
) -> None:
    """A converted example comes up, and its preview is empty after that."""
    content = {"type": "files", "source_prefix": "pantry/0"}
    volume = {"name": "kitchen-sink-pantry", "type": "readOnly", "content": content}
    client.volumes.create(volume, ctx)
    put(workspace, "pyproject.toml", text)
    convert(workspace)
    with workspace.stack() as stack:
        stack.up().raise_if_failed()
        assert steps(stack.preview().raise_if_failed()) == {}


def test_every_key_ends_as_an_argument(workspace: Workspace) -> None:
    """All keys of the tool, deprecated places included, become arguments."""
    put(workspace, "jig.toml", MODEL)
    found = arguments(convert(workspace))
    wanted = {
        "name": "with-model",
        "image": "i:1",
        "gpu_type": "h100-80gb",
        "gpu_count": 1,
        "cpu": 1,
        "memory": 8,
        "storage": 100,
        "min_replicas": 1,
        "max_replicas": 1,
        "capacity_type": "preemptible",
        "port": 8000,
        "model_mounts": [
            {"model_id": "ml_abc", "mount_path": "/models", "revision_id": "rv_xyz"}
        ],
        "termination_grace_period_seconds": 300,
        "description": "a model",
        "extra": {"experimental": {"auto_optimize": True}},
    }
    assert found.pop("environment_variables") == (
        "{'HF_TOKEN': config.require_secret('with-model-HF_TOKEN')}"
    )
    assert found == wanted


def test_defaults_are_visible(workspace: Workspace) -> None:
    """What the tool would fill in is written out and said to be its default."""
    put(workspace, "jig.toml", MINIMAL)
    text = convert(workspace)
    assert "# The tool's default.\n    gpu_count=1," in text
    assert arguments(text)["image"] == "config.require('image')"


def test_a_values_that_sounds_secret_stays_out(workspace: Workspace) -> None:
    """The value of a variable that sounds secret is in no output."""
    put(workspace, "jig.toml", MODEL)
    done = workspace.jig("convert")
    text = (workspace.folder / "converted.py").read_text()
    assert "hf-canary" not in text + done.stdout + done.stderr
    assert "pulumi config set --secret with-model-HF_TOKEN" in done.stdout


def test_remembered_secrets_become_references(workspace: Workspace) -> None:
    """Secrets that the tool keeps in `.jig.json` become references by name."""
    put(workspace, "jig.toml", MINIMAL)
    state = {"built-here": {"secrets": {"HF_TOKEN": "built-here-HF_TOKEN"}}}
    (workspace.folder / ".jig.json").write_text(json.dumps(state))
    assert arguments(convert(workspace))["environment_variables"] == {
        "HF_TOKEN": {"value_from_secret": "built-here-HF_TOKEN"}
    }


def test_what_means_nothing_is_reported(workspace: Workspace) -> None:
    """Known keys without effect are in the report, and the program is written."""
    put(workspace, "pyproject.toml", QWEN + '[tool.jig.image]\nrun = ["ls"]\n')
    put(workspace, "pyproject.toml", QWEN.replace("[tool.jig.deploy]\n", IMAGE_FIRST))
    report = json.loads(workspace.jig("convert", "--json").stdout)["report"]
    assert any(line.startswith("model_name means nothing") for line in report)
    assert any(line.startswith("image.run: of the image's build") for line in report)


IMAGE_FIRST = '[tool.jig.image]\n    run = ["ls"]\n    [tool.jig.deploy]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[deploy]\ngpu_cuont = 2", 'Did you mean "deploy.gpu_count"?'),
        ("[tool.jig.deploy]\ngpu_count = 2", "pyproject.toml only"),
        ("[deploy]\nport = '80'", "deploy.port"),
        ("[deploy]\nmin_replicas = 3\nmax_replicas = 2", "deploy.max_replicas"),
        ("[deploy]\ngpu_type = 'none'\ngpu_count = 1", "deploy.gpu_count"),
        ("[deploy]\nvolume_mounts = [{name = 'x'}]", "needs name and mount_path"),
        ("[deploy]\nmodel_mounts = [{model='x', mount_path='/m'}]", "ml_"),
        ("[deploy.autoscaling]\nprofile = 'x'", "early 2026"),
        ("[deploy.environment_variables]\nN = 3", "must be a string"),
        ("deploy = 3", "must be a table"),
        ("[deploy", "is not TOML"),
        ("name = 'X'", "name must be 4 to 63"),
    ],
)
def test_what_cannot_be_is_refused(workspace: Workspace, text: str, words: str) -> None:
    """A fault is one sentence, and nothing is written."""
    put(
        workspace,
        "jig.toml",
        text if "name =" in text[:6] else f"name = 'some-name'\n{text}",
    )
    done = workspace.jig("convert")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace.folder / "converted.py").exists()


def test_unknown_keys_can_be_dropped(workspace: Workspace) -> None:
    """With `--drop-unknown` an unknown key is reported and the program written."""
    put(
        workspace,
        "jig.toml",
        "name = 'some-name'\n[deploy]\ngpu_cuont = 2\nimage = 'i:1'",
    )
    done = workspace.jig("convert", "--drop-unknown")
    assert (done.returncode, "deploy.gpu_cuont" in done.stdout) == (0, True)


def test_no_file_is_one_sentence(workspace: Workspace) -> None:
    """Without a file the sentence names `--config`."""
    done = workspace.jig("convert")
    assert (done.returncode, "--config" in done.stderr) == (1, True)


def test_an_existing_program_is_not_written_over(workspace: Workspace) -> None:
    """A program that is there stays, unless `--force` is given."""
    put(workspace, "jig.toml", MINIMAL)
    path: Path = workspace.folder / "converted.py"
    path.write_text("mine")
    assert workspace.jig("convert").returncode == 1
    assert path.read_text() == "mine"
