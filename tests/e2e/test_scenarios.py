"""
What both engines do with a stack: steps, provider requests, state and messages.

Each operation is played by the rehearsal and, where it is installed, by the real engine;
what they did is compared at once (`engines.Both`). What a test asserts holds for each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from acts import fields_read
from toys import (
    CREATES_FIRST,
    DELETE_FIRST,
    DELETES_FIRST,
    box,
    out,
    provider,
    ref,
    reference,
    secret,
    toy,
)

if TYPE_CHECKING:
    from engines import Stage

# The real engine takes a while for each operation.
pytestmark = pytest.mark.timeout(600)

Plan = dict[str, Any]
LIMITS = {"create": "5m", "update": "1h30m", "delete": "45s"}
IGNORED = {"ignore_changes": ["size", "deep.inner", "rows[0].x"]}
ALL_IGNORED = {"ignore_changes": ["*"]}
NONE_IGNORED = {"ignore_changes": ["no.such[2]"]}

#: A resource as the program has it first and then, and the steps of the second `up`.
ROWS: dict[str, tuple[Plan | None, Plan | None, list[str]]] = {
    "same": (toy(size=1), toy(size=1), ["same"]),
    "updated": (toy(size=1), toy(size=2), ["update"]),
    "gone": (toy(), None, ["delete"]),
    "added": (None, toy(of=out("updated", "url")), ["create"]),
    # A changed `name` replaces: the new one first, then its users, then the old one goes.
    "moved": (toy(name="m1"), toy(name="m2"), CREATES_FIRST),
    "moved-user": (*[toy(of=out("moved", "url"))] * 2, ["update"]),
    # The option turns the order round; dependents that can live on are updated.
    "first": (
        toy(DELETE_FIRST, name="f1"),
        toy(DELETE_FIRST, name="f2"),
        DELETES_FIRST,
    ),
    "first-user": (*[toy(of=out("first", "url"))] * 2, ["update"]),
    # So does the provider, unless the option says otherwise.
    "sole": (
        toy(name="s1", exclusive=True),
        toy(name="s2", exclusive=True),
        DELETES_FIRST,
    ),
    "not-sole": (
        toy(name="n1", exclusive=True),
        toy({"delete_before_replace": False}, name="n2", exclusive=True),
        CREATES_FIRST,
    ),
    # An ignored property keeps its old value; paths may be absent.
    "ignored": (
        toy(IGNORED, size=1, deep={"inner": 1}, rows=[{"x": 1}]),
        toy(IGNORED, size=2, deep={"inner": 2, "o": 1}, rows=[{"x": 2}]),
        ["update"],
    ),
    "all-ignored": (toy(ALL_IGNORED, size=1), toy(ALL_IGNORED, size=2, o=1), ["same"]),
    "none-ignored": (toy(NONE_IGNORED), toy(NONE_IGNORED, size=1), ["update"]),
    # `retain_on_delete` forgets without deleting.
    "kept": (toy({"retain_on_delete": True}), None, ["delete"]),
    "timed": (
        toy({"custom_timeouts": LIMITS}, size=1),
        toy({"custom_timeouts": LIMITS}, size=2),
        ["update"],
    ),
    # An alias keeps what exists, by name or by URN; a replacement under it replaces.
    "old": (toy(), None, []),
    "new": (None, toy({"aliases": [{"name": "old"}]}, name="old"), ["same"]),
    # Bookkeeping that a check adds is kept in inputs and outputs.
    "marked": (toy(mark=True, size=1), toy(mark=True, size=2), ["update"]),
    "outer": (box(), box(), ["same"]),
    "inner": (box(parent="outer"), None, ["delete"]),
    "child": (toy({"parent": "inner"}), None, ["delete"]),
    "kin": (*[toy({"parent": "outer", "depends_on": ["same"]})] * 2, ["same"]),
    # A resource that is only read is never deleted.
    "read": (None, toy({"id": "same", "depends_on": ["same"]}, name="same"), ["read"]),
}


def plan_of(column: int) -> Plan:
    """The program of one column of the table."""
    return {name: row[column] for name, row in ROWS.items() if row[column] is not None}


def steps_of(act: Any) -> dict[str, list[str]]:
    """What was done to each row's resource."""
    return {label.partition(" ")[2]: steps for label, steps in act.steps.items()}


def test_a_life(stage: Stage) -> None:
    """Create, refresh, nothing to do, change in every way, destroy; the table says how."""
    outputs = {"url": out("same", "url"), "two": [1, {"x": None}]}
    stage.plan(plan_of(0), outputs)
    assert stage.preview().ok
    assert stage.toys() == []
    first = stage.up()
    assert first.outputs == {"url": "toy://same", "two": [1, {"x": None}]}
    assert first.requests("toy timed", "Create")[0]["timeout"] == 300
    assert first.resource("toy marked")["inputs"]["__mark"] == "first"
    assert first.order.index("Create toy moved") < first.order.index(
        "Create toy moved-user"
    )

    assert {"same"} == {
        step for steps in stage.refresh().steps.values() for step in steps
    }
    stage.plan(plan_of(1), {"one": 1.5, "three": secret({"x": 1})})
    expected = {name: row[2] for name, row in ROWS.items() if row[2]}
    expected["scenes-dev"] = ["same"]
    assert expected == steps_of(stage.preview())
    second = stage.up()
    assert expected == steps_of(second)
    assert second.outputs == {"one": 1.5, "three": {"secret": {"x": 1}}}
    _check_requests(second)

    assert stage.toys() == sorted(
        [
            "added",
            "all-ignored",
            "f2",
            "first-user",
            "ignored",
            "kept",
            "kin",
            "m2",
            "marked",
            "moved-user",
            "n2",
            "none-ignored",
            "old",
            "s2",
            "same",
            "timed",
            "updated",
        ]
    )
    last = stage.destroy()
    assert last.requests("toy timed", "Delete")[0]["timeout"] == 45
    assert (last.steps["toy read"], last.methods("toy read")) == (["discard"], [])
    assert stage.toys() == ["kept"]


def _check_requests(act: Any) -> None:
    """What the second update asked of the provider, as far as our own relies on it."""
    # A replacement checks twice: with the old inputs, and as if there were none.
    check, again = act.requests("toy moved", "Check")
    assert (check["olds"]["name"], again.get("olds", {})) == ("m1", {})
    assert act.methods("toy moved") == ["Check", "Diff", "Check", "Create", "Delete"]
    assert act.methods("toy first") == ["Check", "Diff", "Check", "Delete", "Create"]
    assert act.methods("toy gone") == ["Delete"]
    assert act.methods("toy kept") == []
    # What an existing resource's check gets to see of the state.
    (check,) = act.requests("toy updated", "Check")
    assert check["olds"]["size"] == 1
    # An ignored change does not reach the provider at all.
    (update,) = act.requests("toy ignored", "Update")
    seen = {key: update["news"][key] for key in ("size", "deep", "rows")}
    assert seen == {"size": 1, "deep": {"inner": 1, "o": 1}, "rows": [{"x": 1}]}
    assert update["ignoreChanges"] == IGNORED["ignore_changes"]
    assert act.requests("toy timed", "Update")[0]["timeout"] == 5400
    assert act.resource("toy marked")["outputs"]["__mark"] == "first"
    assert act.resource("toy new")["id"] == "old"
    order = [act.order.index(f"{what} toy moved") for what in ("Create", "Delete")]
    assert order[0] < act.order.index("Update toy moved-user") < order[1]


def test_what_stands_on_another_comes_after_it_and_goes_before_it(stage: Stage) -> None:
    """Outputs, `depends_on` and parents make an order, which a destroy turns round."""
    stage.plan(
        {
            "a": toy(),
            "b": toy(of=out("a", "url")),
            "c": toy({"depends_on": ["b"]}),
            "d": toy({"parent": "c"}),
            "e": toy({"depends_on": ["d"]}),
        }
    )
    assert stage.up().order == [f"Create toy {name}" for name in "abcde"]
    assert stage.destroy().order == [f"Delete toy {name}" for name in "edcba"]


def test_secrets_and_unknowns(stage: Stage) -> None:
    """Secrets stay secret in the state; what only a run knows is unknown in its preview."""
    stage.secret_config["said"] = "hush"
    plan = {
        "a": toy(
            plain="p",
            pw=secret("top"),
            deep={"in": secret("deep"), "out": 1},
            rows=["x", secret("row")],
            said={"$config": "said"},
        ),
        "b": toy({"additional_secret_outputs": ["url"]}),
        "c": toy(of=out("b", "url"), deep={"x": [1, out("a", "url")]}),
    }
    outputs = {"pw": out("a", "pw"), "rows": out("a", "rows"), "url": out("b", "url")}
    stage.plan(plan, outputs)
    (check,) = stage.preview().requests("toy c", "Check")
    assert check["news"]["of"] == "<unknown>"
    assert check["news"]["deep"] == {"x": [1, "<unknown>"]}

    act = stage.up()
    hidden = act.resource("toy a")["outputs"]
    assert hidden["pw"] == {"secret": "top"}
    assert hidden["deep"] == {"in": {"secret": "deep"}, "out": 1}
    # A list becomes one secret.
    assert hidden["rows"] == {"secret": ["x", "row"]}
    assert act.resource("toy c")["inputs"]["of"] == {"secret": "toy://b"}
    assert act.outputs["url"] == {"secret": "toy://b"}
    assert stage.refresh().ok
    # In a preview a changed resource's outputs are unknown to who takes them.
    plan["b"] = toy({"additional_secret_outputs": ["url"]}, size=1)
    stage.plan(plan, outputs)
    assert steps_of(stage.preview())["c"] == ["update"]
    assert steps_of(stage.up())["c"] == ["same"]


def test_providers_and_configuration(stage: Stage) -> None:
    """Each provider has its own configuration; a new value of the stack's reaches the default one."""
    stage.config.update({"toy:where": "default", "said": "one"})
    stage.secret_config["toy:key"] = "hush"

    def plan(where: Any, size: int) -> Plan:
        return {
            "two": provider(where),
            "a": toy(said={"$config": "said"}, size=size, name=f"a{size}"),
            "b": toy({"provider": "two"}),
            "box": box(providers=["two"]),
            "kid": toy({"parent": "box"}),
            # In a preview this provider's own configuration is unknown.
            "late": provider(out("a", "url")),
            "c": toy({"provider": "late"}, size=size),
        }

    def configuration(act: Any, name: str) -> Any:
        (request,) = act.requests(f"pulumi-python {name}", "Configure")
        return request["args"]

    stage.plan(plan(secret("two"), 1))
    assert stage.preview().methods("toy c") == []
    act = stage.up()
    assert configuration(act, "default") == {
        "scenes:said": "one",
        "toy:where": "default",
        "toy:key": {"secret": "hush"},
    }
    assert configuration(act, "two") == {"toy:where": {"secret": "two"}}
    stage.secret_config["toy:key"] = "quiet"
    stage.config["said"] = "two"
    stage.plan(plan("three", 2))
    assert steps_of(stage.preview())["c"] == ["update"]
    act = stage.up()
    assert configuration(act, "default")["toy:key"] == {"secret": "quiet"}
    assert act.steps["pulumi-python two"] == ["update"]
    assert steps_of(act)["kid"] == ["same"]
    # Without the program, what the state holds is the configuration.
    stage.secret_config["toy:key"] = "other"
    assert configuration(stage.destroy(), "default")["toy:key"] == {"secret": "quiet"}


def test_configuration_of_the_project(stage: Stage) -> None:
    """What the project sets holds for all its stacks, unless one says otherwise."""
    stage.project_settings["config"] = {
        "plain": "p",
        "number": 3,
        "list": [1, "x"],
        "scenes:full": "f",
        "toy:where": "project",
        "toy:deep": {"value": {"y": [True], "x": 1}},
        "hidden": {"value": "h", "secret": True},
        "over": "project",
        "typed": {"type": "string", "default": "t", "description": "d"},
        "whole": {"type": "integer", "default": 4},
        "off": {"type": "boolean", "default": False},
        "rows": {"type": "array", "items": {"type": "string"}, "default": ["x"]},
        "map": {"type": "object", "default": {"x": 1}},
        "untyped": {"default": {"x": 1}},
        "must": {"type": "string"},
        "sealed": {"type": "string", "secret": True},
    }
    stage.move()
    stage.config.update({"over": "stack", "must": "be", "toy:where": "stack"})
    stage.secret_config["sealed"] = "hush"
    names = "plain number list full hidden over typed whole off rows map must sealed"
    stage.plan({"a": toy()}, {name: {"$config": name} for name in names.split()})
    assert stage.up().outputs == {
        "plain": "p",
        "number": "3",
        "list": '[1,"x"]',
        "full": "f",
        "hidden": "h",
        "over": "stack",
        "typed": "t",
        "whole": "4",
        "off": "false",
        "rows": '["x"]',
        "map": '{"x":1}',
        "must": "be",
        "sealed": "hush",
    }


def test_references_to_other_stacks(stage: Stage) -> None:
    """Outputs of another stack are read anew each time, and its secrets stay secret."""

    def base(outputs: Plan) -> None:
        stage.move("base", "dev")
        stage.plan({}, outputs)
        assert stage.up().ok
        stage.move("scenes", "dev")

    deep = {"in": secret("low"), "out": [1, {"x": 2}]}
    base({"image": "sha256:1", "pw": secret("hush"), "deep": deep})
    tagged = {
        "base": reference("organization/base/dev"),
        "a": toy(tag=ref("base", "image"), pw=ref("base", "pw")),
    }
    outputs = {
        "image": ref("base", "image", "require"),
        "deep": ref("base", "deep"),
        "none": ref("base", "none"),
        "secret": out("base", "secret_output_names"),
    }
    stage.plan(tagged, outputs)
    assert stage.preview().ok
    act = stage.up()
    assert act.resource("toy a")["inputs"]["pw"] == {"secret": "hush"}
    assert act.outputs["image"] == "sha256:1"
    base({"image": "sha256:2"})
    assert stage.refresh().steps["StackReference base"] == ["update"]
    # Without a project a reference means a stack of the own project.
    stage.plan(
        {
            "base": tagged["base"],
            "own": reference("dev"),
            "a": toy(tag=ref("base", "image"), before=ref("own", "image")),
        }
    )
    assert steps_of(stage.preview())["a"] == ["update"]
    inputs = stage.up().resource("toy a")["inputs"]
    assert (inputs["tag"], inputs["before"]) == ("sha256:2", "sha256:1")

    # A destroyed stack is there without outputs; one that never was fails by its name.
    stage.move("base")
    stage.plan({})
    assert stage.destroy().ok
    stage.move("scenes")
    stage.plan({"base": tagged["base"]}, {"size": ref("base", "size", "require")})
    assert not stage.preview().ok
    stage.plan({"base": reference("organization/base/prod")})
    act = stage.up()
    assert not act.ok
    assert 'unknown stack "organization/base/prod"' in act.errors[0]
    assert stage.destroy().ok
    assert stage.toys() == []


@pytest.mark.parametrize(
    "name", ["organization/../dev", "acme/base/dev", "base/dev", ""]
)
def test_references_to_no_stack(stage: Stage, name: str) -> None:
    """What is no name of a stack fails the preview, in one message."""
    stage.plan({"base": reference(name)})
    act = stage.preview()
    assert not act.ok
    assert len(act.errors) == 1


def test_policies(stage: Stage) -> None:
    """
    A mandatory violation fails a preview; in an `up` it comes before the resource of a
    resource policy, and after everything of a stack policy.
    """
    a, b = toy(size=3, mark=True), {"depends_on": ["a"]}
    stage.use_pack({"toy-size": {"most": 0}})
    stage.plan({"a": a})
    refused = stage.preview()
    assert "most: Must be greater than or equal to 1" in refused.errors[0]
    assert (refused.ok, refused.steps) == (False, {})

    stage.use_pack()
    # Not known in the preview, so advisory there.
    stage.plan({"a": a, "b": toy(b, size=out("a", "url"))})
    unknown = stage.preview()
    assert (unknown.ok, unknown.violations) == (True, ["advisory toy-size toy b"])
    stage.plan({"a": a, "b": toy(b, size=4)})
    for operation in (stage.preview, stage.up):
        act = operation()
        assert (act.ok, act.violations) == (False, ["mandatory toy-size toy b"])
    assert stage.toys() == ["a"]

    stage.use_pack({"toy-count": {"most": 1}})
    stage.plan({"a": a, "b": toy(b, shout=True)})
    assert not stage.preview().ok
    act = stage.up()
    assert act.violations == [
        "mandatory toy-count stack scenes-dev",
        "mandatory toy-count toy b",
    ]
    assert (act.ok, stage.toys()) == (False, ["a", "b"])
    # `all` sets every level, an entry its own; advisory does not fail.
    stage.use_pack(
        {"all": "advisory", "toy-size": {"most": 1}, "toy-count": "disabled"}
    )
    act = stage.up()
    assert (act.ok, act.violations) == (True, ["advisory toy-size toy a"])


# --- What fails --------------------------------------------------------------------


def without_dependencies(state: list[Plan]) -> list[Plan]:
    """A state without what a resource depends on, which changes as it is registered."""
    return [{**item, "dependencies": []} for item in state]


def test_what_fails_before_anything_is_done(stage: Stage) -> None:
    """Whatever is refused, in preview or update, changes neither state nor resources."""
    # Each stands on the one before it, so that there is one order only.
    safe, a = toy({"protect": True}, name="safe1"), {"depends_on": ["safe"]}
    b = {"depends_on": ["a"]}
    base = {"safe": safe, "a": toy(a, size=1)}
    stage.plan(base, {"one": 1})
    before = stage.up().state
    for expected, plan in {
        # A failed check, of a new resource and of a replacement.
        "toy b: .*13 brings bad luck": {**base, "b": toy(b, size=13)},
        "toy a: .*13 brings bad luck": {**base, "a": toy(a, name="a2", size=13)},
        "toy a: Duplicate resource URN": {
            **base,
            "b": {"name": "a", "props": {"size": 1}, "opts": b},
        },
        # A protected resource is neither replaced nor deleted.
        "toy safe: unable to replace": {
            **base,
            "safe": toy({"protect": True}, name="safe2"),
        },
        "toy safe: (Preview failed: )?resource .* cannot be deleted": {
            "a": toy(size=1)
        },
        # A resource that its provider cannot read fails the run.
        "toy r: .*read of a was refused": {
            **base,
            "r": toy({"id": "a", **b}, name="a"),
        },
    }.items():
        stage.plan(plan, {"one": 1})
        stage.faults(read_a="raise")
        for operation in (stage.preview, stage.up):
            act = operation()
            assert not act.ok
            (error,) = act.errors
            assert re.match(expected, error, re.DOTALL)
            assert stage.toys() == ["a", "safe1"]
            assert without_dependencies(before) == without_dependencies(act.state)


def test_a_program_that_fails_deletes_nothing(stage: Stage) -> None:
    """What it did not come to register or to export stays as it was."""
    stage.plan({"a": toy(), "b": toy()}, {"one": 1, "two": 2})
    stage.up()
    stage.plan({"a": toy()}, {"one": 11}, fail="it broke")
    for operation in (stage.preview, stage.up):
        act = operation()
        assert (act.ok, act.errors) == (False, ["-: RuntimeError: it broke"])
    assert act.resource("toy b")["id"] == "b"
    assert act.outputs == {"one": 11, "two": 2}
    assert stage.toys() == ["a", "b"]


def test_a_life_with_failures(stage: Stage) -> None:
    """What is half done is kept and repaired; what was refused is tried again."""
    plan = {
        "a": toy(size=1),
        "b": toy(of=out("a", "url")),
        "c": toy({"depends_on": ["b"]}),
    }
    stage.plan(plan, {"size": out("a", "size")})
    # A plugin that dies in a create leaves no trace in the state.
    stage.faults(create_a="die")
    act = stage.up()
    assert (act.ok, steps_of(act)["a"]) == (False, ["create failed"])
    assert [item["label"] for item in act.state if item["type"] == "toy"] == []

    # A create that is not finished leaves the resource, and the next up updates it.
    stage.faults(create_a="partial")
    act = stage.up()
    assert act.resource("toy a")["initErrors"] == ["create of a was not finished"]
    stage.faults(create_b="raise")
    assert steps_of(stage.preview())["a"] == ["update"]
    # One that fails leaves nothing; what exists beside it is not lost.
    act = stage.up()
    assert steps_of(act)["a"] == ["update"]
    assert steps_of(act)["b"] == ["create failed"]
    assert (act.ok, stage.toys()) == (False, ["a"])
    stage.faults()
    assert stage.up().ok

    # An update that is not finished keeps the old inputs beside the new outputs.
    plan["a"] = toy(size=2)
    stage.plan(plan, {"size": out("a", "size"), "new": 1})
    stage.faults(update_a="raise")
    act = stage.up()
    held = act.resource("toy a")
    assert (held["inputs"]["size"], held["outputs"]["size"]) == (1, 1)
    assert act.outputs == {"size": 1}
    stage.faults(update_a="partial")
    held = stage.up().resource("toy a")
    assert (held["inputs"]["size"], held["outputs"]["size"]) == (1, 2)
    assert held["initErrors"] == ["update of a was not finished"]
    stage.faults()
    act = stage.up()
    assert steps_of(act)["a"] == ["update"]
    assert act.requests("toy a", "Check")[0]["oldOutputs"]["size"] == 2
    assert act.outputs == {"size": 2, "new": 1}

    # A delete that fails keeps the resource, and what it depends on.
    stage.faults(delete_b="raise")
    act = stage.destroy()
    assert (act.ok, stage.toys()) == (False, ["a", "b"])
    assert act.resource("toy b")["id"] == "b"
    stage.faults()
    assert stage.destroy().ok
    assert stage.toys() == []


def test_replacements_that_fail_half_way(stage: Stage) -> None:
    """The state remembers what is still to be deleted or made; the next `up` does it."""

    def plan(number: int) -> Plan:
        return {"a": toy(name=f"a{number}"), "b": toy(of=out("a", "url"))}

    stage.plan(plan(1))
    stage.up()
    # The dependent cannot be updated, so the old one stays.
    stage.plan(plan(2))
    stage.faults(update_b="raise")
    assert not stage.up().ok
    assert stage.toys() == ["a1", "a2", "b"]
    stage.faults(delete_a1="raise")
    assert steps_of(stage.preview())["a"] == ["same", "delete-replaced"]
    assert not stage.up().ok
    # The half that waits for its deletion is refreshed as well.
    assert stage.refresh().steps["toy a"] == ["same", "same"]
    stage.lose("a1")
    assert sorted(stage.refresh().steps["toy a"]) == ["delete", "same"]
    stage.faults()
    assert steps_of(stage.up()) == {
        "scenes-dev": ["same"],
        "a": ["same"],
        "b": ["same"],
    }

    # Deleted first, and then not made.
    stage.plan({"c": toy(DELETE_FIRST, name="c1")})
    stage.up()
    stage.plan({"c": toy(DELETE_FIRST, name="c2")})
    stage.faults(create_c2="raise")
    act = stage.up()
    assert steps_of(act)["c"] == [*DELETES_FIRST[:2], "create-replacement failed"]
    assert act.resource("toy c")["pendingReplacement"] is True
    assert steps_of(stage.preview())["c"] == ["replace", "create-replacement"]
    # One that the program no longer has is only forgotten.
    stage.plan({})
    assert steps_of(stage.up())["c"] == ["remove-pending-replace"]
    stage.faults()
    stage.plan({"c": toy(DELETE_FIRST, name="c1")})
    stage.up()
    stage.plan({"c": toy(DELETE_FIRST, name="c2")})
    stage.faults(create_c2="raise")
    stage.up()
    stage.faults()
    assert steps_of(stage.up())["c"] == ["replace", "create-replacement"]
    assert stage.toys() == ["c2"]


def test_a_refresh(stage: Stage) -> None:
    """Drift enters the state, what is gone leaves it, what cannot be read stays."""
    opts = {"ignore_changes": ["size"]}
    stage.plan(
        {
            "a": toy(size=1),
            "ignored": toy(opts, size=1),
            "lost": toy(),
            "user": toy({"depends_on": ["lost"]}, of=out("lost", "url")),
            "child": toy({"parent": "lost"}),
            "c": toy(),
            "half": toy(size=1),
        },
        {"size": out("a", "size")},
    )
    assert stage.up().ok
    stage.poke("a", size=5)
    stage.poke("ignored", size=5)
    stage.lose("lost")
    stage.faults(read_c="raise", read_half="partial")
    act = stage.refresh()
    assert (act.ok, act.errors) == (
        False,
        ["toy c: RuntimeError: read of c was refused"],
    )
    assert act.resource("toy c")["id"] == "c"
    assert act.resource("toy a")["inputs"]["size"] == 5
    assert act.resource("toy half")["initErrors"] == ["read of half was not finished"]
    # What refers to the lost one stands alone.
    assert act.resource("toy user")["dependencies"] == []
    stage.faults()
    expected = {
        "a": ["update"],
        "ignored": ["same"],
        "lost": ["create"],
        "child": ["same"],
        "c": ["same"],
        "half": ["update"],
        "scenes-dev": ["same"],
    }
    assert {**expected, "user": ["update"]} == steps_of(stage.preview())
    assert {**expected, "user": ["same"]} == steps_of(stage.up())
    assert {("same",)} == set(map(tuple, stage.preview().steps.values()))


# --- What is compared --------------------------------------------------------------


def test_what_is_read_of_requests() -> None:
    """The fields that the plugin host and our bridge read; what else comes is no matter."""
    resource, old = {"urn", "olds", "news"}, {"oldInputs", "ignoreChanges"}
    assert fields_read() == {
        "Configure": {"urn", "args"},
        "Check": {*resource, "oldOutputs"},
        "Diff": {"id", *resource, *old},
        "Create": {"urn", "properties", "timeout"},
        "Read": {"id", "urn", "properties", "inputs", "timeout"},
        "Update": {"id", *resource, *old, "timeout"},
        "Delete": {"id", "urn", "properties", "oldInputs", "timeout"},
    }
