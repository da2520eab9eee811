"""What the series and each of its prefixes reach, on every platform of the release."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pipeline import tree
from pipeline.errors import PatchError
from pipeline.flow.context import Context
from pipeline.gates.compile import Prefix
from pipeline.patch import listing, reach
from pipeline.patch.listing import Asker, Release
from pipeline.patch.reach import Reach
from pipeline.records import CellReach, SeriesReach
from pipeline.toolchain import trees
from pipeline.toolchain.build import Builder
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import Cell, GoTree, Platform

FEW = 12
# One without imports, and one that needs what is vendored.
_WITNESSES = ("net", "runtime")


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The release's platforms, and every prefix of the series with what it reaches; the last prefix is the
    whole series."""

    release: Release
    prefixes: tuple[Prefix, ...]

    @property
    def whole(self) -> Mapping[Platform, Reach]:
        """What the whole series reaches."""
        return self.prefixes[-1].reach

    @property
    def importers(self) -> Mapping[Platform, tuple[str, ...]]:
        """By platform that is reached: the packages that import one directly which changes there."""
        return {
            platform: self.release.importing(one.packages, platform.goos)
            for platform, one in self.whole.items()
            if one.reached
        }

    @property
    def importing(self) -> Mapping[Platform, tuple[str, ...]]:
        """The importers of the platforms where they are few: a change of what a package exports breaks them
        and not itself. Those of the runtime or of errors are half the library."""
        return {platform: found for platform, found in self.importers.items() if len(found) <= FEW}

    def supports(self, cell: Cell) -> bool:
        """Whether the release knows the cell's platform at all."""
        return cell.platform in self.whole

    def of(self, cell: Cell) -> Reach:
        """What the series reaches on a cell's platform."""
        return self.whole.get(cell.platform) or reach.untouched(cell.platform)


def find(context: Context, builder: Builder, patched: PatchedTree) -> Reached:
    """Ask the release's own go command, on the baseline and on every prefix."""
    with context.stage("reach"):
        asker = Asker(
            store=context.store, shell=context.shell, release=builder.base.digest, jobs=context.jobs
        )
        go = builder.go(builder.base.root, builder.base.digest)
        context.progress.step("platforms of the release")
        packages = _asked({name for files in patched.steps for name in files})
        pool = ThreadPoolExecutor(1)  # while go answers, the prefixes' trees are linked
        try:
            numbers = range(1, len(patched.steps))
            making = [pool.submit(trees.prefix, context.store, builder.base, patched, n) for n in numbers]
            release = listing.of_release(asker, go, context.plan.host)
            before = listing.of_tree(asker, go, builder.base.manifest, packages, release.platforms)
            # For the store: it is asked again below, where a patch at fault is named in the series' order.
            with contextlib.suppress(PatchError):
                _after(asker, builder, patched.tree, packages, release)
            steps = [*(one.result() for one in making), patched.tree]
        finally:
            pool.shutdown(cancel_futures=True)
        found = []
        for number, (patch, one) in enumerate(zip(context.plan.series.patches, steps, strict=True), 1):
            context.progress.step(f"{len(release.platforms)} platforms, {patch.name}", number, len(steps))
            with _blamed(f"patch {number} of {len(steps)} ({patch.name})"):
                after = _after(asker, builder, one, packages, release)
            names = tuple(tree.changed(builder.base.manifest, one.manifest))
            reached_by = reach.of_platforms(before, after, names)
            found.append(Prefix(number=number, patch=patch.name, tree=one, changed=names, reach=reached_by))
        reached = Reached(release=release, prefixes=tuple(found))
        _record(context, reached)
    return reached


@contextlib.contextmanager
def _blamed(patch: str) -> Iterator[None]:
    """Have a PatchError say which patch it is of."""
    try:
        yield
    except PatchError as error:
        raise PatchError(f"{patch}: {error.what}", meaning=error.meaning, hint=error.hint) from error


def _after(
    asker: Asker, builder: Builder, one: GoTree, packages: Sequence[str], release: Release
) -> listing.Listings:
    """The listings of a prefix's tree."""
    base = builder.base
    go, own = (builder.go(root, base.digest) for root in (base.root, one.root))
    return listing.of_tree(asker, own, one.manifest, packages, release.platforms, baseline=go)


def _asked(changed: Collection[str]) -> list[str]:
    """The packages to list. What describes a module is in none of them, and is only read for one."""
    packages = reach.changed_packages(changed)
    modules = any(listing.is_module_file(name) for name in changed)
    return sorted({*packages, *_WITNESSES}) if modules else packages


def _changed(whole: Mapping[Platform, Reach]) -> list[str]:
    return sorted({package for one in whole.values() for package in one.packages})


def _record(context: Context, reached: Reached) -> None:
    for cell in context.plan.cells:
        found = reached.of(cell)
        context.ledger.append(
            CellReach(
                cell=cell.id,
                goos=cell.platform.goos,
                goarch=cell.platform.goarch,
                packages=list(found.packages),
                files=list(found.files),
            )
        )
    whole = reached.whole
    packages = _changed(whole)
    importers = reached.importers
    context.ledger.append(
        SeriesReach(
            reached={str(platform): list(one.packages) for platform, one in whole.items() if one.reached},
            tests_only=[str(p) for p, one in whole.items() if one.test_packages and not one.reached],
            untouched=[str(p) for p, one in whole.items() if not one.files],
            dependents=len(reached.release.dependents(packages, context.plan.host.goos)),
            host=str(context.plan.host),
            unlisted=reach.unlisted(whole.values(), reached.prefixes[-1].changed),
            importing=len({name for found in importers.values() for name in found}),
            importing_checked=all(len(found) <= FEW for found in importers.values()),
            importing_unchecked=[str(p) for p, found in importers.items() if len(found) > FEW],
        )
    )
