"""What people do after a whole run, because the messages say so."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from unittest import mock

from whole_world import is_ours, mark_of

from pulumi_jig.cli.orphans import orphans
from pulumi_jig.cli.pulumi import Pulumi
from pulumi_jig.cli.recover import Recovery
from pulumi_jig.cli.resolutions import Action
from pulumi_jig.cli.state_export import in_order
from pulumi_jig.errors import JigError

if TYPE_CHECKING:
    from whole_story import WholeStory

Record = dict[str, Any]


def recover(story: WholeStory) -> None:
    """`pulumi-jig recover --yes`, then `pulumi-jig orphans`, and what they ask for."""
    state = story.state_file
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TOGETHER_")}
    with mock.patch.dict(os.environ, {**clean, **story.env}, clear=True):
        try:
            if state.exists() and story.books.state().get("pending_operations"):
                pulumi = Pulumi(story.program_dir, None)
                outcome = Recovery(pulumi, file=state, yes=True).run()
                for finding in outcome.findings:
                    story.note(f"recover: {finding.urn}: {finding.message}")
                    if finding.action is Action.SKIP:
                        story.counts["left to a person"] += 1
                # What is left after that is dropped by a person, who has read its name.
                _edit(story, lambda deployment: deployment.pop("pending_operations", 0))
            files = [state] if state.exists() else []
            told = (
                orphans(story.program_dir, state_files=files, stacks=(), project="shop")
                if files
                else []
            )
        except JigError as error:
            story._wrong(f"after the faults, recover failed: {error.message}")
            return
    ids, unconfirmed = story.books.known()
    named = {stray.item.id for stray in told}
    for d in story.service.ours():
        mark = mark_of(d)
        # The next `up` finds what is in the state as unconfirmed.
        if d["id"] in ids or (mark is not None and mark.nonce in unconfirmed):
            continue
        if files and d["id"] not in named:
            story._wrong(
                f"an orphan that `pulumi-jig orphans` does not name: {d['id']}"
            )
        story.note(f"by hand: {d['name']} is deleted")
        story.service.request("DELETE", f"/deployments/{d['id']}")
    story.books.strays.clear()


def let_go(story: WholeStory) -> None:
    """`pulumi state delete` of what belongs to somebody else now."""
    records = story.service.records()
    by_id = {d["id"]: d for d in records}
    by_name = {d["name"]: d for d in records if d["account"] == "home"}

    def is_lost(resource: Record) -> bool:
        outputs = resource.get("outputs") or {}
        known = outputs.get("deployment_id")
        d = by_id.get(known) if known else by_name.get(outputs.get("name"))
        if d is None:
            return False
        return d["id"] in story.service.foreign or not is_ours(d)

    lost = [r for r in story.books.deployments() if is_lost(r)]
    if not lost:
        return

    def drop(deployment: Record) -> None:
        kept = [r for r in deployment["resources"] if r not in lost]
        deployment["resources"] = in_order(kept)

    for resource in lost:
        story.note(f"by hand: state delete {resource['urn']}")
    _edit(story, drop)


def make_way(story: WholeStory) -> None:
    """Good images, and another name where somebody has one."""
    held = {
        d["name"]
        for d in story.service.records()
        if d["id"] in story.service.foreign or not is_ours(d)
    }
    states = story.books.deployments()
    seen: set[Any] = set()
    for number, (name, declared) in enumerate(story.program.items()):
        declared.props.pop("adopt", None)
        declared.props["image"] = "registry.example/app:9"
        declared.ignore = ()
        wanted = declared.props.get("name")
        others = {
            _name(r)
            for r in states
            if r.get("delete") or not str(r["urn"]).endswith(f"::{name}")
        }
        mine = {
            _name(r)
            for r in states
            if not r.get("delete") and str(r["urn"]).endswith(f"::{name}")
        }
        gone = wanted is None and (name in story.taken or mine & held)
        if gone or wanted in held:
            declared.props["name"] = f"free-{number}"
        elif wanted is not None and wanted in seen | others:
            declared.props["name"] = f"sole-{number}"
        seen.add(declared.props.get("name"))


def _name(resource: Record) -> Any:
    return (resource.get("inputs") or {}).get("name")


def _edit(story: WholeStory, change: Any) -> None:
    data = json.loads(story.state_file.read_text())
    change(data["deployment"])
    story.state_file.write_text(json.dumps(data))
