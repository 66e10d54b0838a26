"""Batches → `Outputs`, in one pass."""

from oodcore.models.architectures import architectures, build
from oodcore.models.classifier import Classifier
from oodcore.models.network import Network

__all__ = ["Classifier", "Network", "architectures", "build"]
