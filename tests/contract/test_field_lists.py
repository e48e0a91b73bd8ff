"""Every list of a deployment's fields that is written by hand, held to the table."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pulumi_jig
from pulumi_jig.lifecycle.secret import inputs as secret
from pulumi_jig.lifecycle.volume import inputs as volume
from pulumi_jig.policy.rules.options import GOVERNED
from pulumi_jig.schema import requests
from pulumi_jig.schema.deployment import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pulumi_jig.__file__).parent
#: So many names of fields in one place make a list of them.
LIST = 3

_DIFFER = {"autoscaling", "gpu_type", "image", "name"}
#: What a list leaves out and why, by its module and the name that it has there.
LEFT_OUT = {
    "schema/deployment.py _TABLE": (set(), ""),
    "schema/requests.py _DeploymentFields": (_DIFFER, "differ between the requests"),
    "schema/requests.py CreateDeploymentRequest": (set(FIELDS) - _DIFFER, "inherited"),
    "schema/requests.py UpdateDeploymentRequest": (set(FIELDS) - _DIFFER, "inherited"),
    "schema/responses.py DeploymentResponseItem": (set(), ""),
    "resources/deployment.py DeploymentArgs": (set(), ""),
    "resources/deployment.py DeploymentArgsDict": (set(), ""),
    "resources/deployment.py Deployment": (set(), ""),
    "policy/rules/options.py GOVERNED": (
        {"name", "description", "volumes", "model_mounts"},
        "no policy limits them",
    ),
    "emulator/schemas.py Spec": (
        {"gpu_type", "image", "name"},
        "differ between the requests",
    ),
    "emulator/deployments.py _PLAIN": (
        {"name", "autoscaling", "environment_variables", "port", "volumes"},
        "have a form of their own",
    ),
    "emulator/history.py History.revision.shown": (
        {
            *("name", "description", "autoscaling"),
            *("environment_variables", "port", "volumes"),
        },
        "are no part of a revision, or have a form of their own",
    ),
    **dict.fromkeys(
        ("lookups.py DeploymentInfo", "lookups.py _info"),
        (
            {
                *("args", "command", "environment_variables", "autoscaling", "volumes"),
                *("capacity_type", "model_mounts", "health_check_path"),
                "termination_grace_period_seconds",
            },
            "a look-up is for who calls a deployment, not for who declares it",
        ),
    ),
}
#: Lists of the fields that serve one purpose, with the purpose.
PARTIAL = {
    "emulator/deployments.py Deployments.view.shown": "what has a form of its own",
    "emulator/history.py History.revision.shown": "what has a form of its own",
    "emulator/responses.py DeploymentResponseItem": "what Spec does not have",
    "emulator/responses.py DeploymentRevision": "what Spec does not have",
    "emulator/schemas.py CreateDeploymentRequest": "what a creation requires",
    "emulator/schemas.py UpdateDeploymentRequest": "what a creation requires",
    "emulator/overview.py Overview._summary": "one line of the page",
    "emulator/overview.py Overview._settings.settings": "one table of the page",
    "lifecycle/deployment/shapes.py _NESTED": "what has parts",
    "cli/jigfile.py DEFAULTS": "defaults of the vendor's tool",
    "cli/jigfile.py DEPLOY": "keys of the vendor's file that mean a field",
    "policy/pack.py _QUOTA_KEYS": "what quotas count",
    "policy/resource.py Requirements": "what quotas count",
    "policy/resource.py Requirements.of": "what quotas count",
    "policy/rules/gpus.py _QUANTITIES": "numbers",
    "policy/rules/quotas.py StackCost._priced.prices": "what has a price of its own",
}


def _names(node: ast.AST) -> Iterator[str]:
    """What a node of source names: entries, keys, attributes, parameters."""
    match node:
        case ast.Tuple(elts=entries) | ast.List(elts=entries) | ast.Set(elts=entries):
            for entry in entries:
                # Of a row or a call, what it begins with.
                first = entry
                if isinstance(entry, ast.Tuple | ast.Call):
                    parts = entry.elts if isinstance(entry, ast.Tuple) else entry.args
                    first = parts[0] if parts else entry
                if isinstance(first, ast.Constant):
                    yield str(first.value)
        case ast.Dict(keys=keys):
            yield from (str(k.value) for k in keys if isinstance(k, ast.Constant))
        case ast.ClassDef(body=body):
            for line in body:
                if isinstance(line, ast.AnnAssign) and isinstance(
                    line.target, ast.Name
                ):
                    yield line.target.id
        case ast.FunctionDef(args=given):
            yield from (one.arg for one in (*given.args, *given.kwonlyargs))
        case ast.Call(keywords=keywords):
            yield from (one.arg for one in keywords if one.arg is not None)


def _lists(node: ast.AST, place: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
    """(place, fields) of every list of fields in a piece of source."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            place = (*place, name)
        case (
            ast.Assign(targets=[ast.Name(id=name)])
            | ast.AnnAssign(target=ast.Name(id=name))
        ):
            place = (*place, name)
    fields = FIELDS.keys() & set(_names(node))
    if len(fields) >= LIST:
        yield ".".join(place), fields
    for part in ast.iter_child_nodes(node):
        yield from _lists(part, place)


def lists() -> dict[str, set[str]]:
    """The largest list of fields of every place in the package."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for place, fields in _lists(ast.parse(path.read_text(encoding="utf-8")), ()):
            where = f"{path.relative_to(PACKAGE).as_posix()} {place}"
            found[where] = max(found.get(where, set()), fields, key=len)
    return found


FOUND = lists()


def test_every_list_of_fields_is_known():
    """A list of fields that is written by hand says here what it leaves out."""
    known = LEFT_OUT.keys() | PARTIAL.keys()

    assert set() == FOUND.keys() - known, "say what each of them leaves out"
    assert set() == known - FOUND.keys(), "these are gone"


@pytest.mark.parametrize("place", LEFT_OUT)
def test_a_list_misses_no_field_in_silence(place):
    """A list has every field of the table but those that it names as left out."""
    left_out, why = LEFT_OUT[place]

    assert FIELDS.keys() == FOUND[place] | left_out
    assert set() == FOUND[place] & left_out
    assert bool(left_out) == bool(why)


def _fields_of(model: type[requests.RequestModel]) -> set[str]:
    return set(model.model_fields)


def test_requests_have_the_fields_of_the_table():
    """What can be sent to create and to change a deployment is the table."""
    assert FIELDS.keys() == _fields_of(requests.CreateDeploymentRequest)
    assert FIELDS.keys() == _fields_of(requests.UpdateDeploymentRequest)


@pytest.mark.parametrize(
    ("ours", "theirs", "not_ours"),
    [
        # The project follows from the key, so nobody declares it.
        (secret.FIELDS, requests.CreateSecretRequest, {"project_id"}),
        (volume.FIELDS, requests.CreateVolumeRequest, set()),
    ],
)
def test_the_other_kinds_have_the_fields_of_their_requests(ours, theirs, not_ours):
    """What a program declares of a secret or volume is what can be sent."""
    assert set(ours) == _fields_of(theirs) - not_ours


def test_numbers_are_judged_as_numbers():
    """The policy on quantities judges each number of the request and nothing else."""
    model = requests.CreateDeploymentRequest
    model.prepare()
    shapes = model.model_json_schema()["properties"]
    numbers = {
        name
        for name, shape in shapes.items()
        for one in shape.get("anyOf", [shape])
        if one.get("type") in {"integer", "number"}
    }

    assert numbers == FOUND["policy/rules/gpus.py _QUANTITIES"]


def test_what_a_policy_reads_is_not_ignored_unseen():
    """A field that a rule asks for by name is governed, but for the name itself."""
    asked = set()
    for path in (PACKAGE / "policy" / "rules").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="resource"), attr="get"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    asked.add(name)

    # Another name is another deployment; a description is for people.
    assert asked & FIELDS.keys() <= {*GOVERNED, "name", "description"}
