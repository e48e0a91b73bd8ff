"""Policy packs: the real policy process (`python -m pulumi.policy`), asked as by the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from pulumi_jig.rehearsal.errors import RehearsalError
from pulumi_jig.rehearsal.policy_config import (
    PolicyConfig,
    PolicyInfo,
    parse,
    read,
    reconcile,
)
from pulumi_jig.rehearsal.processes import GRPC_OPTIONS, Process, interpreter
from pulumi_jig.rehearsal.project import runtime_options
from pulumi_jig.rehearsal.properties import decode, encode, reveal
from pulumi_jig.rehearsal.results import Violation
from pulumi_jig.rehearsal.yaml_document import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pulumi_jig.rehearsal.events import Events
    from pulumi_jig.rehearsal.goals import Goal
    from pulumi_jig.rehearsal.launch import Launcher
    from pulumi_jig.rehearsal.state import Resource

_LEVELS: Final = {0: "advisory", 1: "mandatory", 2: "disabled", 3: "remediate"}
_SEVERITIES: Final = {1: "low", 2: "medium", 3: "high", 4: "critical"}

#: A resource, the goal that it was registered with, and its provider.
Analyzed = tuple["Resource", "Goal | None", "Resource | None"]


@dataclass(frozen=True)
class PolicyPack:
    """
    A folder with a policy pack, and what it is to be configured with.

    `config` is a file as for `--policy-pack-config`, or what would stand in one.
    """

    path: Path
    config: Path | Mapping[str, Any] | None = None

    @classmethod
    def of(cls, given: Any) -> PolicyPack:
        """A pack from a folder, or a `(folder, configuration)` pair."""
        if isinstance(given, PolicyPack):
            return given
        folder, config = given if isinstance(given, tuple) else (given, None)
        if config is not None and not isinstance(config, dict):
            config = Path(config)
        return cls(Path(folder).resolve(), config)

    def entries(self) -> dict[str, PolicyConfig]:
        """The configuration, read."""
        if isinstance(self.config, Path):
            return read(self.config)
        return parse(self.config or {})


class Packs:
    """The policy packs of one operation, asked together."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._analyzers: list[Analyzer] = []

    def start(self, packs: Sequence[PolicyPack], launcher: Launcher) -> None:
        """
        Start the packs side by side, then configure them.

        Raises:
            RehearsalError: one does not come up, its configuration does not fit, or it
                remediates.
        """
        for pack in packs:
            self._analyzers.append(Analyzer(pack, launcher))
        for analyzer in self._analyzers:
            analyzer.configure()

    def close(self) -> None:
        """End their processes."""
        for analyzer in self._analyzers:
            analyzer.close()

    def analyze(self, analyzed: Analyzed) -> bool:
        """Whether a resource's inputs violate a mandatory policy."""
        return self._report(
            violation
            for analyzer in self._analyzers
            for violation in analyzer.analyze(analyzed)
        )

    def analyze_stack(self, resources: Sequence[Analyzed], root: str) -> bool:
        """Whether the stack as it is now violates a mandatory policy."""
        return self._report(
            violation
            for analyzer in self._analyzers
            for violation in analyzer.analyze_stack(resources, root)
        )

    def _report(self, found: Iterable[Violation]) -> bool:
        violations = list(found)
        for violation in violations:
            self._events.violate(violation)
        return any(violation.level == "mandatory" for violation in violations)


class Analyzer:
    """One running pack."""

    def __init__(self, pack: PolicyPack, launcher: Launcher) -> None:
        """
        Start the pack's process; `configure` must follow.

        Raises:
            RehearsalError: the folder holds no Python pack, or it cannot be started.
        """
        self._pack = pack
        options, self._version = _manifest(pack.path)
        self._channel: grpc.Channel | None = None
        command = ["-u", "-m", "pulumi.policy", launcher.address, str(pack.path)]
        self._process = Process(
            f"the policy pack in {pack.path}",
            [interpreter(pack.path, options), *command],
            cwd=pack.path,
            env=launcher.stack_environment(),
            on_line=launcher.line,
            serves=True,
        )

    def configure(self) -> None:
        """
        Wait for the process, and hand over the configuration.

        Raises:
            RehearsalError: it did not come up, its configuration does not fit, or it
                remediates.
        """
        port = self._process.port()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=GRPC_OPTIONS)
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        title = f"the policy pack in {self._pack.path}"
        info = self._ask("GetAnalyzerInfo", empty_pb2.Empty(), title)
        initial = {
            name: PolicyConfig(
                _LEVELS.get(entry.enforcementLevel, ""),
                reveal(decode(entry.properties)),
            )
            for name, entry in info.initialConfig.items()
        }
        try:
            policies = [_policy_info(policy) for policy in info.policies]
            config = reconcile(policies, initial, self._pack.entries())
        except RehearsalError as error:
            head = f"validating policy config: {info.name} {self._version}  "
            lines = [head + line for line in str(error).splitlines()]
            raise RehearsalError("\n".join(lines)) from error
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        for name, entry in config.items():
            if entry.level == "remediate":
                message = (
                    f"the policy {name!r} remediates, which a rehearsal does not "
                    "support; give it another enforcement level, or run the program "
                    "with the `pulumi` command"
                )
                raise RehearsalError(message)
            item = request.policyConfig[name]
            level = entry.level.upper()
            item.enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level)
            item.properties.CopyFrom(encode(entry.properties))
        self._ask("Configure", request, title)

    def close(self) -> None:
        """End the process."""
        if self._channel is not None:
            self._channel.close()
        self._process.stop()

    def analyze(self, analyzed: Analyzed) -> list[Violation]:
        """What the pack finds in one resource's inputs."""
        resource = analyzed[0]
        request = analyzer_pb2.AnalyzeRequest(**_fields(analyzed, resource.inputs))
        response = self._ask("Analyze", request, "failed to run policy")
        return [self._violation(item, resource.urn) for item in response.diagnostics]

    def analyze_stack(
        self, resources: Iterable[Analyzed], root: str
    ) -> list[Violation]:
        """What the pack finds in the outputs of the whole stack, whose URN is `root`."""
        request = analyzer_pb2.AnalyzeStackRequest()
        for analyzed in resources:
            resource = analyzed[0]
            item = request.resources.add(
                **_fields(analyzed, resource.outputs),
                parent=resource.parent,
                dependencies=resource.dependencies,
            )
            for key, names in resource.property_dependencies.items():
                item.propertyDependencies[key].urns.extend(names)
        response = self._ask("AnalyzeStack", request, "failed to run policy")
        urns = {item.urn for item in request.resources}
        return [
            self._violation(item, item.urn if item.urn in urns else root)
            for item in response.diagnostics
        ]

    def _ask(self, method: str, request: Any, title: str) -> Any:
        try:
            return getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            message = f"{title}: {error.details()}"
            raise RehearsalError(message) from error

    def _violation(self, item: Any, urn: str) -> Violation:
        return Violation(
            pack=item.policyPackName,
            policy=item.policyName,
            level=_LEVELS.get(item.enforcementLevel, "advisory"),
            message=item.message,
            urn=urn,
            description=item.description,
            severity=_SEVERITIES.get(item.severity, ""),
            pack_version=self._version or item.policyPackVersion,
        )


def _manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """Options of the runtime, and version, of the pack in `folder`."""
    path = folder / "PulumiPolicy.yaml"
    if not path.exists():
        message = f"there is no policy pack in {folder}: no PulumiPolicy.yaml"
        raise RehearsalError(message)
    document = Document(path)
    options = runtime_options(document, "policy pack")
    return options, str(document.data.get("version") or "")


def _policy_info(policy: Any) -> PolicyInfo:
    level = _LEVELS.get(policy.enforcementLevel, "advisory")
    if not policy.HasField("configSchema"):
        return PolicyInfo(policy.name, level, None)
    schema = reveal(decode(policy.configSchema.properties))
    return PolicyInfo(policy.name, level, schema, tuple(policy.configSchema.required))


def _fields(analyzed: Analyzed, properties: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request that say what a resource is."""
    resource, goal, provider = analyzed
    before = goal.delete_before_replace if goal is not None else None
    fields = {
        "type": resource.type,
        "properties": encode(properties, keep_secrets=True, skip_internal=True),
        "urn": resource.urn,
        "name": resource.name,
        "options": analyzer_pb2.AnalyzerResourceOptions(
            protect=resource.protect,
            ignoreChanges=resource.ignore_changes,
            deleteBeforeReplace=bool(before),
            deleteBeforeReplaceDefined=before is not None,
            additionalSecretOutputs=resource.additional_secret_outputs,
            aliases=[resource.aliased_from] if resource.aliased_from else [],
            customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(
                **resource.custom_timeouts
            ),
            parent=resource.parent,
        ),
    }
    if provider is not None:
        fields["provider"] = analyzer_pb2.AnalyzerProviderResource(
            type=provider.type,
            properties=encode(provider.inputs, keep_secrets=True, skip_internal=True),
            urn=provider.urn,
            name=provider.name,
        )
    return fields
