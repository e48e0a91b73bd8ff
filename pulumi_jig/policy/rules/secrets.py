"""
Secrets that would reach a container in clear, and stay readable in the service.

A value that Pulumi encrypts in its state is still sent, stored and shown by the service
as a plain environment variable: only `value_from_secret` keeps it secret. So both names
and values are judged, and this module refuses to repeat any value, whatever it is.

It is a net, not a proof: a secret in an ordinary name that looks like nothing known
passes. The owner adds patterns of their own.
"""

from __future__ import annotations

import fnmatch
import functools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi_jig.policy.facts import Resource, shown
from pulumi_jig.policy.findings import Finding, not_known, violation
from pulumi_jig.policy.settings import Settings, key
from pulumi_jig.policy.unknown import UNKNOWN

# Words that make a name a secret's, as whole words of it: TOKENIZER and MONKEY are not.
_SECRET_WORDS: Final = frozenset(
    {
        "KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASS", "PWD",
        "PASSPHRASE", "CREDENTIAL", "CREDENTIALS",
    }
)  # fmt: skip
# A last word that makes the name one *about* a secret: where it lies, what it is called,
# how long it lives. SECRET_VERSION is the way to roll out a rotated secret.
_ABOUT: Final = frozenset(
    {
        "FILE", "PATH", "DIR", "NAME", "ID", "TTL", "SECONDS", "MINUTES", "COUNT",
        "LENGTH", "LIMIT", "SIZE", "TYPE", "PREFIX", "HEADER", "ALGORITHM", "ROTATION",
        "VERSION",
    }
)  # fmt: skip

# What a value looks like, and what to call it. Left boundaries keep `risk-and-...` from
# reading as `sk-and-...`.
_LOOKS: Final = (
    (r"(?<![A-Za-z0-9])sk[-_][A-Za-z0-9_-]{16,}", "an API key"),
    (r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{16,}", "a Hugging Face token"),
    (r"(?<![A-Za-z0-9])(AKIA|ASIA)[0-9A-Z]{16}", "an AWS access key id"),
    (r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,}", "a GitHub token"),
    (r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,}", "a GitHub token"),
    (r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,}", "a GitLab token"),
    (r"(?<![A-Za-z0-9])tgp_[A-Za-z0-9_]{16,}", "a Together key"),
    (r"(?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9-]{10,}", "a Slack token"),
    (r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}", "a Google API key"),
    (
        r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
        "a signed web token",
    ),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "a private key"),
    (
        r"[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@$][^\s/@]*@",
        "an address with a password",
    ),
    (r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}", "a bearer token"),
)


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    # Compiled when the first value is judged: a pack's start pays for every pattern.
    return [(re.compile(pattern), what) for pattern, what in _LOOKS]


_RUN: Final = re.compile(r"[A-Za-z0-9]{32,}")
_ENTROPY_BITS: Final = 4.0
_ASSIGNMENT: Final = re.compile(
    r"(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_]*)=([^\s;&|]+)"
)
_FLAG: Final = re.compile(r"--?([A-Za-z][A-Za-z0-9_-]*)(?:=(.*))?", re.DOTALL)


class SecretSettings(Settings):
    """Patterns of `jig-no-plaintext-secrets`."""

    name_patterns: tuple[re.Pattern[str], ...] = key(
        "regexes", (), "More regular expressions for names of secrets."
    )
    value_patterns: tuple[re.Pattern[str], ...] = key(
        "regexes", (), "More regular expressions for values that are secrets."
    )
    allow_names: tuple[str, ...] = key(
        "words",
        (),
        "Globs of variable names that may hold a plain value in spite of their name.",
    )


def no_plaintext_secrets(
    resource: Resource, settings: SecretSettings
) -> Iterator[Finding]:
    """No secret stands in clear in variables, arguments or command."""
    subject = f"The deployment {shown(resource.name)}"
    yield from _variables(resource.get("environment_variables"), settings, subject)
    for name in ("args", "command"):
        yield from _words(resource.get(name), name, settings, subject)


# --- Environment variables ------------------------------------------------------------


def _variables(value: Any, settings: SecretSettings, subject: str) -> Iterator[Finding]:
    path = "environment_variables"
    if value is None:
        return
    if value is UNKNOWN:
        yield not_known(subject, [path], "whether they hold secrets")
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            if entry is UNKNOWN or not isinstance(entry, Mapping):
                entry = {"value": entry}  # noqa: PLW2901 - the same variable, spelt out
            yield from _variable(name, entry, f'{path}["{name}"]', settings, subject)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            where = f"{path}[{index}]"
            if entry is UNKNOWN:
                yield not_known(subject, [where], "whether it holds a secret")
            elif not isinstance(entry, Mapping) or entry.get("name") is None:
                yield violation(
                    f"{subject} must give {where} as a mapping with a name; it is not "
                    "one, so nobody can say whether it holds a secret. Name it."
                )
            else:
                yield from _variable(entry["name"], entry, where, settings, subject)
    else:
        yield violation(
            f"{subject} must give {path} as a mapping or a list; it is neither, so "
            "nobody can say whether it holds a secret. Write NAME: value pairs."
        )


def _variable(
    name: Any,
    entry: Mapping[str, Any],
    where: str,
    settings: SecretSettings,
    subject: str,
) -> Iterator[Finding]:
    value, source = entry.get("value"), entry.get("value_from_secret")
    called = shown(name) if isinstance(name, str) else "(a name not known yet)"
    if (value is None) == (source is None):
        count = "neither" if value is None else "both"
        yield violation(
            f"{subject} must give the variable {called} either a value or a "
            f"value_from_secret; {where} has {count}. Keep value_from_secret for "
            "secrets, value for everything else."
        )
        return
    if value is None:
        return
    remedy = (
        "Store it with the service's secrets and use value_from_secret; revoke it if "
        "it was ever deployed."
    )
    what = looks_like_secret(value, settings.value_patterns)
    if what is not None:
        yield violation(
            f"{subject} must not hold secrets in clear; the value of {called} looks "
            f"like {what} (it is not shown). {remedy}"
        )
    elif isinstance(name, str) and _name_counts(name, settings) and value != "":
        yield violation(
            f"{subject} must not hold secrets in clear; the variable {called} is named "
            f"like one and has a plain value (not shown). {remedy} If it is none, add "
            "it to jig-no-plaintext-secrets.allow_names."
        )
    elif value is UNKNOWN or name is UNKNOWN:
        yield not_known(subject, [where], "whether it holds a secret")


def _name_counts(name: str, settings: SecretSettings) -> bool:
    if any(fnmatch.fnmatchcase(name, glob) for glob in settings.allow_names):
        return False
    return is_secret_name(name) or any(p.search(name) for p in settings.name_patterns)


def is_secret_name(name: str) -> bool:
    """Whether a variable or flag is named like a secret: `HF_TOKEN`, `api-key`."""
    words = [word for word in re.split(r"[^A-Z0-9]+", name.upper()) if word]
    if not words or words[-1] in _ABOUT or "PUBLIC" in words:
        return False
    return any(word in _SECRET_WORDS for word in words)


def looks_like_secret(value: Any, more: tuple[re.Pattern[str], ...] = ()) -> str | None:
    """What a value looks like, in words, or None; the value is never part of it."""
    if not isinstance(value, str):
        return None
    for pattern, what in _patterns():
        if pattern.search(value):
            return what
    if any(pattern.search(value) for pattern in more):
        return "a secret, by a pattern of the owner"
    for run in _RUN.findall(value):
        if _is_random(run):
            return "random letters and digits"
    return None


def _is_random(run: str) -> bool:
    # Lower-case hexadecimal (digests, ids) and words glued together are not random by
    # this measure: it asks for both cases, digits, and few repetitions.
    if not (
        re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run)
    ):
        return False
    total = len(run)
    counts = Counter(run).values()
    bits = -sum(n / total * math.log2(n / total) for n in counts)
    return bits >= _ENTROPY_BITS


# --- Arguments ----------------------------------------------------------------------------


def _words(
    value: Any, path: str, settings: SecretSettings, subject: str
) -> Iterator[Finding]:
    if value is None:
        return
    if value is UNKNOWN:
        yield not_known(subject, [path], "whether it holds secrets")
        return
    if not isinstance(value, list):
        yield violation(
            f"{subject} must give {path} as a list; it is not one, so nobody can say "
            "whether it holds a secret. Write one element per word."
        )
        return
    for index, word in enumerate(value):
        where = f"{path}[{index}]"
        following = value[index + 1] if index + 1 < len(value) else None
        what = _word_fault(word, following, settings)
        if what is not None:
            yield violation(
                f"{subject} must not hold secrets in clear; {where} {what} (it is not "
                "shown). Pass it as a variable with value_from_secret, and write "
                "$NAME here."
            )
        elif word is UNKNOWN and not _is_secret_flag(
            value[index - 1] if index else None, settings
        ):
            yield not_known(subject, [where], "whether it holds a secret")


def _is_secret_flag(word: Any, settings: SecretSettings) -> bool:
    flag = _FLAG.fullmatch(word) if isinstance(word, str) else None
    return flag is not None and flag[2] is None and _name_counts(flag[1], settings)


def _word_fault(word: Any, following: Any, settings: SecretSettings) -> str | None:
    if not isinstance(word, str):
        return None
    what = looks_like_secret(word, settings.value_patterns)
    if what is not None:
        return f"looks like {what}"
    flag = _FLAG.fullmatch(word)
    if flag is not None and _name_counts(flag[1], settings):
        value = following if flag[2] is None else flag[2]
        if value is UNKNOWN or (isinstance(value, str) and _is_literal(value)):
            return f"gives --{flag[1]} a plain value"
    for name, value in _ASSIGNMENT.findall(word):
        if _name_counts(name, settings) and _is_literal(value.strip("\"'")):
            return f"gives {name} a plain value"
    return None


def _is_literal(value: str) -> bool:
    return bool(value) and not value.startswith(("$", "-"))
