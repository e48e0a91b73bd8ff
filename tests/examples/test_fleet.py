"""The example `fleet`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from modules import beside
from reader import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from reader import Reader

HERE = "examples/fleet"


def test_its_page_is_true(reader: Reader) -> None:
    """Whoever follows the page gets what it says, and nothing is left."""
    reader.follow(f"{HERE}/README.md")

    assert reader.live() == []


@pytest.mark.parametrize(
    ("pattern", "instead", "sentence"),
    [
        (r"^  rerank:", "  chat:", '"chat" is written twice, in the block at line'),
        (r"gpus: 2", "gpus: two", "models.chat.gpus: input should be a valid integer."),
        (r"^    image: .*chat.*$", "", "models.chat.image: it is missing, here and in"),
        (r"^ +scale_on: .*$", "", "models.rerank: replicas may vary, so scale_on must"),
        (r"^models:", "models: {}\nspare:", "models: dictionary should have at least"),
        (r"^models:", "models: {}\nspare:", "spare: there is no such key."),
        (r"(?s)\A.*\Z", "", "the file: input should be a valid dictionary"),
        (r"(?s)\A.*\Z", "a: [", "fleet.yaml cannot be read: "),
    ],
)
def test_a_slip_in_the_file_is_one_sentence(
    tmp_path: Path, pattern: str, instead: str, sentence: str
) -> None:
    """It says where it is and what is wrong."""
    catalogue = beside("fleet", "catalogue")
    path = tmp_path / "fleet.yaml"
    text = (ROOT / HERE / "fleet.yaml").read_text()
    path.write_text(re.sub(pattern, instead, text, flags=re.MULTILINE))

    with pytest.raises(catalogue.FleetError) as caught:
        catalogue.read(path)

    assert sentence in str(caught.value)


def test_what_an_entry_leaves_out_comes_from_the_defaults() -> None:
    """A key of the entry wins over the default of the same name."""
    fleet = beside("fleet", "catalogue").read(ROOT / HERE / "fleet.yaml")

    assert fleet.models["search"].gpu_type == "h100-40gb-mig"
    assert fleet.models["rerank"].gpu_type == "h100-80gb"
