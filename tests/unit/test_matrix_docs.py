"""The examples of docs/matrix.md, and those that matrix.yml has as comments, are read as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.plan import cells, matrix
from pipeline.values import Platform
from tests.unit.matrixes import HEAD, PROFILES, ROOT, SHIPPED

HOST = Platform(goos="linux", goarch="amd64")
TEXT = (ROOT / "docs/matrix.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```\n(?:\n```cells\n(.*?)^```\n)?", TEXT, re.DOTALL | re.MULTILINE)


def ids(folder: Path, text: str) -> list[str]:
    path = folder / "matrix.yml"
    path.write_text(text, encoding="utf-8")
    return [row.cell.id for row in cells.rows(matrix.load(path), "standard", HOST)]


@pytest.mark.parametrize(("example", "listed"), EXAMPLES)
def test_an_example_is_right_and_makes_the_cells_that_are_listed(
    tmp_path: Path, example: str, listed: str
) -> None:
    platforms = (
        "" if "platforms:\n" in example else "platforms:\n  linux-amd64: {goos: linux, goarch: amd64}\n"
    )
    found = ids(tmp_path, f"{HEAD}{platforms}{example}{PROFILES}")
    if listed:
        assert found == listed.split()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
    assert sum(bool(listed) for _, listed in EXAMPLES) == 2


def test_the_examples_in_the_file_itself(tmp_path: Path) -> None:
    """Uncommented, they make the cells that the comment promises; as it stands, one a platform."""
    plain = ids(tmp_path, SHIPPED)
    assert len(plain) == 6
    lines = SHIPPED.split("\n")
    for first in ("# axes:", "# suites:"):
        at = lines.index(first)
        while lines[at].startswith("# "):
            lines[at] = lines[at].removeprefix("# ")
            at += 1
    found = ids(tmp_path, "\n".join(lines))
    added = [one for one in found if one not in plain]
    assert added == [
        "linux-amd64-one-cpu",
        "linux-amd64-gogc-50",
        "linux-amd64-gogc-off",
        "darwin-arm64-gogc-50",
    ]
    promised = SHIPPED[SHIPPED.index("# An axis is") : SHIPPED.index("# axes:")]
    assert all(one in promised for one in added if one.startswith("linux"))


def test_every_command_of_the_page_is_one(tmp_path: Path) -> None:
    import tasks

    for name in re.findall(r"^    \./inv (\S+)", TEXT, re.MULTILINE):
        assert hasattr(tasks, name.replace("-", "_"))
    options = set(re.findall(r"(?<=matrix )--([a-z-]+)", TEXT))
    assert options
    assert options <= {"explain", "json", "list", "schema", "github-output"}
