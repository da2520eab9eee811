"""What commands load, for the process that they are forked from."""

import pipeline.commands.bundle
import pipeline.commands.cell
import pipeline.commands.merge
import pipeline.commands.patch_apply
import pipeline.commands.patch_map
import pipeline.commands.patch_validate
import pipeline.commands.program
import pipeline.commands.toolchain  # noqa: F401
