from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dms.config.document import Mark
from dms.config.layer import ABSENT, Layer, LayerName, Merged, Origin, merge, value_at

NAMES = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2), lambda inner: st.dictionaries(NAMES, inner), max_leaves=8
)
MAPS = st.dictionaries(NAMES, TREES)
LOW, HIGH = LayerName.DEFAULT, LayerName.FILE


def merged(*values: dict[str, Any]) -> Merged:
    return merge([Layer(name, each) for name, each in zip(LayerName, values, strict=False)])


def leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {leaf: value for name, inner in tree.items() for leaf, value in leaves(inner, (*path, name)).items()}


def test_no_layers_come_to_nothing() -> None:
    assert {} == merge([]).values


def test_maps_merge_key_by_key_and_lists_are_replaced() -> None:
    assert {"s": {"kept": 1, "list": [3]}} == merged({"s": {"kept": 1, "list": [1, 2]}}, {"s": {"list": [3]}}).values


def test_an_empty_list_counts() -> None:
    assert {"s": {"list": []}} == merged({"s": {"list": [1]}}, {"s": {"list": []}}).values


@given(MAPS, MAPS)
def test_every_leaf_of_the_highest_layer_is_in_force(low: dict[str, Any], high: dict[str, Any]) -> None:
    values = merged(low, high).values
    assert leaves(high) == {path: value_at(values, path) for path in leaves(high)}


@given(MAPS, MAPS)
def test_a_layer_twice_is_the_layer_once(low: dict[str, Any], high: dict[str, Any]) -> None:
    assert merged(low, high).values == merged(low, high, high).values


@given(MAPS, MAPS)
def test_merging_leaves_the_layers_as_they_were(low: dict[str, Any], high: dict[str, Any]) -> None:
    before = repr((low, high))
    merged(low, high)
    assert before == repr((low, high))


def test_the_origin_of_a_value_is_the_highest_layer_that_says_it() -> None:
    values = merged({"s": {"x": 1, "y": 1}}, {"s": {"x": 2}})
    assert [HIGH, LOW] == [values.origin(("s", name)).layer for name in "xy"]


def test_a_value_without_a_mark_of_its_own_stands_where_what_it_is_a_part_of_stands() -> None:
    layer = Layer(HIGH, {"s": {"list": [1, 2]}}, "f.yaml", {("s", "list"): Mark(3, 7, 3, 1)})
    assert Origin(HIGH, "f.yaml", 3, 7) == layer.origin(("s", "list", 1))


def test_a_value_that_no_layer_says_is_a_default() -> None:
    assert Origin(LayerName.DEFAULT) == merged({}, {}).origin(("s", "x"))


def test_a_path_into_something_that_is_no_map_is_absent() -> None:
    values = {"a": [1], "b": 2}
    assert [1, ABSENT, ABSENT, ABSENT] == [value_at(values, p) for p in (("a", 0), ("a", 1), ("a", "x"), ("b", "x"))]
