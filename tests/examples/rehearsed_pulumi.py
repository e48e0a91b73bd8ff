"""
The `pulumi` command as far as the examples use it, played by the rehearsal.

Pages and scripts that were written for the real command run as they stand on both
engines. Whatever this one does not know, it refuses by name, so that no page passes by
chance. Stacks lie below the folder that PULUMI_BACKEND_URL names, as with the real one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pulumi_jig.rehearsal import Rehearsal, RehearsalError
from pulumi_jig.rehearsal.display import Paint, heading, report
from pulumi_jig.rehearsal.references import Backend

ORGANIZATION = "organization"


class RefusedError(Exception):
    """What this command cannot do, or what went wrong, in one sentence."""


@dataclass
class Stack:
    """One stack: its project's folder, its state, and what it keeps secret."""

    folder: Path
    backend: Path
    name: str

    @property
    def project(self) -> str:
        return project_of(self.folder)

    @property
    def state(self) -> Path:
        return Backend.state_file(self.backend, self.project, self.name)

    @property
    def settings(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    @property
    def secrets_file(self) -> Path:
        return self.state.with_suffix(".secrets")

    def secrets(self) -> dict[str, str]:
        if not self.secrets_file.exists():
            return {}
        found: dict[str, str] = json.loads(self.secrets_file.read_text())
        return found

    def config(self) -> dict[str, Any]:
        if not self.settings.exists():
            return {}
        data = yaml.safe_load(self.settings.read_text()) or {}
        return dict(data.get("config") or {})

    def full(self, key: str) -> str:
        return key if ":" in key else f"{self.project}:{key}"

    def set(self, key: str, value: str, *, secret: bool) -> None:
        key, config, secrets = self.full(key), self.config(), self.secrets()
        config.pop(key, None)
        secrets.pop(key, None)
        if secret:
            secrets[key] = value
        else:
            config[key] = yaml.safe_load(value) if is_plain(value) else value
        self._save(config, secrets)

    def set_inside(self, path: str, value: str) -> None:
        """Set a part of an object, as `--path` does: `service.replicas.max`."""
        config = self.config()
        key, *inner, last = path.split(".")
        inside = config[self.full(key)]
        for part in inner:
            inside = inside[part]
        inside[last] = yaml.safe_load(value)
        self._save(config, self.secrets())

    def remove(self, key: str) -> None:
        config, secrets = self.config(), self.secrets()
        config.pop(self.full(key), None)
        secrets.pop(self.full(key), None)
        self._save(config, secrets)

    def _save(self, config: dict[str, Any], secrets: dict[str, str]) -> None:
        self.settings.write_text(yaml.safe_dump({"config": config}))
        self.secrets_file.write_text(json.dumps(secrets))

    def rehearsal(self, packs: list[Any] | None = None) -> Rehearsal:
        env = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("TOGETHER_")
        }
        return Rehearsal(
            self.folder,
            self.name,
            secret_config=self.secrets(),
            policy_packs=packs or [],
            env=env,
            backend=self.backend,
        )


def is_plain(value: str) -> bool:
    """Whether the real command would write a value without quotes."""
    return value in {"true", "false"} or value.isdigit()


def project_of(folder: Path) -> str:
    data = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    return str(data["name"])


# --- Options ----------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    for words in (("--stack", "-s"), ("--cwd", "-C"), ("--color",)):
        shared.add_argument(*words, default=argparse.SUPPRESS)
    shared.add_argument("--non-interactive", action="store_true")
    top = argparse.ArgumentParser("pulumi", parents=[shared], allow_abbrev=False)
    verbs = top.add_subparsers(dest="verb", required=True)

    def verb(home: Any, name: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = home.add_parser(
            name, parents=[shared], allow_abbrev=False
        )
        return made

    verb(verbs, "login").add_argument("url")
    verb(verbs, "cancel").add_argument("--yes", action="store_true")
    for name in ("preview", "up", "refresh", "destroy"):
        operation = verb(verbs, name)
        if name != "preview":
            operation.add_argument("--yes", "-y", action="store_true", required=True)
            operation.add_argument("--skip-preview", action="store_true")
        if name in {"preview", "up"}:
            operation.add_argument("--policy-pack", action="append", default=[])
            operation.add_argument("--policy-pack-config", action="append", default=[])
        if name in {"preview", "refresh"}:
            operation.add_argument("--expect-no-changes", action="store_true")
        operation.add_argument("--diff", action="store_true")
        operation.add_argument("--suppress-progress", action="store_true")
    taking = verb(verbs, "import")
    taking.add_argument("--file", required=True)
    for flag in ("--generate-code=false", "--protect=false"):
        # No other value is known here.
        name, _, value = flag.partition("=")
        taking.add_argument(name, choices=[value], required=True)
    for flag in ("--skip-preview", "--yes"):
        taking.add_argument(flag, action="store_true", required=True)
    stack = verb(verbs, "stack")
    stack.add_argument("--show-name", action="store_true")
    stacks = stack.add_subparsers(dest="noun")
    for name in ("init", "select", "rm"):
        made = verb(stacks, name)
        made.add_argument("name")
        made.add_argument("--yes", "-y", action="store_true")
        made.add_argument("--create", "-c", action="store_true")
    verb(stacks, "ls").add_argument("--json", "-j", action="store_true", required=True)
    output = verb(stacks, "output")
    output.add_argument("key", nargs="?")
    output.add_argument("--json", "-j", action="store_true")
    output.add_argument("--show-secrets", action="store_true")
    export = verb(stacks, "export")
    export.add_argument("--show-secrets", action="store_true")
    export.add_argument("--file")
    config = verb(verbs, "config")
    config.add_argument("--json", action="store_true")
    settings = config.add_subparsers(dest="noun")
    for name in ("set", "get", "rm"):
        made = verb(settings, name)
        made.add_argument("key")
        if name == "set":
            made.add_argument("value", nargs="?")
            made.add_argument("--secret", action="store_true")
            made.add_argument("--plaintext", action="store_true")
            made.add_argument("--path", action="store_true")
    return top


# --- What it does -----------------------------------------------------------------


def run(arguments: list[str]) -> int:
    """Do one command; its exit code."""
    options = parser().parse_args(arguments)
    folder = Path(getattr(options, "cwd", ".")).resolve()
    url = os.environ["PULUMI_BACKEND_URL"]
    backend = Path(url.removeprefix("file://")).expanduser()
    chosen = Path(os.environ["PULUMI_HOME"]) / f"{folder.name}.selected"
    if options.verb in {"login", "cancel"}:
        return 0
    if not (folder / "Pulumi.yaml").exists():
        raise RefusedError("no Pulumi.yaml project file found")
    noun = getattr(options, "noun", None)
    if options.verb == "stack" and noun in {"init", "select"}:
        stack = Stack(folder, backend, options.name)
        if stack.state.exists() and noun == "init":
            raise RefusedError(f"stack '{stack.name}' already exists")
        if not stack.state.exists() and noun == "select" and not options.create:
            raise RefusedError(f"no stack named '{stack.name}' found")
        if not stack.state.exists():
            stack.state.parent.mkdir(parents=True, exist_ok=True)
            with stack.rehearsal() as rehearsal:
                rehearsal.import_(rehearsal.export())
        chosen.parent.mkdir(parents=True, exist_ok=True)
        chosen.write_text(stack.name)
        return 0
    if options.verb == "stack" and noun == "ls":
        states = sorted((backend / project_of(folder)).glob("*.json"))
        print(json.dumps([{"name": path.stem} for path in states]))
        return 0
    name = getattr(options, "stack", None) or (
        chosen.read_text() if chosen.exists() else ""
    )
    stack = Stack(folder, backend, name)
    if not name or not stack.state.exists():
        raise RefusedError(f"no stack named '{name}' found")
    if options.verb == "stack":
        return about_stack(stack, options)
    if options.verb == "config":
        return about_config(stack, options)
    if options.verb == "import":
        return take_in(stack, json.loads(Path(options.file).read_text()))
    return operate(stack, options)


def take_in(stack: Stack, document: dict[str, Any]) -> int:
    """What the engine does with inputs and outputs: under the stack, as they are."""
    with stack.rehearsal() as rehearsal:
        state = rehearsal.export()
        resources = state["deployment"]["resources"]
        root = next(r for r in resources if r["type"] == "pulumi:pulumi:Stack")
        provider = next(
            r for r in resources if r["type"] == "pulumi:providers:pulumi-python"
        )
        for entry in document["resources"]:
            kept = {key: entry[key] for key in ("type", "id", "inputs", "outputs")}
            place = f"urn:pulumi:{stack.name}::{stack.project}"
            urn = f"{place}::{entry['type']}::{entry['name']}"
            owner = f"{provider['urn']}::{provider['id']}"
            resources.append(
                {
                    **kept,
                    "urn": urn,
                    "custom": True,
                    "parent": root["urn"],
                    "provider": owner,
                }
            )
        rehearsal.import_(state)
    return 0


def about_stack(stack: Stack, options: argparse.Namespace) -> int:
    if options.noun == "rm":
        gone = Stack(stack.folder, stack.backend, options.name)
        with gone.rehearsal() as rehearsal:
            if rehearsal.resources:
                raise RefusedError(f"stack '{gone.name}' still has resources")
        gone.state.unlink()
        gone.settings.unlink(missing_ok=True)
    elif options.noun is None:
        print(stack.name)
    else:
        with stack.rehearsal() as rehearsal:
            outputs = dict(rehearsal.outputs.values)
            export = rehearsal.export(show_secrets=getattr(options, "show_secrets", 0))
        if options.noun == "export":
            text = json.dumps(export, indent=2)
            Path(options.file).write_text(text) if options.file else print(text)
        elif options.key is None:
            print(json.dumps(outputs))
        elif options.key not in outputs:
            raise RefusedError(f"current stack does not have output '{options.key}'")
        else:
            value = outputs[options.key]
            as_is = isinstance(value, str) and not options.json
            print(value if as_is else json.dumps(value))
    return 0


def about_config(stack: Stack, options: argparse.Namespace) -> int:
    if options.noun == "set":
        value = options.value
        if value is None:
            value = sys.stdin.read().removesuffix("\n")
        if options.path:
            stack.set_inside(options.key, value)
        else:
            stack.set(options.key, value, secret=options.secret)
    elif options.noun == "rm":
        stack.remove(options.key)
    else:
        values = {
            **{key: {"value": str(v)} for key, v in stack.config().items()},
            **{key: {"value": v, "secret": True} for key, v in stack.secrets().items()},
        }
        if options.noun == "get":
            print(values[stack.full(options.key)]["value"])
        else:
            print(json.dumps(values))
    return 0


def operate(stack: Stack, options: argparse.Namespace) -> int:
    packs: list[Any] = []
    if options.verb in {"preview", "up"}:
        configs = options.policy_pack_config or [None] * len(options.policy_pack)
        packs = [
            (stack.folder / pack, config and stack.folder / config)
            for pack, config in zip(options.policy_pack, configs, strict=True)
        ]
    paint = Paint(sys.stdout)
    with stack.rehearsal(packs) as rehearsal:
        if options.verb == "up":
            result = rehearsal.up(skip_preview=options.skip_preview)
        else:
            result = getattr(rehearsal, options.verb)()
    print(heading(options.verb, stack.name, paint))
    print(report(result, paint))
    if not result.ok:
        return 255
    if getattr(options, "expect_no_changes", False) and not result.is_empty:
        raise RefusedError("no changes were expected but changes were proposed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except (RefusedError, RehearsalError) as problem:
        sys.exit(f"error: {problem}")
