"""The `ood` command: one file per verb, heavy imports inside the commands."""
