"""The browser front end: pages that arrange what `oodcore` computes."""
