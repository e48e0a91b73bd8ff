"""Resources: plain data out of what policies are handed, and amounts that do not guess."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from pulumi_jig.policy.quantities import (
    Quantity,
    quantity_fault,
    read_number,
    read_quantity,
    show,
)
from pulumi_jig.policy.resource import (
    Requirements,
    Resource,
    is_deployment,
    label,
    shown,
)
from pulumi_jig.policy.unknown import UNKNOWN, plain

DEPLOYMENT = "pulumi-python:dynamic/jig:Deployment"
KNOWN = st.integers(0, 1000)
COUNTS = st.one_of(KNOWN, st.just(UNKNOWN), st.none())


def test_unknown_is_no_truth_value() -> None:
    """Using UNKNOWN as a condition raises, so that no branch is taken by accident."""
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(UNKNOWN)


def test_real_proxies_become_plain_data() -> None:
    """
    The SDK's proxies, which raise on unknown values, become dicts with UNKNOWN (Case
    P3).
    """
    proxy = unknown_checking_proxy(
        {"a": UNKNOWN_STRING_VALUE, "b": [1.0, UNKNOWN_STRING_VALUE], "c": {"d": True}}
    )

    assert plain(proxy) == {"a": UNKNOWN, "b": [1.0, UNKNOWN], "c": {"d": True}}


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        ({"plaintext": '"abc"'}, "abc"),
        ({"plaintext": "8"}, 8),
        ({"value": 8.0}, 8.0),
        ({"ciphertext": "v1:abc"}, UNKNOWN),
    ],
)
def test_secrets_of_a_state_are_unwrapped_or_unknown(
    tagged: dict[str, Any], expected: Any
) -> None:
    """A secret that can be read is its value; an encrypted one is not known."""
    signature = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}

    assert expected == plain({"x": {**signature, **tagged}})["x"]


def test_other_errors_of_a_proxy_pass() -> None:
    """Only the error for unknown values is understood; others are not swallowed."""

    class Broken(list[Any]):
        def __getitem__(self, key: Any) -> Any:
            raise KeyError(key)

    with pytest.raises(KeyError):
        plain(Broken([1]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (8.0, "8"),
        (0.5, "0.5"),
        ("8", "8"),
        (" 8.50 ", "8.5"),
        (0, "0"),
        ("1e3", "1000"),
        (100, "100"),
    ],
)
def test_numbers_are_shown_as_people_write_them(value: Any, expected: str) -> None:
    """Eight GPUs are shown as 8, never as 8.0."""
    number = read_number(value)

    assert number is not None
    assert expected == show(number)


@pytest.mark.parametrize(
    "value",
    [
        True,
        "x",
        "",
        "1_0",
        "NaN",
        "0x10",
        float("nan"),
        float("inf"),
        10**15,
        1e30,
        "1e999",
        [],
    ],
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    """Booleans, NaN, infinities, huge numbers and Python's own spellings are none."""
    assert read_number(value) is None
    assert quantity_fault(value, whole=True) is not None


@given(st.text())
def test_a_fault_never_repeats_text(text: str) -> None:
    """Text in the place of a quantity may be a secret and is not shown."""
    fault = quantity_fault(f"hunter2{text}", whole=True)

    assert fault is not None
    assert "hunter2" not in fault


@given(st.text(max_size=100))
def test_only_words_are_shown(text: str) -> None:
    """A message repeats a word of the program only if it looks like a name."""
    said = shown(text)

    assert (
        said == f'"{text}"' or text not in said or text in "a value that is not shown"
    )


@given(COUNTS, COUNTS, COUNTS)
def test_a_peak_is_never_below_what_is_known(gpus: Any, low: Any, high: Any) -> None:
    """Whatever unknown values turn out to be, the lower bound of GPUs holds."""
    size = Requirements.of(
        {"gpu_count": gpus, "min_replicas": low, "max_replicas": high}
    )
    for guess in (0, 1, 7, 1000):
        count = 0 if gpus is None else guess if gpus is UNKNOWN else gpus
        floor = 1 if low is None else guess if low is UNKNOWN else low
        ceiling = floor if high is None else guess if high is UNKNOWN else high
        if floor > ceiling and (low is UNKNOWN or high is UNKNOWN):
            # The service refuses it, so no limit need hold for it.
            continue
        assert size.peak_gpus.low <= count * max(floor, ceiling)


@given(st.lists(st.one_of(KNOWN, st.just(UNKNOWN), st.just("x"))))
def test_a_sum_misses_what_its_parts_miss(values: list[Any]) -> None:
    """A sum is exact only if all its parts are, and at least what is known."""
    total = Quantity()
    for index, value in enumerate(values):
        total = total + read_quantity(value, f"v{index}", whole=True)

    assert total.low == sum(v for v in values if isinstance(v, int))
    assert len(total.unknown) == sum(v is UNKNOWN for v in values)
    assert len(total.invalid) == sum(v == "x" for v in values if v is not UNKNOWN)


@given(st.one_of(st.just(UNKNOWN), st.just("x"), KNOWN))
def test_nothing_times_anything_is_nothing(value: Any) -> None:
    """No GPUs on an unknown number of replicas are exactly no GPUs."""
    assert Quantity() == Quantity() * read_quantity(value, "v", whole=True)
    assert Quantity() == read_quantity(value, "v", whole=True) * Quantity()


def test_decimal_sums_do_not_drift() -> None:
    """Three times 0.1 is 0.3."""
    tenth = read_quantity(0.1, "v", whole=False)

    assert Decimal("0.3") == (tenth + tenth + tenth).low


@pytest.mark.parametrize(
    ("type_", "keys", "expected"),
    [
        (DEPLOYMENT, [], True),
        ("pulumi-python:dynamic:Resource", ["gpu_type", "image"], True),
        ("pulumi-python:dynamic/acme:Model", ["gpu_type", "image"], True),
        ("pulumi-python:dynamic:Resource", ["image"], False),
        ("pulumi-python:dynamic/jig:Secret", ["gpu_type", "image"], True),
        ("pulumi-python:dynamic/jig:Secret", ["name", "value"], False),
        ("aws:ec2:Instance", ["gpu_type", "image"], False),
    ],
)
def test_deployments_are_known_by_type_or_shape(
    type_: str, keys: list[str], *, expected: bool
) -> None:
    """Our type, or a dynamic resource with a GPU type and an image."""
    assert expected == is_deployment(type_, keys)


def test_memory_left_out_is_not_zero() -> None:
    """Unset memory is the platform's choice, which is not the same as none."""
    assert Resource(DEPLOYMENT, "a").requirements.memory is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_two_names_never_read_the_same(one: str, other: str) -> None:
    """Whatever characters a resource's name has, its label is printable and its own."""
    assert label(one).isascii()
    assert label(one).isprintable()
    assert "<{" not in label(one)
    assert (label(one) == label(other)) == (one == other)


def test_an_input_without_end_is_refused() -> None:
    """An input that is nested 2,000 levels deep is an error, not a dead process."""
    deep: Any = []
    for _ in range(2000):
        deep = [deep]

    with pytest.raises(ValueError, match="nested deeper"):
        plain(deep)
