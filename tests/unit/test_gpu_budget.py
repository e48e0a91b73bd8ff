"""The life of a budget on plain data, and who waits for whom."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest

from pulumi_jig.lifecycle.budget import check, diff, uncounted
from pulumi_jig.resources import waits
from pulumi_jig.values import UNKNOWN

H = "h100-80gb"


def budget(*members: Any, **limits: Any) -> dict[str, Any]:
    """The inputs of a budget."""
    return {"name": "team", "members": list(members), **limits}


def member(name: str = "a", gpus: Any = 1, **more: Any) -> dict[str, Any]:
    """One of its members."""
    return {"name": name, "gpu_type": H, "gpu_count": gpus, **more}


# --- check ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "inputs",
    [
        budget(),
        budget(member(gpus=9)),
        budget(member(gpus=9), max_gpus={H: 9}, max_total_gpus=9),
        budget(member(memory_gib=2, max_replicas=3), max_memory_gib=6),
        budget(member(gpus=UNKNOWN), max_total_gpus=1),
        budget(member(gpus=9), max_total_gpus=UNKNOWN),
        budget(member(gpus=9), max_gpus={H: UNKNOWN}),
        budget(member(gpus=9), max_usd_per_hour=1, prices=UNKNOWN),
        budget(member(gpus=9), max_usd_per_hour=1, prices={H: UNKNOWN}),
        {"name": "team", "members": UNKNOWN, "max_total_gpus": 0},
    ],
)
def test_within_the_limits_the_inputs_are_kept(inputs: dict[str, Any]) -> None:
    """At a limit, without one, or before something is known."""
    checked = check(inputs)

    assert (inputs, ()) == (checked.inputs, checked.faults)


def test_each_broken_limit_is_a_fault_at_its_own_property() -> None:
    """All at once, with value, limit and remedy; a shared sentence is said once."""
    inputs = budget(
        member(gpus=4, memory_gib=8),
        member("b", gpus=2, memory_gib=8),
        max_gpus={H: 5},
        max_total_gpus=5,
        max_memory_gib=15,
        max_usd_per_hour=35,
        prices={H: 6},
    )

    faults = dict(check(inputs).faults)

    assert ["max_gpus", "max_total_gpus", "max_memory_gib", "max_usd_per_hour"] == list(
        faults
    )
    assert faults["max_total_gpus"] == (
        'The budget "team" must not use more than 5 GPUs in total; it uses 6 (a 4, b 2). '
        "Lower the largest, or have the budget's max_total_gpus raised."
    )


@pytest.mark.parametrize(
    ("patch", "where"),
    [
        ({"max_gpus": {H: "many"}}, "max_gpus"),
        ({"max_total_gpus": -1}, "max_total_gpus"),
        ({"max_memory_gib": True}, "max_memory_gib"),
        ({"prices": {H: "dear"}, "max_usd_per_hour": 1}, "prices"),
        ({"max_usd_per_hour": 1}, "max_usd_per_hour"),
        ({"members": "a"}, "members"),
        ({"members": [{"name": "a"}]}, "members"),
        ({"members": [member(gpus="x")], "max_total_gpus": 1}, "max_total_gpus"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
    ],
)
def test_a_limit_that_cannot_be_judged_does_not_pass(
    patch: dict[str, Any], where: str
) -> None:
    """One fault, at the property that must be mended."""
    faults = check({**budget(member()), **patch}).faults

    assert [where] == [path for path, _ in faults]


# --- diff ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (budget(member()), budget(member(gpus=1.0)), ()),
        (budget(member(), member("b")), budget(member("b"), member()), ()),
        (budget(), budget(max_gpus=None), ()),
        (budget(member()), budget(member(), member("b")), ("members.b",)),
        (budget(member(), member("b")), budget(member("b")), ("members.a",)),
        (budget(member()), budget(member(gpus=2)), ("members.a.gpu_count",)),
        (budget(member()), budget(member(gpus=UNKNOWN)), ("members.a.gpu_count",)),
        (budget(), {"name": "team", "members": UNKNOWN}, ("members",)),
        (budget(max_total_gpus=1), budget(), ("max_total_gpus",)),
        (budget(max_gpus={H: 1}), budget(max_gpus={H: 2}), ("max_gpus.h100-80gb",)),
        (
            budget(member(gpus=1), member(gpus=2)),
            budget(member(gpus=2), member(gpus=1)),
            (),
        ),
        (budget(member(), member()), budget(member()), ("members.a",)),
        (budget(member()), budget(member(), "strange"), ("members",)),
    ],
)
def test_a_change_is_named_and_never_replaces(
    old: dict[str, Any], new: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """Members are told apart by name, not by their place in the list."""
    found = diff(old, new)

    assert (expected, ()) == (found.changed, found.replaces)


# --- members -------------------------------------------------------------------

INPUTS = {"name": "llm", "gpu_type": H, "gpu_count": 2, "memory": UNKNOWN}


@pytest.mark.parametrize(
    "counted",
    [
        None,
        UNKNOWN,
        {},
        {"size": "strange"},
        {"size": {"gpu_type": H, "gpu_count": 2}},
        {"size": {"gpu_type": H, "gpu_count": 2, "memory_gib": 8}},
    ],
)
def test_a_member_that_was_counted_as_it_is_passes(counted: Any) -> None:
    """What is not known yet, and what is no member, is judged by nobody."""
    assert [] == uncounted(counted, INPUTS)


def test_a_member_that_was_counted_as_another_is_refused() -> None:
    """A size that changed on its way from the program is named, all of them at once."""
    size = {"gpu_type": H, "gpu_count": 1, "max_replicas": 2}

    ((path, sentence),) = uncounted({"size": size}, INPUTS)

    assert "budget" == path
    assert "another gpu_count and max_replicas than it has" in sentence


def test_a_fault_of_the_budget_is_its_members_fault() -> None:
    """A budget that does not count the member says so in its own words."""
    told = {"fault": "it is not counted.", "size": {"gpu_type": "none"}}

    assert [("budget", "it is not counted.")] == uncounted(told, INPUTS)


# --- who waits for whom --------------------------------------------------------


def met(make: Any) -> str | None:
    """What an output that `make` derives from an unresolved one is found to hang on."""

    async def run() -> str | None:
        source: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        other: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        start = pulumi.Output.from_input(source)
        output = make(start, pulumi.Output.from_input(other))
        for _ in range(20):
            await asyncio.sleep(0)
        found = waits.first_met(output, {id(source): "source"})
        source.set_result(1)
        other.set_result(1)
        await output.future()
        await output.is_secret()
        await asyncio.sleep(0)
        assert waits.is_settled(output)
        return found

    return asyncio.run(run())


@pytest.mark.parametrize(
    "make",
    [
        lambda start, _: start,
        lambda start, _: start.apply(lambda value: value),
        lambda start, _: start.apply(str).apply(int),
        lambda start, other: pulumi.Output.all(other, start),
        lambda start, _: pulumi.Output.all(a={"b": [start]}),
        lambda start, _: pulumi.Output.format("{0}", start),
        lambda start, _: pulumi.Output.concat("x", start.apply(str)),
        lambda start, _: pulumi.Output.secret(start),
        lambda start, _: pulumi.Output.from_input(1).apply(lambda _: start),
        lambda start, _: pulumi.Output.json_dumps({"a": start}),
    ],
)
def test_what_an_output_hangs_on_is_found(make: Any) -> None:
    """However it is derived: this pins what the installed SDK and asyncio show."""
    assert met(make) == "source"


@pytest.mark.parametrize(
    "make",
    [
        lambda _, other: other,
        lambda _, other: pulumi.Output.all(other, 1).apply(sum),
        lambda _start, _other: pulumi.Output.from_input(1),
    ],
)
def test_what_does_not_hang_on_it_is_left_alone(make: Any) -> None:
    """A wait that can end is never taken for one that cannot."""
    assert met(make) is None


def test_outputs_are_found_at_any_depth() -> None:
    """Limits and prices may hold outputs inside their mappings."""

    async def run() -> int:
        output = pulumi.Output.from_input(1)
        found = list(waits.outputs_in({"a": [1, output], "b": (output, {"c": output})}))
        await output.future()
        return len(found)

    assert asyncio.run(run()) == 3
