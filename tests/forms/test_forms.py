"""
Every argument in every form that its annotation promises sends the same bytes.

The cases are a product of `program/product.py`: short, every node of every argument in
every form; long, several nodes at a time, drawn from a seed. A rehearsal runs them as
one program against the emulator, which keeps the requests.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pulumi_jig as jig
from pulumi_jig.emulator.server import EmulatorServer
from pulumi_jig.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parent / "program"
sys.path.insert(0, str(PROGRAM))

from product import ARGUMENTS, BESIDE, forms_of, paths  # noqa: E402 - stands there

Case = tuple[str, str, dict[str, str]]


class Service:
    """An emulator that keeps what arrives: the bodies of POST, by name."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.keys: dict[str, str] = {}
        self.server = EmulatorServer(time_scale=0)
        listener = self.server._server
        handle = listener.api.handle

        def kept(request: Any) -> Any:
            if request.method == "POST":
                name = json.loads(request.body)["name"]
                self.bodies[name] = request.body
                self.keys[name] = request.headers["authorization"]
            return handle(request)

        listener.api.handle = kept  # type: ignore[method-assign]

    def body(self, name: str) -> str:
        """The bytes that came for a resource, without what tells it from others."""
        return alike(self.bodies[name].decode(), name)


def alike(text: str, name: str) -> str:
    text = text.replace(name, "NAME")
    return re.sub(r"NAME [0-9a-f]{12}\]", "NAME NONCE]", text)


def revealed(value: Any) -> Any:
    """What a state holds, whatever of it is secret."""
    if isinstance(value, dict):
        if "plaintext" in value:
            return revealed(json.loads(value["plaintext"]))
        # A rotation is another one for each resource.
        kept = {
            k: v for k, v in value.items() if k != "value_version" and k[:2] != "__"
        }
        return {key: revealed(item) for key, item in kept.items()}
    return [revealed(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    with found.server:
        yield found


def rehearsed(folder: Path, service: Service, cases: list[Case]) -> dict[str, str]:
    """Bring the cases up; what the state holds of each resource's inputs, by name."""
    program = folder / "program"
    shutil.copytree(PROGRAM, program, dirs_exist_ok=True)
    (program / "plan.json").write_text(json.dumps(cases))
    env = {
        "TOGETHER_BASE_URL": service.server.url,
        "TOGETHER_API_KEY": "acct:forms:key-1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with Rehearsal(program, "dev", env=env) as stack:
        result = stack.up()
        assert result.ok, "\n".join(result.errors)[:4000]
        entries = stack.export(show_secrets=True)["deployment"]["resources"]
    inputs: dict[str, str] = {}
    for entry in entries:
        name = entry["urn"].rpartition("::")[2]
        held = json.dumps(revealed(entry.get("inputs") or {}), sort_keys=True)
        inputs[name] = inputs.get(name, "") + alike(held, name)
    return inputs


def differing(folder: Path, service: Service, cases: list[Case]) -> list[str]:
    """
    The cases that differ from the literal form, in the request or in the state.

    The state as well: options such as `wait_for` are never sent.
    """
    inputs = rehearsed(folder, service, cases)
    literal: dict[tuple[str, str], str] = {}
    found = []
    for number, (what, argument, forms) in enumerate(cases):
        name = f"case-{number:05d}"
        came = f"{service.body(name)} {inputs[name]}"
        wanted = literal.setdefault((what, argument), came)
        if came != wanted:
            found.append(f"{what} {argument} {forms}: {came} instead of {wanted}")
        if (what, argument) == ("Provider", "api_key"):
            assert service.keys[name] == "Bearer acct:forms:key-2"
    return found


def literals() -> list[Case]:
    return [
        (what, argument, {})
        for what, arguments in ARGUMENTS.items()
        for argument in arguments
    ]


def single() -> list[Case]:
    """Every node of every argument in every form, one at a time."""
    return [
        (what, argument, {path: form})
        for what, arguments in ARGUMENTS.items()
        for argument, (tree, _) in arguments.items()
        for path, node in paths(tree)
        for form in forms_of(node)
    ]


def several(seed: int, count: int) -> list[Case]:
    """Several nodes at a time, in forms drawn from a seed."""
    draw = random.Random(seed)
    found: list[Case] = []
    for _ in range(count):
        what = draw.choice(["Deployment", "Deployment", "Secret", "Volume"])
        argument = draw.choice(list(ARGUMENTS[what]))
        tree, _beside = ARGUMENTS[what][argument]
        forms = {
            path: draw.choice(forms_of(node))
            for path, node in paths(tree)
            if draw.random() < 0.7
        }
        found.append((what, argument, forms))
    return found


def test_every_argument_is_in_the_product() -> None:
    """An argument without a value here would go untested."""
    for what in ("Deployment", "Secret", "Volume"):
        fields = {f.name for f in dataclasses.fields(getattr(jig, f"{what}Args"))}
        named = {argument.partition(" ")[0] for argument in ARGUMENTS[what]}
        assert fields == named | {name for cls, name in BESIDE if cls == what}
    nested = {
        node.cls
        for arguments in ARGUMENTS.values()
        for tree, _ in arguments.values()
        for _, node in paths(tree)
        if hasattr(node, "cls")
    }
    whole = {jig.DeploymentArgs, jig.SecretArgs, jig.VolumeArgs}
    classes = {getattr(jig, name) for name in jig.__all__ if name.endswith("Args")}
    assert classes - whole == nested


def test_every_form_sends_the_same_bytes(service: Service, tmp_path: Path) -> None:
    """
    However an argument is written, the service gets the same request.

    Each node of each argument in one form, drawn from a seed, and some with several.
    """
    draw = random.Random(20261129)
    by_node: dict[tuple[str, str, str], list[Case]] = {}
    for case in single():
        by_node.setdefault((*case[:2], *case[2]), []).append(case)
    drawn = [draw.choice(cases) for cases in by_node.values()]
    variables = [
        case for case in single() if case[1].startswith("environment") and "" in case[2]
    ]
    cases = [*literals(), *drawn, *variables, *several(seed=20261129, count=60)]
    assert [] == differing(tmp_path, service, cases)


@pytest.mark.deep
@pytest.mark.timeout(3000)
def test_every_form_of_every_node(service: Service, tmp_path: Path) -> None:
    """The whole product of nodes and forms, one at a time."""
    cases = [*literals(), *single()]
    assert [] == differing(tmp_path, service, cases)


@pytest.mark.deep
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(4))
def test_many_forms_at_once(service: Service, tmp_path: Path, seed: int) -> None:
    """The same with many nodes written differently at a time."""
    cases = [*literals(), *several(seed, count=1500)]
    assert [] == differing(tmp_path, service, cases)


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_each_form_on_the_real_engine(service: Service, tmp_path: Path) -> None:
    """Each form once, in one program: the real engine passes on the same request."""
    first: dict[str, Case] = {}
    for case in single():
        for form in case[2].values():
            first.setdefault(f"{form} of {case[0]}", case)
    cases = [*literals(), *first.values()]
    program = tmp_path / "program"
    shutil.copytree(PROGRAM, program)
    (program / "plan.json").write_text(json.dumps(cases))
    (tmp_path / "state").mkdir()
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "TOGETHER_BASE_URL": service.server.url,
        "TOGETHER_API_KEY": "acct:forms:key-1",
    }
    for command in (["stack", "init", "dev"], ["up", "--yes", "--skip-preview"]):
        done = subprocess.run(
            ["pulumi", "--non-interactive", *command],
            cwd=program,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
    literal: dict[tuple[str, str], str] = {}
    for number, (what, argument, forms) in enumerate(cases):
        came = service.body(f"case-{number:05d}")
        wanted = literal.setdefault((what, argument), came)
        assert came == wanted, (what, argument, forms)


# --- What is refused ----------------------------------------------------------------

REFUSED = """
import asyncio, collections, datetime, decimal, fractions, json, pathlib, uuid
import pulumi
import pulumi_jig as jig

async def later(value):
    return value

def known(value):
    return pulumi.Output.from_input(0).apply(lambda _: value)

token = jig.Secret("token", value="canary-9a1")
weights = jig.Volume("weights", content={"source_prefix": "p"})
least = {"image": "i", "gpu_type": "none", "name": "llm-prod"}
"""

#: What a program writes, and how the sentence about it begins.
WRONG: list[tuple[str, str]] = [
    ("image=token", "image is a whole resource (Secret)"),
    ("image=weights", "image is a whole resource (Volume)"),
    ("name=known(token)", "name is a whole resource (Secret)"),
    ("description=later(token)", "description is a whole resource (Secret)"),
    ('command=["a", token]', "command[1] is a whole resource"),
    ("args=[later(weights)]", "args[0] is a whole resource"),
    ('extra={"a": {"b": token}}', "extra.a.b is a whole resource"),
    (
        'environment_variables={"T": {"value": token}}',
        "environment_variables.T.value is",
    ),
    (
        'environment_variables={"T": {"value": known(token)}}',
        "environment_variables.T.value is",
    ),
    ('environment_variables={"T": weights}', "environment_variables.T is a whole"),
    ("environment_variables=[token]", "environment_variables[0] is a whole"),
    ("environment_variables=token", "environment_variables is a whole"),
    (
        'environment_variables=[{"name": token, "value": "x"}]',
        "environment_variables[0].name is",
    ),
    (
        'environment_variables=[{"name": "T", "value": token}]',
        "environment_variables[0].value is",
    ),
    (
        'environment_variables={"T": {"value_from_secret": weights}}',
        "environment_variables.T.value_from_secret is",
    ),
    ('environment_variables={1: "x"}', "environment_variables has a key of type int"),
    ('environment_variables={("A", "x")}', "environment_variables is of type set"),
    (
        'environment_variables=later({"T": pathlib.PurePath("a")})',
        "environment_variables.T is of type",
    ),
    ('volumes={"/models": token}', "volumes[0].name is a whole resource"),
    ("volumes=weights", "volumes is a whole resource"),
    ("volumes=[weights]", "volumes[0] is a whole resource"),
    ('volumes={weights: "/models"}', "volumes has a key of type Volume"),
    (
        'volumes=[{"name": weights, "mount_path": pathlib.PurePosixPath("/m")}]',
        "volumes[0].mount_path is of type",
    ),
    (
        'model_mounts=[{"model_id": weights, "mount_path": "/m"}]',
        "model_mounts[0].model_id is",
    ),
    (
        'autoscaling={"metric": "CustomMetric", "custom_metric_name": token}',
        "autoscaling.custom_metric_name is",
    ),
    ('command=(word for word in ["a"])', "command is of type generator"),
    ('command={"a", "b"}', "command is of type set"),
    ('command={"a": 1}.keys()', "command is of type dict_keys"),
    ("command=map(str, [1])", "command is of type map"),
    ('command=known(iter(["a"]))', "command is of type list_iterator"),
    ('command=b"serve"', "command is of type bytes"),
    ('command=[bytearray(b"a")]', "command[0] is of type bytearray"),
    ("memory=decimal.Decimal(32)", "memory is of type Decimal"),
    ("cpu=fractions.Fraction(1, 2)", "cpu is of type Fraction"),
    ("cpu=1j", "cpu is of type complex"),
    ("description=uuid.uuid4()", "description is of type UUID"),
    ("description=datetime.date(2026, 1, 1)", "description is of type date"),
    ('description=lambda: "x"', "description is of type function"),
    ("description=later", "description is of type function"),
    ("image=jig.DeploymentArgs", "image is of type type"),
    ('image=pulumi.StringAsset("x")', "image is of type StringAsset"),
    ("restart_on_rotation=known(True)", "restart_on_rotation must be True or False"),
]


def refusals(folder: Path, lines: list[str]) -> tuple[list[str], list[str]]:
    """What a program with these lines prints, and its errors in a preview."""
    program = folder / "refused"
    program.mkdir(exist_ok=True)
    (program / "Pulumi.yaml").write_text("name: refused\nruntime:\n  name: python\n")
    (program / "__main__.py").write_text(REFUSED + "\n".join(lines) + "\n")
    env = {"TOGETHER_API_KEY": "k", "TOGETHER_BASE_URL": "http://127.0.0.1:9"}
    with Rehearsal(program, "dev", env=env) as stack:
        result = stack.preview()
    said = [d.message for d in result.diagnostics if not d.ephemeral]
    return said, list(result.errors)


#: The same of the other classes, whole.
WRONG_ELSEWHERE: list[tuple[str, str]] = [
    ("jig.Deployment('llm', 5)", "Deployment llm: the arguments are of type int"),
    ("jig.Deployment('llm', ['i'])", "Deployment llm: the arguments are of type list"),
    ("jig.Secret('llm', value=token)", "Secret llm: value is a whole resource"),
    ("jig.Secret('llm', value=b'canary-9a1')", "Secret llm: value is of type bytes"),
    ("jig.Volume('llm', content=weights)", "Volume llm: content is a whole"),
    (
        "jig.Volume('llm', content={'origin': {'s3': {'uri': token}}})",
        "Volume llm: content.origin.s3.uri is a whole",
    ),
    ("jig.Provider('p', api_key=token)", "Provider p: api_key is a whole resource"),
    (
        "jig.Provider('p', api_key='k', allow_insecure_http='false')",
        "Provider p: allow_insecure_http must be True or False",
    ),
    ("jig.Deployment.get('llm', token)", "Deployment llm: id is a whole resource"),
    ("jig.Secret.get('llm', weights)", "Secret llm: id is a whole resource"),
]


def _is_later(written: str) -> bool:
    return "known(" in written or "later(" in written


def _line(written: str) -> str:
    return f'jig.Deployment("llm", **{{**least, **dict({written})}})'


def test_what_is_no_data_is_refused_by_name(tmp_path: Path) -> None:
    """One sentence names the argument and what stands there; nothing is sent."""
    now = [
        (_line(written), f"Deployment llm: {sentence}")
        for written, sentence in WRONG
        if not _is_later(written)
    ] + WRONG_ELSEWHERE
    lines = [
        f"try:\n    {line}\nexcept pulumi.RunError as error:\n    pulumi.log.warn(str(error))"
        for line, _ in now
    ]
    said, errors = refusals(tmp_path, lines)
    assert [] == errors
    assert len(now) == len(said)
    for (line, sentence), message in zip(now, said, strict=True):
        assert message.startswith(sentence), line
        assert "canary" not in message


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        case if index % 3 == 0 else pytest.param(*case, marks=pytest.mark.deep)
        for index, case in enumerate(WRONG)
        if _is_later(case[0]) and "restart" not in case[0]
    ],
)
def test_what_turns_out_to_be_no_data_is_refused_by_name(
    tmp_path: Path, written: str, sentence: str
) -> None:
    """What is known only later ends the run in the same sentence, not in a traceback."""
    _, errors = refusals(tmp_path, [_line(written)])
    (error,) = errors
    assert error.startswith(f"Deployment llm: {sentence}")
    assert "Traceback" not in error
    assert "canary" not in error
