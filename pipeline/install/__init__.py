"""Putting a patched toolchain in its place, and taking it back."""
