"""Trees, toolchains and test binaries: built once, kept by hash."""
