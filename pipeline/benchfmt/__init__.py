"""Go's benchmark format: a streaming reader and a writer."""
