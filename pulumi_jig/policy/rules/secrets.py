"""
Secrets that would reach a container in clear, and stay readable in the service.

A value that Pulumi encrypts in its state is still sent, stored and shown by the service
as a plain environment variable: only `value_from_secret` keeps it secret. So names and
values are judged, in variables, arguments, the command, the description and `extra`, and
no message repeats a value, whatever it is.

It is a net, not a proof: a secret under an ordinary name that looks like nothing known
passes. The owner adds patterns.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pulumi_jig.policy.declaration import Facts, Policy
from pulumi_jig.policy.findings import Finding, not_known, violation
from pulumi_jig.policy.resource import Resource, shown
from pulumi_jig.policy.rules.bypass import is_field
from pulumi_jig.policy.rules.secret_names import is_secret_name
from pulumi_jig.policy.settings import GLOB, PATTERN, many, setting
from pulumi_jig.policy.unknown import UNKNOWN

# What a value looks like, and what to call it. `@` in front of a pattern stands for "not
# inside a longer word", so that `risk-and-...` does not read as `sk-and-...`; real keys
# of most services hold a digit or an upper-case letter, which words of prose do not.
_LOOKS: Final = (
    (r"@sk[-_](?=[a-z_-]*[A-Z0-9])[A-Za-z0-9_-]{16,}", "an API key"),
    (r"@(?:[sr]k_live|sk_test)_[A-Za-z0-9]{16,}", "a Stripe key"),
    (r"@hf_(?=[a-z_]*[A-Z0-9])[A-Za-z0-9]{16,}", "a Hugging Face token"),
    (r"@(?:AKIA|ASIA)[0-9A-Z]{16}", "an AWS access key id"),
    (r"@gh[pousr]_[A-Za-z0-9]{20,}", "a GitHub token"),
    (r"@github_pat_[A-Za-z0-9_]{20,}", "a GitHub token"),
    (r"@gl(?:pat|dt|rt)-[A-Za-z0-9_-]{16,}", "a GitLab token"),
    (r"@tgp_[A-Za-z0-9_]{16,}", "a Together key"),
    (r"@r8_[A-Za-z0-9]{20,}", "a Replicate token"),
    (r"@nvapi-[A-Za-z0-9_-]{20,}", "an NVIDIA key"),
    (r"@gsk_[A-Za-z0-9]{20,}", "a Groq key"),
    (r"@(?:xai|pplx|csk|tvly)-(?=[a-z-]*[A-Z0-9])[A-Za-z0-9-]{20,}", "an API key"),
    (
        r"@(?:fw|pcsk|lsv2_pt|lsv2_sk|figd|ntn|jina|rpa|phx|api_org)_(?=[a-z_]*[A-Z0-9])[A-Za-z0-9_]{20,}",
        "an API key",
    ),
    (r"@xox[abeprs]-[A-Za-z0-9-]{10,}", "a Slack token"),
    (r"@xapp-[A-Za-z0-9-]{10,}", "a Slack token"),
    (r"hooks\.slack\.com/services/\w+/\w+/\w{8,}", "a Slack address that lets post"),
    (r"discord(?:app)?\.com/api/webhooks/[0-9]+/[\w-]{16,}", "a Discord webhook"),
    (r"@AIza[A-Za-z0-9_-]{30,}", "a Google API key"),
    (r"@ya29\.[A-Za-z0-9_-]{20,}", "a Google access token"),
    (r"@npm_[A-Za-z0-9]{30,}", "an npm token"),
    (r"@pypi-AgEI[A-Za-z0-9_-]{16,}", "a PyPI token"),
    (r"@dckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}", "a Docker token"),
    (r"@hv[sbr]\.[A-Za-z0-9_-]{20,}", "a Vault token"),
    (r"@SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", "a SendGrid key"),
    (r"@dapi[0-9a-f]{32}", "a Databricks token"),
    (r"@gl(?:sa|c)_[A-Za-z0-9]{20,}", "a Grafana token"),
    (r"@dop_v1_[0-9a-f]{32,}", "a DigitalOcean token"),
    (r"@shp(?:at|ca|pa|ss)_[0-9a-fA-F]{24,}", "a Shopify token"),
    (r"@lin_api_[A-Za-z0-9]{24,}", "a Linear key"),
    (r"@sntry[su]_[A-Za-z0-9_=]{24,}", "a Sentry token"),
    (r"@key-[0-9a-f]{32}", "a Mailgun key"),
    (r"@pul-[0-9a-f]{32,}", "a Pulumi token"),
    (r"@sbp_[0-9a-f]{32,}", "a Supabase token"),
    (r"@NRAK-[0-9A-Z]{20,}", "a New Relic key"),
    (r"@PMAK-[0-9a-f]{24}-[0-9a-f]{16,}", "a Postman key"),
    (r"@GOCSPX-[A-Za-z0-9_-]{20,}", "a Google client secret"),
    (r"@tskey-(?:auth|api|client)-[A-Za-z0-9-]{16,}", "a Tailscale key"),
    (r"@dp\.(?:st|pt|sa|ct)\.[A-Za-z0-9_.-]{20,}", "a Doppler token"),
    (r"@sq0(?:atp|csp)-[A-Za-z0-9_-]{20,}", "a Square token"),
    (r"@rubygems_[0-9a-f]{32,}", "a RubyGems key"),
    (r"@pat-[a-z]{2}[0-9]-[0-9a-f-]{30,}", "a HubSpot token"),
    (r"PuTTY-User-Key-File-[0-9]", "a private key"),
    (r"@AGE-SECRET-KEY-1[0-9A-Z]{20,}", "an age key"),
    (r"@eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}", "a signed web token"),
    (r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----", "a private key"),
    (
        r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:(?![${<%*])[^\s/@]+@",
        "an address with a password",
    ),
    # The form of Go's drivers, without a scheme.
    (
        r"@[\w.-]+:(?![${<%*])[^\s/@:]+@(?:tcp|udp|unix)\(",
        "an address with a password",
    ),
    (
        r"\blogin\s+\S+\s+password\s+(?![${<%*])\S+",
        "a line of .netrc with a password",
    ),
    (
        r"(?i)\bauthorization[\"']?\s*[:=]\s*[\"']?(?:token|apikey|api-key|key)\s+"
        r"(?![${<%*])[^\s\"']{6,}",
        "a token for a request",
    ),
    (
        r"(?i)[?&](?:sig|signature|x-amz-signature|x-goog-signature)=[\w%+/=-]{16,}",
        "a signed address",
    ),
    (r"(?i)\bbearer\s+(?=[^\s]*[0-9])[A-Za-z0-9._~+/-]{16,}", "a bearer token"),
)


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    # Compiled when the first value is judged: a pack's start pays for every pattern.
    boundary = r"(?<![A-Za-z0-9])"
    return [(re.compile(p.replace("@", boundary, p[0] == "@")), w) for p, w in _LOOKS]


# What reads like a secret and is public: certificates, public keys, digests.
_PUBLIC: Final = re.compile(
    r"-----BEGIN (?P<kind>CERTIFICATE|[A-Z ]*PUBLIC KEY)-----[\s\S]*?-----END (?P=kind)-----"
    r"|\b(?:ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+)\s+AAAA[A-Za-z0-9+/=]+"
    r"|\b(?:sha(?:256|384|512)[-:]|SHA256:)[A-Za-z0-9+/=_-]+"
    r"|\bpk_(?:live|test)_[A-Za-z0-9]+"
    r"|\bdata:[a-z]+/[\w.+-]+(?:;[\w=-]+)*;base64,[A-Za-z0-9+/=_-]+"
)
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
#: Of neighbouring letters in random text, about two thirds are of different classes.
_RANDOM_CHANGES: Final = 0.42
_BASIC: Final = re.compile(r"(?i)\bbasic\s+([A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9+/])")
#: The login to a registry in a configuration file of Docker.
_REGISTRY: Final = re.compile(r"[\"']auth[\"']\s*:\s*[\"']([A-Za-z0-9+/]{8,}={0,2})")
_REFERENCE: Final = re.compile(r"\$\{?[A-Z_][A-Z0-9_]*\}?|\$\([A-Z_][A-Z0-9_]*\)")
_PATH: Final = re.compile(r"(?:~|\.)?(?:/[\w.-]+){2,}")
# Yes and no, and how tokens of a vocabulary are written.
_NO_SECRET: Final = re.compile(
    r"(?i)true|false|yes|no|on|off|none|null|enabled|disabled|required|optional"
    r"|<\|?[^<>|]{0,40}\|?>|\[[A-Z]{2,10}\]"
)
_ASSIGNMENT: Final = re.compile(
    r"(?<![A-Za-z0-9_.-])-{0,2}([A-Za-z_][A-Za-z0-9_.-]*)[\"']?\]?\s?=\s?"
    r"(\"[^\"]*\"|'[^']*'|[^\s;&|,\"']+)"
)
_JSON_PAIR: Final = re.compile(
    r"[\"']([A-Za-z_][\w.-]*)[\"']\s*:\s*[\"']([^\"']+)[\"']"
)
_HEADER: Final = re.compile(r"(?<![\w\"'-])([A-Za-z][\w-]*):\s+[\"']?([^\s\"']{6,})")
_PARAMETER: Final = re.compile(r"[?&;]([A-Za-z_][\w.-]*)=([^&;\s#\"']+)")
_USER: Final = re.compile(
    r"(?:^|\s)(?:-u|--user|--proxy-user)[\s=]+[\"']?[^\s:\"'$]+:([^\s\"']+)"
)
# Commands whose flag for a password is a single letter.
_CLIENT: Final = re.compile(
    r"\b(?:mysql(?:dump|admin)?|mariadb)\b[^|;&\n]*\s-p(?P<a>\S+)"
    r"|\bsshpass\s+-p\s?(?P<b>\S+)"
    r"|\bredis-cli\b[^|;&\n]*\s-a\s+(?P<c>\S+)"
    r"|\b(?:mongosh?|(?:docker|podman|registry)\s+login)\b[^|;&\n]*\s-p\s+(?P<d>\S+)"
    r"|\b(?:sqlcmd|unzip)\b[^|;&\n]*\s-P\s?(?P<e>\S+)"
    r"|\bldap\w+\b[^|;&\n]*\s-w\s+(?P<f>\S+)"
    r"|\s-pass(?:in|out)?\s+pass:(?P<g>\S+)"
)
_FLAG: Final = re.compile(r"--?([A-Za-z][A-Za-z0-9_.-]*)(?:=(.*))?", re.DOTALL)
# The variable of ours that rolls a deployment with its secrets: NAME=counter pairs.
_ROTATIONS: Final = re.compile(r"(?:[A-Za-z_][\w.-]*=[0-9a-f]{1,16}-[0-9]+ ?)+")
_STORE = (
    "Store it with the service's secrets and use value_from_secret; revoke it if it was "
    "ever deployed."
)


class NoPlaintextSecrets(
    Policy,
    name="jig-no-plaintext-secrets",
    title="No secrets in clear",
    says="No secret is in clear in variables, arguments, command, description or extra.",
    severity="critical",
    fix="Store the secret with the service and use value_from_secret.",
):
    """Names and values are judged; no message shows a value."""

    name_patterns: tuple[re.Pattern[str], ...] = setting(
        many(PATTERN), (), "More regular expressions for names of secrets."
    )
    value_patterns: tuple[re.Pattern[str], ...] = setting(
        many(PATTERN), (), "More regular expressions for values that are secrets."
    )
    allow_names: tuple[str, ...] = setting(
        many(GLOB),
        (),
        "Globs of variable names that may hold a plain value in spite of their name.",
    )

    def judge(self, resource: Resource, facts: Facts) -> Iterator[Finding]:
        """No secret is in clear in what a deployment shows."""
        del facts
        subject = resource.subject
        yield from self._variables(resource.get("environment_variables"), subject)
        for name in ("args", "command"):
            yield from self._words(resource.get(name), name, subject)
        description = resource.get("description")
        if description is UNKNOWN:
            yield not_known(subject, ["description"], "whether it holds a secret")
        elif isinstance(description, str):
            yield from self._found(self._in_text(description), "description", subject)
        yield from self._extra(resource.get("extra"), "extra", subject)

    # --- Names and values ------------------------------------------------------------

    def _is_name(self, name: str) -> bool:
        if any(fnmatch.fnmatchcase(name, glob) for glob in self.allow_names):
            return False
        return is_secret_name(name) or any(p.search(name) for p in self.name_patterns)

    def _names_literal(self, name: str, value: Any) -> bool:
        """Whether a name is a secret's and its value is one rather than a reference."""
        if not self._is_name(name):
            return False
        if value is UNKNOWN:
            return True
        if isinstance(value, bool) or value is None:
            return False
        if isinstance(value, int | float):
            # A number of tokens is a number; a number as a password is a password.
            return "token" not in name.lower()
        if not isinstance(value, str):
            return False
        text = value.strip().strip("\"'")
        if not text or _NO_SECRET.fullmatch(text) or _REFERENCE.fullmatch(text):
            return False
        if name.upper() == "PWD" and text.startswith("/"):
            return False  # The present folder.
        if _PATH.fullmatch(text):
            return re.search(r"(?i)pass|pwd|secret", name) is not None
        return not (text.isdigit() and "token" in name.lower())

    def _in_text(self, text: str) -> str | None:
        """Say what secret a text holds, or None."""
        what = looks_like_secret(text, self.value_patterns)
        if what is not None:
            return f"looks like {what}"
        for pattern in (_PARAMETER, _ASSIGNMENT, _JSON_PAIR, _HEADER):
            for name, value in pattern.findall(text):
                if pattern is _HEADER and not re.search("[0-9]", value):
                    continue
                # `key=value` is how anything is written; in an address it is a key.
                other = value.startswith("-") or name.lower() == "key"
                if other and pattern is not _PARAMETER:
                    continue
                if not _filled_in(value) and self._names_literal(name, value):
                    return f"gives {name} a plain value"
                found = self._in_text(value) if "=" in value else None
                if found is not None:
                    return found
        return None

    def _found(self, what: str | None, where: str, subject: str) -> Iterator[Finding]:
        if what is not None:
            yield violation(
                f"{subject} must not hold secrets in clear; {where} {what} (it is not "
                "shown). Pass it as a variable with value_from_secret, and write $NAME "
                "here."
            )

    # --- Environment variables ---------------------------------------------------------

    def _variables(self, value: Any, subject: str) -> Iterator[Finding]:
        path = "environment_variables"
        if value is None:
            return
        if value is UNKNOWN:
            yield not_known(subject, [path], "whether they hold secrets")
        elif isinstance(value, Mapping):
            for name, given in value.items():
                entry = given if isinstance(given, Mapping) else {"value": given}
                where = f"{path}[{shown(name)}]"
                yield from self._variable(name, entry, where, subject)
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                where = f"{path}[{index}]"
                if entry is UNKNOWN:
                    yield not_known(subject, [where], "whether it holds a secret")
                elif not isinstance(entry, Mapping) or entry.get("name") is None:
                    yield violation(
                        f"{subject} must give {where} as a mapping with a name; it is "
                        "not one, so nobody can say whether it holds a secret. Name it."
                    )
                else:
                    yield from self._variable(entry["name"], entry, where, subject)
        else:
            yield violation(
                f"{subject} must give {path} as a mapping or a list; it is neither, so "
                "nobody can say whether it holds a secret. Write NAME: value pairs."
            )

    def _variable(
        self, name: Any, entry: Mapping[str, Any], where: str, subject: str
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
        if (
            name == "PULUMI_JIG_ROTATIONS"
            and isinstance(value, str)
            and _ROTATIONS.fullmatch(value)
        ):
            return
        what = self._in_text(value) if isinstance(value, str) else None
        if isinstance(value, str) and what is None:
            what = self._in_command_line(value)
        if what is not None:
            yield violation(
                f"{subject} must not hold secrets in clear; the value of {called} {what} "
                f"(it is not shown). {_STORE}"
            )
        elif isinstance(name, str) and self._names_literal(name, value):
            yield violation(
                f"{subject} must not hold secrets in clear; the variable {called} is "
                f"named like one and has a plain value (not shown). {_STORE} If it is "
                "none, add it to jig-no-plaintext-secrets.allow_names."
            )
        elif value is UNKNOWN or name is UNKNOWN:
            yield not_known(subject, [where], "whether it holds a secret")

    # --- Arguments and fields of extra ------------------------------------------------

    def _words(self, value: Any, path: str, subject: str) -> Iterator[Finding]:
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
        words = list(value)
        line = " ".join(word for word in words if isinstance(word, str))
        yield from self._found(self._client(line), path, subject)
        for index, word in enumerate(words):
            where = f"{path}[{index}]"
            following = words[index + 1] if index + 1 < len(words) else None
            what = None
            if isinstance(word, str):
                what = self._flag(word, following) or self._in_text(word)
                what = what or self._in_command_line(word)
            if what is not None:
                yield from self._found(what, where, subject)
            elif word is UNKNOWN and not (
                index and self._flag(words[index - 1], UNKNOWN) is not None
            ):
                yield not_known(subject, [where], "whether it holds a secret")

    def _flag(self, word: Any, following: Any) -> str | None:
        flag = _FLAG.fullmatch(word) if isinstance(word, str) else None
        if flag is None:
            return None
        value = following if flag[2] is None else flag[2]
        if isinstance(value, str) and (value.startswith("-") or _filled_in(value)):
            return None
        if value is not None and self._names_literal(flag[1], value):
            return f"gives --{flag[1]} a plain value"
        return None

    def _in_command_line(self, text: str) -> str | None:
        """Say what secret a line for a shell holds, or None."""
        words = [word.strip("\"'") for word in text.split()]
        if len(words) < 2:
            return None
        for word, following in zip(words, [*words[1:], None], strict=True):
            what = self._flag(word, following)
            if what is not None:
                return what
        return self._client(text)

    def _client(self, line: str) -> str | None:
        """Say what a command line gives to a flag that is a password by its command."""
        if re.search(r"\b(?:curl|wget|http|https|xh)\b", line):
            user = _USER.search(line)
            if user and not user[1].startswith("$"):
                return "gives a user with a plain password"
        found = _CLIENT.search(line)
        if found is None:
            return None
        given = next(v for v in found.groupdict().values() if v).strip("\"'")
        if not given or _filled_in(given) or re.fullmatch("[0-9:]+", given):
            return None
        return "gives a command a plain password"

    def _extra(
        self, value: Any, path: str, subject: str, name: str = ""
    ) -> Iterator[Finding]:
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield from self._extra(item, f"{path}[{shown(key)}]", subject, key)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._extra(item, f"{path}[{index}]", subject, name)
        elif self._names_literal(name, value):
            yield from self._found("has a plain value", path, subject)
        elif isinstance(value, str):
            yield from self._found(self._in_text(value), path, subject)
        elif value is UNKNOWN and name and not is_field(name):
            # Of `extra` as a whole, and of a field in it, jig-no-bypass speaks.
            yield not_known(subject, [path], "whether it holds a secret")


def _filled_in(value: str) -> bool:
    """Whether something else puts the value in: `$NAME`, `{{ name }}`, `%(name)s`."""
    return value.startswith(("$", "<", "{", "%("))


def looks_like_secret(value: Any, more: tuple[re.Pattern[str], ...] = ()) -> str | None:
    """Say what a value looks like, or None; the value is never part of it."""
    if not isinstance(value, str):
        return None
    for pattern, what in _patterns():
        if pattern.search(value):
            return what
    if any(pattern.search(value) for pattern in more):
        return "a secret, by a pattern of the owner"
    for encoded in (*_BASIC.findall(value), *_REGISTRY.findall(value)):
        if ":" in (_decoded(encoded) or ""):
            return "a user with a password"
    for run in _RUN.findall(_PUBLIC.sub(" ", value)):
        if _is_random(run):
            text = _decoded(run)
            if text is None:
                return "random letters and digits"
            # What is encoded text is judged as that text.
            found = looks_like_secret(text, more)
            if found is not None:
                return f"{found} in base64"
    return None


def _decoded(text: str) -> str | None:
    """Return the printable text that base64 stands for, or None."""
    padded = text.rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        found = base64.b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return found if found and found.isprintable() else None


def _is_random(run: str) -> bool:
    # Lower-case hexadecimal (digests, ids) and words glued together are not random by
    # this measure: it asks for both cases, digits, and many changes between them.
    classes = [
        "a" if c.islower() else "A" if c.isupper() else "0" if c.isdigit() else "-"
        for c in run.rstrip("=")
    ]
    if not {"a", "A", "0"} <= set(classes):
        return False
    # Only inside words: names of models are many short words with hyphens and slashes.
    inside = [pair for pair in itertools.pairwise(classes) if "-" not in pair]
    changes = sum(one != other for one, other in inside)
    return changes >= _RANDOM_CHANGES * len(inside)
