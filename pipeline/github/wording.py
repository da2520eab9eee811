"""What is published, as Markdown: of a result, and of one that could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import PipelineError
from pipeline.github.check import Check
from pipeline.github.judging import Outcome
from pipeline.github.remarks import Annotation
from pipeline.report import blocks, cutting
from pipeline.report.markdown import md


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is told about one commit, whatever came out. ``key`` is the series, or what stands for one that
    is not known; ``details_url`` is a checked address, '' for none."""

    key: str
    sha: str
    verdict: str
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()
    details_url: str = ""

    @property
    def whole(self) -> str:
        """Where all of it is, as Markdown."""
        run = f"[the run]({self.details_url})" if self.details_url else "the run"
        return f"the artifact `report` of {run}"

    def comment(self, limit: int) -> str:
        """The comment, at most ``limit`` characters without its marker."""
        run = f" by [this run]({self.details_url})" if self.details_url else ""
        end = f"\n*Said of commit {self.sha}{run}. This comment is updated when there is a newer result.*\n"
        return cutting.fit(self.summary, limit - blocks.units(end), self.whole) + end

    def check(self) -> Check:
        """The check run: verdict and platforms in front, everything else below."""
        head, rest = cutting.divide(self.summary)
        return Check(
            key=self.key,
            verdict=self.verdict,
            title=self.title,
            summary=lambda limit: cutting.fit(head, limit, self.whole),
            text=lambda limit: cutting.fit(rest, limit, self.whole),
            annotations=self.annotations,
            details_url=self.details_url,
        )


def of(outcome: Outcome, sha: str, details_url: str) -> Notice:
    """What is told of a result."""
    return Notice(
        key=outcome.series,
        sha=sha,
        verdict=outcome.verdict,
        title=outcome.title,
        summary=outcome.summary,
        annotations=tuple(outcome.annotations),
        details_url=details_url,
    )


def unreadable(error: PipelineError, key: str, sha: str, details_url: str) -> Notice:
    """What is told when there is no result that can be read: silence would pass for agreement."""
    lines = [
        "## ⚠️ The result cannot be read",
        f"**{md(error.what)}.**" + (f" {md(error.meaning)}." if error.meaning else ""),
        "Nothing is known about the change: it was neither passed nor failed.",
    ]
    return Notice(
        key=key,
        sha=sha,
        verdict="unreadable",
        title="the result cannot be read",
        summary="\n\n".join(lines) + "\n",
        details_url=details_url,
    )
