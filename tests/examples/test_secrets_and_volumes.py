"""The example `secrets-and-volumes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reader import Reader


def test_its_page_is_true(reader: Reader) -> None:
    """Rotation and new weights roll the deployment; no value is written in clear."""
    ran = reader.follow("examples/secrets-and-volumes/README.md")

    assert reader.live() == []
    written = [one.output for one in ran] + [
        path.read_text(errors="replace")
        for path in reader.folder.rglob("*")
        # The rehearsed command keeps its configuration as it is.
        if path.is_file() and path.suffix not in {".md", ".secrets"}
    ]
    for value in ("hf_first", "hf_second"):
        assert not any(value in text for text in written)
