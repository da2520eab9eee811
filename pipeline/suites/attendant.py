"""The first process of a container in which a cell runs. ``cells/attendant.py`` talks to it."""

from pathlib import Path

SOURCE = Path(__file__).with_name("attendant.go")
