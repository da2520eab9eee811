"""Samples, exact tests and summaries."""

from pipeline.stats.mannwhitney import RankSummary, rank, two_sided_p
from pipeline.stats.median import MedianInterval, median, median_interval, samples_for_interval
from pipeline.stats.summary import (
    ALL_EQUAL,
    NOT_A_NUMBER,
    Comparison,
    Summary,
    compare,
    compare_exact,
    geomean,
    samples_for_test,
    sort_sample,
    summarize,
    summarize_exact,
)

__all__ = [
    "ALL_EQUAL",
    "NOT_A_NUMBER",
    "Comparison",
    "MedianInterval",
    "RankSummary",
    "Summary",
    "compare",
    "compare_exact",
    "geomean",
    "median",
    "median_interval",
    "rank",
    "samples_for_interval",
    "samples_for_test",
    "sort_sample",
    "summarize",
    "summarize_exact",
    "two_sided_p",
]
