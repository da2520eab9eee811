"""One module per verb a user types; the only place that prints."""
