"""
The dynamic providers: adapters between Pulumi's plugin host and the life cycle.

The import path of these classes is a state format. Every resource stores its provider as
a reference to module and class name, and a stack from last year finds its code by that
name; so the classes stay where they are, have no attributes, and nothing may be captured
in them. (Tests hold the stored string.)

Importing this module loads nothing heavy: the user's program imports it too. The life
cycle and the HTTP client are loaded in the plugin process, when they are first needed.
"""

from __future__ import annotations

import gc
import math
import os
import threading
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_jig.client import JigClient
    from pulumi_jig.config import Settings
    from pulumi_jig.lifecycle.invocation import Invocation

#: Names in the configuration, without their namespace.
NAMESPACE = "jig"
#: Key under which a program tells a deployment's check how its budget counts it. It is
#: never stored. (Older plugin hosts drop keys that begin with two underscores.)
COUNTED = "counted_by_budget"


class _Session:
    """What one plugin process knows: its configuration, and one client for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._get: Callable[[str], str | None] = lambda _: None
        self._client: JigClient | None = None

    def configure(self, get: Callable[[str], str | None]) -> None:
        with self._lock:
            self._get = get
            # Each kind of provider configures once; they share the client unless
            # it would be another one.
            if self._client is not None and not self._is_current(self._client):
                self._client = None

    def _is_current(self, client: JigClient) -> bool:
        from pulumi_jig.errors import ConfigError

        try:
            return client.settings == self.settings()
        except ConfigError:
            return False

    def faults(self) -> list[tuple[str, str]]:
        from pulumi_jig.config import config_faults

        found = config_faults(self._get, os.environ)
        return [(fault.setting, fault.sentence) for fault in found]

    def settings(self) -> Settings:
        from pulumi_jig.config import resolve_settings

        return resolve_settings(self._get, os.environ)

    def connect(self) -> JigClient:
        with self._lock:
            if self._client is None:
                from pulumi_jig.client import JigClient

                self._client = JigClient(self.settings())
            return self._client

    def number(self, key: str, default: float) -> float:
        try:
            value = float(self._get(key) or default)
        except (TypeError, ValueError):
            return default
        return value if math.isfinite(value) and value >= 0 else default


_session = _Session()


def _configure(request: ConfigureRequest) -> None:
    config = request.config
    _session.configure(lambda key: config.get(f"{NAMESPACE}:{key}"))
    # What is loaded by now lives as long as the process; going through all of it again
    # and again while the life cycle is loaded was a quarter of the way to a check.
    gc.freeze()
    from pulumi_jig.config import DEFAULT_PARALLEL, MAX_PARALLEL

    threads = int(_session.number("parallel", DEFAULT_PARALLEL))
    host.hear_cancel()
    # One more than there are requests: a check must not wait behind the roll-outs.
    host.widen(min(max(threads, 1), MAX_PARALLEL) + 1)


def _invocation(call: host.Call) -> Invocation:
    from pulumi_jig.lifecycle.invocation import Invocation
    from pulumi_jig.rollout import PULL_GRACE

    return Invocation(
        connect=_session.connect,
        urn=call.urn,
        timeout=call.timeout,
        ignore_changes=call.ignore_changes,
        old_inputs=call.old_inputs,
        log=call.log,
        progress=call.progress,
        engine_alive=call.engine_alive,
        interrupted=host.cancelled,
        pull_grace=_session.number("pullGraceSeconds", PULL_GRACE),
    )


def _raise_partially(call: host.Call, error: Any, provider: Any) -> None:
    """
    End the call as a partial failure, where the engine hears of it; else just return.

    Raises:
        HostError: The engine will store the state that goes with it.
    """
    # Later reads and deletes find their code through this key.
    stored = {**host.to_pulumi(error.outputs), "__provider": provider}
    if call.fail_partially(error.message, error.id, stored, error.reasons):
        raise host.HostError(error.message) from None


class DeploymentProvider(ResourceProvider):
    """Deployments of the service, for Pulumi's plugin host."""

    # Nothing secret is inside, so it need not be encrypted in every resource.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Take the configuration and widen the host, once per process."""
        _configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Complete and check the inputs; see `lifecycle.check`."""
        call = host.current_call()

        def run() -> CheckResult:
            from pulumi_jig.lifecycle.budget import uncounted
            from pulumi_jig.lifecycle.deployment.check import check

            declared = host.from_pulumi(news)
            counted = declared.pop(COUNTED, None)
            checked = check(
                host.from_pulumi(_olds),
                declared,
                urn=call.urn,
                log=call.log,
                config_faults=_session.faults(),
            )
            faults = [*checked.faults, *uncounted(counted, declared)]
            if not faults and not _olds:
                _announce_adoption(checked.inputs, call)
            return CheckResult(
                host.to_pulumi(checked.inputs),
                [CheckFailure(path, reason) for path, reason in faults],
            )

        result: CheckResult = host.guarded(call, run)
        return result

    def diff(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> DiffResult:
        """Say what would change; see `lifecycle.diff`."""
        call = host.current_call()

        def run() -> DiffResult:
            from pulumi_jig.lifecycle.deployment.diff import diff
            from pulumi_jig.lifecycle.preview import require_same_account

            state = host.from_pulumi(_olds)
            found = diff(state, host.from_pulumi(_news), old_inputs=call.old_inputs)
            require_same_account(state, _invocation(call))
            if found.changes:
                call.log("info", "differs in " + ", ".join(found.changed))
            return DiffResult(changes=found.changes, replaces=list(found.replaces))

        result: DiffResult = host.guarded(call, run)
        return result

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create a deployment and wait until it serves."""
        call = host.current_call()

        def run() -> CreateResult:
            from pulumi_jig.lifecycle.deployment.create import create
            from pulumi_jig.lifecycle.invocation import PartialFailureError

            try:
                stored = create(host.from_pulumi(props), _invocation(call))
            except PartialFailureError as error:
                _raise_partially(call, error, props["__provider"])
                # Only a success is stored by a plain host. It is a lie that keeps the
                # id; the outputs say that it is unready or unconfirmed, so the next
                # diff demands an update.
                call.log("error", error.message)
                return CreateResult(error.id, host.to_pulumi(error.outputs))
            return CreateResult(stored.id, host.to_pulumi(stored.outputs))

        result: CreateResult = host.guarded(call, run)
        return result

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read what is live; an empty id says that it is gone."""
        call = host.current_call()

        def run() -> ReadResult:
            from pulumi_jig.lifecycle.deployment.read import read

            stored = read(id_, host.from_pulumi(props), _invocation(call))
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
        """Change a deployment in place and wait until it serves."""
        call = host.current_call()

        def run() -> UpdateResult:
            from pulumi_jig.lifecycle.deployment.update import update
            from pulumi_jig.lifecycle.invocation import PartialFailureError

            try:
                stored = update(
                    host.from_pulumi(_olds), host.from_pulumi(_news), _invocation(call)
                )
            except PartialFailureError as error:
                _raise_partially(call, error, _news["__provider"])
                # A plain host keeps the state from before, so the next update tries
                # again; the id stands in it already.
                raise
            return UpdateResult(host.to_pulumi(stored.outputs))

        result: UpdateResult = host.guarded(call, run)
        return result

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete a deployment and wait until it is gone."""
        call = host.current_call()

        def run() -> None:
            from pulumi_jig.lifecycle.deployment.delete import delete

            delete(_id, host.from_pulumi(_props), _invocation(call))

        host.guarded(call, run)


def _announce_adoption(inputs: dict[str, Any], call: host.Call) -> None:
    """Say in the preview what taking over an existing deployment would change."""
    name = inputs.get("name")
    if inputs.get("adopt") is not True or not isinstance(name, str):
        return
    from pulumi_jig.errors import JigError
    from pulumi_jig.lifecycle.deployment.create import adoption_preview

    try:
        fields = adoption_preview(inputs, _invocation(call))
    except JigError as error:
        call.log("warning", f"cannot look at what is to be adopted: {error.message}")
        return
    if fields is None:
        call.log("info", f"there is no deployment {name} to adopt; it will be created")
    elif fields:
        call.log("info", f"will take over {name} and change {', '.join(fields)}")
    else:
        call.log("info", f"will take over {name} as it is")


class GpuBudgetProvider(ResourceProvider):
    """Budgets, which exist in the state only: their check is what they are for."""

    # Nothing secret is inside, so it need not be encrypted in every resource.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Take the configuration and widen the host, once per process."""
        _configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Hold the members to the budget's limits; see `lifecycle.budget`."""

        def run() -> CheckResult:
            from pulumi_jig.lifecycle.budget import check

            checked = check(host.from_pulumi(news))
            return CheckResult(
                host.to_pulumi(checked.inputs),
                [CheckFailure(path, reason) for path, reason in checked.faults],
            )

        result: CheckResult = host.guarded(host.current_call(), run)
        return result

    def diff(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> DiffResult:
        """Say whether limits or members change; never a replacement."""
        call = host.current_call()

        def run() -> DiffResult:
            from pulumi_jig.lifecycle.budget import diff

            found = diff(host.from_pulumi(_olds), host.from_pulumi(_news))
            if found.changes:
                call.log("info", "differs in " + ", ".join(found.changed))
            return DiffResult(changes=found.changes, replaces=[])

        result: DiffResult = host.guarded(call, run)
        return result

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep the inputs; the check has let them pass."""
        inputs = host.from_pulumi(props)
        return CreateResult(inputs["name"], host.to_pulumi(inputs))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Echo the state: there is nothing else that could have changed."""
        return ReadResult(id_, host.to_pulumi(host.from_pulumi(props)))

    def update(
        self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]
    ) -> UpdateResult:
        """Keep the new inputs."""
        return UpdateResult(host.to_pulumi(host.from_pulumi(_news)))
