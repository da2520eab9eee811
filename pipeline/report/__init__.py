"""What is shown: pure functions of the ledger and the benchmark files."""
