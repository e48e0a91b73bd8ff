"""
Policy packs: the real policy process (`python -m pulumi.policy`), asked as by the engine.

Why it exists: a pack sees inputs after the provider's check, and a stack's outputs at
the end; unknown values turn a mandatory finding of the SDK into an advisory one; numbers
are floats. All of this is the SDK's own doing once the wire carries the right thing.

What it refuses: packs in other languages, and configuration that the engine refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from pulumi_jig.rehearsal.policy_config import (
    PolicyConfig,
    PolicyConfigError,
    PolicyInfo,
    parse,
    read,
    reconcile,
)
from pulumi_jig.rehearsal.processes import Process, ProcessError, interpreter
from pulumi_jig.rehearsal.project import runtime_options
from pulumi_jig.rehearsal.properties import PropertyMap, decode, encode, reveal
from pulumi_jig.rehearsal.results import RehearsalError, Violation
from pulumi_jig.rehearsal.yaml_document import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_jig.rehearsal.goals import Goal
    from pulumi_jig.rehearsal.state import Resource

_LEVELS: Final = {0: "advisory", 1: "mandatory", 2: "disabled", 3: "remediate"}
_SEVERITIES: Final = {1: "low", 2: "medium", 3: "high", 4: "critical"}
_NO_LIMIT: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


class PolicyError(RuntimeError):
    """A pack could not be started, configured or asked; in one sentence."""


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
        if isinstance(given, tuple):
            folder, config = given
        else:
            folder, config = given, None
        if config is not None and not isinstance(config, dict):
            config = Path(config)
        return cls(Path(folder).resolve(), config)

    def entries(self) -> dict[str, PolicyConfig]:
        """The configuration, read."""
        if self.config is None:
            return {}
        if isinstance(self.config, Path):
            return read(self.config)
        return parse(self.config)


class Analyzer:
    """One running pack."""

    def __init__(
        self,
        pack: PolicyPack,
        engine: str,
        *,
        env: Mapping[str, str],
        on_line: Callable[[str, str], None],
    ) -> None:
        """
        Start the pack's process; `configure` must follow.

        Raises:
            PolicyError: the folder holds no Python pack, or it did not come up.
        """
        self._pack = pack
        options, self._version, self._description = _manifest(pack.path)
        try:
            self._child = Process(
                f"the policy pack in {pack.path}",
                [
                    interpreter(pack.path, options),
                    *("-u", "-m", "pulumi.policy", engine, str(pack.path)),
                ],
                cwd=pack.path,
                env=env,
                on_line=on_line,
                serves=True,
            )
        except ProcessError as error:
            raise PolicyError(str(error)) from error

    def configure(self) -> None:
        """
        Wait for the process, and hand over the configuration.

        Raises:
            PolicyError: it did not come up, or its configuration does not fit.
        """
        try:
            self._channel = grpc.insecure_channel(
                f"127.0.0.1:{self._child.port()}", options=_NO_LIMIT
            )
            self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
            info = self._stub.GetAnalyzerInfo(empty_pb2.Empty())
            config = reconcile(
                [_policy_info(policy) for policy in info.policies],
                {
                    name: PolicyConfig(
                        _LEVELS.get(entry.enforcementLevel, ""),
                        reveal(decode(entry.properties)),
                    )
                    for name, entry in info.initialConfig.items()
                },
                self._pack.entries(),
            )
        except ProcessError as error:
            raise PolicyError(str(error)) from error
        except PolicyConfigError as error:
            title = f"validating policy config: {info.name} {self._version}  "
            lines = [title + line for line in str(error).splitlines()]
            raise PolicyError("\n".join(lines)) from error
        except grpc.RpcError as error:
            message = f"the policy pack in {self._pack.path}: {_text(error)}"
            raise PolicyError(message) from error
        self.name: str = info.name
        self.remediates = {
            policy.name for policy in info.policies if policy.enforcementLevel == 3
        }
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        for name, entry in config.items():
            item = request.policyConfig[name]
            item.enforcementLevel = analyzer_pb2.EnforcementLevel.Value(
                entry.level.upper()
            )
            item.properties.CopyFrom(encode(entry.properties, keep_secrets=False))
        try:
            self._stub.Configure(request)
        except grpc.RpcError as error:
            message = f"the policy pack in {self._pack.path}: {_text(error)}"
            raise PolicyError(message) from error

    def close(self) -> None:
        """End the process."""
        channel = getattr(self, "_channel", None)
        if channel is not None:
            channel.close()
        self._child.stop()

    def remediate(
        self, resource: Resource, goal: Goal | None, provider: Resource | None
    ) -> tuple[PropertyMap, list[Violation]]:
        """The inputs as the pack's remediations leave them, and what they reported."""
        request = analyzer_pb2.AnalyzeRequest(
            type=resource.type,
            properties=encode(resource.inputs, keep_secrets=True),
            urn=resource.urn,
            name=resource.name,
            options=_options(resource, goal),
            provider=_provider(provider),
        )
        response = self._ask("Remediate", request, "remediation")
        inputs = resource.inputs
        found: list[Violation] = []
        for item in response.remediations:
            if not item.diagnostic:
                inputs = decode(item.properties)
            found.append(
                Violation(
                    pack=item.policyPackName,
                    policy=item.policyName,
                    level="advisory" if item.diagnostic else "remediate",
                    message=item.diagnostic or item.description,
                    urn=resource.urn,
                    description=item.description,
                    pack_version=self._version or item.policyPackVersion,
                )
            )
        return inputs, found

    def analyze(
        self, resource: Resource, goal: Goal | None, provider: Resource | None
    ) -> list[Violation]:
        """What the pack finds in one resource's inputs."""
        request = analyzer_pb2.AnalyzeRequest(
            type=resource.type,
            properties=encode(resource.inputs, keep_secrets=True, skip_internal=True),
            urn=resource.urn,
            name=resource.name,
            options=_options(resource, goal),
            provider=_provider(provider),
        )
        response = self._ask("Analyze", request, "policy")
        return [self._violation(item, resource.urn) for item in response.diagnostics]

    def analyze_stack(
        self,
        resources: Iterable[tuple[Resource, Goal | None, Resource | None]],
        root: str,
    ) -> list[Violation]:
        """What the pack finds in the whole stack's outputs."""
        request = analyzer_pb2.AnalyzeStackRequest()
        urns: set[str] = set()
        for resource, goal, provider in resources:
            urns.add(resource.urn)
            item = request.resources.add(
                type=resource.type,
                properties=encode(
                    resource.outputs, keep_secrets=True, skip_internal=True
                ),
                urn=resource.urn,
                name=resource.name,
                options=_options(resource, goal),
                provider=_provider(provider),
                parent=resource.parent,
                dependencies=resource.dependencies,
            )
            for key, names in resource.property_dependencies.items():
                item.propertyDependencies[key].urns.extend(names)
        response = self._ask("AnalyzeStack", request, "policy")
        return [
            self._violation(item, item.urn if item.urn in urns else root)
            for item in response.diagnostics
        ]

    def _ask(self, method: str, request: Any, what: str) -> Any:
        try:
            return getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            message = f"failed to run {what}: {_text(error)}"
            raise PolicyError(message) from error

    def _violation(self, item: Any, urn: str) -> Violation:
        level = _LEVELS.get(item.enforcementLevel, "advisory")
        return Violation(
            pack=item.policyPackName,
            policy=item.policyName,
            # A remediation that left something to complain about counts in full.
            level="mandatory" if level == "remediate" else level,
            message=item.message,
            urn=urn,
            description=item.description,
            severity=_SEVERITIES.get(item.severity, ""),
            pack_version=self._version or item.policyPackVersion,
        )


def _manifest(folder: Path) -> tuple[dict[str, Any], str, str]:
    path = folder / "PulumiPolicy.yaml"
    if not path.exists():
        message = f"there is no policy pack in {folder}: no PulumiPolicy.yaml"
        raise PolicyError(message)
    try:
        document = Document(path)
        options = runtime_options(document, "policy pack")
    except RehearsalError as error:
        raise PolicyError(str(error)) from error
    version, description = (
        str(document.data.get(key) or "") for key in ("version", "description")
    )
    return options, version, description


def _policy_info(policy: Any) -> PolicyInfo:
    schema: dict[str, Any] | None = None
    required: tuple[str, ...] = ()
    if policy.HasField("configSchema"):
        schema = reveal(decode(policy.configSchema.properties))
        required = tuple(policy.configSchema.required)
    return PolicyInfo(
        policy.name, _LEVELS.get(policy.enforcementLevel, "advisory"), schema, required
    )


def _options(resource: Resource, goal: Goal | None) -> Any:
    before = goal.delete_before_replace if goal is not None else None
    return analyzer_pb2.AnalyzerResourceOptions(
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
    )


def _provider(provider: Resource | None) -> Any:
    if provider is None:
        return None
    return analyzer_pb2.AnalyzerProviderResource(
        type=provider.type,
        properties=encode(provider.inputs, keep_secrets=True, skip_internal=True),
        urn=provider.urn,
        name=provider.name,
    )


def _text(error: Exception) -> str:
    if isinstance(error, grpc.RpcError):
        return str(error.details())
    return str(error)
