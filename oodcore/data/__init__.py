"""Images → batches: the catalogue, one source per file, and the one safe decoder."""

from oodcore.data.arrays import image_npy, image_npz
from oodcore.data.augment import augment
from oodcore.data.calibration import split_calibration
from oodcore.data.catalogue import comparable, entries, entry, get, open_path, open_set
from oodcore.data.check import Checked, check
from oodcore.data.decode import decode
from oodcore.data.disjoint import check_codings, check_disjoint, drop_excluded, strict_exclusions
from oodcore.data.entry import Entry
from oodcore.data.files import FileSet
from oodcore.data.folders import image_folder
from oodcore.data.gallery import PHOTOS, Photo, photo
from oodcore.data.images import ArraySet, Batch, ImageSet, Role, Sample
from oodcore.data.jigsaw import jigsaw, random_permutations
from oodcore.data.lists import image_list
from oodcore.data.long_tail import long_tail, long_tail_counts
from oodcore.data.roots import cache_folder, roots
from oodcore.data.transforms import Coding, Preprocessing

__all__ = [
    "PHOTOS",
    "ArraySet",
    "Batch",
    "Checked",
    "Coding",
    "Entry",
    "FileSet",
    "ImageSet",
    "Photo",
    "Preprocessing",
    "Role",
    "Sample",
    "augment",
    "cache_folder",
    "check",
    "check_codings",
    "check_disjoint",
    "comparable",
    "decode",
    "drop_excluded",
    "entries",
    "entry",
    "get",
    "image_folder",
    "image_list",
    "image_npy",
    "image_npz",
    "jigsaw",
    "long_tail",
    "long_tail_counts",
    "open_path",
    "open_set",
    "photo",
    "random_permutations",
    "roots",
    "split_calibration",
    "strict_exclusions",
]
