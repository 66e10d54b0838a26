"""What the files of a checkpoint folder are called."""

__all__ = ["CARD", "MODEL", "PANEL", "REFERENCE"]

CARD = "card.json"
MODEL, PANEL, REFERENCE = "model.safetensors", "panel.safetensors", "reference.safetensors"
