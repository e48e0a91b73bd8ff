"""
Fixtures for people who test their own programs; pytest loads them by itself.

    def test_stack(jig_rehearsal):
        stack = jig_rehearsal("infra")
        assert stack.up().raise_if_failed().changes == {"create": 2}

Every pytest session of everybody who has this package installed loads this module, so
nothing heavy is imported before a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from pulumi_jig.emulator import RunningEmulator
    from pulumi_jig.rehearsal.harness import Rehearsal

# No real key looks like this; the emulator takes any that is not `invalid...`.
KEY = "rehearsal-key"


@pytest.fixture
def jig_emulator() -> Iterator[RunningEmulator]:
    """A fresh emulator of the API, for this test alone: `.url`, `.admin`."""
    from pulumi_jig.emulator import start

    # No roll-out takes time: a test that wants one to take time starts its own.
    emulator = start(time_scale=0)
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture
def jig_rehearsal(
    jig_emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Rehearsal]]:
    """
    Makes rehearsals of programs, wired to the emulator of this test.

    Called with the program's folder and whatever `Rehearsal` takes. All states of a
    test lie in one backend, so that its stacks can refer to one another. Temporary
    state is removed at the end; what the program made lives in the emulator, which goes
    too.
    """
    from pulumi_jig.rehearsal.harness import Rehearsal

    made: list[Rehearsal] = []
    backend = tmp_path_factory.mktemp("backend")

    def rehearse(program_dir: str | os.PathLike[str], **options: Any) -> Rehearsal:
        env = {
            "TOGETHER_BASE_URL": jig_emulator.url,
            "TOGETHER_API_KEY": KEY,
            **(options.pop("env", None) or {}),
        }
        if not options.get("state_file"):
            options.setdefault("backend", backend)
        made.append(Rehearsal(program_dir, env=env, **options))
        return made[-1]

    yield rehearse
    for rehearsal in made:
        rehearsal.close()
