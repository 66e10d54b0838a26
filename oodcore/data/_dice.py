"""Random numbers by counter: what an image draws depends on its stream and its index, and on nothing else.

Integer arithmetic only (SplitMix64: Steele, Lea and Flood, OOPSLA 2014), so that any NumPy on any machine draws
the same. One image, the last of a set, or all of them at once: the numbers are equal.
"""

import hashlib

import numpy as np
from jaxtyping import Float64, Int64

SLOTS = np.uint64(1 << 13)  # numbers set aside for one image: the first half for the scene, the second for its pixels
PIXELS = np.uint64(1 << 12)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def stream(name: str) -> int:
    """64 bits from a name; two names share numbers with a chance below 1e-10."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def uniform(counter: np.ndarray, seed: int) -> np.ndarray:
    """SplitMix64 at the given positions (uint64), as float64 in [0, 1) of the same shape."""
    z = np.uint64(seed) + (counter + np.uint64(1)) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) * 2.0**-53


class Dice:
    """Throws for a batch of images; each throw takes the next number of every image.

    Args:
        seed: The stream, as `stream` gives it.
        index: Which images of the stream.
    """

    def __init__(self, seed: int, index: Int64[np.ndarray, " n"]) -> None:
        self._seed = seed
        self._start = index.astype(np.uint64) * SLOTS
        self._thrown = 0

    def __len__(self) -> int:
        return len(self._start)

    def between(self, low: float, high: float) -> Float64[np.ndarray, "n 1 1"]:
        """Uniform in [low, high), shaped to spread over pictures."""
        counter = self._start + np.uint64(self._thrown)
        self._thrown += 1
        return (low + (high - low) * uniform(counter, self._seed))[:, None, None]

    def one_of(self, *values: float) -> Float64[np.ndarray, "n 1 1"]:
        """One of the values, each as likely."""
        return np.asarray(values, dtype=np.float64)[self.between(0, len(values)).astype(np.int64)]

    def happens(self, chance: float) -> Float64[np.ndarray, "n 1 1"]:
        """1.0 with this probability, else 0.0: a switch to multiply with."""
        return (self.between(0, 1) < chance).astype(np.float64)

    def grain(self, size: int, layer: int = 0) -> Float64[np.ndarray, "n size size"]:
        """Independent for every pixel, mean 0 and standard deviation 1 (triangular, hence within ±2.45).

        Args:
            size: Pixels a side, at most 32.
            layer: 0 or 1: two sheets of grain that have nothing in common.
        """
        place = np.arange(size * size, dtype=np.uint64).reshape(size, size)
        counter = self._start[:, None, None] + PIXELS + np.uint64(layer * 2 * size * size) + place
        first = uniform(counter, self._seed)
        second = uniform(counter + np.uint64(size * size), self._seed)
        return (first + second - 1) * 6**0.5
