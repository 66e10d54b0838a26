"""Which rows a map shows, and by which distance."""

import pytest
import torch

from oodcore.functional import squared_distances
from oodcore.maps import MOST_POINTS, Cloud, clouds, known_set, mapped_rows
from oodcore.records import Bank, Head, Outputs


def bank(n: int, *, known: bool, classes: int = 3, embedded: bool = True) -> Bank:
    features = torch.rand(n, 5) * 4
    labels = torch.arange(n) % classes if known else torch.full((n,), -1)
    outputs = Outputs(torch.randn(n, classes), features, None, torch.randn(n, 4) if embedded else None)
    return Bank(outputs, labels, Head(torch.zeros(classes, 5), torch.zeros(classes)), torch.randn(classes, 4) * 3)


def test_the_known_set_is_the_one_with_classes() -> None:
    assert known_set({"far": bank(4, known=False), "id": bank(4, known=True)}) == "id"
    assert known_set({"far": bank(4, known=False)}) is None


def test_small_references_are_mapped_whole_and_the_known_set_leads() -> None:
    rows = mapped_rows({"far": bank(7, known=False), "id": bank(9, known=True)})
    assert list(rows) == ["id", "far"]
    assert rows["id"].tolist() == list(range(9))
    assert rows["far"].tolist() == list(range(7))


def test_large_references_are_thinned_evenly_below_what_umap_compiles_anew_for() -> None:
    sets = {f"far {number}": bank(1000, known=False) for number in range(8)} | {"id": bank(1000, known=True)}
    rows = mapped_rows(sets)
    assert sum(map(len, rows.values())) + 3 <= MOST_POINTS
    assert sum(map(len, rows.values())) > MOST_POINTS - 12
    assert len(rows["id"]) == 1000
    for chosen in list(rows.values())[1:]:
        assert chosen[0] == 0
        assert int(chosen.diff().max()) - int(chosen.diff().min()) <= 1


def test_spaces_keep_the_order_of_the_rows_and_only_known_rows_have_a_class() -> None:
    sets = {"far": bank(6, known=False), "id": bank(9, known=True)}
    rows = {"id": torch.tensor([8, 1]), "far": torch.tensor([2])}
    found = clouds(sets, rows)
    assert torch.equal(found["features"].rows[0], sets["id"].outputs.features[8])
    assert torch.equal(found["features"].rows[2], sets["far"].outputs.features[2])
    assert found["features"].labels.tolist() == [2, 1, -1]


def test_outliers_that_carry_the_network_s_classes_are_no_known_rows() -> None:
    outside = bank(6, known=True)
    found = clouds({"id": bank(9, known=True), "far": outside}, {"id": torch.arange(9), "far": torch.arange(6)})
    assert int((found["features"].labels >= 0).sum()) == 9


def test_features_have_class_means_of_known_rows_alone() -> None:
    sets = {"id": bank(9, known=True), "far": bank(6, known=False)}
    space = clouds(sets, mapped_rows(sets))["features"]
    assert not space.trained
    for number, center in zip(space.owners.tolist(), space.centers, strict=True):
        expected = sets["id"].outputs.features[sets["id"].labels == number].mean(0)
        assert center.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_embeddings_lie_so_that_plain_distances_are_the_trained_ones(distance: str) -> None:
    sets = {"id": bank(9, known=True)}
    space = clouds(sets, mapped_rows(sets), distance)["embeddings"]  # type: ignore[arg-type]
    assert space.trained
    embeddings, centers = sets["id"].outputs.embeddings, sets["id"].centers
    assert embeddings is not None
    assert centers is not None
    expected = squared_distances(embeddings, centers, distance)
    assert torch.allclose(torch.cdist(space.rows, space.centers).square(), expected, atol=1e-4)


def test_without_embeddings_there_are_only_features() -> None:
    sets = {"id": bank(9, known=True, embedded=False)}
    assert list(clouds(sets, mapped_rows(sets))) == ["features"]


def test_reach_is_the_distance_to_the_tenth_neighbour_of_one_s_own_kind() -> None:
    known = torch.arange(12.0)[:, None].square()
    rows = torch.cat([known, torch.zeros(30, 1)])
    labels = torch.cat([torch.zeros(12, dtype=torch.int64), torch.full((30,), -1)])
    space = Cloud(rows, labels, known[:1], torch.tensor([0]), trained=False)
    expected = [(known - row).abs().flatten().sort().values[10].item() for row in known]
    assert space.reach.tolist() == pytest.approx(expected)


def test_nothing_gives_nothing() -> None:
    assert mapped_rows({}) == {}
    assert clouds({}, {}) == {}
