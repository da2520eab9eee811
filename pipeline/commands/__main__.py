"""``python -m pipeline.commands``: what ``./inv`` starts."""

from pipeline.commands.program import main

main()
