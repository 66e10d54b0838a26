import gc
import threading
import time

from app.services.memory import Memory, Shelf, Turns


def test_the_least_recently_used_entry_goes_first() -> None:
    kept: Memory[str, int] = Memory(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)


def test_what_is_kept_is_not_made_again() -> None:
    kept: Memory[str, int] = Memory(2)
    made = []
    for _ in range(3):
        assert kept.find("a", lambda: made.append(1) or 7) == 7
    assert len(made) == 1


def test_what_is_dropped_is_made_again_and_the_rest_stays() -> None:
    kept: Memory[tuple[str, int], int] = Memory(4)
    for key in (("a", 1), ("b", 1), ("a", 2)):
        kept.put(key, 7)
    kept.drop(lambda key: key[0] == "a")
    assert [kept.get(key) for key in (("a", 1), ("b", 1), ("a", 2))] == [None, 7, None]


def test_entries_are_weighed_where_their_weight_is_told_and_the_newest_stays_whatever_it_weighs() -> None:
    kept: Memory[str, bytes] = Memory(10, len)
    for key, size in (("a", 4), ("b", 4), ("b", 6)):
        kept.put(key, b"1" * size)
    assert kept.get("a") is not None
    kept.put("c", b"1" * 3)
    assert (kept.get("a") is None, kept.get("b") is None) == (False, True)
    kept.drop(lambda key: key == "a")
    kept.put("d", b"1" * 7)
    assert kept.get("c") is not None
    kept.put("e", b"1" * 99)
    assert [key for key in "abcde" if kept.get(key) is not None] == ["e"]


def test_what_nobody_looked_at_for_longest_makes_room_and_its_holder_is_told() -> None:
    shelf, dropped = Shelf(10), []
    first, second = (shelf.put(b"12345", lambda name=name: dropped.append(name)) for name in ("first", "second"))
    assert dropped == []
    time.sleep(0.002)
    assert first.bytes == b"12345"
    time.sleep(0.002)
    third = shelf.put(b"1", lambda: dropped.append("third"))
    assert dropped == ["second"]
    assert (first.bytes, second.bytes, third.bytes) == (b"12345", None, b"1")


def test_what_is_let_go_of_takes_no_room() -> None:
    shelf, dropped = Shelf(10), []
    kept = shelf.put(b"12345", lambda: dropped.append("kept"))
    shelf.put(b"12345", lambda: dropped.append("let go"))
    gc.collect()
    shelf.put(b"12345", lambda: dropped.append("last"))
    assert dropped == []
    assert kept.bytes


def test_what_is_larger_than_the_shelf_takes_all_of_it() -> None:
    shelf, dropped = Shelf(10), []
    kept = shelf.put(b"12345", lambda: dropped.append("kept"))
    large = shelf.put(b"1" * 11, lambda: dropped.append("large"))
    assert dropped == ["kept"]
    assert (kept.bytes, large.bytes) == (None, b"1" * 11)


def test_turns_come_in_order_and_one_at_a_time() -> None:
    turns, order, inside = Turns(), [], []

    def visitor(name: int, ticket: object) -> None:
        while turns.ahead(ticket, seconds=0.05):
            pass
        inside.append(name)
        assert inside == [name]
        time.sleep(0.01)
        order.append(inside.pop())
        turns.leave(ticket)

    tickets = [turns.join() for _ in range(5)]
    threads = [threading.Thread(target=visitor, args=pair) for pair in enumerate(tickets)]
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_a_visitor_who_leaves_while_waiting_blocks_nobody_and_lets_nobody_in_early() -> None:
    turns = Turns()
    first, second, third = turns.join(), turns.join(), turns.join()
    assert turns.ahead(third, seconds=0) == 2
    turns.leave(second)
    assert turns.ahead(third, seconds=0) == 1
    turns.leave(first)
    assert turns.ahead(third, seconds=0) == 0
