"""
Every policy of the pack, as data: name, sentence, rule, settings, level, remedy.

The pack, the profiles' check, the audit and the README of the pack are all made from
this table; there is no second list. It refuses more than 12 resource and 4 stack
policies: the policy host deserialises every resource once per policy, so each one costs.

Levels here are those of an environment that no profile knows: the strictest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.facts import Resource, is_dynamic
from pulumi_jig.policy.limits import CostLimits, GpuLimits, MemoryLimits
from pulumi_jig.policy.rules import (
    budgets,
    escapes,
    gpus,
    health,
    images,
    memory,
    protection,
    replicas,
    secrets,
    stack,
)
from pulumi_jig.policy.settings import Settings, near

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from pulumi_jig.policy.findings import Finding

PREFIX: Final = "jig-"
#: Where the catalogue is explained to people: beside the pack, in its README. (The
#: project names no address of its own on the web.)
URL: Final = "policies/gpu-guardrails/README.md"

#: The properties that stack policies read. Others are not even unwrapped: a stack has
#: many resources, and every stack policy meets all of them anew.
STACK_KEYS: Final = frozenset(
    {
        "name",
        "image",
        "gpu_type",
        "gpu_count",
        "min_replicas",
        "max_replicas",
        "memory",
        "budget",
        "members",
    }
)

Severity = Literal["low", "medium", "high", "critical"]
Kind = Literal["deployment", "dynamic", "budget", "stack"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PolicySpec:
    """
    One policy.

    Attributes:
        name: As it stands in profiles, `jig-` included.
        title: A few words.
        description: One sentence, for whoever meets a violation.
        judges: A deployment, any dynamic resource, a budget, or the whole stack.
        settings: Its typed configuration.
        rule: The pure function behind it. Its first argument is a `Resource`, for
            budgets a sequence of `Budget`, for the stack a sequence of `Resource`; its
            second the settings; budgets and stack take the date as third.
        severity: For the engine's diagnostics.
        remedy: What to do about a violation, in general.
    """

    name: str
    title: str
    description: str
    judges: Kind
    settings: type[Settings]
    rule: Callable[..., Iterable[Finding]]
    severity: Severity
    remedy: str

    @property
    def is_stack(self) -> bool:
        """Whether it judges the stack as a whole."""
        return self.judges == "stack"

    def applies_to(self, resource: Resource) -> bool:
        """Whether it has something to say about a resource."""
        if self.judges == "deployment":
            return resource.is_deployment
        if self.judges == "budget":
            return resource.is_budget
        return self.judges == "dynamic" and is_dynamic(resource.type)

    def judge_stack(
        self, resources: Sequence[Resource], settings: Any, today: dt.date
    ) -> list[Finding]:
        """All findings about a stack, before exemptions."""
        return list(self.rule(resources, settings, today))


CATALOGUE: Final[tuple[PolicySpec, ...]] = (
    PolicySpec(
        name="jig-valid-quantities",
        title="Quantities are numbers",
        description="Every quantity of a deployment is a plain number.",
        judges="deployment",
        settings=gpus.QuantitySettings,
        rule=gpus.valid_quantities,
        severity="high",
        remedy="Write the number without unit, sign or fraction.",
    ),
    PolicySpec(
        name="jig-gpu-count",
        title="GPUs per replica and per deployment",
        description="A deployment has an allowed number of GPUs, per replica and when "
        "all its replicas run.",
        judges="deployment",
        settings=gpus.GpuCountSettings,
        rule=gpus.gpu_count,
        severity="high",
        remedy="Lower gpu_count or max_replicas.",
    ),
    PolicySpec(
        name="jig-gpu-types",
        title="Allowed GPU types",
        description="A deployment uses a GPU type that this environment allows.",
        judges="deployment",
        settings=gpus.GpuTypeSettings,
        rule=gpus.gpu_types,
        severity="high",
        remedy="Choose one of the allowed types.",
    ),
    PolicySpec(
        name="jig-memory",
        title="Memory per replica and per GPU",
        description="A replica has a known amount of memory within the limits, in all "
        "and per GPU.",
        judges="deployment",
        settings=memory.MemorySettings,
        rule=memory.memory,
        severity="high",
        remedy="Set memory, in GiB, or lower it.",
    ),
    PolicySpec(
        name="jig-replicas",
        title="Replica bounds and autoscaling",
        description="Replica bounds are within the limits, and autoscaling fits them.",
        judges="deployment",
        settings=replicas.ReplicaSettings,
        rule=replicas.replicas,
        severity="medium",
        remedy="Change min_replicas, max_replicas or autoscaling so that they agree.",
    ),
    PolicySpec(
        name="jig-image",
        title="Image registry and digest",
        description="An image comes from an allowed registry and is named by what "
        "cannot change.",
        judges="deployment",
        settings=images.ImageSettings,
        rule=images.image,
        severity="critical",
        remedy="Push the image to an allowed registry and name it by digest.",
    ),
    PolicySpec(
        name="jig-no-plaintext-secrets",
        title="No secrets in clear",
        description="No secret stands in clear in variables, arguments or command.",
        judges="deployment",
        settings=secrets.SecretSettings,
        rule=secrets.no_plaintext_secrets,
        severity="critical",
        remedy="Store the secret with the service and use value_from_secret.",
    ),
    PolicySpec(
        name="jig-health-check",
        title="Health check",
        description="A deployment that serves traffic has a health check.",
        judges="deployment",
        settings=health.HealthSettings,
        rule=health.health_check,
        severity="medium",
        remedy="Set health_check_path.",
    ),
    PolicySpec(
        name="jig-protect",
        title="Protection and ignored changes",
        description="A deployment is protected, and no governed field is ignored.",
        judges="deployment",
        settings=protection.ProtectSettings,
        rule=protection.protect,
        severity="high",
        remedy="Set protect, and remove governed fields from ignore_changes.",
    ),
    PolicySpec(
        name="jig-no-escape",
        title="No way around",
        description="Nothing makes a deployment that the other policies would not see.",
        judges="dynamic",
        settings=escapes.EscapeSettings,
        rule=escapes.no_escape,
        severity="high",
        remedy="Use pulumi_jig.Deployment, its own fields, and a known address.",
    ),
    PolicySpec(
        name="jig-gpu-budget",
        title="Budgets before creation",
        description="The members of a budget, together, are within the owner's limits.",
        judges="budget",
        settings=budgets.BudgetSettings,
        rule=budgets.gpu_budget,
        severity="critical",
        remedy="Make members smaller or fewer, or have the limits raised.",
    ),
    PolicySpec(
        name="jig-budget-membership",
        title="Every deployment in a budget",
        description="Every deployment belongs to a budget, so that its size is judged "
        "before anything is created.",
        judges="deployment",
        settings=budgets.MembershipSettings,
        rule=budgets.budget_membership,
        severity="high",
        remedy='Declare the deployment inside "with GpuBudget(...):".',
    ),
    PolicySpec(
        name="jig-stack-gpus",
        title="GPUs of the stack",
        description="All deployments of the stack, together, use an allowed number of "
        "GPUs.",
        judges="stack",
        settings=GpuLimits,
        rule=stack.stack_gpus,
        severity="critical",
        remedy="Lower gpu_count or max_replicas of the largest deployments.",
    ),
    PolicySpec(
        name="jig-stack-memory",
        title="Memory of the stack",
        description="All deployments of the stack, together, use an allowed amount of "
        "memory and GPU memory.",
        judges="stack",
        settings=MemoryLimits,
        rule=stack.stack_memory,
        severity="high",
        remedy="Lower memory or max_replicas of the largest deployments.",
    ),
    PolicySpec(
        name="jig-stack-cost",
        title="Cost of the stack",
        description="All deployments of the stack, together, cost an allowed amount "
        "per hour.",
        judges="stack",
        settings=CostLimits,
        rule=stack.stack_cost,
        severity="critical",
        remedy="Lower what costs most, at the peak or at the floor.",
    ),
    PolicySpec(
        name="jig-budget-coverage",
        title="Budgets know their members",
        description="Every deployment stands in the budget that it names, at no less "
        "than its size.",
        judges="stack",
        settings=budgets.CoverageSettings,
        rule=budgets.budget_coverage,
        severity="high",
        remedy='Declare the deployment inside "with GpuBudget(...):".',
    ),
)

BY_NAME: Final = {spec.name: spec for spec in CATALOGUE}


def find(name: str) -> PolicySpec:
    """
    The policy of a name, with or without `jig-`.

    Raises:
        ConfigError: There is none; the message names the nearest.
    """
    full = name if name.startswith(PREFIX) else f"{PREFIX}{name}"
    spec = BY_NAME.get(full)
    if spec is None:
        raise ConfigError(f'There is no policy "{name}"{near(full, BY_NAME)}')
    return spec
