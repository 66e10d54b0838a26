"""Images → batches: the catalogue, one source per file, and the one safe decoder."""
