"""
Every policy of the pack, in the order in which they are asked.

There is no second list: the pack, profiles, the audit and the reference are made from
this one. Not more than 18, since the policy host deserialises every resource once per
policy. Quotas come last: what another policy has refused counts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulumi_jig.errors import ConfigError
from pulumi_jig.policy.rules.bypass import NoBypass
from pulumi_jig.policy.rules.gpus import GpuCount, GpuTypes, ValidQuantities
from pulumi_jig.policy.rules.images import Image
from pulumi_jig.policy.rules.memory import Cpu, Memory, Storage
from pulumi_jig.policy.rules.options import Protect
from pulumi_jig.policy.rules.quotas import StackCost, StackGpus, StackMemory
from pulumi_jig.policy.rules.replicas import Replicas
from pulumi_jig.policy.rules.secrets import NoPlaintextSecrets
from pulumi_jig.policy.rules.service import (
    CapacityType,
    HealthCheck,
    Metadata,
    TerminationGrace,
)
from pulumi_jig.policy.settings import near

if TYPE_CHECKING:
    from pulumi_jig.policy.declaration import Policy

PREFIX: Final = "jig-"
#: Where policies are explained to people. (The project has no address on the web.)
URL: Final = "docs/reference/policies.md"

POLICIES: Final[tuple[type[Policy], ...]] = (
    ValidQuantities,
    GpuCount,
    GpuTypes,
    Memory,
    Storage,
    Cpu,
    Replicas,
    Image,
    NoPlaintextSecrets,
    HealthCheck,
    TerminationGrace,
    CapacityType,
    Metadata,
    Protect,
    NoBypass,
    StackGpus,
    StackMemory,
    StackCost,
)
BY_NAME: Final = {policy.name: policy for policy in POLICIES}


def find(name: str) -> type[Policy]:
    """
    Return the policy of a name, with or without `jig-`.

    Raises:
        ConfigError: There is none; the message names the nearest.
    """
    full = name if name.startswith(PREFIX) else f"{PREFIX}{name}"
    policy = BY_NAME.get(full)
    if policy is None:
        raise ConfigError(f'There is no policy "{name}"{near(full, BY_NAME)}.')
    return policy
