"""The thin shell around the pure core: one account's runtime, its reads, its sends and what became of them."""
