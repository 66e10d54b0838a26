"""Neighbours are exact, and a new row goes where its neighbours are, however far it is from them."""

import torch
from sklearn.neighbors import NearestNeighbors

from oodcore.maps import Cloud, neighbours, place


def test_they_are_those_of_an_independent_search() -> None:
    rows, among = torch.randn(700, 6), torch.randn(900, 6)
    found, distances = neighbours(rows, among, 4)
    expected, numbers = NearestNeighbors(n_neighbors=4, algorithm="brute").fit(among.numpy()).kneighbors(rows.numpy())
    assert torch.equal(found, torch.from_numpy(numbers))
    assert torch.allclose(distances, torch.from_numpy(expected).float(), atol=1e-5)


def test_no_row_is_its_own_neighbour_but_an_equal_one_may_be() -> None:
    rows = torch.tensor([[0.0], [0.0], [5.0], [6.0]]).repeat(300, 1)
    found, distances = neighbours(rows, rows, 2, same=True)
    assert not bool((found == torch.arange(len(rows))[:, None]).any())
    assert float(distances.max()) == 0


def test_fewer_rows_than_asked_for() -> None:
    rows = torch.randn(3, 2)
    assert neighbours(rows, rows, 10, same=True)[0].shape == (3, 2)
    assert neighbours(rows[:0], rows, 2)[0].shape == (0, 2)


def cloud() -> Cloud:
    """Two tight groups, ten units apart; the second one are outliers."""
    rows = torch.cat([torch.randn(40, 3) * 0.1, torch.randn(40, 3) * 0.1 + 10])
    labels = torch.cat([torch.zeros(40, dtype=torch.int64), torch.full((40,), -1)])
    return Cloud(rows, labels, rows[:40].mean(0, keepdim=True), torch.tensor([0]), trained=False)


def test_a_new_row_lands_among_its_neighbours() -> None:
    space = cloud()
    xy = torch.cat([torch.zeros(40, 2), torch.ones(40, 2)])
    new = torch.stack([torch.full((3,), 0.02), torch.full((3,), 9.97)])
    placed = place(new, space.rows, xy, space.known, space.reach)
    assert placed.xy.round().tolist() == [[0, 0], [1, 1]]
    assert float(placed.share[0]) < 0.9
    assert float(placed.share[1]) == 1.0


def test_a_row_that_is_on_the_map_lands_on_itself() -> None:
    space = cloud()
    xy = torch.rand(80, 2)
    placed = place(space.rows[:5], space.rows, xy, space.known, space.reach)
    assert torch.allclose(placed.xy, xy[:5], atol=1e-3)


def test_a_row_far_from_everything_still_lands_on_the_map_and_is_told_to_be_far() -> None:
    space = cloud()
    xy = torch.rand(80, 2)
    placed = place(torch.full((1, 3), -500.0), space.rows, xy, space.known, space.reach)
    assert 0 <= float(placed.xy.min()) <= float(placed.xy.max()) <= 1
    assert float(placed.share[0]) == 1.0
    assert float(placed.distance[0]) > 100 * float(space.reach.max())


def test_without_known_rows_everything_is_far() -> None:
    rows = torch.randn(5, 2)
    placed = place(rows, rows, torch.rand(5, 2), rows[:0], torch.zeros(0))
    assert placed.share.tolist() == [1.0] * 5
