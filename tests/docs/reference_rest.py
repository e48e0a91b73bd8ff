"""The pages of the configuration, of the policies, and of what restarts replicas."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from reference_source import PACKAGE, ROOT, described, flowing, page, table, tree

from pulumi_jig import config
from pulumi_jig.lifecycle.deployment.inputs import EXTRA, OPTIONS
from pulumi_jig.policy import docs
from pulumi_jig.policy.declaration import COMMON
from pulumi_jig.policy.registry import POLICIES
from pulumi_jig.rollout.goal import PULL_GRACE
from pulumi_jig.schema.deployment import FIELDS

#: What the page says of each; a key that the code reads and this lacks is an error.
KEYS = {
    "apiKey": ("the key of the service, as a secret", "none: it is an error"),
    "baseUrl": (
        "the address of the service, with or without `/v1`",
        f"`{config.DEFAULT_BASE_URL}`",
    ),
    "parallel": (
        f"requests and waits at a time, 1 to {config.MAX_PARALLEL}",
        f"`{config.DEFAULT_PARALLEL}`",
    ),
    "allowInsecureHttp": (
        "`true` lets the key travel without TLS to another machine",
        "`false`",
    ),
    "pullGraceSeconds": (
        "seconds for which an image that cannot be pulled, or a replica that ran out of "
        "memory, may recover",
        f"`{PULL_GRACE:.0f}`",
    ),
    "namespace": (
        "any word; it changes all names that are made automatically, for when somebody "
        "else has them already. A name once made stays",
        "none",
    ),
}
VARIABLES = {
    "TOGETHER_API_KEY": "the key, where `jig:apiKey` gives none",
    "TOGETHER_BASE_URL": "the address, where `jig:baseUrl` gives none",
    "NO_COLOR": "no colour, whatever the terminal can do",
    "PULUMI_JIG_DEBUG": "`1`: where an internal error happened, and nothing else",
    "SSL_CERT_FILE": "a file of root certificates to trust instead of the system's",
    "SSL_CERT_DIR": "a folder of them",
}


def configuration() -> str:
    """
    The page of the configuration.

    Raises:
        LookupError: The code reads a key that the page does not explain.
    """
    if KEYS.keys() != set(config.SETTINGS):
        raise LookupError(f"keys not explained: {KEYS.keys() ^ set(config.SETTINGS)}")
    order = (config.__doc__ or "").split("\n\n")
    # Why this is a module of its own is for its readers.
    refused = re.sub(r"The last one is [^:]+: (\w)", r"\1", flowing(order[2]))
    return page(
        "Configuration",
        flowing(order[1]),
        "## Of a stack",
        "`pulumi config set jig:KEY VALUE`; a key of the service with `--secret`.",
        table(
            ("key", "what it says", "left out"),
            [(f"`jig:{key}`", *told) for key, told in KEYS.items()],
        ),
        "## Of the environment",
        "The usual `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` count as well.",
        table(
            ("variable", "what it says"),
            [(f"`{name}`", told) for name, told in VARIABLES.items()],
        ),
        "## Of an explicit provider",
        "`pulumi_jig.Provider` takes the same by the names of its arguments; see "
        "[resources](resources.md#provider). What is not given there comes from the stack.",
        "## What is refused",
        refused.replace(" whoever can", " Whoever can"),
        "## Time limits",
        'Pulumi\'s own: `ResourceOptions(custom_timeouts=CustomTimeouts(create="40m"))`. '
        "The defaults stand with each resource.",
    )


def policies() -> str:
    """The page of the policies: what each says, judges, can be told, and what helps."""
    names = ("dev", "staging", "prod")
    profiles = {
        name: json.loads((ROOT / "policies" / "profiles" / f"{name}.json").read_text())
        for name in names
    }
    parts = [
        "The pack [`policies/gpu-guardrails`](../../policies/gpu-guardrails/README.md) "
        "tells how to run them and how to write a profile. Here: each policy, what it "
        "can be told, what the three profiles tell it, and what to do when it speaks.",
        "## Settings of every policy",
        table(
            ("key", "what it says", "value", "left out"),
            [
                (f"`{name}`", one.text, one.says, f"`{docs.written(one.default)}`")
                for name, one in COMMON.items()
            ],
        ),
    ]
    for policy in POLICIES:
        parts += [f"## {policy.name}", policy.says]
        parts.append(
            f"Judges {docs.JUDGES[policy.judges]}. Severity: {policy.severity}; level "
            f"where nobody says one: {policy.level}. What to do: "
            f"{policy.fix[0].lower()}{policy.fix[1:]}"
        )
        rows = [
            (
                f"`{key}`",
                one.text,
                one.says,
                *(_told(profiles[name], policy.name, key) for name in names),
                f"`{docs.written(one.default)}`",
            )
            for key, one in policy.settings.items()
            if key not in COMMON
        ]
        level = tuple(_level(profiles[name], policy.name) for name in names)
        rows.insert(0, ("enforcement level", "how loud it is", "level", *level, ""))
        parts.append(table(("key", "what it says", "value", *names, "left out"), rows))
    return page("Policies", *parts)


def _level(profile: dict[str, Any], policy: str) -> str:
    told = profile.get(policy, profile.get("all", ""))
    if isinstance(told, dict):
        told = told.get("enforcementLevel", profile.get("all", ""))
    return str(told)


def _told(profile: dict[str, Any], policy: str, key: str) -> str:
    told = profile.get(policy)
    if not isinstance(told, dict) or key not in told:
        return ""
    return f"`{json.dumps(told[key], ensure_ascii=False)}`"


def restarts() -> str:
    """The page of what a change does to the replicas that run."""
    replaces = [name for name, field in FIELDS.items() if field.on_change == "replace"]
    keeps = [
        name
        for name, field in FIELDS.items()
        if field.on_change == "update" and not field.rolls
    ]
    rolls = [name for name in FIELDS if name not in {*replaces, *keeps}]
    outline = section_of_discretion()
    return page(
        "What restarts replicas",
        "A change either makes a new revision, and then new replicas come up beside the "
        "old ones, which go when the new ones serve; or it keeps the revision, and no "
        "replica is touched. An update waits for replicas of the revision that it made.",
        "## No replica is touched",
        _listed(keeps),
        "Replica bounds start or stop replicas of the revision that runs; they restart "
        "none. These options of ours are never sent, and changing one is no difference:",
        _listed(OPTIONS),
        "## New replicas, then the old ones go",
        _listed(rolls),
        f"`{EXTRA}` passes fields through that are newer than this package; the service "
        "decides what they restart.",
        "## What a deployment refers to",
        f"A `Secret` with `restart_on_rotation`: {_told_of('restart_on_rotation')}",
        f"A `Volume`: {_told_of('content', 'Volume').partition('. ')[2]}",
        "## Another deployment",
        _listed(replaces),
        "Names are unique and cannot be changed, so another name is another deployment: "
        "the new one is made first, unless `delete_before_replace` is set.",
        "## No difference at all",
        outline,
    )


def _told_of(name: str, of: str = "Deployment") -> str:
    """The docstring of an argument, as the end of a sentence."""
    known = described("resources")[f"{of}Args"].attributes
    text = next(one.text for one in known if one.name == name)
    return text[0].lower() + text[1:]


def section_of_discretion() -> str:
    """What a comparison is blind to, in the words of the table's own module."""
    text = str(ast.get_docstring(tree(PACKAGE / "schema" / "comparison.py")))
    found = next(part for part in text.split("\n\n") if "blind" in part)
    return flowing(found)


def _listed(names: Any) -> str:
    return "\n".join(f"- `{name}`" for name in names)
