import threading
import time

from app.services.memory import Memory, Turns


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
