"""One file per page: layout and words."""
