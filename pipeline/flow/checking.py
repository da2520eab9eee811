"""``patch-check``: the stages that need no building of toolchains and no running of anything."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.errors import NothingToDoError
from pipeline.flow import compiling, reaching, stages
from pipeline.flow.context import Context
from pipeline.flow.reaching import Reached

_SHOWN = 6


def execute(context: Context) -> None:
    """Fetch, apply, reach, compile. Raises what ends it early; what it learned is in the ledger."""
    builder = stages.fetch(context)
    patched = stages.apply(context, builder.base)
    reached = reaching.find(context, builder, patched)
    require_something(reached)
    compiling.run(context, builder, reached)


def require_something(reached: Reached) -> None:
    """NothingToDoError when no platform compiles anything that a prefix of the series changes."""
    if any(one.changed for prefix in reached.prefixes for one in prefix.reach.values()):
        return
    files = sorted({name for prefix in reached.prefixes for name in prefix.changed})
    raise NothingToDoError(
        f"the series changes nothing that any platform compiles: {_names(files) or 'no file at all'}",
        meaning="no package was checked, so nothing is known about it",
        hint="a file below src/ that should have been compiled may have a mistake in its name or build line",
    )


def _names(files: Collection[str]) -> str:
    names = list(files)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
