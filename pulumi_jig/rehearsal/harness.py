"""`Rehearsal`: a stack's whole life without the `pulumi` command."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if any(find_spec(name) is None for name in ("cryptography", "jsonschema", "yaml")):
    message = (
        "the rehearsal needs packages that are not installed; run "
        "`pip install 'pulumi-jig[rehearsal]'`"
    )
    raise ImportError(message)

from pulumi_jig.rehearsal.configuration import configuration
from pulumi_jig.rehearsal.deployment import Deployment
from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.launch import Settings
from pulumi_jig.rehearsal.policies import PolicyPack
from pulumi_jig.rehearsal.processes import interpreter
from pulumi_jig.rehearsal.project import Project
from pulumi_jig.rehearsal.references import Backend, parse_stack
from pulumi_jig.rehearsal.results import Outputs, Result, outputs_of
from pulumi_jig.rehearsal.state import StateFile, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_jig.rehearsal.events import Watcher
    from pulumi_jig.rehearsal.recording import Recorder
    from pulumi_jig.rehearsal.results import Kind


class Rehearsal:
    """
    One stack of one program.

    A context manager; leaving it removes what it kept in temporary folders. Resources
    that the program made are not removed: call `destroy()` for that.
    """

    def __init__(
        self,
        program_dir: str | os.PathLike[str],
        stack: str = "dev",
        *,
        config: Mapping[str, Any] | None = None,
        secret_config: Mapping[str, Any] | None = None,
        policy_packs: Sequence[Any] = (),
        env: Mapping[str, str] | None = None,
        state_file: str | os.PathLike[str] | None = None,
        backend: str | os.PathLike[str] | None = None,
        organization: str = "organization",
        parallel: int | None = None,
        recorder: Recorder | None = None,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        """
        Args:
            program_dir: The folder with `Pulumi.yaml` and the program.
            stack: The stack's name; `Pulumi.<stack>.yaml` is read where it exists.
            config: Configuration over that of the files. A key without a namespace gets
                the project's; values that are not strings are written as JSON.
            secret_config: The same, for values that are secret.
            policy_packs: Folders of policy packs, or `(folder, configuration)`
                pairs, the configuration a file or a mapping.
            env: Environment variables for program, plugins and packs. The caller's
                own `TOGETHER_*` and `PULUMI_*` variables are not passed on.
            state_file: Where to keep the state; by default in a temporary folder.
            backend: A folder for the states of several stacks, this one's among them,
                instead of `state_file`. A `pulumi.StackReference` finds there what has
                been rehearsed with the same folder.
            organization: The organization's name.
            parallel: How many steps may run at once; by default four per core, as the
                engine does.
            recorder: Takes down every call of a provider.
            watchers: Whoever wants to see steps and messages as they happen.

        Raises:
            RehearsalError: the project or its configuration cannot be used.
        """
        if state_file and backend:
            message = "give state_file or backend, not both"
            raise RehearsalError(message)
        if parallel is not None and parallel < 1:
            message = f"parallel is {parallel}; at least one step must run at a time"
            raise RehearsalError(message)
        self._scratch = Path(tempfile.mkdtemp(prefix="rehearsal-"))
        home = self._scratch / "home"
        home.mkdir()
        try:
            project = Project.at(Path(program_dir).resolve())
            named, stack = parse_stack(stack, organization, project.name)
            if named != project.name:
                message = f"provided project name {named!r} doesn't match Pulumi.yaml"
                raise RehearsalError(message)
            interpreter(project.document.path.parent, project.options)
            self._configuration = configuration(
                project, stack, config or {}, secret_config or {}
            )
            self._settings = Settings(
                root=project.document.path.parent,
                main=project.main,
                project=project.name,
                stack=stack,
                organization=organization,
                runtime_options=project.options,
                config=self._configuration.values,
                secret_keys=self._configuration.secret_keys,
                env=dict(env or {}),
                home=home,
                parallel=parallel or 4 * (os.cpu_count() or 1),
                policy_packs=[PolicyPack.of(pack) for pack in policy_packs],
                recorder=recorder,
                watchers=list(watchers),
            )
            path = Path(state_file) if state_file else self._scratch / "state.json"
            if backend:
                self._settings.backend = Path(backend).resolve()
                path = Backend.state_file(self._settings.backend, project.name, stack)
            self._file = StateFile(path)
        except (RehearsalError, OSError) as error:
            self.close()
            raise RehearsalError(str(error)) from error

    # --- Operations --------------------------------------------------------------

    def preview(self, **refused: Any) -> Result:
        """What `up` would do; nothing is changed."""
        _refuse("preview", refused)
        return self._run("preview")

    def up(self, *, skip_preview: bool = True, **refused: Any) -> Result:
        """
        Bring the stack to what the program says.

        Args:
            skip_preview: False runs a preview first and stops where that fails, as
                `pulumi up` does.
            refused: `target`, `target_dependents` and `replace`, which only the
                `pulumi` command knows.

        Raises:
            RehearsalError: a refused option is given, or the stack cannot be used. What
                fails in the operation is in the result.
        """
        _refuse("up", refused)
        if not skip_preview:
            preview = self.preview()
            if not preview.ok:
                return preview
        return self._run("up")

    def refresh(self, **refused: Any) -> Result:
        """
        Bring the state to what exists; the program is not run.

        A resource that cannot be read keeps its state, and the refresh fails.
        """
        _refuse("refresh", refused)
        return self._run("refresh")

    def destroy(self, **refused: Any) -> Result:
        """Delete everything that the state knows; the program is not run."""
        _refuse("destroy", refused)
        return self._run("destroy")

    def _run(self, kind: Kind) -> Result:
        write = kind != "preview"
        if not write or kind == "up":
            self._configuration.check(self._settings.stack)
        with self._file.locked() if write else nullcontext():
            base = self._file.load()
            file = self._file if write else None
            return Deployment(self._settings, base, file).run(kind)

    # --- State -------------------------------------------------------------------

    @property
    def state_file(self) -> Path:
        """Where the state lies."""
        return self._file.path

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, as an export shows them, secrets sealed."""
        deployment = self.export()["deployment"]
        found: list[dict[str, Any]] = deployment["resources"]
        return found

    @property
    def outputs(self) -> Outputs:
        """The stack's outputs in the state."""
        for resource in self._file.load().resources:
            if resource.type == "pulumi:pulumi:Stack":
                return outputs_of(resource.outputs)
        return Outputs()

    def export(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """
        The state in the format of `pulumi stack export`.

        With `show_secrets` it can be imported by `pulumi stack import`, once the
        `secrets_providers` of the stack that it goes to are put into it; and an
        export that `pulumi stack export --show-secrets` made can be imported here.
        """
        return to_json(
            self._file.load(), self._file.encryption, show_secrets=show_secrets
        )

    def import_(self, state: Mapping[str, Any] | str) -> None:
        """
        Replace the state by an export.

        Raises:
            RehearsalError: it is not one, or holds secrets of another key.
        """
        try:
            data = json.loads(state) if isinstance(state, str) else state
            snapshot = from_json(dict(data), self._file.encryption)
            self._file.write(self._file.text(snapshot))
        except (RehearsalError, ValueError, TypeError) as error:
            message = f"the state cannot be imported: {error}"
            raise RehearsalError(message) from error

    # --- Life --------------------------------------------------------------------

    def close(self) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _refuse(command: str, options: Mapping[str, Any]) -> None:
    """Refuse, by name, the options that an operation was given and does not know."""
    for name, value in options.items():
        if name not in {"target", "target_dependents", "replace"}:
            message = f"{command}() got an unexpected keyword argument {name!r}"
            raise TypeError(message)
        if value:
            flag = f"--{name.replace('_', '-')}"
            message = (
                f"a rehearsal does not support `{name}`; use `pulumi {command} {flag}`"
            )
            raise RehearsalError(message)
