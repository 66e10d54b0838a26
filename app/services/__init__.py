"""What pages ask for: cached, shared between sessions, and without a word of layout."""
