"""A program's life on the rehearsal, with toys; the engine's own ways are in e2e."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from pulumi.runtime.proto import provider_pb2

from pulumi_jig.rehearsal import Recorder, RehearsalError

if TYPE_CHECKING:
    from conftest import Theatre

TWO = """
a = Toy("a", {"size": 1})
b = Toy("b", {"of": a.url}, pulumi.ResourceOptions(protect=False))
pulumi.export("url", b.url)
"""


def test_a_whole_life(theatre: Theatre) -> None:
    """Preview, up, an empty preview, destroy, and nothing is left."""
    stack = theatre.rehearse(TWO)
    assert stack.preview().raise_if_failed().changes == {"create": 3}
    assert theatre.toys() == []
    up = stack.up().raise_if_failed()
    assert up.changes == {"create": 3}
    assert up.outputs["url"] == "toy://b"
    assert stack.preview().is_empty
    assert stack.refresh().is_empty
    assert stack.destroy().raise_if_failed().changes == {"delete": 3}
    assert stack.resources == []
    assert theatre.toys() == []


def test_what_failed_is_not_counted(theatre: Theatre) -> None:
    """A step that failed is a step and no change, as in the command's own summary."""
    stack = theatre.rehearse(TWO)
    stack.up()
    (theatre.world / "faults.json").write_text('{"delete:b": "raise"}')
    result = stack.destroy()
    assert not result.ok
    assert result.step("b").failed
    assert result.changes == {}


def test_new_configuration_alone_is_no_change(theatre: Theatre) -> None:
    """The default provider takes it, and the preview is empty all the same."""
    theatre.rehearse('Toy("a", {"size": 1})', config={"colour": "red"}).up()
    assert theatre.rehearse(config={"colour": "blue"}).preview().is_empty


def test_changed_paths_name_what_differs(theatre: Theatre) -> None:
    """A step says which property paths differ, and never their values."""
    stack = theatre.rehearse('Toy("a", {"size": 1, "deep": {"x": [1, 2]}})')
    stack.up()
    theatre.program('Toy("a", {"size": 2, "deep": {"x": [1, 3]}, "new": True})')
    step = stack.preview().step("a")
    assert step.operation == "update"
    assert step.changed == ("deep.x[1]", "new", "size")
    assert step.diff == ("~deep", "+new", "~size")


@pytest.mark.skipif(
    "old_outputs" not in provider_pb2.CheckRequest.DESCRIPTOR.fields_by_name,
    reason="the protocol of the installed SDK has no such field",
)
def test_a_check_carries_the_outputs_of_the_state(theatre: Theatre) -> None:
    """As from 3.274 on: what the state has, nothing for what is new or replaces."""
    recorder = Recorder()
    stack = theatre.rehearse('Toy("a", {"size": 1})', recorder=recorder)
    stack.up().raise_if_failed()
    theatre.program('Toy("a", {"size": 2, "name": "a2"})')
    stack.preview().raise_if_failed()
    checks = [call for call in recorder.calls() if call.method == "Check"]
    urls = [call.request["oldOutputs"].get("url") for call in checks]
    # A new resource; then the replacement, which is checked twice.
    assert urls == [None, "toy://a", None]
    assert all("oldOutputs" in call.request for call in checks)


def test_a_replacement_is_one_step_to_people(theatre: Theatre) -> None:
    """`step` gives the replacement, `of` its parts, `changes` counts it once."""
    stack = theatre.rehearse('Toy("a", {"name": "a1"})')
    stack.up()
    theatre.program('Toy("a", {"name": "a2"})')
    result = stack.up()
    assert result.step("a").operation == "replace"
    assert result.step("a").replaces == ("name",)
    assert result.of("a") == ("create-replacement", "replace", "delete-replaced")
    assert result.changes == {"same": 1, "replace": 1}


def test_up_with_a_preview_stops_where_the_preview_fails(theatre: Theatre) -> None:
    """With `skip_preview=False` nothing is made when the preview fails."""
    stack = theatre.rehearse('Toy("a"); Toy("b", {"size": 13})')
    result = stack.up(skip_preview=False)
    assert (result.kind, result.ok) == ("preview", False)
    assert theatre.toys() == []


def test_a_failure_raises_with_its_reasons(theatre: Theatre) -> None:
    """`raise_if_failed` names the operation and each reason."""
    stack = theatre.rehearse('Toy("a", {"size": 13})')
    with pytest.raises(RehearsalError, match=r"preview failed: .*13 brings bad luck"):
        stack.preview().raise_if_failed()


def test_state_survives_the_rehearsal(theatre: Theatre) -> None:
    """Another rehearsal with the same state file goes on where the first stopped."""
    theatre.rehearse(TWO).up()
    assert theatre.rehearse().preview().is_empty


def test_an_export_can_be_imported(theatre: Theatre) -> None:
    """A stack exported with secrets in clear lives on in another state file."""
    first = theatre.rehearse('Toy("a", {"pw": pulumi.Output.secret("hush")})')
    first.up()
    export = json.loads(json.dumps(first.export(show_secrets=True)))
    second = theatre.rehearse(state_file=theatre.folder / "other.json")
    second.import_(export)
    assert second.preview().is_empty


def test_what_is_not_an_export_is_refused(theatre: Theatre) -> None:
    """Importing something else fails with a sentence and changes nothing."""
    stack = theatre.rehearse(TWO)
    stack.up()
    for wrong in ("[]", "{}", '{"version": 2, "deployment": {}}', "no JSON"):
        with pytest.raises(RehearsalError, match="the state cannot be imported"):
            stack.import_(wrong)
    assert stack.preview().is_empty


def test_secrets_of_another_key_are_refused(theatre: Theatre) -> None:
    """An encrypted export of another stack says that its secrets cannot be decrypted."""
    first = theatre.rehearse('Toy("a", {"pw": pulumi.Output.secret("hush")})')
    first.up()
    second = theatre.rehearse(state_file=theatre.folder / "other.json")
    with pytest.raises(RehearsalError, match="cannot decrypt"):
        second.import_(first.export())


def test_no_secret_is_written_in_clear(theatre: Theatre) -> None:
    """Neither the state nor the diagnostics hold a secret; its key is for us alone."""
    stack = theatre.rehearse(
        """
        word = pulumi.Config().require_secret("word")
        a = Toy("a", {"pw": pulumi.Output.secret("canary-1"), "deep": {"x": word}})
        pulumi.export("pw", a.pw)
        """,
        secret_config={"word": "canary-2"},
    )
    result = stack.up().raise_if_failed()
    assert result.outputs["pw"] == "canary-1"
    assert result.outputs.secret_names == {"pw"}
    text = theatre.state_file.read_text() + repr(result)
    assert "canary" not in text
    assert "ciphertext" in text
    key = theatre.state_file.with_name("dev.json.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_configuration_of_file_and_caller(theatre: Theatre) -> None:
    """The stack's file is read, what the caller gives goes over it."""
    (theatre.program_dir / "Pulumi.dev.yaml").write_text(
        "config:\n  toys:one: from-file\n  toys:two: from-file\n  other:three: 3\n"
    )
    stack = theatre.rehearse(
        """
        config = pulumi.Config()
        pulumi.export("one", config.require("one"))
        pulumi.export("two", config.require("two"))
        pulumi.export("three", pulumi.Config("other").require_int("three"))
        pulumi.export("four", config.require_object("four"))
        """,
        config={"two": "given", "four": {"x": [1]}},
    )
    outputs = stack.up().raise_if_failed().outputs
    assert dict(outputs.values) == {
        "one": "from-file",
        "two": "given",
        "three": 3,
        "four": {"x": [1]},
    }


def test_an_encrypted_value_must_be_given(theatre: Theatre) -> None:
    """A value that the project holds encrypted is asked for by name."""
    (theatre.program_dir / "Pulumi.dev.yaml").write_text(
        "config:\n  toys:word:\n    secure: v1:abc\n"
    )
    with pytest.raises(RehearsalError, match="toys:word encrypted"):
        theatre.rehearse(TWO)
    assert theatre.rehearse(TWO, secret_config={"word": "w"}).preview().ok


def test_the_programs_folder_may_be_another(theatre: Theatre) -> None:
    """`main` in the project file names the program's folder."""
    theatre.manifest("name: toys\nruntime: python\nmain: src\n")
    source = theatre.program_dir / "src"
    source.mkdir()
    (source / "names.py").write_text('NAME = "inner"\n')
    (source / "__main__.py").write_text(
        'from names import NAME\nfrom toy import Toy\nToy("a", {"name": NAME})\n'
    )
    assert theatre.rehearse().up().ok
    assert theatre.toys() == ["inner"]
