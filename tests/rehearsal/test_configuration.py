"""The configuration of project, stack and caller; the engine's own ways are in e2e."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulumi_jig.rehearsal import RehearsalError

if TYPE_CHECKING:
    from conftest import Theatre

SAY = """
config = pulumi.Config()
for name in ("one", "two", "three", "four"):
    pulumi.export(name, config.get(name))
"""
HEAD = "name: toys\nruntime: python\n"


def test_each_source_goes_over_the_one_before(theatre: Theatre) -> None:
    """The project's default, then the stack's file, then the caller."""
    theatre.manifest(HEAD + "config:\n  one: p\n  two: p\n  three: p\n")
    (theatre.program_dir / "Pulumi.dev.yaml").write_text(
        "config:\n  toys:two: s\n  toys:three: s\n"
    )
    outputs = theatre.rehearse(SAY, config={"three": "c"}).up().outputs
    assert dict(outputs.values) == {"one": "p", "two": "s", "three": "c"}


@pytest.mark.parametrize("setting", ["stackConfigDir: etc\n", "config: etc\n"])
def test_the_stacks_files_may_lie_elsewhere(theatre: Theatre, setting: str) -> None:
    """The project may name the folder with the files of its stacks."""
    theatre.manifest(HEAD + setting)
    (theatre.program_dir / "etc").mkdir()
    path = theatre.program_dir / "etc" / "Pulumi.dev.yaml"
    path.write_text("config:\n  toys:one: s\n")
    assert theatre.rehearse(SAY).preview().outputs["one"] == "s"


@pytest.mark.parametrize(
    ("block", "given", "words"),
    [
        ("  one: {type: string}", {}, "is missing configuration value 'one'"),
        ("  one: {description: d}", {}, "is missing configuration value 'one'"),
        (
            "  two: {type: string}\n  one: {type: string}\n  three: {value: }",
            {},
            "is missing configuration values 'one', 'three' and 'two'",
        ),
        (
            "  one: {type: integer}",
            {"one": "x"},
            "with configuration key 'one' must be of type 'integer'",
        ),
        ("  one: {type: boolean}", {"one": "yes"}, "must be of type 'boolean'"),
        ("  one: {type: object}", {"one": [1]}, "must be of type 'object'"),
        (
            "  one: {type: array, items: {type: array, items: {type: integer}}}",
            {"one": [[1], ["x"]]},
            "must be of type 'array<array<integer>>'",
        ),
        (
            "  one: {type: string, secret: true}",
            {"one": "x"},
            "with configuration key 'one' must be encrypted as it's secret",
        ),
    ],
)
def test_values_are_held_to_what_the_project_declares(
    theatre: Theatre, block: str, given: dict[str, Any], words: str
) -> None:
    """Preview and up refuse before the program runs, in the engine's words."""
    theatre.manifest(HEAD + f"config:\n{block}\n")
    stack = theatre.rehearse(SAY, config=given)
    for operation in (stack.preview, stack.up):
        with pytest.raises(RehearsalError) as error:
            operation()
        assert str(error.value).startswith("Stack 'dev' ")
        assert words in str(error.value)
    # What is there can always be taken down.
    assert stack.destroy().ok


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            "  one: {type: integer, default: x}",
            "default value specified for configuration key 'one' is not of the "
            "expected type 'integer'",
        ),
        ("  one: {type: string, default: 3}", "is not of the expected type 'string'"),
        ("  one: {default: 1, value: 2}", "cannot have both a 'default' and 'value'"),
        ("  one: {x: 1}", "unknown attribute 'x'; a value that is a mapping is"),
        ("  one: {type: number}", "unknown type 'number'"),
        ("  one: {secure: 'v1:x'}", "unknown attribute 'secure'"),
        ("  one: 1.5", "'one' is neither a string, a whole number"),
        ("  one:", "'one' is neither a string, a whole number"),
        (
            "  aws:one: {type: string}",
            "'aws:one' is not namespaced by the project and should not define a type",
        ),
        ("  aws:one: {default: x}", "should not define a default value"),
    ],
)
def test_a_project_that_says_it_wrongly(
    theatre: Theatre, block: str, words: str
) -> None:
    """What the engine does not read as configuration is refused by name."""
    theatre.manifest(HEAD + f"config:\n{block}\n")
    with pytest.raises(RehearsalError) as error:
        theatre.rehearse(SAY)
    assert words in str(error.value)


def test_a_value_that_is_no_text_is_refused(theatre: Theatre) -> None:
    """Bytes of a command line that are not UTF-8 are named by their key, not shown."""
    for given in ({"config": {"x": "a\udcff"}}, {"secret_config": {"x": "a\udcff"}}):
        with pytest.raises(RehearsalError, match="the value of 'toys:x' is not UTF-8"):
            theatre.rehearse('Toy("a")', **given)


def test_environments_are_refused(theatre: Theatre) -> None:
    """Values that only the vendor's service can open are not left out in silence."""
    (theatre.program_dir / "Pulumi.dev.yaml").write_text("environment: [prod]\n")
    with pytest.raises(RehearsalError, match="imports environments"):
        theatre.rehearse(SAY)
