"""A heap of what mostly comes in order gives what a sorted list would."""

from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.times.ordered_heap import OrderedHeap

Steps = list[tuple[str, int]]

steps = st.lists(st.tuples(st.sampled_from(["push", "push", "pop", "pop_until", "keep"]), st.integers(0, 9)))


def heap_of(*numbers: int) -> OrderedHeap[tuple[int, int]]:
    made: OrderedHeap[tuple[int, int]] = OrderedHeap()
    for order, number in enumerate(numbers):
        made.push((number, order))
    return made


@given(steps)
def test_whatever_is_done_to_it_it_gives_what_a_sorted_list_gives(done: Steps) -> None:
    heap, model = heap_of(), list[tuple[int, int]]()
    for order, (what, number) in enumerate(done):
        match what:
            case "push":
                heap.push((number, order))
                model = sorted([*model, (number, order)])
            case "pop":
                assert heap.pop() == (model.pop(0) if model else None)
            case "pop_until":
                assert heap.pop_until(number) == (model.pop(0) if model and model[0][0] <= number else None)
            case "keep":
                heap.keep(lambda item: item[0] != number)  # noqa: B023 - called at once
                model = [item for item in model if item[0] != number]
        assert (heap.first(), len(heap), sorted(heap)) == (model[0] if model else None, len(model), model)


def test_what_comes_in_order_is_taken_from_the_front_of_a_row_and_only_the_rest_from_a_heap() -> None:
    heap = heap_of(1, 2, 0, 3)
    assert [heap.pop() for _ in range(5)] == [(0, 2), (1, 0), (2, 1), (3, 3), None]


def test_it_can_be_filled_anew_in_whatever_order() -> None:
    heap = heap_of(5)
    heap.fill([(3, 1), (1, 2), (2, 3)])
    assert [heap.pop() for _ in range(4)] == [(1, 2), (2, 3), (3, 1), None]


def test_what_is_not_wanted_goes_from_the_row_and_from_the_heap() -> None:
    heap = heap_of(5, 9, 1, 2, 3)
    heap.keep(lambda item: item[0] not in (9, 2))
    assert [(1, 2), (3, 4), (5, 0)] == sorted(heap)
