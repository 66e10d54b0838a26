"""Small browser components, for what must answer while it is dragged."""
