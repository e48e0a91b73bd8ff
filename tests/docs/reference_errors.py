"""
The page of errors: what you see, what it means, what to do.

What is seen is held to the texts of the package: a message that changes leaves its row
without a message, and the page cannot be written. What it means stands here.
"""

from __future__ import annotations

import re

from reference_source import GAP, PACKAGE, messages, page, table, tree

ROWS: dict[str, list[tuple[str, str, str]]] = {
    "Before anything is sent": [
        (
            "There is no API key:",
            "Neither `TOGETHER_API_KEY` nor `jig:apiKey` is set. Nothing ever falls back "
            "to the emulator or to another account.",
            "`export TOGETHER_API_KEY=...`, or `pulumi config set --secret jig:apiKey`.",
        ),
        (
            "is plain http to …, which would show the API key to the network",
            "The address begins with `http://` and is not on this machine.",
            "Use `https://`; for a network that you trust, "
            "`pulumi config set jig:allowInsecureHttp true`.",
        ),
        (
            "would send the key of … to …, which is not the service's own host",
            "The key comes from the environment and the address from the stack's file, "
            "which somebody else may have written.",
            "Name the address in `TOGETHER_BASE_URL` too, or use that host's own key.",
        ),
        (
            "left out, the service takes 0 and the containers get no GPU",
            "A GPU type without `gpu_count` would run, bill and have no GPU.",
            'Declare `gpu_count`; for no GPU at all `gpu_type="none"`.',
        ),
        (
            "cannot be unset: the service has no way to return it to its default.",
            "A property was declared before and is not any more, and no request resets "
            "it.",
            "Declare the value that you want; or replace the deployment.",
        ),
        (
            "is the name of resource … in this stack already",
            "Two resources of the program ask for one name.",
            "Give one of them another `name`, or leave it out.",
        ),
        (
            "replace_on_changes has no effect on a dynamic resource",
            "Pulumi would ignore the option without a word.",
            "Leave it out; `pulumi up --replace URN` replaces by hand.",
        ),
        (
            "would be forgotten, not deleted: the service keeps it",
            "With `deleted_with` Pulumi drops a resource from its state without deleting "
            "it, and in the service it goes on.",
            "Leave the option out.",
        ),
    ],
    "Whose is it": [
        (
            "names are unique …. Nothing was created.",
            "Somebody else's account has the name.",
            "Choose another `name`, or set `jig:namespace`, which changes all names that "
            "are made.",
        ),
        (
            "and its mark names this very resource: it is left over from an interrupted "
            "run, it is what is being replaced right now, or it belongs to a stack of the same name on another backend.",
            "The mark has this project, stack and resource, and another nonce. Nothing "
            "tells which of the three it is.",
            "Left over: `pulumi-jig recover`, with `--adopt-marked` where the state has "
            "no operation of that run (a secret: `adopt=True`). Being replaced: "
            "`delete_before_replace`. Another backend's: `jig:namespace`.",
        ),
        (
            "and belongs to …. Nothing was changed.",
            "The mark is that of another program.",
            "Choose another `name`; or take it over with `adopt=True` after the other "
            "program has given it up.",
        ),
        (
            "and carries no mark of any program. Nothing was changed.",
            "It was made by hand or with the vendor's tool.",
            "Choose another `name`, or take it over with `adopt=True` or "
            "`pulumi-jig import`.",
        ),
        (
            "carries the mark of … with a newer claim than this resource has",
            "Another resource has adopted it since. This one leaves it alone.",
            "`pulumi state delete` for the resource that has given it up.",
        ),
        (
            "has another id (… instead of …): somebody deleted ours and made a new one.",
            "The name is that of the state, and what is there is not.",
            "Look at it; then `pulumi state delete`, and `adopt=True` if it shall be "
            "taken over.",
        ),
        (
            "was created with a key of account …, but the key in use belongs to account",
            "A key of another account cannot say what became of it.",
            "Use a key of the account that made it.",
        ),
        (
            "but not in the API's own words, so this proves nothing; the state is kept.",
            "A proxy or another server answered 404. It would be taken for deleted "
            "otherwise, and made a second time.",
            "Check `TOGETHER_BASE_URL` and the proxies in between.",
        ),
    ],
    "Accepted, and not serving": [
        (
            "does not serve: …. It may be running and billing",
            "The new revision crashed, could not be pulled or loaded, or was rolled back "
            "by the service. Reason, replica and last lines of output follow. Its id is "
            "in the state.",
            "Correct the program and `pulumi up`; or `pulumi destroy`.",
        ),
        (
            "The update of deployment … failed: ….",
            "The new revision crashed, could not be pulled or loaded, while the one from "
            'before serves; with `on_failed_update="rollback"` it is applied again.',
            "Correct the program and `pulumi up`.",
        ),
        (
            "was not serving after … s",
            "The time limit ended the wait, not the deployment.",
            "`pulumi up` waits again; `custom_timeouts` allows more time.",
        ),
        (
            "The run was interrupted while deployment … was rolling out",
            "Ctrl-C. The deployment goes on; its id is in the state.",
            "`pulumi up` waits again, `pulumi destroy` takes it down.",
        ),
        (
            "disappeared while it was rolling out: somebody deleted it.",
            "Nothing of it runs any more.",
            "`pulumi refresh`, then `pulumi up`.",
        ),
        (
            "serves, but not what was asked for",
            "Somebody changed it during the roll-out, or the service went back.",
            "`pulumi refresh` to see it, `pulumi up` to try again.",
        ),
        (
            "was accepted, but could not be watched:",
            "The service stopped answering after it had accepted. It may run and bill.",
            "`pulumi up` waits for it again.",
        ),
    ],
    "Nobody knows": [
        (
            "It is not known whether … was created:",
            "The request went out, no answer came, and looking failed as well. The state "
            "keeps it as unconfirmed.",
            "`pulumi up`: it finds it, or creates it if there is none.",
        ),
        (
            "It is not known whether the update of … arrived:",
            "As above, for an update.",
            "`pulumi up`: it compares with what is live and sends the rest.",
        ),
        (
            "is not known to be gone:",
            "The deletion was asked for, and nothing proves it. It may run and bill; it "
            "stays in the state.",
            "Run the command again.",
        ),
        (
            "so it cannot be told whether it is the one whose creation ended without an "
            "answer.",
            "Something of this name exists without a mark.",
            "If it is yours, `adopt=True`, or delete it; if not, `pulumi state delete`.",
        ),
    ],
    "Secrets and volumes": [
        (
            "expires in … (…); the service deletes it then",
            "A warning of the last seven days of a `Secret` with a lifetime: replicas "
            "that start without it fail.",
            "A new `value` or another `version` gives it a new lifetime.",
        ),
        (
            "was changed outside of this program at …. The service shows no values",
            "Somebody wrote to the secret; whether its value is yours cannot be told.",
            "Another `version` sends the value again.",
        ),
        (
            "cannot be mounted, as its files could not be copied:",
            "The copy into a volume's new version failed. Deployments keep the version "
            "that they mount.",
            "Correct the source or the program; `pulumi up` asks for a new version.",
        ),
        (
            "is mounted by …. …It was not deleted and stays in the state.",
            "Replicas that start later would find no files.",
            "Give the deployments another volume or take them down, then run it again.",
        ),
    ],
    "The service and the way to it": [
        (
            "The service rejected the API key at …; set … to a valid one",
            "401: the key is wrong, expired or revoked. The message names the setting "
            "that it came from; `destroy` and `refresh` use the one of the last `up`.",
            "Set it anew; for the stored one, `pulumi up` with the new key, or `--run-program`.",
        ),
        (
            "is valid but may not do …",
            "403: dedicated containers are not enabled for the account.",
            "Ask the vendor.",
        ),
        (
            "was not sent: the time limit of the operation (…) has passed.",
            "The limit was used up by what came before it.",
            "Run it again; `custom_timeouts` allows more time.",
        ),
        (
            "all … connections were busy for",
            "More operations at a time than `jig:parallel` allows.",
            "Raise `jig:parallel`, or lower `--parallel`.",
        ),
        (
            "the certificate of … is not trusted",
            "A proxy of your organisation opens TLS with its own certificate.",
            "Set `SSL_CERT_FILE` to a file with its root certificate.",
        ),
        (
            "the host … has no address",
            "The name in the address cannot be looked up from here.",
            "Correct the address, or this machine's name service.",
        ),
    ],
    "At the desk": [
        (
            "this command needs packages that are not installed; run",
            "An optional part of the package is missing.",
            "The `pip install` line that the message gives.",
        ),
        (
            "The stack is locked, by a run that goes on or by one that was killed.",
            "Nothing was changed.",
            "When you are sure that nothing runs: `pulumi cancel`, then the same again.",
        ),
        (
            "The state has been changed by somebody else since it was read.",
            "Nothing was done.",
            "Run it again.",
        ),
        (
            "already; nothing was written. Name another file, or use --force.",
            "A file of that name is there.",
            "Name another one, or `--force`.",
        ),
        (
            "met an internal error (…); please report it.",
            "A fault of this package. What it says holds no secret.",
            "Report it, with what `PULUMI_JIG_DEBUG=1` adds.",
        ),
    ],
}


def write() -> str:
    """
    The page.

    Raises:
        LookupError: A row shows what no message of the package says any more.
    """
    parts = [
        "Every failure is one or a few sentences that say what happened, whether "
        "something may be running and billing, and what to do. Facts are in attributes "
        f"of the error; `{GAP}` below stands for what a message fills in. Each row is "
        "found in the code's own messages.",
    ]
    for title, rows in ROWS.items():
        parts.append(f"## {title}")
        lost = [seen for seen, _, _ in rows if not is_said(seen)]
        if lost:
            raise LookupError(f"no message says: {lost}")
        parts.append(
            table(
                ("what you see", "what it means", "what to do"),
                [(seen, means, do) for seen, means, do in rows],
            )
        )
    parts += ["## Classes", "What programs catch, from `pulumi_jig.errors`.", _drawn()]
    return page("Errors", *parts)


def _plain(text: str) -> str:
    return re.sub(f"{GAP}(?:[ ]?{GAP})*", GAP, " ".join(text.split()))


def is_said(seen: str) -> bool:
    """Whether some message of the package holds these words."""
    wanted = _plain(seen)
    return any(wanted in _plain(text) for text in messages())


def _drawn() -> str:
    """The tree of errors as its module draws it."""
    module = tree(PACKAGE / "errors.py")
    text = str(getattr(getattr(module.body[0], "value", None), "value", ""))
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    return "```text\n" + "\n".join(line.rstrip() for line in lines) + "\n```"
