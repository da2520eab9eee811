"""Both sides' test binaries as the go command makes them, and what each side is made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.records import Side
from pipeline.toolchain import testbin
from pipeline.toolchain.build import Builder
from pipeline.toolchain.programs import Origin
from pipeline.toolchain.stamp import Stamp
from pipeline.toolchain.testbin import Dropped
from pipeline.toolchain.trees import PatchedTree
from pipeline.values import Platform, TestBinary, Toolchain, Variant


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """By side, and the binaries by package: a package without tests for the platform has none. ``dropped``
    are the series' test files that do not compile on the baseline."""

    origins: Mapping[Side, Origin]
    binaries: Mapping[Side, Mapping[str, TestBinary]]
    dropped: tuple[Dropped, ...]

    def stamps(self, commit: str, series: str) -> dict[Side, Stamp]:
        """What each side's programs say of themselves; ``series`` is its digest."""
        return {
            side: Stamp(commit=commit, series=series, tree=origin.tree.digest)
            for side, origin in self.origins.items()
        }


def both(
    builder: Builder,
    patched: PatchedTree,
    packages: Sequence[str],
    *,
    own_tools: Toolchain | None,
    target: Platform | None = None,
    variant: Variant = testbin.PLAIN,
) -> Compiled:
    """Compile them for ``target`` (None: this host). ``own_tools`` is the patched toolchain where the series
    changes the compiler or what it calls: then it must compile the patched side. Otherwise the release's
    gives the same code, and its build cache is warm. PatchError when a side does not compile."""
    base = builder.base.digest
    tools, tree = base, patched.tree
    if own_tools:
        # In the toolchain's own tree: seen from another GOROOT, src/os is a package called std/os.
        tools, tree = own_tools.digest, dataclasses.replace(tree, root=own_tools.root)
    go = builder.go(tree.root, tools)
    new = testbin.compile_patched(builder, go, tree, tools, packages, target, variant)
    old = testbin.compile_baseline(builder, patched.tree, patched.changed, list(new), target, variant)
    of_base = builder.go(old.tree.root, base)
    shared = Origin(
        builder=builder, go=of_base, tree=old.tree, side="base", tools=base, target=target, variant=variant
    )
    return Compiled(
        origins={
            "base": shared,
            "patched": dataclasses.replace(shared, go=go, tree=tree, side="patched", tools=tools),
        },
        binaries={"base": old.binaries, "patched": new},
        dropped=old.dropped,
    )
