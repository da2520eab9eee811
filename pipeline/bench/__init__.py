"""Measuring: a schedule of paired rounds, one process a sample, appended as benchfmt."""
