"""Objective + batches → steps."""
