"""Scores → numbers, each with its convention in its name."""
