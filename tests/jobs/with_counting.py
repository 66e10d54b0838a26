"""The worker, with the kinds of jobs that tests have at hand."""

import sys
from pathlib import Path

from oodcore.jobs import kinds, worker

kinds.__path__.append(str(Path(__file__).with_name("at_hand")))

if __name__ == "__main__":
    sys.exit(worker.main())
