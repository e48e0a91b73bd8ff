"""
`pulumi-jig convert`: a Pulumi program from the vendor's `jig.toml` or `pyproject.toml`.

Every key that the vendor's tool knows ends as an argument, or is named in the report
with what became of it; defaults that the tool fills in on the client are written out,
since the service's own are different. Source of keys and defaults: the vendor's tool,
version 3.1.1.

It refuses, each with one sentence and before anything is written: keys that nobody knows
(the tool drops them in silence), values of the wrong type, and contradictions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from pulumi_jig.cli import files, jigfile, program, terminal, tree
from pulumi_jig.cli.jigfile import (
    ALIASES,
    BUILD,
    DEFAULTS,
    DEPLOY,
    EXPERIMENTAL,
    IDLE,
    TOP,
    jig_table,
    load,
    remembered_secrets,
    table,
    unknown_keys,
)
from pulumi_jig.errors import InputError
from pulumi_jig.schema.deployment import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: The order of arguments in a program.
_ORDER: Final = (*FIELDS, "extra", "adopt")
_SECRET_WORD: Final = re.compile(
    r"(?i)(token|secret|passw|api_?key|credential|private)"
)


@dataclass
class Converted:
    """
    A program that was made from a file.

    Attributes:
        name: The deployment's name.
        args: Its arguments.
        remarks: Comments of the program, per argument.
        report: What a person should know, in sentences.
        settings: Configuration keys that the program needs; True where secret.
    """

    name: str
    args: dict[str, Any]
    remarks: dict[str, str] = field(default_factory=dict)
    report: list[str] = field(default_factory=list)
    settings: dict[str, bool] = field(default_factory=dict)

    def text(self, source: str) -> str:
        """The program."""
        ordered: dict[str, Any] = {
            name: self.args[name] for name in _ORDER if name in self.args
        }
        return program.write(
            f"Made from {source} by `pulumi-jig convert`.",
            [program.Resource(self.name, ordered, self.remarks)],
        )


def convert(
    path: Path, *, drop_unknown: bool = False, adopt: bool = False
) -> Converted:
    """
    A program for what a file describes.

    Args:
        path: The file.
        drop_unknown: Whether keys that nobody knows are reported instead of refused.
        adopt: Whether the program shall take over the running deployment.

    Raises:
        InputError: The file cannot be converted, with a sentence for each fault.
    """
    data = load(path)
    faults: list[str] = []
    jig, name = jig_table(data, path)
    found = Converted(name, {"name": name})
    deploy = dict(table(jig.get("deploy"), "deploy"))
    unknown = [
        *unknown_keys(jig, TOP, ""),
        *unknown_keys(deploy, DEPLOY, "deploy."),
        *unknown_keys(table(jig.get("image"), "image"), BUILD, "image."),
        *unknown_keys(
            table(jig.get("experimental"), "experimental"),
            EXPERIMENTAL,
            "experimental.",
        ),
    ]
    for key, words in unknown:
        if key in IDLE or drop_unknown:
            found.report.append(f"{key} means nothing: {words}")
        else:
            faults.append(f"{key} is no key of the tool's: {words}")
    _aliases(jig, deploy, found)
    _fields(deploy, found)
    _image(deploy, jig, found)
    _mounts(deploy, found, faults)
    _autoscaling(deploy, found, faults)
    _environment(deploy, path, found, faults)
    _experimental(table(jig.get("experimental"), "experimental"), found)
    if adopt:
        found.args["adopt"] = True
    else:
        found.report.append(
            f'If "{name}" runs already, `up` will refuse to take it over silently: use '
            "`pulumi-jig import`, or convert with --adopt."
        )
    faults += _check(found)
    if faults:
        raise InputError(
            "\n".join(
                [*(f"{path}: {fault}" for fault in faults), "Nothing was written."]
            )
        )
    return found


# --- Parts ------------------------------------------------------------------------


def _aliases(jig: dict[str, Any], deploy: dict[str, Any], found: Converted) -> None:
    for key in ALIASES:
        if key in jig:
            twice = " and wins over deploy's own" if key in deploy else ""
            found.report.append(
                f"{key} beside deploy is deprecated{twice}; it is taken."
            )
            deploy[key] = jig[key]


def _fields(deploy: Mapping[str, Any], found: Converted) -> None:
    for key, default in DEFAULTS.items():
        if key in deploy:
            found.args[key] = deploy[key]
        elif key == "gpu_count" and deploy.get("gpu_type") == "none":
            # The tool would send one GPU of no type.
            continue
        else:
            found.args[key] = default
            found.remarks[key] = "The tool's default."
    if found.args["health_check_path"] == "":
        del found.args["health_check_path"]
    if deploy.get("gpu_type") == "none" and deploy.get("gpu_count") == 0:
        del found.args["gpu_count"]
    for key in ("description", "command"):
        if deploy.get(key):
            found.args[key] = deploy[key]


def _image(deploy: Mapping[str, Any], jig: Mapping[str, Any], found: Converted) -> None:
    if deploy.get("image") is not None:
        found.args["image"] = deploy["image"]
    else:
        found.args["image"] = program.Code('config.require("image")')
        found.settings["image"] = False
        found.report.append(
            "The file names no image, so the tool builds one: build and push it as "
            "before (or with Pulumi's docker-build provider) and set it with its "
            "digest: `pulumi config set image registry...@sha256:...`."
        )
    build = sorted(key for key in table(jig.get("image"), "image") if key in BUILD)
    if build:
        keys = ", ".join(f"image.{key}" for key in build)
        found.report.append(f"{keys}: of the image's build, not of the deployment.")


def _mounts(deploy: Mapping[str, Any], found: Converted, faults: list[str]) -> None:
    volumes = []
    for index, mount in enumerate(_list(deploy, "volume_mounts", faults)):
        where = f"deploy.volume_mounts[{index}]"
        if not isinstance(mount, dict) or not {"name", "mount_path"} <= mount.keys():
            faults.append(f"{where} needs name and mount_path.")
            continue
        extra = sorted(mount.keys() - {"name", "mount_path", "version"})
        if extra:
            faults.append(f"{where}.{extra[0]} is no key of a mount.")
        version = mount.get("version")
        if version is None:
            found.remarks["volumes"] = "The tool mounts version 0 where none is named."
        volumes.append(
            {
                "name": mount["name"],
                "mount_path": mount["mount_path"],
                "version": version or 0,
            }
        )
    models = []
    for index, mount in enumerate(_list(deploy, "model_mounts", faults)):
        where = f"deploy.model_mounts[{index}]"
        model = mount.get("model") if isinstance(mount, dict) else None
        if not isinstance(model, str) or "mount_path" not in mount:
            faults.append(f"{where} needs model and mount_path.")
            continue
        id_, _, revision = model.partition("@")
        if not id_.startswith("ml_") or (revision and not revision.startswith("rv_")):
            faults.append(f'{where}.model must be "ml_...", with "@rv_..." or without.')
            continue
        models.append({"model_id": id_, "mount_path": mount["mount_path"]})
        if revision:
            models[-1]["revision_id"] = revision
    if volumes:
        found.args["volumes"] = volumes
    if models:
        found.args["model_mounts"] = models


def _list(deploy: Mapping[str, Any], key: str, faults: list[str]) -> list[Any]:
    value = deploy.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        faults.append(f"deploy.{key} must be a list of tables.")
        return []
    return value


def _autoscaling(
    deploy: Mapping[str, Any], found: Converted, faults: list[str]
) -> None:
    value = deploy.get("autoscaling")
    if not value:
        return
    if not isinstance(value, dict):
        faults.append("deploy.autoscaling must be a table.")
        return
    if "metric" not in value and "profile" in value:
        faults.append(
            "deploy.autoscaling has the shape of early 2026 (profile, targetValue); say "
            "metric and target instead."
        )
        return
    # The tool writes the deployment's own name there whatever the file says; that is
    # the service's default as well.
    found.args["autoscaling"] = {k: v for k, v in value.items() if k != "model"}
    if value.get("model") not in (None, found.name):
        found.report.append(
            "deploy.autoscaling.model means nothing: the tool puts the deployment's own "
            "name there."
        )
    if deploy.get("max_replicas", 1) == deploy.get("min_replicas", 1):
        found.report.append(
            "autoscaling has no room: max_replicas equals min_replicas. Raise "
            "max_replicas, or nothing will ever scale."
        )


def _environment(
    deploy: Mapping[str, Any], path: Path, found: Converted, faults: list[str]
) -> None:
    declared = deploy.get("environment_variables") or {}
    if not isinstance(declared, dict):
        faults.append("deploy.environment_variables must be a table.")
        return
    variables: dict[str, Any] = {}
    for name, value in declared.items():
        if not isinstance(value, str):
            faults.append(f"deploy.environment_variables.{name} must be a string.")
        elif _SECRET_WORD.search(name):
            key = program.config_key(found.name, name)
            variables[name] = program.require_secret(key)
            found.settings[key] = True
            found.report.append(
                f"{name} sounds secret: the program reads it from the configuration. "
                "Better still, keep it in a secret of the service."
            )
        else:
            variables[name] = value
    for name, secret in remembered_secrets(path, found.name).items():
        if name in variables:
            faults.append(f"{name} is both a variable and a secret; keep one of them.")
        variables[name] = {"value_from_secret": secret}
    if variables:
        found.args["environment_variables"] = variables


def _experimental(table: Mapping[str, Any], found: Converted) -> None:
    if table.get("capacity_type"):
        found.args["capacity_type"] = table["capacity_type"]
    if table.get("auto_optimize"):
        found.args["extra"] = {"experimental": {"auto_optimize": True}}
        found.remarks["extra"] = "Experimental in the tool; may change or go away."


# --- Judging ------------------------------------------------------------------------


def _check(found: Converted) -> list[str]:
    """What the provider would say of the arguments, in the words of the file."""
    from pulumi_jig.lifecycle.deployment.check import check

    known = {k: v for k, v in _plain(found.args).items() if k != "adopt"}
    names = {"volumes": "volume_mounts"}
    sentences = []
    for path, why in check({}, known).faults:
        head = re.split(r"[.\[]", path, maxsplit=1)[0]
        place = path.replace(head, names.get(head, head), 1)
        place = place if head == "name" else f"deploy.{place}"
        sentences.append(f"{place} {why}.")
    return sentences


def _plain(value: Any) -> Any:
    if isinstance(value, program.Code):
        return "read-from-the-configuration"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def show(found: Converted, written: Path) -> None:
    """Tell people what was written and what they should know."""
    terminal.say(f'Wrote {written} for "{found.name}".')
    for sentence in found.report:
        terminal.say(f"- {sentence}")
    secrets = [key for key, secret in found.settings.items() if secret]
    if secrets:
        terminal.say()
        for key in secrets:
            terminal.verbatim(f"  pulumi config set --secret {key}")


# --- The command ----------------------------------------------------------------


@click.command(
    "convert",
    epilog="Example: pulumi-jig convert --config staging_jig.toml --program __main__.py",
)
@click.option(
    "--config",
    "-c",
    type=tree.FILE,
    help="The file (default: jig.toml, else pyproject.toml with [tool.jig]).",
)
@click.option(
    "--program",
    "program_file",
    type=tree.FILE,
    default="converted.py",
    help="Program to write (default: converted.py).",
)
@click.option("--adopt", is_flag=True, help="Take over the running deployment.")
@click.option("--drop-unknown", is_flag=True, help="Report unknown keys only.")
@click.option("--force", is_flag=True, help="Write over an existing file.")
@tree.DIRECTORY
@tree.JSON
def command(
    *,
    config: Path | None,
    program_file: Path,
    adopt: bool,
    drop_unknown: bool,
    force: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """
    Write a Pulumi program from the vendor's jig.toml.

    Defaults that the vendor's tool fills in are written out; keys that mean nothing are
    reported.
    """
    files.check_targets([program_file], force=force)
    source = config or jigfile.find(directory)
    found = convert(source, drop_unknown=drop_unknown, adopt=adopt)
    files.write_all({program_file: found.text(source.name)}, public=[program_file])
    if as_json:
        terminal.dump(
            {
                "name": found.name,
                "program": str(program_file),
                "settings": found.settings,
                "report": found.report,
            }
        )
    else:
        show(found, program_file)
    return 0
