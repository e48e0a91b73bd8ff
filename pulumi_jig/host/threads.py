"""The plugin host's thread pool, which is too small for waiting."""

from __future__ import annotations

from pulumi_jig.host.frames import enabled, frames


def widen(threads: int) -> bool:
    """
    Give the plugin host as many threads as the API client may have requests.

    The stock host has four for everything: four deployments that wait for a roll-out
    stop every other resource of the stack. Threads are started for calls that are
    queued already (a refresh begins with a burst), because a thread pool otherwise
    grows only when the next call arrives.

    Returns:
        Whether the pool was found.
    """
    if not enabled():
        return False
    for frame in frames():
        if (
            frame.f_code.co_name != "_worker"
            or "thread" not in frame.f_code.co_filename
        ):
            continue
        reference = frame.f_locals.get("executor_reference")
        try:
            pool = reference() if reference is not None else None
            if pool is None:
                return False
            if pool._max_workers < threads:  # noqa: SLF001 - there is no public way
                pool._max_workers = threads  # noqa: SLF001
                for _ in range(pool._work_queue.qsize()):  # noqa: SLF001
                    pool._adjust_thread_count()  # noqa: SLF001
        except Exception:
            return False
        return True
    return False
