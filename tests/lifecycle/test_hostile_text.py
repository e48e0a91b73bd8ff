"""Whatever the texts of the service are, nothing of them commands or repeats a secret."""

from __future__ import annotations

import contextlib
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from simulated import HTML, KEY, Engine, World

from pulumi_jig.errors import JigError
from pulumi_jig.lifecycle import memory, preview
from pulumi_jig.redaction import forget_secrets
from pulumi_jig.text import safe_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]

TOKEN = "canary-token-0123456789-abcdef"
PLAIN = "canary-of-a-variable"
FLAG = "canary-argument-9876543210"
#: Every place where a program may have a secret that the service repeats.
PROGRAM: Record = {
    "name": "llm-prod",
    "image": "registry.example/app:1",
    "gpu_type": "none",
    "command": ["serve", "--token", FLAG],
    "description": "What it is for.",
    "environment_variables": {"TOKEN": TOKEN, "PLAIN": PLAIN},
    "__secrets": [["command", 2], ["environment_variables", "TOKEN"]],
}
VALUE = "canary-value-1357924680"
PREFIX = "canary-prefix/models/2468"


@dataclass(frozen=True)
class Case:
    """
    A resource whose service says hostile things.

    Attributes:
        life: What kind of resource it is.
        program: Its inputs, with a secret wherever a program may have one.
        change: Inputs that an update changes.
        post: The request that creates it.
        secrets: What the program has in confidence; no part of it may be told.
        hidden: What of the state needs no look: it is stored encrypted, or it is
            harmless, and the resource is known and compared by it.
    """

    life: str
    program: Record
    change: Record
    post: str
    secrets: tuple[str, ...]
    hidden: frozenset[str]

    @property
    def pieces(self) -> tuple[str, ...]:
        """What a service may have cut off of the secrets."""
        return tuple(part for s in self.secrets for part in (s[:18], s[7:]))

    def engine(self, world: World) -> Engine:
        """An engine with a program of this resource."""
        kind = self.life.capitalize()
        urn = f"urn:pulumi:prod::shop::pulumi-python:dynamic/jig:{kind}::one"
        return Engine(world, urn, life=self.life)


CASES = {
    "deployment": Case(
        "deployment",
        PROGRAM,
        {"image": "registry.example/crashloop:2"},
        "POST /v1/deployments",
        (TOKEN, FLAG, PLAIN, KEY),
        frozenset({"environment_variables", "deployment_id", "name", "__account"}),
    ),
    "secret": Case(
        "secret",
        {"name": "hf-token", "value": VALUE, "description": "What it is for."},
        {"value": "another-one", "description": "What else it is for."},
        "POST /v1/deployments/secrets",
        (VALUE, KEY),
        frozenset({"value", "secret_id", "name", "__account"}),
    ),
    "volume": Case(
        "volume",
        {
            "name": "weights",
            "content": {"source_prefix": PREFIX},
            "__secrets": [["content", "source_prefix"]],
        },
        {"content": {"source_prefix": "models/llm/2"}},
        "POST /v1/deployments/storage/volumes",
        (PREFIX, KEY),
        frozenset({"volume_id", "name", "__account"}),
    ),
}
CANARIES = tuple(secret for case in CASES.values() for secret in case.secrets)
PIECES = tuple(piece for case in CASES.values() for piece in case.pieces)

hostile = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("\x1b[2J", "\x07", "\r\n", "\n", "\x00", "\x9b31m", "\ud800"),
                *("\u202e", "\u2066", "\u2028", "\u200b", "\U000e0041"),
                *("<{%bogus%}>", "<{%", "%}>", "%}><{%fg 1"),
                *CANARIES,
                *PIECES,
                f"{TOKEN[:15]}\n{TOKEN[15:]}",
                "x" * 5000 + TOKEN,
                "%s%d%n{0}",
            ]
        ),
        st.text(max_size=10),
    ),
    min_size=1,
    max_size=4,
).map("".join)
#: Examples of each kind: of the long profile 250.
_FEW = settings.default.max_examples // 8
#: Keys whose texts may stay, so that an operation gets further with the others.
STRUCTURE = (
    *("id", "name", "status", "image", "replica_status", "value", "updated_at"),
    *("description", "source_prefix", "created_at"),
)


@contextlib.contextmanager
def fresh_process() -> Iterator[None]:
    for forget in (memory.forget, preview.forget, forget_secrets):
        forget()
    yield


def spoiled(
    value: Any, text: str, spare: frozenset[str], how: str, key: str = ""
) -> Any:
    """An answer with a text in every text, and in every key that is a name."""
    if isinstance(value, dict):
        named = key in {"replica_events", "autoscaling", "version_history"}
        return {
            f"{k}{text}" if named and "key" not in spare else k: spoiled(
                item, text, spare, how, k
            )
            for k, item in value.items()
        }
    if isinstance(value, list):
        return [spoiled(item, text, spare, how, key) for item in value]
    if not isinstance(value, str) or key in spare:
        return value
    return {"instead": text, "before": f"{text} {value}", "after": f"{value}{text}"}[
        how
    ]


def odd(text: str, case: Case) -> list[str]:
    """What of a text is not for people to read."""
    found = [c for c in text if unicodedata.category(c)[0] == "C" and c != "\n"]
    found += [mark for mark in ("<{%", "%}>", "\u2028") if mark in text]
    return found + [c for c in (*case.secrets, *case.pieces) if c in text]


def stored_texts(state: Any, declared: Any) -> Iterator[str]:
    """All texts and keys of a state that the program did not put there itself."""
    if state == declared:
        return
    if isinstance(state, dict):
        given = declared if isinstance(declared, dict) else {}
        for key, item in state.items():
            if key not in given:
                yield key
            yield from stored_texts(item, given.get(key))
    elif isinstance(state, list):
        given = declared if isinstance(declared, list) else []
        for index, item in enumerate(state):
            yield from stored_texts(item, given[index] if index < len(given) else None)
    elif isinstance(state, str):
        yield state


def life(
    case: Case, engine: Engine, begin: Callable[[], None], *, early: bool
) -> Iterator[str]:
    """Everything that can be done to a resource, and all that people see of it."""
    changed = {**case.program, **case.change}
    steps: list[Callable[[], Any]] = [
        lambda: engine.create(case.program),
        engine.refresh,
        lambda: engine.update(changed),
        engine.refresh,
        lambda: engine.diff(case.program),
        lambda: engine.update(case.program),
        engine.delete,
    ]
    if early:
        begin()
    for number, step in enumerate(steps):
        if number and engine.state is None:
            return
        try:
            step()
        except JigError as error:
            event(type(error).__name__)
            yield error.message
            yield from getattr(error, "reasons", ())
        if engine.state is not None:
            state = {k: v for k, v in engine.state.items() if k not in case.hidden}
            kept = (engine.state.get(key) for key in case.hidden)
            names = [name for name in kept if isinstance(name, str)]
            assert [] == [name for name in names if not name.isprintable()]
            yield from stored_texts(state, case.program)
        if number == 0 and not early:
            begin()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@given(
    text=hostile,
    spare=st.frozensets(st.sampled_from([*STRUCTURE, "key"])),
    how=st.sampled_from(["instead", "before", "after"]),
    early=st.booleans(),
)
@settings(max_examples=_FEW * 3)
@example(
    text="<{%bogus%}>",
    spare=frozenset({"id", "name", "status", "image"}),
    how="instead",
    early=True,
)
@example(
    text=f"\x1b[2J{TOKEN}", spare=frozenset({"id", "name"}), how="after", early=False
)
def test_no_text_of_an_answer_gets_through_as_it_is(
    case: Case, text: str, spare: frozenset[str], how: str, *, early: bool
) -> None:
    """Messages, reasons, progress and state: harmless, and without any secret."""
    with fresh_process():
        world = World()
        engine = case.engine(world)
        engine.timeout = 40

        def begin() -> None:
            # An id is what the state knows a resource by, so it is no place for one.
            kept = spare | (
                {"id"}
                if any(c in text for c in (*case.secrets, *case.pieces))
                else set()
            )

            def spoil(_: str, shown: Record) -> None:
                changed = spoiled(dict(shown), text, frozenset(kept), how)
                shown.clear()
                shown.update(changed)

            world.spoil.append(spoil)

        seen = list(life(case, engine, begin, early=early))
        # The host bridge passes these on through the last check.
        told = [safe_message(line) for line in (*engine.told().splitlines(), *seen)]

        assert [] == [(line, odd(line, case)) for line in told if odd(line, case)]
        assert [] == [line for line in seen if "<{%" in line or "\x1b" in line]


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 409, 422, 429, 500])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@given(text=hostile, page=st.booleans())
@settings(max_examples=_FEW)
def test_no_text_of_a_refusal_gets_through_as_it_is(
    case: Case, status: int, text: str, *, page: bool
) -> None:
    """Whatever the shape of a refusal is, and whoever it comes from."""
    body: Any = {"error": dict.fromkeys(("message", "code", "param", "type"), text)}
    if page:
        body = HTML.replace("Sign in", text).encode(errors="replace").decode()
    with fresh_process():
        world = World()
        engine = case.engine(world)
        engine.timeout = 20
        clean = text.encode(errors="replace").decode()
        headers = {"x-request-id": clean, "location": f"https://{clean}/"}
        world.fault(
            case.post,
            "answer",
            status=status,
            body=body,
            headers=headers,
            times=10**6,
        )
        with pytest.raises(JigError) as caught:
            engine.create(case.program)
        told = [caught.value.message, engine.told()]

        assert [] == [(line, odd(line, case)) for line in told if odd(line, case)]
