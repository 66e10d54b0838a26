"""What can go wrong, each with a sentence that says what to do.

    OODError
    ├── DataError        (also ValueError)   images, labels, data sets
    ├── CheckpointError  (also ValueError)   weights, cards, fitted panels
    ├── ScoreError       (also ValueError)   scorers, fits, metrics
    └── UnknownNameError (also KeyError)     a name that no registry holds

The command line prints the sentence and exits with 2; the app shows it. Neither shows a traceback.
"""

__all__ = ["CheckpointError", "DataError", "OODError", "ScoreError", "UnknownNameError"]


class OODError(Exception):
    """Anything this project raises on purpose."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class DataError(OODError, ValueError):
    """An image, a label or a data set is not what it should be."""


class CheckpointError(OODError, ValueError):
    """Weights, a card or a fitted panel cannot be used."""


class ScoreError(OODError, ValueError):
    """A scorer, a fit or a metric cannot give a number."""


class UnknownNameError(OODError, KeyError):
    """No registry holds this name."""
