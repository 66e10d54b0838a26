import hashlib

import pytest

from oodcore.data import PHOTOS, Preprocessing, photo
from oodcore.data.coded_sets import CIFAR10
from oodcore.errors import UnknownNameError


@pytest.mark.parametrize("each", PHOTOS, ids=lambda each: each.name)
def test_every_photograph_is_in_colour_and_fits_a_network(each) -> None:
    picture = each.picture
    assert picture.mode == "RGB"
    assert min(picture.size) >= 300
    pixels = Preprocessing().pixels(picture).float()
    assert float((pixels[0] - pixels[2]).abs().mean()) > 2
    assert each.caption
    assert each.credit


def test_photographs_differ_and_most_are_unknown_to_cifar10() -> None:
    assert len({hashlib.sha256(each.picture.tobytes()).digest() for each in PHOTOS}) == len(PHOTOS)
    known = [each.cifar10 for each in PHOTOS if each.cifar10 is not None]
    assert known == ["cat"]
    assert set(known) <= set(CIFAR10)


def test_a_photograph_by_name() -> None:
    assert photo("coffee").cifar10 is None
    with pytest.raises(UnknownNameError, match="Did you mean 'rocket'"):
        photo("rokcet")
