"""Batches → `Outputs`, in one pass."""
