"""``patch-check``: the stages that need no building of toolchains and no running of anything."""

from __future__ import annotations

from pipeline.flow import compiling, reaching, stages
from pipeline.flow.context import Context


def execute(context: Context) -> None:
    """Fetch, apply, reach, compile. Raises what ends it early; what it learned is in the ledger."""
    source = stages.fetch(context)
    patched = stages.apply(context, source)
    builder = context.place.builder(source)
    compiling.run(context, builder, reaching.find(context, builder, patched))
