"""`ood doctor`: what is installed, which devices, sets and checkpoints are here."""

from oodcore.cli.options import Data, Json, data_root, examples

EXAMPLES = examples("ood doctor", "ood doctor --data /sets --json")


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Say what this machine has: versions, devices, image sets, checkpoints, the pages."""
    data_root(data)
