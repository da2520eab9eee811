"""Compile and test gates: the baseline beside the patched side, so that old faults are not charged."""
