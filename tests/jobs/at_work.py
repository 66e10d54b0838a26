"""A run in a process of its own: `python at_work.py EXPERIMENT.json FOLDER [DEVICES]`; tells each event in a line."""

import json
import sys
from pathlib import Path

from oodcore.config import Experiment
from oodcore.jobs import run


def main() -> None:
    experiment = Experiment.from_json(json.loads(Path(sys.argv[1]).read_text()))
    devices = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    for event in run(experiment, sys.argv[2], accelerator="cpu", devices=devices, saved_every=0):
        print(event.kind, event.step, flush=True)


if __name__ == "__main__":
    main()
