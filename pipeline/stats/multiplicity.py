"""Many comparisons at once: what screening may flag, and what a family of confirmations may claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")


def holm(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's step-down adjusted p-values: control the chance of any false alarm in the family."""
    adjusted: dict[Key, float] = {}
    running = 0.0
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for index, (key, p) in enumerate(ordered):
        running = max(running, min(1.0, p * (len(ordered) - index)))
        adjusted[key] = running
    return adjusted


def benjamini_hochberg(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """Benjamini–Hochberg's step-up adjusted p-values: control the expected share of false discoveries."""
    adjusted: dict[Key, float] = {}
    running = 1.0
    ordered = sorted(p_values.items(), key=lambda item: item[1], reverse=True)
    for index, (key, p) in enumerate(ordered):
        running = min(running, p * len(ordered) / (len(ordered) - index))
        adjusted[key] = running
    return adjusted
