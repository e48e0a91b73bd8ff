"""
The adapter between the plugin host's six methods and one life in `lifecycle`.

A life is a package `lifecycle.<life>` in which a module and a function of the same name
stand for each step:

    check   (olds, news, *, old_outputs, urn, log, config_faults) -> Checked
    diff    (state, news, *, old_inputs, ignore_changes) -> Diffed
    create  (inputs, inv) -> Stored         raises PartialFailureError
    read    (id, state, inv) -> Stored      an empty id says that it is gone
    update  (state, inputs, inv) -> Stored  raises PartialFailureError
    delete  (id, state, inv) -> None

with `create.adoption_preview(inputs, inv)` for what `adopt=True` would change, and in
`kind` the life's name in capitals for what it is to the shared steps. Each module is loaded when its step is first taken: a check needs none of the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from pulumi_jig import host
from pulumi_jig.provider.session import (
    config_faults,
    config_warning,
    configure,
    invocation,
    key_fingerprint,
)
from pulumi_jig.text import safe_message
from pulumi_jig.values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


#: Characters of a refused text that the engine may print.
LONGEST_SHOWN: Final = 200


class Provider(ResourceProvider):
    """
    What the provider classes have in common; none of it is stored in a state.

    Attributes:
        life: The life that it leads, as the package's name in `lifecycle`.
    """

    # Nothing secret is inside, so it need not be encrypted in every resource.
    serialize_as_secret_always = False
    life: ClassVar[str]

    def configure(self, req: ConfigureRequest) -> None:
        """Take the configuration and widen the host, once per process and kind."""
        configure(req)

    # --- What a kind may add -----------------------------------------------------

    def derived(self, _inputs: dict[str, Any]) -> dict[str, Any]:
        """Inputs that follow from the others and from whatever sends the requests."""
        return {}

    def remarks(self, _state: dict[str, Any], _news: dict[str, Any]) -> Iterable[str]:
        """Warnings that hang on what the state holds, told with each diff."""
        return ()

    # --- The six methods ---------------------------------------------------------

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Complete and check the inputs."""
        call = host.current_call()

        def run() -> CheckResult:
            from pulumi_jig.lifecycle.keys import KEY

            declared = {**host.from_pulumi(news), KEY: key_fingerprint()}
            checked = self._step("check")(
                host.from_pulumi(_olds),
                declared,
                old_outputs=call.old_outputs,
                urn=call.urn,
                log=call.log,
                config_faults=config_faults(),
            )
            if (warning := config_warning()) is not None:
                # About the stack, not about the resource that happens to come first.
                host.Call().log("warning", warning)
            if not checked.faults and not _olds:
                self._announce_existing(checked.inputs, call)
            inputs = {**checked.inputs, **self.derived(checked.inputs)}
            return CheckResult(
                host.to_pulumi(inputs),
                [
                    _failure(path, reason, inputs.get(path))
                    for path, reason in checked.faults
                ],
            )

        result: CheckResult = host.guarded(call, run)
        return result

    def diff(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> DiffResult:
        """Say what would change."""
        call = host.current_call()

        def run() -> DiffResult:
            from pulumi_jig.lifecycle.identity import remember_entry
            from pulumi_jig.lifecycle.preview import require_same_account
            from pulumi_jig.provider.changes import messages

            state, declared = host.from_pulumi(_olds), host.from_pulumi(_news)
            compare = self._step("diff")

            def diff(news: Mapping[str, Any]) -> Any:
                return compare(
                    state,
                    news,
                    old_inputs=call.old_inputs,
                    ignore_changes=call.ignore_changes,
                )

            found = diff(declared)
            kind = self._step("kind", self.life.upper())
            remember_entry(kind, state)
            require_same_account(kind, state, invocation(call))
            for message in messages(found, state, declared, call.old_inputs, diff):
                call.log("info", message)
            for remark in self.remarks(state, declared):
                call.log("warning", remark)
            return DiffResult(changes=found.changes, replaces=list(found.replaces))

        result: DiffResult = host.guarded(call, run)
        return result

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create it, and wait until it is what was asked for."""
        call = host.current_call()

        def run() -> CreateResult:
            from pulumi_jig.lifecycle.invocation import PartialFailureError

            try:
                stored = self._step("create")(host.from_pulumi(props), invocation(call))
            except PartialFailureError as error:
                _raise_partially(call, error, props["__provider"])
                # Only a success is stored by a plain host. It is a lie that keeps the
                # id; the outputs say that it is unready or unconfirmed, so the next
                # diff demands an update.
                call.log("error", error.message)
                return CreateResult(error.id, host.to_pulumi(error.outputs))
            call.done(self._step("kind", self.life.upper()).reached(stored.outputs))
            return CreateResult(stored.id, host.to_pulumi(stored.outputs))

        result: CreateResult = host.guarded(call, run)
        return result

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read what is live; an empty id says that it is gone."""
        call = host.current_call()

        def run() -> ReadResult:
            read = self._step("read")
            stored = read(id_, host.from_pulumi(props), invocation(call))
            if not stored.id:
                return ReadResult("", {})
            inputs = stored.inputs
            return ReadResult(
                stored.id,
                host.to_pulumi(stored.outputs),
                None if inputs is None else host.to_pulumi(inputs),
            )

        result: ReadResult = host.guarded(call, run)
        return result

    def update(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> UpdateResult:
        """Change it in place, and wait until it is what was asked for."""
        call = host.current_call()

        def run() -> UpdateResult:
            from pulumi_jig.lifecycle.invocation import PartialFailureError

            update = self._step("update")
            try:
                stored = update(
                    host.from_pulumi(_olds), host.from_pulumi(_news), invocation(call)
                )
            except PartialFailureError as error:
                _raise_partially(call, error, _news["__provider"])
                # A plain host keeps the state from before, so the next update tries
                # again; the id stands in it already.
                raise
            call.done(self._step("kind", self.life.upper()).reached(stored.outputs))
            return UpdateResult(host.to_pulumi(stored.outputs))

        result: UpdateResult = host.guarded(call, run)
        return result

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete it and wait until it is gone."""
        call = host.current_call()

        def run() -> None:
            self._step("delete")(_id, host.from_pulumi(_props), invocation(call))
            call.done("")

        host.guarded(call, run)

    # --- Beneath -----------------------------------------------------------------

    def _step(self, module: str, name: str | None = None) -> Any:
        home = importlib.import_module(f"pulumi_jig.lifecycle.{self.life}.{module}")
        return getattr(home, name or module)

    def _announce_existing(self, inputs: dict[str, Any], call: host.Call) -> None:
        """Say in the preview what a creation will find under its name."""
        name = inputs.get("name")
        if not isinstance(name, str):
            return
        if inputs.get("adopt") is True:
            self._announce_adoption(name, inputs, call)
            return
        from pulumi_jig.lifecycle.preview import taken_name

        kind = self._step("kind", self.life.upper())
        if (why := taken_name(kind, inputs, invocation(call))) is not None:
            call.log("warning", f"cannot be created as things are: {why}")

    def _announce_adoption(
        self, name: str, inputs: dict[str, Any], call: host.Call
    ) -> None:
        from pulumi_jig.errors import JigError

        try:
            look = self._step("create", "adoption_preview")
            fields = look(inputs, invocation(call))
        except JigError as error:
            sentence = f"cannot look at what is to be adopted: {error.message}"
            call.log("warning", sentence)
            return
        if fields is None:
            sentence = f"there is no {self.life} {name} to adopt; it will be created"
        elif fields:
            sentence = f"will take over {name} and change {', '.join(fields)}"
        else:
            sentence = f"will take over {name} as it is"
        call.log("info", sentence)


def _failure(path: str, reason: str, value: Any) -> CheckFailure:
    """
    A check failure, in the form that the engine words truthfully.

    The engine prints the value that the inputs have under exactly the failure's
    property: `<nil>` for everything nested, lists and mappings with all that nobody
    marked as secret in them, and texts of any length as they are. So a property is named
    to it only where its value is a scalar that may be read; else the sentence names it.

    Args:
        path: Property path; empty for the resource as a whole.
        reason: What is wrong, as the rest of a sentence that begins with the path.
        value: The checked input under the path, if there is one.
    """
    if isinstance(value, SecretValue):
        # Shown as "[secret]".
        readable = True
    elif isinstance(value, str):
        readable = len(value) <= LONGEST_SHOWN and safe_message(value) == value
    else:
        readable = isinstance(value, bool | int | float)
    if readable:
        return CheckFailure(path, safe_message(reason))
    return CheckFailure("", safe_message(f"{path} {reason}".strip()))


def _raise_partially(call: host.Call, error: Any, provider: Any) -> None:
    """
    End the call as a partial failure, where the engine hears of it; else just return.

    Raises:
        HostError: The engine will store the state that goes with it.
    """
    # Later reads and deletes find their code through this key.
    stored = {**host.to_pulumi(error.outputs), "__provider": provider}
    if call.fail_partially(error.message, error.id, stored, error.reasons):
        raise host.HostError(safe_message(error.message)) from None
