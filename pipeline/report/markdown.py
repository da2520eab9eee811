"""``summary.md``: what a pull request shows."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from pipeline.console import duration
from pipeline.records import HunkPlaced, PatchApplied
from pipeline.report import conditions, cutting, gates
from pipeline.report.benchmarks import BenchmarkRow, Center
from pipeline.report.cell import CellReport
from pipeline.report.compiling import TITLES
from pipeline.report.model import RunReport

if TYPE_CHECKING:
    import jinja2

MAX_CHARACTERS = 65_000
_MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~@&!$])")
_LINKED = re.compile(r"(?i)[@#](?=\w)|:(?=//)|www(?=\.)|GH(?=-\d)")
_NO_CODE = str.maketrans("`|", "'¦")


def render(report: RunReport, tables: Mapping[str, str]) -> str:
    """The summary; ``tables`` maps a cell to benchstat's text table. At most ``MAX_CHARACTERS``: what can be
    spared is left out, and that is said."""
    return cutting.fit(whole(report, tables), MAX_CHARACTERS, "the run's folder")


@functools.cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Markdown: see md()
    )
    environment.filters |= {"md": md, "code": code, "html": html, "fence": fence}
    return environment.get_template("summary.md.j2")


def whole(report: RunReport, tables: Mapping[str, str]) -> str:
    """The summary, however long."""
    text = _template().render(
        report=report,
        mark=_MARKS.get(report.verdict, "⚠️"),
        tables={c.id: tables.get(c.id, "") for c in report.cells},
        version=report.source.version if report.source else report.plan["base"],
        gates=[(cell, gate) for cell in report.cells for gate in gates.notable(cell.gates)],
        titles=TITLES,
        tested=[(cell, group) for cell in report.cells for group in gates.groups(cell)],
        own=[(cell, gate) for cell in report.cells for gate in gates.own(cell)],
        alike={cell.id: gates.skipped_alike(cell) for cell in report.cells},
        counted=gates.counted,
        worth=gates.worth,
        result=gates.result,
        center=center,
        interval=interval,
        p_value=p_value,
        verdict=verdict,
        noise=noise,
        machine_lines=machine_lines,
        condition_lines=lambda cell: conditions.lines(cell.conditions),
        moved=moved,
        unclean=unclean,
        percent=_percent,
        duration=duration,
        command=report.started.command,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def md(value: Any) -> str:
    """Text as Markdown shows it literally, also in a table cell: one line, specials escaped."""
    return _unlinked(_SPECIAL.sub(r"\\\1", _one_line(value)))


def html(value: Any) -> str:
    """The same inside a tag on a line of its own, where Markdown is not read."""
    return _unlinked(escape(_one_line(value), quote=False))


def code(value: Any) -> str:
    """Text as inline code."""
    return f"`{_one_line(value).translate(_NO_CODE) or '–'}`"


def fence(value: str) -> str:
    """Text inside a fenced block: nothing in it can end the fence."""
    return visible(value.replace("```", "'''").replace("\r\n", "\n"), keep="\n\t")


def _one_line(value: Any) -> str:
    return visible(" ".join(str(value).split()))


def visible(text: str, keep: str = "") -> str:
    """What is no character, turns the direction of writing, or is not seen at all could show something else
    than what is there."""
    return "".join(char if char.isprintable() or char in keep else "\ufffd" for char in text)


def _unlinked(text: str) -> str:
    """GitHub looks for names, issues and addresses in the rendered text, where a backslash is gone:
    cmark-gfm#181."""
    return _LINKED.sub(r"\g<0>&#8203;", text)


def _percent(value: float) -> str:
    return f"{100 * value:g} %"


def scaled(value: float, unit: str) -> str:
    """A value with four digits and an SI (bytes: binary) prefix."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if unit.startswith("B"):
        steps = [(2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, "")]
    else:
        steps = [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")]
    size, prefix = next((step for step in steps if abs(value) >= step[0] * 0.99995), steps[-1])
    return f"{value / size:.4g}{prefix}"


def center(value: Center | None, unit: str) -> str:
    """``3.12µ ± 2%``, or a dash."""
    if value is None:
        return "–"
    if value.low == value.high:
        return scaled(value.median, unit)
    if not (math.isfinite(value.low) and math.isfinite(value.high)) or value.median == 0:
        return f"{scaled(value.median, unit)} ± ∞"
    spread = max(value.high / value.median - 1, 1 - value.low / value.median)
    return f"{scaled(value.median, unit)} ± {100 * spread:.0f}%"


def interval(row: BenchmarkRow) -> str:
    """``+1.2 % [-0.3, +2.6]``."""
    if math.isnan(row.ratio):
        return "–"
    low, high = (100 * (bound - 1) for bound in row.ci)
    if low == high:
        return f"{low:+.2f} % (exact)" if low else "0 (exact)"
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{100 * (row.ratio - 1):+.1f} %"
    return f"{100 * (row.ratio - 1):+.1f} % [{low:+.1f}, {high:+.1f}]"


def p_value(row: BenchmarkRow) -> str:
    """The p that decides, corrected for looks and family; of a row that may claim nothing, the plain one."""
    unchanged = row.verdict == "no-change" and row.absolute is not None
    if math.isnan(row.p) or row.phase == "exact" or unchanged:
        return "–"
    return f"{row.p:.3f} plain" if row.phase in {"screen", "suspect"} else f"{row.q:.3f}"


def benchstat_p(row: BenchmarkRow) -> str:
    """What benchstat says of the same samples, unpaired."""
    return "–" if math.isnan(row.benchstat_p) else f"{row.benchstat_p:.3f}"


def noise(row: BenchmarkRow, report: RunReport) -> str:
    """The host's noise floor for this row, and a word when it is larger than what counts as a change."""
    if math.isnan(row.noise):
        return "–"
    limits = report.plan["unit_thresholds"].get(row.unit, report.plan["threshold"])
    loud = " (above what counts)" if row.noise > limits["effect"] else ""
    return f"{100 * row.noise:.1f} %{loud}"


def moved(patch: PatchApplied) -> list[HunkPlaced]:
    """The hunks that did not apply exactly."""
    return [hunk for hunk in patch.account if hunk.rung != "exact"]


def unclean(report: RunReport) -> list[str]:
    """A sentence for each patch that did not apply cleanly and was let pass."""
    lines = []
    for patch in report.patches:
        if patch.skipped:
            lines.append(f"{patch.file} was left out: the tree holds its result (--allow already-applied)")
        elif patch.allowed:
            lines.append(
                f"{patch.file} did not apply cleanly: {', '.join(patch.allowed)}, let pass by --allow. What "
                "was built and measured may not be what its author wrote: look at these places"
            )
    return lines


def machine_lines(cell: CellReport) -> list[str]:
    """What the machine did while the cell was measured, one sentence each."""
    found, lines = cell.machine, []
    if found and found.elsewhere:
        usual, worst = found.elsewhere
        lines.append(
            f"Other programs used {usual:.2f} of {found.cores} cores in the median round, "
            f"{worst:.2f} in the worst."
        )
    if found and found.steal is not None:
        lines.append(f"A hypervisor took at most {100 * found.steal:.1f} % of a round.")
    for one in cell.retried:
        lines.append(
            f"{one.package}.{one.benchmark} failed in round {one.round} on the {one.side} side, and not when "
            f"it was tried again: {one.reason} (logs/{one.log})."
        )
    moved = [row for row in cell.benchmarks if math.isfinite(row.drift)]
    if moved:
        most = max(moved, key=lambda row: abs(row.drift))
        lines.append(
            f"The baseline's own trend over the rounds was {100 * most.drift:+.1f} % "
            f"({most.package}.{most.name}, the most; its single rounds lie between "
            f"{scaled(most.span[0], most.unit)} and {scaled(most.span[1], most.unit)}); "
            "pairs cancel what moves both sides."
        )
    return lines


def verdict(row: BenchmarkRow) -> str:
    """The verdict in words, with its resolution."""
    if row.verdict == "no-change" and row.q <= 0.05 and math.isfinite(row.ratio) and row.phase != "exact":
        return f"changed by {100 * (row.ratio - 1):+.1f} %, less than what counts"
    if row.verdict == "no-change":
        if row.phase == "exact" or row.absolute == 0:
            return "no change"
        if row.absolute is not None:
            return f"no change beyond ±{row.absolute:.2g} {row.unit}"
        return f"no change beyond ±{100 * row.resolution:.1f} %"
    if row.verdict == "inconclusive" and math.isfinite(row.resolution):
        reason = f"; {row.reason}" if row.reason else ""
        return f"inconclusive: could be up to ±{100 * row.resolution:.1f} %{reason}"
    return row.verdict + (f": {row.reason}" if row.reason else "")
