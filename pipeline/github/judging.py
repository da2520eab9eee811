"""From a hostile folder to what is published of it, in a process of its own.

The verdict is computed again from the records, by the same functions that a run uses. Records can be made so
that this takes hours or all memory, so it has a limit of both; and it does not have the token.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import proc
from pipeline.errors import HostError, PipelineError, UsageError
from pipeline.github import artifact, remarks
from pipeline.github.remarks import Annotation
from pipeline.inputs.naming import plain
from pipeline.report import cutting, markdown, model, tables

ROOT = Path(__file__).resolve().parents[2]
MAX_SECONDS = 300.0
MAX_MEMORY = 4 << 30
# More than any comment holds; the limit is for what the other process gives back.
MAX_SUMMARY = 500_000
MAX_OUTCOME = 16 << 20


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Outcome(_Given):
    """What is published. ``summary`` is Markdown in which nothing of the records is markup."""

    series: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    verdict: Literal["pass", "fail", "nothing", "inconclusive", "interrupted", "error", "incomplete"]
    title: Annotated[str, Field(max_length=250)]
    summary: Annotated[str, Field(max_length=MAX_SUMMARY)]
    annotations: Annotated[list[Annotation], Field(max_length=remarks.MOST)]


class _Refusal(_Given):
    """Why a folder is not taken."""

    what: str
    meaning: str
    hint: str


class _Answer(_Given):
    outcome: Outcome | None = None
    refusal: _Refusal | None = None


def outcome(folder: Path) -> Outcome:
    """Judge a run's folder in this process. UsageError as of ``artifact.read``."""
    found = artifact.read(folder)
    report = model.build(found.records, found.bench)
    shown = {cell: tables.benchstat_text(text) for cell, text in found.bench.items() if text}
    headline = markdown.visible(" ".join(report.headline.split()))
    return Outcome.model_validate(
        {
            "series": report.plan["series"],
            "verdict": report.verdict,
            "title": f"{report.verdict}: {headline}"[:200],
            "summary": cutting.fit(markdown.whole(report, shown), MAX_SUMMARY, "the run's folder"),
            "annotations": remarks.of(report, found.patches),
        }
    )


def judge(folder: Path, seconds: float = MAX_SECONDS) -> Outcome:
    """The same in another process. UsageError for a folder that is not taken, or that brings its reader
    down; HostError when it takes longer than ``seconds``."""
    with tempfile.TemporaryDirectory(prefix="gopatch-") as scratch:
        place = Path(scratch) / "outcome.json"
        result = proc.run(
            [sys.executable, "-m", "pipeline.github.judging", folder.absolute(), place],
            env=proc.base_env({"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}),
            cwd=Path(scratch),  # Python imports from where it stands: not from the folder
            timeout=seconds,
        )
        if result.timed_out:
            raise HostError(
                f"reading the run took longer than {seconds:g} s",
                meaning="its records are more than a run leaves, or were made so",
            )
        raw = place.read_bytes() if result.ok and place.is_file() else b""
    if not raw or len(raw) > MAX_OUTCOME:
        raise _fallen(result)
    return _opened(raw)


def _opened(raw: bytes) -> Outcome:
    try:
        answer = _Answer.model_validate_json(raw)
    except ValidationError as error:
        raise UsageError("the run's records give no report", meaning="they were altered") from error
    if answer.outcome is None:
        why = answer.refusal or _Refusal(what="the run's records give no report", meaning="", hint="")
        raise UsageError(plain(why.what, 300), meaning=plain(why.meaning, 300), hint=plain(why.hint, 300))
    return answer.outcome


def _fallen(result: proc.Result) -> UsageError:
    last = result.tail.strip().rsplit("\n", 1)[-1].split(":", 1)[0]
    kind = last.rsplit(".", 1)[-1] if last.replace(".", "").isidentifier() else f"status {result.returncode}"
    return UsageError(
        f"the run's records bring their reader down ({kind})",
        meaning="they say what no run can say: they were altered, or another version of gopatch wrote them",
    )


def _main(folder: Path, place: Path) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    try:
        answer = _Answer(outcome=outcome(folder))
    except PipelineError as error:
        answer = _Answer(refusal=_Refusal(what=error.what, meaning=error.meaning, hint=error.hint))
    place.write_text(answer.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
