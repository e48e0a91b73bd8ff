"""What is read and named before a program runs is read as the engine reads it."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_jig.rehearsal import RehearsalError
from pulumi_jig.rehearsal.configuration import as_text
from pulumi_jig.rehearsal.references import Backend, StackNameError, parse_stack
from pulumi_jig.rehearsal.yaml_document import Document

if TYPE_CHECKING:
    from conftest import Theatre

ENGINES = ["rehearsal", pytest.param("pulumi", marks=pytest.mark.engine)]
both_engines = pytest.mark.parametrize("engine", ENGINES)

#: Says which configuration the program was given.
TELL = """
import json, os
from pathlib import Path
given = json.loads(os.environ["PULUMI_CONFIG"])
Path(os.environ["TOLD"]).write_text(json.dumps(given))
"""
HEAD = "name: toys\nruntime: python\n"

#: How a value is written, and what a program gets.
READ = {
    "yes": "yes",
    "No": "No",
    "on": "on",
    "y": "y",
    "TRUE": "true",
    "tRue": "tRue",
    "12:30": "12:30",
    "190:20:30": "190:20:30",
    "1e3": "1000",
    "1e21": "1e+21",
    "1e20": "100000000000000000000",
    "1e-5": "0.00001",
    "1.5e-7": "1.5e-7",
    "1e400": "1e400",
    "1.50": "1.5",
    "-1.0": "-1",
    "-0.0": "0",
    ".5": "0.5",
    "5.": "5",
    "._5": "._5",
    "+5": "5",
    "0x1F": "31",
    "-0x1f": "-31",
    "0o17": "15",
    "017": "15",
    "08": "8",
    "0b101": "5",
    "1_000": "1000",
    "1_000.5": "1000.5",
    "_1": "_1",
    "1,000": "1,000",
    "1.2.3": "1.2.3",
    "0x": "0x",
    "9223372036854775807": "9223372036854775807",
    "-9223372036854775808": "-9223372036854775808",
    "null": "",
    "~": "",
    "": "",
    '""': "",
    "nULL": "nULL",
    "inf": "inf",
    "'12'": "12",
    '"null"': "null",
    "'2024-01-02'": "2024-01-02",
    "2024-01-02T10:00": "2024-01-02T10:00",
    "2024-01-02 at noon": "2024-01-02 at noon",
    "!!str 12": "12",
    "<a> & b": "<a> & b",
    "ä€😀": "ä€😀",
    "|\n    two\n    lines": "two\nlines\n",
    "[]": "[]",
    "[1, 1.50, yes, null, 0x10, '<a>', 1e-7, 1e21, true]": (
        '[1,1.5,"yes",null,16,"\\u003ca\\u003e",1e-7,1e+21,true]'
    ),
    "{b: 1, a: [1e3, {z: ~}]}": '{"a":[1000,{"z":null}],"b":1}',
    "{yes: no}": '{"yes":"no"}',
    "{secure: 5}": '{"secure":5}',
    "{secure: a, user: b}": '{"secure":"a","user":"b"}',
    "{a: &x {k: 1, l: 2}, b: {<<: *x, k: 3}, c: *x}": (
        '{"a":{"k":1,"l":2},"b":{"k":3,"l":2},"c":{"k":1,"l":2}}'
    ),
}

#: What no engine reads: a stack's file, and what the rehearsal says of it.
REFUSED: dict[str | bytes, str] = {
    "config:\n  toys:x: .inf\n": "line 2: key config.toys:x: .inf is no number",
    "config:\n  toys:x: [1, -.INF]\n": "line 2: key config.toys:x.1: -.INF is no",
    "config:\n  toys:x: 1\n  toys:x: 2\n": "line 3: key config.toys:x: is written twice",
    "config:\n  toys:x:\n    a: {b: 1,\n      b: 2}\n": (
        "line 4: key config.toys:x.a.b: is written twice"
    ),
    "config:\n  toys:x: 1\nconfig: {}\n": "line 3: key config: is written twice",
    "config:\n  toys:x: {[a]: 1}\n": "line 2: key config.toys:x.?: is no string",
    "config:\n  1: x\n": "line 2: key config.1: is no string; put the key in quotes",
    "config:\n  true: x\n": "line 2: key config.true: is no string",
    "config:\n  a:b:c: x\n": "key config.a:b:c: is not of the form <namespace>:<name>",
    'config:\n  toys:x: "\\ud83d\\ude00"\n': (
        "line 2: key config.toys:x: an escape is half of a character"
    ),
    'config:\n  toys:x: {"\\udfff": 1}\n': "an escape is half of a character",
    "config:\n  toys:x: !!bool yes\n": "line 2: key config.toys:x: the tag !!bool",
    "config:\n  toys:x: &a [*a]\n": "an alias contains itself",
    "config:\n  toys:x: *nope\n": "line 2: is not YAML: found undefined alias 'nope'",
    "config:\n  toys:x: [1, 2\n": "is not YAML: while parsing a flow sequence",
    "config:\n\ttoys:x: 1\n": "line 2: is not YAML: while scanning for the next token",
    "config:\n  toys:x: a\x07b\n": "line 2: the character #x0007 is not allowed",
    "config: [1]\n": "line 1: key config: must be a mapping",
    "config: ''\n": "line 1: key config: must be a mapping",
    "- config\n": "line 1: must be a mapping",
    "%YAML 1.2\n---\nconfig: {}\n": "the engine reads documents of YAML 1.1 only",
    b"config:\n  toys:x: caf\xe9\n": "line 2: is not UTF-8",
}

#: What the engine reads as something that nobody has written, and this refuses.
SURPRISES = {
    "2024-01-02": "2024-01-02 00:00:00 +0000 UTC",
    "2024-1-2 10:00:00": "2024-01-02 10:00:00 +0000 UTC",
    "18446744073709551616": "18446744073709552000",
    "[18446744073709551615]": "[18446744073709552000]",
    "{1: a}": '{"1":"a"}',
    "{null: a}": '{"\\u003cnil\\u003e":"a"}',
    "!!binary aGVsbG8=": "hello",
    "!ours text": "text",
}


def told(
    engine: str, theatre: Theatre, stack_file: str | bytes, manifest: str | bytes = HEAD
) -> dict[str, str]:
    """The configuration that a program gets; an error says why it does not run."""
    for name, text in ("Pulumi.dev.yaml", stack_file), ("Pulumi.yaml", manifest):
        data = text if isinstance(text, bytes) else text.encode()
        (theatre.program_dir / name).write_bytes(data)
    answer = theatre.folder / "told.json"
    theatre.env["TOLD"] = str(answer)
    theatre.program(TELL)
    if engine == "rehearsal":
        theatre.rehearse().preview().raise_if_failed()
    else:
        if not (theatre.folder / "backend").exists():
            theatre.pulumi("stack", "init", "dev")
        done = theatre.pulumi("preview", "--stack", "dev")
        if done.returncode:
            raise RehearsalError(done.stdout)
    found: dict[str, str] = json.loads(answer.read_text())
    return found


def stack_file(values: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A file with values as they are written, and what they are to be, by key."""
    lines = [f"  toys:v{n}: {text}\n" for n, text in enumerate(values)]
    read = {f"toys:v{n}": text for n, text in enumerate(values.values())}
    return "config:\n" + "".join(lines), read


@both_engines
def test_values_are_read_as_the_engine_reads_them(
    engine: str, theatre: Theatre
) -> None:
    """YAML is that of the engine's library, numbers are written as Go writes them."""
    text, read = stack_file(READ)
    assert told(engine, theatre, text) == read


@both_engines
@pytest.mark.parametrize(
    "whole",
    [
        b"\xef\xbb\xbfconfig:\n  toys:x: 1\n",
        b"config:\r\n  toys:x: 1\r\n",
        b"---\nconfig:\n  toys:x: 1\n...\n",
        b"config:\n  x: 1\n",
        b"config:\n  toys:config:x: 1\n",
        b"shared: &c {toys:x: 1}\nconfig: *c\n",
    ],
)
def test_files_are_read_as_the_engine_reads_them(
    engine: str, whole: bytes, theatre: Theatre
) -> None:
    """Byte order marks, line ends and older forms of keys are no matter."""
    assert told(engine, theatre, whole) == {"toys:x": "1"}


@both_engines
@pytest.mark.parametrize("whole", ["", "# nothing\n", "---\n", "config:\n", "null\n"])
def test_files_that_say_nothing(engine: str, whole: str, theatre: Theatre) -> None:
    """An empty file is no configuration, and no error."""
    assert told(engine, theatre, whole) == {}


@pytest.mark.parametrize("whole", REFUSED)
def test_files_that_cannot_be_read(whole: str | bytes, theatre: Theatre) -> None:
    """What is wrong is said in one sentence, with file, line and key."""
    with pytest.raises(RehearsalError) as error:
        told("rehearsal", theatre, whole)
    message = str(error.value)
    assert message.startswith(str(theatre.program_dir / "Pulumi.dev.yaml"))
    assert REFUSED[whole] in message
    assert "\n" not in message


@pytest.mark.engine
def test_the_engine_cannot_read_them_either(theatre: Theatre) -> None:
    """No file is refused here that has a meaning there."""
    assert told("pulumi", theatre, "config: {toys:x: 1}\n") == {"toys:x": "1"}
    for whole in REFUSED:
        with pytest.raises(RehearsalError):
            told("pulumi", theatre, whole)


@pytest.mark.parametrize("written", SURPRISES)
def test_what_would_be_read_as_something_else(written: str, theatre: Theatre) -> None:
    """What the engine turns into what nobody has written is refused by line and key."""
    text, _ = stack_file({written: ""})
    with pytest.raises(RehearsalError, match=r"Pulumi.dev.yaml, line 2: key config\."):
        told("rehearsal", theatre, text)


@pytest.mark.engine
def test_what_the_engine_reads_as_something_else(theatre: Theatre) -> None:
    """The refusals of the rehearsal that the engine does not make have their reason."""
    text, read = stack_file(SURPRISES)
    assert told("pulumi", theatre, text) == read


JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e15, 1e15)
    | st.text(string.printable[:95] + "äß€😀", max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(string.ascii_letters + "<=~", max_size=8), inner)
    ),
)


@given(JSON)
def test_json_is_read_as_json(tmp_path_factory: Any, value: Any) -> None:
    """What JSON says is read as it is, and is handed on as the same JSON."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(json.dumps({"x": [value]}, ensure_ascii=False), encoding="utf-8")
    read = Document(path).data["x"]
    assert read == [value]
    assert json.loads(as_text(read)) == [value]


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("{secure: 'v1:AAAA:BBBB'}", "key config.toys:db: holds"),
        ("{user: x, password: {secure: 'v1:AAAA:BBBB'}}", "config.toys:db.password:"),
        ("[x, {deep: [{secure: 'v1:AAAA:BBBB'}]}]", "config.toys:db.1.deep.0:"),
    ],
)
def test_ciphertext_is_no_data(written: str, where: str, theatre: Theatre) -> None:
    """An encrypted value is refused at any depth, unless its key is given in clear."""
    text = f"config:\n  toys:db: {written}\n"
    with pytest.raises(RehearsalError) as error:
        told("rehearsal", theatre, text)
    assert where in str(error.value)
    assert "holds toys:db encrypted" in str(error.value)
    assert "AAAA" not in str(error.value)
    given = {"db": '{"user":"x"}'}
    assert theatre.rehearse(secret_config=given).preview().ok
    project = f"{HEAD}config:\n  db:\n    default: {written}\n"
    with pytest.raises(RehearsalError, match="holds toys:db encrypted"):
        told("rehearsal", theatre, "", project)


PROJECTS: list[str | bytes] = [
    "name: [toys]\nruntime: python\n",
    "name: 12\nruntime: python\n",
    "name: toys\nname: toys\nruntime: python\n",
    "name: ../toys\nruntime: python\n",
    f"name: {'t' * 101}\nruntime: python\n",
    "name: toys\nruntime: {name: python, option: {}}\n",
    "name: toys\nruntime: {name: python, options: [x]}\n",
    HEAD + "main: 12\n",
    HEAD + "main: nowhere\n",
    HEAD + "config: etc\nstackConfigDir: etc\n",
    HEAD + "config: [x]\n",
    HEAD + "config: {x: 1e3}\n",
    HEAD + "config: {x: {type: string, secret: yes, default: x}}\n",
    HEAD + "config: {x: {type: array, default: [x]}}\n",
    HEAD + "config: {x: {type: array, items: {type: word}, default: [x]}}\n",
    HEAD + "config: {x: {type: integer, default: 1.5}}\n",
    HEAD + "config: {x: {type: string}}\nmain: .\n",
    HEAD + "config: {'aws:x': {description: x}}\n",
    HEAD + "config: {'a:b:c': x}\n",
    b"name: toys\nruntime: python\ndescription: caf\xe9\n",
]


@pytest.mark.parametrize("manifest", PROJECTS)
def test_projects_that_cannot_be_run(manifest: str | bytes, theatre: Theatre) -> None:
    """A project file that says it wrongly is refused before anything is made."""
    with pytest.raises(RehearsalError) as error:
        told("rehearsal", theatre, "", manifest)
    assert "\n" not in str(error.value)
    assert not theatre.state_file.exists()


@pytest.mark.engine
def test_the_engine_cannot_run_them_either(theatre: Theatre) -> None:
    """No project is refused here that runs there."""
    assert told("pulumi", theatre, "", HEAD + "main: .\n") == {}
    for manifest in PROJECTS:
        with pytest.raises(RehearsalError):
            told("pulumi", theatre, "", manifest)


@both_engines
def test_what_a_project_declares_is_held_to_the_kind_of_the_value(
    engine: str, theatre: Theatre
) -> None:
    """A mapping is no string, though it is handed on as one; a numeral is an integer."""
    manifest = HEAD + "config: {x: {type: string}, n: {type: integer}}\n"
    good = "config: {x: '{}', n: '0012'}\n"
    assert told(engine, theatre, good, manifest) == {"toys:x": "{}", "toys:n": "0012"}
    for bad in ("{x: {}, n: 1}", "{x: y, n: 1.5}", "{x: y, n: '1_0'}"):
        with pytest.raises(RehearsalError, match=r"(?s)Stack 'dev' with .* of type"):
            told(engine, theatre, f"config: {bad}\n", manifest)


@both_engines
def test_the_stacks_file_has_the_suffix_of_the_projects(
    engine: str, theatre: Theatre
) -> None:
    """Beside Pulumi.yml, Pulumi.dev.yml is read and Pulumi.dev.yaml is not."""
    for name, text in (("Pulumi.yml", HEAD), ("Pulumi.dev.yml", "config: {x: 1}\n")):
        (theatre.program_dir / name).write_text(text)
    (theatre.program_dir / "Pulumi.dev.yaml").write_text("config: {x: 2}\n")
    (theatre.program_dir / "Pulumi.yaml").unlink()
    theatre.program(
        "from pathlib import Path\n"
        "Path('../told').write_text(pulumi.Config().require('x'))"
    )
    if engine == "rehearsal":
        theatre.rehearse().preview().raise_if_failed()
    else:
        theatre.pulumi("stack", "init", "dev")
        theatre.pulumi("preview")
    assert (theatre.folder / "told").read_text() == "1"


# ------------------------------------------------------------------------- stack names

NAMES = {
    "": "may not be empty",
    " ": "invalid character ' ' at position 0",
    "a b": "invalid character ' ' at position 1",
    "a::b": "invalid character ':' at position 1",
    "a\tb": "invalid character '\\t' at position 1",
    "a\n": "invalid character '\\n' at position 1",
    "ä": "a stack name may only contain alphanumeric",
    "x" * 101: "a stack name cannot exceed 100 characters",
    "../../evil": "organization name must be 'organization'",
    "acme/toys/dev": "organization name must be 'organization'",
    "organization/../dev": "",
    "organization/other/dev": "doesn't match Pulumi.yaml",
    "organization/a b/dev": "project names may only contain",
    "organization/toys/": "a stack name may not be empty",
    "organization/toys/a/b": "a stack name may not be empty",
    "/etc/passwd": "doesn't match Pulumi.yaml",
}


def everything(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_stack_can_have(name: str, theatre: Theatre) -> None:
    """A stack's name is held to the rules of a file backend, and nothing is written."""
    theatre.program("")
    before = everything(theatre.folder)
    with pytest.raises(RehearsalError) as error:
        theatre.rehearse(stack=name, backend=theatre.folder / "b", state_file="")
    assert everything(theatre.folder) == before
    assert NAMES[name] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.engine
def test_the_engine_refuses_them_in_the_same_words(theatre: Theatre) -> None:
    """What a file backend of the engine says of a name is what the rehearsal says."""
    for name, words in NAMES.items():
        done = theatre.pulumi("stack", "init", "--", name)
        assert done.returncode != 0, name
        # A blank is no name to it, and `..` no way out of its folder.
        if name.strip() and ".." not in name.split("/")[1:2]:
            assert words in done.stdout
    assert not [
        p for p in everything(theatre.folder / "backend") if "stacks" in p.parts
    ]


@both_engines
@pytest.mark.parametrize(
    "name", ["dev", "a.b-c_D9", "..", "x" * 100, "organization/toys/dev"]
)
def test_names_that_a_stack_can_have(engine: str, name: str, theatre: Theatre) -> None:
    """What a file backend takes is taken, and the program is told its last part."""
    theatre.program("pulumi.export('me', pulumi.get_stack())")
    me = name.rpartition("/")[2]
    if engine == "rehearsal":
        stack = theatre.rehearse(
            stack=name, backend=theatre.folder / "b", state_file=""
        )
        assert stack.up().outputs["me"] == me
        assert stack.state_file == theatre.folder / "b" / "toys" / f"{me}.json"
    else:
        assert theatre.pulumi("stack", "init", name).returncode == 0
        assert theatre.pulumi("up", "--yes", "--skip-preview").returncode == 0
        assert theatre.pulumi("stack", "output", "me").stdout.strip() == me


@given(st.text("ab./\\:~ \x00ä", max_size=20), st.text("a./", max_size=6))
def test_no_name_leads_out_of_the_backend(reference: str, project: str) -> None:
    """Whatever is taken for a name, its state is two folders below the backend."""
    try:
        named, stack = parse_stack(reference, "organization", project)
    except StackNameError:
        return
    file = Backend.state_file(Path("/backend"), named, stack)
    assert file.parent.parent == Path("/backend")
    assert ".." not in file.parts
