import pytest

from oodcore.data import ArraySet
from oodcore.data.procedural import procedural


@pytest.fixture(scope="session")
def inliers() -> ArraySet:
    """Three batches of eight, and six that fill no batch."""
    return procedural("shapes", "train", count=30)


@pytest.fixture(scope="session")
def outliers() -> ArraySet:
    """Two batches of four, and one left over."""
    return procedural("shapes-aux", "train", count=9)
