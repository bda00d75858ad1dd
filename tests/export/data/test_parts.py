from __future__ import annotations

from edge_ser.export.data.items import DataSet, Item
from edge_ser.export.data.parts import published_parts


def _set(name: str, *texts: str, several: int = 0) -> DataSet:
    items = [Item(f"{i}", "text", ("sad",), text=text) for i, text in enumerate(texts)]
    items += [Item(f"s{i}", "text", ("sad", "happy"), text=f"s{i}") for i in range(several)]
    return DataSet(name, tuple(items), ("sad", "happy"), "free")


def test_nothing_is_on_both_sides_and_what_is_left_out_is_counted() -> None:
    train = _set("train", *(f"text {i}" for i in range(200)), "both", "twice", "twice", several=3)
    test = _set("test", "both", "fresh")
    joined = published_parts(train, test)
    by_part = {p: {x.text for x in joined.part(p)} for p in ("train", "validation", "test")}
    assert by_part["test"] == {"both", "fresh"}
    assert not by_part["train"] & by_part["validation"]
    assert "both" not in by_part["train"] | by_part["validation"]
    assert 5 <= len(by_part["validation"]) <= 40
    assert len(joined.items) == 200 + 1 + 2
    assert len({item.name for item in joined.items}) == len(joined.items)
    reasons = " ".join(p.reason for p in joined.problems)
    for wanted in ("3 items with more than one label", "1: items equal", "1 items that the test"):
        assert wanted in reasons
