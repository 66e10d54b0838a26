"""The learning rate of each step."""

import math

__all__ = ["cosine"]


def cosine(step: int, steps: int, lr: float, lr_end: float = 1e-6) -> float:
    r"""$lr \cdot [c + (1-c)\tfrac12(1 + \cos(\pi t/T))]$ with $c = lr_{end}/lr$: from `lr` at 0 to `lr_end` at `steps`.

    The published recipes move the schedule before the update, so their first update uses step 1 and the last `steps`.
    """
    return lr_end + (lr - lr_end) * (1 + math.cos(math.pi * step / steps)) / 2
