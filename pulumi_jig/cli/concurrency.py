"""Run one function over many items in a bounded number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_concurrent(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    limit: int,
    done: Callable[[], None] = lambda: None,
) -> list[Result]:
    """
    The results of a function for all items, in the order of the items.

    Ctrl-C does not wait for the requests in flight; `pulumi_jig.cli.main` ends the
    process under their threads.

    Args:
        function: Called in several threads.
        items: Its arguments.
        limit: How many calls run at a time.
        done: Called in the calling thread after each.

    Raises:
        Exception: What `function` raised, the first by the order of the items. Calls
            that run then are waited for; no other is begun, since a service that
            cannot be reached would be tried for each item.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, min(limit, len(items))))
    try:
        futures = [pool.submit(function, item) for item in items]
        for future in as_completed(futures):
            if not future.cancelled() and future.exception() is not None:
                pool.shutdown(wait=True, cancel_futures=True)
                break
            done()
        for future in futures:
            if not future.cancelled() and (error := future.exception()) is not None:
                raise error
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
