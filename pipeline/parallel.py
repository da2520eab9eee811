"""Several programs at once: one thread each, and the end of one is the end of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipeline import proc

T = TypeVar("T")
R = TypeVar("R")


def run(
    width: int, work: Callable[[T], R], items: Iterable[T], each: Callable[[R], None] | None = None
) -> list[R]:
    """``work`` of every item, at most ``width`` at a time, in the items' order. ``each`` sees the results
    in that order as they arrive, in the caller's thread. What one raises ends the programs of all."""
    results = []
    with ThreadPoolExecutor(max_workers=max(1, width)) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                results.append(future.result())
                if each is not None:
                    each(results[-1])
        except BaseException:
            proc.interrupt_all()
            pool.shutdown(cancel_futures=True)
            proc.reset_interrupt()
            raise
    return results
