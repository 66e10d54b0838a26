"""Batches → `Outputs`, in one pass."""

from oodcore.models.architectures import architectures, build
from oodcore.models.classifier import Classifier

__all__ = ["Classifier", "architectures", "build"]
