"""Go sources of the diagnostics that ship with the project."""
