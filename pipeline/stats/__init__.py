"""Samples, exact tests and summaries."""
