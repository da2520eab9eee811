"""The order of a run: balanced, seeded, and the same for both sides."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

from pipeline.records import Side

T = TypeVar("T")

# Whether the baseline goes first in each round of a block of four. Each side leads twice, so a steady drift
# cancels over a block; and neighbouring rounds have the same order as often as the opposite one. With AB BA
# blocks alone they mostly have the opposite one, which on a drifting machine makes neighbouring pairs err
# in the same direction: 6 false alarms in 100 where 5 were promised (docs/statistics.md).
BLOCKS = (
    (True, True, False, False),
    (False, False, True, True),
    (True, False, False, True),
    (False, True, True, False),
)


def _random(*seed: object) -> random.Random:
    # Not `hash`: the same seed must give the same order in every process.
    text = "/".join(map(str, seed)).encode()
    return random.Random(int.from_bytes(hashlib.sha256(text).digest()[:8], "big"))  # noqa: S311  # a schedule


def side_order(seed: str, benchmark: str, round_: int) -> tuple[Side, Side]:
    """Which side goes first in a round (counted from 1), by the block that ``seed`` draws for it."""
    block, place = divmod(round_ - 1, len(BLOCKS[0]))
    base_leads = _random(seed, benchmark, block).choice(BLOCKS)[place]
    return ("base", "patched") if base_leads else ("patched", "base")


def layout_seed(seed: str, round_: int) -> int:
    """The linker's ``-randlayout`` of a round: positive, and another for every round and run."""
    return _random(seed, "layout", round_).randrange(1, 1 << 31)


def shuffled(seed: str, round_: int, benchmarks: Sequence[T]) -> list[T]:
    """The benchmarks in this round's order."""
    order = list(benchmarks)
    _random(seed, "order", round_).shuffle(order)
    return order
