"""The order of a run: balanced, seeded, and the same for both sides."""

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
    """Which side goes first: pairs of rounds are AB BA or BA AB, drawn by seed, so that each side leads
    equally often and a drift within a pair cancels over two rounds."""
    block, second = divmod(round_ - 1, 2)
    base_leads = _random(seed, benchmark, block).random() < 0.5
    if second:
        base_leads = not base_leads
    return ("base", "patched") if base_leads else ("patched", "base")


def shuffled(seed: str, round_: int, benchmarks: Sequence[T]) -> list[T]:
    """The benchmarks in this round's order."""
    order = list(benchmarks)
    _random(seed, "order", round_).shuffle(order)
    return order
