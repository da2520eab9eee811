"""The files by which a step tells GitHub something: ``$GITHUB_OUTPUT``, ``$GITHUB_ENV`` and the summary."""

from __future__ import annotations

from pathlib import Path

# Over this the summary is dropped, and the step goes on.
SUMMARY_BYTES = 1 << 20
OUTPUT_BYTES = 1 << 20


class StepError(Exception):
    """What fails a step on GitHub."""


def assignments(text: str) -> dict[str, str]:
    """``name=value`` lines, and ``name<<WORD``, lines, ``WORD``. StepError for anything else."""
    found: dict[str, str] = {}
    lines = text.split("\n")
    while lines:
        line = lines.pop(0).rstrip("\r")
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc > 0 and (equals < 0 or heredoc < equals):
            name, _, word = line.partition("<<")
            if not word or word not in lines:
                raise StepError(f"Invalid value. Matching delimiter not found {word!r}")
            end = lines.index(word)
            found[name], lines = "\n".join(lines[:end]), lines[end + 1 :]
        elif equals > 0:
            found[line[:equals]] = line[equals + 1 :]
        else:
            raise StepError(f"Invalid format {line!r}")
    return found


def outputs(path: Path) -> dict[str, str]:
    """The outputs of a step."""
    data = path.read_bytes()
    if len(data) > OUTPUT_BYTES:
        raise StepError(f"outputs of {len(data)} bytes")
    return assignments(data.decode("utf-8"))


def summary(path: Path) -> str:
    """What a step adds to the job's summary."""
    data = path.read_bytes()
    if len(data) > SUMMARY_BYTES:
        raise StepError(f"$GITHUB_STEP_SUMMARY upload aborted: {len(data)} bytes")
    return data.decode("utf-8")
