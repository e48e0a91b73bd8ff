"""
Runs a Pulumi program against the addresses of a rehearsal; started as a process.

The launcher that starts Python programs is part of the `pulumi` command, not of the SDK.
This one does the same with the SDK's public functions, in whatever Python the project
asks for, so it may import nothing but the SDK.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The language host's way to say that the failure has been reported already.
_REPORTED = 32


def _user_traceback(program: str, error: BaseException) -> str:
    """The traceback of `error` from the first frame of the user's program on."""
    frames = traceback.extract_tb(error.__traceback__)
    for index, frame in enumerate(frames):
        if Path(frame.filename).resolve().is_relative_to(Path(program).resolve()):
            return "".join(traceback.format_exception(error, limit=index - len(frames)))
    return "".join(traceback.format_exception(error))


def _end_with(parent: int) -> None:
    """
    End this process when the rehearsal that started it has died.

    The SDK would go on waiting for answers that nobody is left to give.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> int:
    """Run the program in the folder `argv[1]` inside its stack resource."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

    import pulumi
    import pulumi.runtime

    pulumi.runtime.set_all_config(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    )
    parallel = int(os.environ["PULUMI_PARALLEL"])
    settings = pulumi.runtime.Settings(
        monitor=os.environ["PULUMI_MONITOR"],
        engine=os.environ["PULUMI_ENGINE"],
        project=os.environ["PULUMI_PROJECT"],
        stack=os.environ["PULUMI_STACK"],
        parallel=parallel,
        dry_run=os.environ["PULUMI_DRY_RUN"] == "true",
        organization=os.environ["PULUMI_ORGANIZATION"],
        root_directory=os.environ["PULUMI_ROOT_DIRECTORY"],
    )
    pulumi.runtime.configure(settings)
    program = str(Path(sys.argv[1]).resolve())
    sys.argv = [program]
    # `python DIR` would put the directory first; runpy does so only while it runs it,
    # and this file's own directory must not shadow the program's modules.
    sys.path = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
    if not (Path(program) / "__main__.py").exists() and Path(program).is_dir():
        pulumi.log.error(f"there is no program `__main__.py` in {program}")
        return _REPORTED

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=parallel * 4)
    loop.set_default_executor(executor)
    # A failed run leaves futures that nobody looks at; asyncio would complain of each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def run() -> None:
        runpy.run_path(program, run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
    except pulumi.RunError as error:
        # That the monitor is gone is no news: what ended the operation was logged.
        if not str(error).startswith("Resource monitor has terminated"):
            pulumi.log.error(str(error))
        return 1
    except Exception as error:
        pulumi.log.error(
            "Program failed with an unhandled exception:\n"
            + _user_traceback(program, error)
        )
        return _REPORTED
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    status = main()
    # Threads of a program that has ended must not keep its process alive.
    os._exit(status)
