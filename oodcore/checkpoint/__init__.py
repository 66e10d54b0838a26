"""Weights with their card, panel and reference, as a folder that says what it holds. Never pickle."""

from oodcore.checkpoint.card import Card, read_card
from oodcore.checkpoint.loading import import_checkpoint, load
from oodcore.checkpoint.places import file_of, folder_of, is_shipped, known, shipped
from oodcore.checkpoint.reference import load_energies, load_prior, load_reference, save_reference
from oodcore.checkpoint.store import save, seal, write_manifest

__all__ = [
    "Card",
    "file_of",
    "folder_of",
    "import_checkpoint",
    "is_shipped",
    "known",
    "load",
    "load_energies",
    "load_prior",
    "load_reference",
    "read_card",
    "save",
    "save_reference",
    "seal",
    "shipped",
    "write_manifest",
]
