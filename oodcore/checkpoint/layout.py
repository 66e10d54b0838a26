"""What the files of a checkpoint folder are called."""

__all__ = ["CARD", "LAYOUT", "MODEL", "OUTLIERS", "PANEL", "REFERENCE"]

CARD = "card.json"
MODEL, PANEL, REFERENCE = "model.safetensors", "panel.safetensors", "reference.safetensors"
LAYOUT = "layout.safetensors"  # places on the map of the reference; may be absent
OUTLIERS = "outliers.safetensors"  # censuses of outliers; may be absent
