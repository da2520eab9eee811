"""Validate a patch to the Go runtime: apply, compile, test and measure it against its baseline."""
