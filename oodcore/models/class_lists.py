"""Class names of the data sets that nameless weights were usually trained on, in label order."""

from collections.abc import Callable

from oodcore.data.coded_sets import CIFAR10

__all__ = ["CIFAR100", "imagenet", "known_lists", "usual_classes"]

# Krizhevsky, 2009; the fine labels, alphabetically.
CIFAR100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
    "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger",
    "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip


def imagenet() -> tuple[str, ...]:
    """The 1,000 classes of ImageNet (ILSVRC 2012), as torchvision's weights name them."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])


def usual_classes(count: int) -> tuple[str, tuple[str, ...]] | None:
    """The data set that a network with this many outputs was most likely trained on, and its classes."""
    usual: dict[int, tuple[str, Callable[[], tuple[str, ...]]]] = {
        10: ("CIFAR-10", lambda: CIFAR10),
        100: ("CIFAR-100", lambda: CIFAR100),
        1000: ("ImageNet", imagenet),
    }
    if count not in usual:
        return None
    name, classes = usual[count]
    return name, classes()


def known_lists(count: int) -> dict[str, tuple[str, ...]]:
    """Title → class names of every list known here that has this length."""
    from oodcore.data.procedural import SETS

    lists: dict[str, tuple[int, Callable[[], tuple[str, ...]]]] = {
        "CIFAR-10": (10, lambda: CIFAR10),
        "Drawn shapes": (10, lambda: tuple(SETS["shapes"].families)),
        "CIFAR-100": (100, lambda: CIFAR100),
        "ImageNet": (1000, imagenet),
    }
    return {title: names() for title, (length, names) in lists.items() if length == count}
