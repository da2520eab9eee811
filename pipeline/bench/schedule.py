"""The order of a run: drawn by a seed, so that nothing about the machine can follow it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

from pipeline.records import Side

T = TypeVar("T")


def _random(*seed: object) -> random.Random:
    # Not `hash`: the same seed must give the same order in every process.
    text = "/".join(map(str, seed)).encode()
    return random.Random(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))  # noqa: S311  # a schedule


def side_order(seed: str, benchmark: str, round_: int) -> tuple[Side, Side]:
    """Which side goes first in a round: a fair coin of its own for every pair.

    If the patch changes nothing, the order alone decides the sign of a pair's difference. Independent coins
    therefore make the signed-rank test exact whatever the machine does. Balanced blocks (ABBA) do not: their
    signs depend on each other, and a disturbance with their period gave 22 false alarms in 100.
    """
    return ("base", "patched") if _random(seed, benchmark, round_).random() < 0.5 else ("patched", "base")


def layout_seed(seed: str, round_: int) -> int:
    """The linker's ``-randlayout`` of a round: positive, and another for every round and run."""
    return _random(seed, "layout", round_).randrange(1, 1 << 31)


def shuffled(seed: str, round_: int, benchmarks: Sequence[T]) -> list[T]:
    """The benchmarks in this round's order."""
    order = list(benchmarks)
    _random(seed, "order", round_).shuffle(order)
    return order
