"""Run one function over many items in a bounded number of threads."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
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
    failed = threading.Event()

    def call(item: Item) -> Result:
        if failed.is_set():
            raise CancelledError
        try:
            return function(item)
        except Exception:
            failed.set()
            raise

    pool = ThreadPoolExecutor(max_workers=max(1, min(limit, len(items))))
    try:
        futures = [pool.submit(call, item) for item in items]
        for _ in as_completed(futures):
            done()
        # Items are begun in their order, so a failure comes before what it cancelled.
        return [future.result() for future in futures]
    finally:
        # Not `with`: that would wait for the requests in flight after Ctrl-C.
        pool.shutdown(wait=False, cancel_futures=True)
