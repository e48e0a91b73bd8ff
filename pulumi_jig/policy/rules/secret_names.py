"""
Whether a name is one of a secret: `HF_TOKEN` and `dbPassword`, not `PAD_TOKEN`.

A name is split into words. A word that names a secret counts unless the words around it
say that it names something else: a token of a vocabulary, a key of a table, the place
where a secret lies.
"""

from __future__ import annotations

import functools
import re
from typing import Final

_PARTS: Final = re.compile(r"[^A-Za-z0-9]+")
# `dbPassword` is two words, `HFToken` too, and `PGPASSWORD` is one.
_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")

_PASSWORDS: Final = frozenset(
    {
        "PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "PASSWORT", "KENNWORT", "SECRET",
        "CREDENTIAL", "CREDS",
    }
)  # fmt: skip
_GLUED: Final = re.compile(
    r".*(?:PASSWORD|PASSWD|PASSPHRASE|PASSCODE|CREDENTIAL)"
    r"|.+SECRET"
    r"|.*(?:API|SECRET|ACCESS|PRIVATE|ENCRYPTION|SIGNING|AUTH|MASTER|LICENSE|ACCOUNT)KEY"
    r"|.*(?:API|AUTH|ACCESS|REFRESH|BEARER|SESSION|HF|GITHUB|GITLAB|SLACK|BOT)TOKEN"
    r"|(?:DB|PG|SQL|MYSQL|REDIS|SSH|SMTP|FTP|LDAP|ROOT|ADMIN|USER)(?:PASS|PWD|PW)"
)
#: Words before a token, or a key, that make it one of an account.
_ACCOUNT: Final = frozenset(
    {
        "API", "AUTH", "ACCESS", "BEARER", "REFRESH", "SESSION", "OAUTH", "JWT", "SECRET",
        "PRIVATE", "ENCRYPTION", "SIGNING", "MASTER", "SSH", "LICENSE", "ACCOUNT",
        "SERVICE", "SERVICES", "HF", "GITHUB", "GITLAB", "SLACK", "BOT", "OPENAI", "ADMIN",
        "DEPLOY", "WEBHOOK", "CLIENT", "USER", "SHARED",
    }
)  # fmt: skip
#: Words before a token that make it one of a vocabulary, or a number of them.
_VOCABULARY: Final = frozenset(
    {
        "PAD", "EOS", "BOS", "SEP", "CLS", "MASK", "MASKED", "UNK", "UNKNOWN", "STOP",
        "START", "END", "BEGIN", "SPECIAL", "MAX", "MIN", "NUM", "TOTAL", "NEW", "INPUT",
        "OUTPUT", "PROMPT", "COMPLETION", "CONTEXT", "IMAGE", "AUDIO", "VIDEO", "VISION",
        "TEXT", "DECODER", "ENCODER", "FORCED", "BATCHED", "BATCH", "PREFILL",
        "GENERATED", "THINK", "THINKING", "REASONING", "PER", "DRAFT", "SPECULATIVE",
        "NEXT", "LAST", "FIRST", "BLANK", "NEWLINE", "PATCH", "CONTROL", "FIM", "MIDDLE",
        "EOT", "EOD", "EOM", "EOF", "ROLE", "TOOL", "CHAT", "LANGUAGE", "LANG", "DUMMY",
        "CACHED", "CACHE", "PAGE", "NEXTPAGE", "CONTINUATION", "PUBLIC", "PUBLISHABLE",
        "COUNT", "SUB", "BYTE", "WORD", "SCRATCH", "REGISTER", "QUERY", "AVERAGE",
        "PLACEHOLDER", "SEPARATOR", "PADDING", "DELIMITER", "BOI", "EOI", "IMG", "VOCAB",
        "RETURN", "STREAM", "ECHO", "SKIP", "ADD", "TRUNCATE", "KEEP", "PRINT", "EMIT",
    }
)  # fmt: skip
#: Words before a key that make it one of a table, a cache, a bucket, a message.
_LOOKUP: Final = frozenset(
    {
        "CACHE", "PRIMARY", "FOREIGN", "SORT", "SORTING", "PARTITION", "ROUTING",
        "IDEMPOTENCY", "OBJECT", "S3", "GCS", "BUCKET", "BLOB", "DICT", "LOOKUP", "INDEX",
        "GROUP", "SHARD", "ROW", "COLUMN", "CONFIG", "MESSAGE", "TRANSLATION", "ANSWER",
        "CONTENT", "EVENT", "METRIC", "QUERY", "ORDER", "JOIN", "MAP", "HASH", "RANGE",
        "COMPOSITE", "UNIQUE", "NATURAL", "SURROGATE", "BUSINESS", "DATA", "TEXT",
        "IMAGE", "INPUT", "OUTPUT", "LABEL", "BATCH", "FIELD", "JSON", "STATE", "DEDUP",
        "DEDUPE", "DEDUPLICATION", "TRACE", "HOT", "SHORTCUT", "PUBLIC", "PUBLISHABLE",
        "FEATURE", "FLAG", "LOCK", "QUEUE", "TOPIC", "STREAM", "STORE", "STORAGE",
        "REDIS", "KV", "TABLE", "DOCUMENT", "ENTITY", "LOCALE", "TAG", "ATTRIBUTE",
        "PROPERTY", "HEADER", "ENV", "VARIABLE", "DICTIONARY", "SEARCH", "FILTER",
        "AGGREGATION", "GROUPING", "CLUSTER", "CLUSTERING", "DISTRIBUTION", "ARTIFACT",
        "FILE", "PATH", "MODEL", "PROMPT", "RESPONSE", "REQUEST", "ROUTE", "METADATA",
        "ID", "I18N", "TOPOLOGY", "AFFINITY", "SCHEMA", "DATASET", "NAMESPACE",
    }
)  # fmt: skip
_PASSES: Final = frozenset(
    {"FORWARD", "BACKWARD", "SINGLE", "TWO", "MULTI", "FIRST", "SECOND", "NUM", "HIGH",
     "LOW", "BAND", "ALL", "ONE", "MAX", "BOARDING"}
)  # fmt: skip
# A word that makes the name one *about* a secret: where it lies, what it is called, how
# long it lives. SECRET_VERSION is the way to roll out a rotated secret.
_ABOUT: Final = frozenset(
    {
        "FILE", "FILES", "PATH", "PATHS", "DIR", "DIRECTORY", "FOLDER", "NAME", "NAMES",
        "ID", "IDS", "TTL", "SECONDS", "SECOND", "MINUTES", "MINUTE", "HOURS", "HOUR",
        "DAYS", "DAY", "MS", "COUNT", "LENGTH", "LEN", "LIMIT", "LIMITS", "SIZE", "TYPE",
        "TYPES", "PREFIX", "SUFFIX", "HEADER", "HEADERS", "ALGORITHM", "ALG", "ALGO",
        "ROTATION", "ROTATIONS", "VERSION", "VERSIONS", "URL", "URI", "ENDPOINT", "HOST",
        "PORT", "REGION", "POLICY", "PROVIDER", "STORE", "MANAGER", "BACKEND", "ENABLED",
        "REQUIRED", "DISABLED", "EXPIRY", "EXPIRATION", "EXPIRES", "AUDIENCE", "ISSUER",
        "SCOPE", "SCOPES", "FORMAT", "FIELD", "COLUMN", "INDEX", "POSITION", "OFFSET",
        "RATE", "BUDGET", "MODE", "STRATEGY", "SOURCE", "HINT", "ROUNDS", "COST", "REF",
        "ARN", "MOUNT", "TEMPLATE", "REGEX", "PATTERN", "SEPARATOR", "DELIMITER", "MIN",
        "MAX", "VAULT", "STDIN", "ENGINE", "SERVICE", "SERVER", "THROUGH", "CLASS",
        "PERCENT", "RATIO", "WINDOW", "BUCKETS", "USAGE", "RESET", "CACHE", "LOGPROB",
        "EMBEDDING", "EMBEDDINGS", "DIM", "MAP", "STATUS", "VALIDATION", "LIFETIME",
        "LIFESPAN", "VALIDITY", "DURATION", "AGE", "EXPIRE", "INTERVAL", "TIMEOUT",
        "LEEWAY", "PERIOD", "ENV", "VAR", "VARIABLE", "LABEL", "REALM", "CLASSIFICATION",
        "CLASSIFIER", "SHIFT", "POOLING", "MERGING", "PRUNING", "DROPOUT", "HEALING",
        "STREAMING",
    }
)  # fmt: skip
# Which of several secrets it is, or how it is written.
_QUALIFIERS: Final = frozenset(
    {
        "PROD", "PRODUCTION", "DEV", "DEVELOPMENT", "STAGING", "STAGE", "TEST", "LIVE",
        "OLD", "NEW", "PREVIOUS", "PREV", "CURRENT", "BACKUP", "SECONDARY", "DEFAULT",
        "TEMP", "TMP", "EU", "US", "V", "A", "B", "BASE", "HEX", "RAW", "PLAIN",
        "PLAINTEXT", "VALUE",
    }
)  # fmt: skip
_PLURALS: Final = {
    "PASSWORDS": "PASSWORD", "SECRETS": "SECRET", "TOKENS": "TOKEN", "KEYS": "KEY",
    "CREDENTIALS": "CREDENTIAL", "PASSPHRASES": "PASSPHRASE", "APIKEYS": "APIKEY",
    "PASSCODES": "PASSCODE", "PATS": "PAT",
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a variable, a flag or a field is named like a secret."""
    words = _split(name)
    while len(words) > 1 and words[-1] in _QUALIFIERS:
        words.pop()
    if not words or words[-1] in _ABOUT or words[-1].endswith(("FILE", "PATH")):
        return False
    return any(_names_secret(words, index) for index in range(len(words)))


def _split(name: str) -> list[str]:
    words = []
    for part in _PARTS.split(name):
        if part.upper() in _LOOKUP:
            words.append(part.upper())  # S3 is a word, digit included.
            continue
        for word in _WORDS.findall(part):
            upper = word.upper()
            if not word.isdigit():
                words.append(_PLURALS.get(upper, upper))
    return words


def _names_secret(words: list[str], index: int) -> bool:
    word = words[index]
    before = words[index - 1] if index else ""
    last = index == len(words) - 1
    if not last and words[index + 1] in _ABOUT:
        return False
    if word in _PASSWORDS:
        return True
    if word == "TOKEN":
        if _ACCOUNT & set(words[:index]):
            return True
        return not _VOCABULARY & set(words)
    if word == "KEY":
        if before in _ACCOUNT or (before == "STORAGE" and "AZURE" in words):
            return True
        # In the middle of a name, a key is more often one of something else.
        return last and before not in _LOOKUP
    if word in {"PASS", "PWD", "PW"}:
        return last and before not in _PASSES
    if word == "PAT":
        return last and bool(before)
    return word == "APIKEY" or _GLUED.fullmatch(word) is not None
