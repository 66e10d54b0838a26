"""Many results that may stand beside each other: networks × scorers × test sets, their means, spreads and differences.

One board has one in-distribution set and one convention. A test set that was not scored with the same number of images
everywhere counts as several, for then it is not the same images, and AUPR would have another OOD share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt
from statistics import fmean, stdev
from typing import Literal, NamedTuple, TypeAlias

from oodcore.report.row import Convention

__all__ = ["MEAN", "OWN", "Axis", "Board", "Difference", "Result", "Value", "difference", "falls"]

Axis: TypeAlias = Literal["network", "scorer", "test"]

MEAN = "mean"
"""The unweighted mean over all test sets of a board; `mean:GROUP` is that over one group."""
OWN = "own"
"""The scorer that each network was trained for."""

CLEAR = 2.0


class Result(NamedTuple):
    """One scorer of one network on one test set.

    Args:
        network: What its seeds have in common, as the name of a method.
        seed: Of the training; None where nobody knows.
        weights: sha256 of the file of weights, or "".
        scorer: Its name.
        test: Name of the OOD test set.
        n_ood: OOD images scored.
        values: By the names of `metrics.ood_metrics`, 0 to 1.
    """

    network: str
    seed: int | None
    weights: str
    scorer: str
    test: str
    n_ood: int
    values: Mapping[str, float]


class Value(NamedTuple):
    """A mean over seeds.

    Args:
        mean: From 0 to 1.
        spread: Standard deviation over seeds (n - 1); None with one.
        seeds: Every seed with its value, in order.
    """

    mean: float
    spread: float | None
    seeds: tuple[tuple[int | None, float], ...]


class Difference(NamedTuple):
    """One value minus another.

    Args:
        mean: Of the means.
        spread: Of the difference, from the seeds of both; None where one of them has no spread to give.
    """

    mean: float
    spread: float | None

    @property
    def clear(self) -> bool | None:
        """Whether it is more than twice its spread; None where that is not known."""
        return None if self.spread is None else abs(self.mean) > CLEAR * self.spread


@dataclass(frozen=True)
class Board:
    """Results of one in-distribution set under one convention.

    Args:
        name: For links.
        title: For people.
        source: Where the numbers are from, in one sentence.
        id_set: In-distribution test set.
        n_id: Images of it.
        convention: How the values were taken.
        results: In the order of the networks.
        baseline: The network that all others were made from.
        own: Network → the scorer that it was trained for, where that is known.
        budgets: Network → what its training took, in words.
        accuracies: sha256 of the weights → accuracy on the ID test set, 0 to 1.
        groups: Test set → group that it belongs to, as "near OOD".
        notes: What else a reader must know.
    """

    name: str
    title: str
    source: str
    id_set: str
    n_id: int
    convention: Convention
    results: tuple[Result, ...]
    baseline: str | None = None
    own: Mapping[str, str] = field(default_factory=dict)
    budgets: Mapping[str, str] = field(default_factory=dict)
    accuracies: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def networks(self) -> list[str]:
        """The baseline first, the others as they came."""
        found = list(dict.fromkeys(result.network for result in self.results))
        return sorted(found, key=lambda name: name != self.baseline)

    @cached_property
    def scorers(self) -> list[str]:
        """By name."""
        return sorted({result.scorer for result in self.results})

    @cached_property
    def tests(self) -> list[str]:
        """Group by group, in the order of `groups`; a set with several sizes once per size."""
        order = list(dict.fromkeys(self.groups.values()))
        found = dict.fromkeys(self._test_of(result) for result in self.results)
        return sorted(
            found, key=lambda test: order.index(group) if (group := self.group(test)) in order else len(order)
        )

    @cached_property
    def means(self) -> dict[str, tuple[str, ...]]:
        """Key of a mean → its test sets: each group that has several and is not everything, then all."""
        members: dict[str, list[str]] = {}
        for test in self.tests:
            members.setdefault(self.group(test), []).append(test)
        found = {f"{MEAN}:{group}": tuple(tests) for group, tests in members.items() if group and len(tests) > 1}
        if len(self.tests) > 1:
            found = {key: tests for key, tests in found.items() if len(tests) < len(self.tests)}
            found[MEAN] = tuple(self.tests)
        return found

    @cached_property
    def metrics(self) -> list[str]:
        """Names of the values that any result has."""
        return list(dict.fromkeys(name for result in self.results for name in result.values))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Test set → OOD images."""
        return {self._test_of(result): result.n_ood for result in self.results}

    def group(self, test: str) -> str:
        """Of a test set; "" where nobody knows."""
        return self.groups.get(self._names.get(test, test), "")

    def members(self, test: str) -> tuple[str, ...]:
        """The sets behind a mean; of one set, itself."""
        return self.means.get(test, (test,))

    def scorer(self, network: str, scorer: str) -> str | None:
        """The name that `OWN` stands for; None where the network has no score of its own."""
        return self.own.get(network) if scorer == OWN else scorer

    def value(self, metric: str, network: str, scorer: str, test: str) -> Value | None:
        """Mean and spread over seeds. A mean over sets counts each once, where a network was scored on all of them."""
        return self.mean(metric, network, scorer, self.members(test))

    def mean(self, metric: str, network: str, scorer: str, tests: Sequence[str]) -> Value | None:
        """As `value`, over the test sets given."""
        key = (metric, network, scorer, tuple(tests))
        if key not in self._means:
            self._means[key] = self._mean(*key)
        return self._means[key]

    def _mean(self, metric: str, network: str, scorer: str, tests: tuple[str, ...]) -> Value | None:
        found = []
        for (seed, _), by_test in self._index.get((network, self.scorer(network, scorer)), {}).items():
            values = [by_test[test].values.get(metric) for test in tests if test in by_test]
            known = [value for value in values if value is not None]
            if known and len(known) == len(tests):
                found.append((seed, fmean(known)))
        if not found:
            return None
        found.sort(key=lambda pair: (pair[0] is None, pair[0] or 0))
        numbers = [value for _, value in found]
        return Value(fmean(numbers), stdev(numbers) if len(numbers) > 1 else None, tuple(found))

    def against(self, metric: str, network: str, scorer: str, test: str, other: str) -> Difference | None:
        """A network minus another one, with the same scorer on the same sets."""
        here, there = self.value(metric, network, scorer, test), self.value(metric, other, scorer, test)
        if here is None or there is None or network == other:
            return None
        return difference(here, there, fixed=other == self.baseline)

    def results_of(self, network: str, scorer: str, test: str) -> list[Result]:
        """Every seed of one network, scorer and test set, the smallest seed first."""
        index = self._index.get((network, self.scorer(network, scorer)), {})
        found = [by_test[test] for by_test in index.values() if test in by_test]
        return sorted(found, key=lambda result: (result.seed is None, result.seed or 0))

    def accuracy(self, network: str) -> Value | None:
        """On the ID test set, over seeds."""
        seeds = self._trainings.get(network, ())
        found = [(seed, self.accuracies[weights]) for seed, weights in seeds if weights in self.accuracies]
        if not found:
            return None
        numbers = [value for _, value in found]
        return Value(fmean(numbers), stdev(numbers) if len(numbers) > 1 else None, tuple(found))

    def seeds(self, network: str) -> int:
        """How many networks are behind a name."""
        return len(self._trainings.get(network, ()))

    @cached_property
    def _means(self) -> dict[tuple[str, str, str, tuple[str, ...]], Value | None]:
        """What was asked for once: a page asks for the same cells again and again."""
        return {}

    @cached_property
    def _trainings(self) -> dict[str, list[tuple[int | None, str]]]:
        """Network → seed and weights of each of its trainings."""
        found = dict.fromkeys((result.network, result.seed, result.weights) for result in self.results)
        trainings: dict[str, list[tuple[int | None, str]]] = {}
        for network, seed, weights in found:
            trainings.setdefault(network, []).append((seed, weights))
        return trainings

    @cached_property
    def _names(self) -> dict[str, str]:
        return {self._test_of(result): result.test for result in self.results}

    @cached_property
    def _uneven(self) -> set[str]:
        sizes: dict[str, set[int]] = {}
        for result in self.results:
            sizes.setdefault(result.test, set()).add(result.n_ood)
        return {test for test, found in sizes.items() if len(found) > 1}

    def _test_of(self, result: Result) -> str:
        return f"{result.test} ({result.n_ood:,})" if result.test in self._uneven else result.test

    @cached_property
    def _index(self) -> dict[tuple[str, str | None], dict[tuple[int | None, str], dict[str, Result]]]:
        """Of what was measured twice, the later result."""
        found: dict[tuple[str, str | None], dict[tuple[int | None, str], dict[str, Result]]] = {}
        for result in self.results:
            networks = found.setdefault((result.network, result.scorer), {})
            networks.setdefault((result.seed, result.weights), {})[self._test_of(result)] = result
        return found


def difference(here: Value, there: Value, *, fixed: bool = False) -> Difference:
    r"""$\bar a - \bar b$ with the spread $\sqrt{s_a^2 + s_b^2}$.

    Args:
        here: What is compared.
        there: What it is compared with.
        fixed: `there` is the one network that all seeds started from, so that it adds no spread.
    """
    spread = None
    if here.spread is not None and (fixed or there.spread is not None):
        spread = sqrt(here.spread**2 + (0.0 if there.spread is None else there.spread) ** 2)
    return Difference(here.mean - there.mean, spread)


def falls(metric: str) -> bool:
    """Whether smaller is better."""
    return metric.startswith("fpr") or metric == "detection_error"
