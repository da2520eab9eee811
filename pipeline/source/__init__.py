"""Where Go source comes from. Each source gives a ``GoTree`` with a digest and its provenance."""
