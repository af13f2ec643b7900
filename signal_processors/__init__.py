"""Programs that turn what sources say into documents: one process per source, one document each."""
