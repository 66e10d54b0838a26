"""Images → batches: the catalogue, one source per file, and the one safe decoder."""

from oodcore.data.augment import augment
from oodcore.data.decode import decode
from oodcore.data.images import ArraySet, Batch, ImageSet, Role, Sample
from oodcore.data.jigsaw import jigsaw, random_permutations
from oodcore.data.long_tail import long_tail, long_tail_counts
from oodcore.data.transforms import Coding, Preprocessing

__all__ = [
    "ArraySet",
    "Batch",
    "Coding",
    "ImageSet",
    "Preprocessing",
    "Role",
    "Sample",
    "augment",
    "decode",
    "jigsaw",
    "long_tail",
    "long_tail_counts",
    "random_permutations",
]
