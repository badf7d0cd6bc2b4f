"""What every usage store promises about reports; a part of contract.py."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from llm_api.domain.call_times import bucket_of
from llm_api.domain.usage import UsageQuery, UsageSums, joined_tags
from llm_api.storage import UsageStore
from tests.storage.asking import DAY, calls_by, sums_of, total_of
from tests.storage.records import ended

# Composed and decomposed, of three and of four bytes, from right to left, and a family of five.
UNICODE = ("é", "e\u0301", "模型", "𠮷野家", "نموذج", "🙂", "👨‍👩‍👧‍👦")


class ReportContract:
    """The tests; `store` is empty and ready at the beginning of each."""

    # --- groups and filters ---

    def test_no_calls_have_no_groups(self, store: UsageStore) -> None:
        assert sums_of(store) == sums_of(store, "model", "day") == []

    @pytest.mark.parametrize(
        ("name", "field"),
        [("key", "key_id"), *((n, n) for n in ("route", "model", "upstream", "status", "reason"))],
    )
    def test_a_dimension_groups_and_filters(self, store: UsageStore, name: str, field: str) -> None:
        values = ["b", "a", "b", "B", "b ", "%", "_"]
        store.add([ended(f"req_{n}", **{field: value}) for n, value in enumerate(values)])

        groups = calls_by(store, name)

        assert groups == {"%": 1, "B": 1, "_": 1, "a": 1, "b": 2, "b ": 1}
        assert list(groups) == sorted(groups)
        for value, calls in groups.items():
            assert calls_by(store, name, **{name: value}) == {value: calls}

    def test_two_dimensions_group_together(self, store: UsageStore) -> None:
        store.add([ended("req_1", model="b", upstream="x"), ended("req_2", model="a")])
        store.add([ended("req_3", model="b", upstream="x"), ended("req_4", model="b")])

        assert calls_by(store, "model", "upstream") == {"a/fast": 1, "b/fast": 1, "b/x": 2}
        assert calls_by(store, "upstream", model="b") == {"fast": 1, "x": 2}

    def test_a_call_is_in_the_group_of_each_of_its_tags(self, store: UsageStore) -> None:
        tags = [("a",), ("a", "b"), ("ab",), (), ("a%", "A")]
        store.add([ended(f"req_{n}", tags=joined_tags(of)) for n, of in enumerate(tags)])

        assert calls_by(store, "tag") == {"": 1, "A": 1, "a": 2, "a%": 1, "ab": 1, "b": 1}
        assert total_of(store).calls == 5

    def test_all_tags_of_a_call_are_one_group(self, store: UsageStore) -> None:
        tags = [("b", "a"), ("a", "b"), ("a",), ()]
        store.add(
            [ended(f"req_{n}", tags=joined_tags(of), total_ms=5) for n, of in enumerate(tags)]
        )

        assert calls_by(store, "tags") == {"": 1, ",a,": 1, ",a,b,": 2}
        (both,) = [one for one in sums_of(store, "day", "tags") if one.group["tags"] == ",a,b,"]
        assert both.times["total_ms"].total() == 2

    def test_a_tag_filters_whole_tags(self, store: UsageStore) -> None:
        tags = [("a",), ("a", "b"), ("ab",), (), ("a%",), ("a_",)]
        store.add([ended(f"req_{n}", tags=joined_tags(of)) for n, of in enumerate(tags)])

        assert calls_by(store, "model", tag="a") == {"scripted": 2}
        assert calls_by(store, "tag", tag="a%") == {"a%": 1}
        assert calls_by(store, "tag", tag="a_") == {"a_": 1}
        assert calls_by(store, "tag", tag="A") == {}

    @pytest.mark.parametrize("text", UNICODE)
    def test_every_character_comes_back(self, store: UsageStore, text: str) -> None:
        others = [other for other in UNICODE if other != text]
        rows = [ended("req_1", model=text, tags=joined_tags([text, "🏷️"]), key_id=text)]
        store.add(rows + [ended(f"req_{o}", model=o, tags=joined_tags([o])) for o in others])

        (sums,) = sums_of(store, "model", "key", model=text)
        assert (sums.group, sums.calls) == ({"model": text, "key": text}, 1)
        assert calls_by(store, "tag", tag=text) == {text: 1, "🏷️": 1}
        assert set(calls_by(store, "model")) == set(UNICODE)

    # --- time ---

    def test_hours_and_days_end_where_the_next_begin(self, store: UsageStore) -> None:
        instant = timedelta(microseconds=1)
        moments = [DAY - instant, DAY, DAY + timedelta(hours=1) - instant, DAY + timedelta(hours=1)]
        moments += [DAY + timedelta(days=1) - instant, DAY + timedelta(days=1)]
        store.add([ended(f"req_{n}", created_at=moment) for n, moment in enumerate(moments)])
        wide = {"since": DAY - timedelta(days=1), "until": DAY + timedelta(days=2)}

        assert calls_by(store, "day", **wide) == {
            "2026-11-21": 1, "2026-11-22": 4, "2026-11-23": 1,
        }  # fmt: skip
        assert calls_by(store, "hour", **wide) == {
            "2026-11-21T23:00:00Z": 1, "2026-11-22T00:00:00Z": 2, "2026-11-22T01:00:00Z": 1,
            "2026-11-22T23:00:00Z": 1, "2026-11-23T00:00:00Z": 1,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("begin", "end", "calls"), [(0, 24, 4), (0, 1, 2), (1, 24, 2), (1, 23, 1), (23, 48, 2)]
    )
    def test_a_report_begins_with_since_and_ends_before_until(
        self, store: UsageStore, begin: int, end: int, calls: int
    ) -> None:
        hours = (-1, 0, 0, 1, 23, 24)
        moments = [DAY + timedelta(hours=hour, minutes=59) for hour in hours]
        store.add([ended(f"req_{n}", created_at=moment) for n, moment in enumerate(moments)])
        span = {"since": DAY + timedelta(hours=begin), "until": DAY + timedelta(hours=end)}

        assert sum(sums.calls for sums in sums_of(store, **span)) == calls
        assert sum(calls_by(store, "hour", **span).values()) == calls

    # --- times ---

    def test_times_are_counted_by_group_over_hours_and_days(self, store: UsageStore) -> None:
        hour, end = timedelta(hours=1), DAY + timedelta(days=2)
        batches = [
            [
                ended(f"req_{batch}_{n}", created_at=DAY + n * hour, model=f"m{n % 2}",
                      total_ms=100 + 10 * n, first_token_ms=n or None)
                for n in range(40)
            ] for batch in range(2)
        ]  # fmt: skip
        for batch in batches:
            store.add(batch)

        for names in ((), ("model",), ("day",), ("hour", "model"), ("tag",)):
            groups = sums_of(store, *names, until=end)
            total = sum((sums.times["total_ms"] for sums in groups), Counter[int]())
            first = sum((sums.times["first_token_ms"] for sums in groups), Counter[int]())
            assert total == Counter(bucket_of(100 + 10 * n) for n in range(40) for _ in "12")
            assert first == Counter(bucket_of(n) for n in range(1, 40) for _ in "12")
        assert [sums.times["total_ms"].total() for sums in sums_of(store, "model", until=end)] == [
            40
        ] * 2
        (one,) = sums_of(store, until=end, model="m0", status="ok")
        assert one.times["total_ms"].total() == 40

    def test_a_report_without_times_has_the_same_sums(self, store: UsageStore) -> None:
        store.add([ended(f"req_{n}", created_at=DAY, total_ms=n) for n in range(3)])
        query = UsageQuery(DAY, DAY + timedelta(days=1), group_by=("model",))

        (told,), (untold,) = store.report(query), store.report(replace(query, has_times=False))

        assert told.times["total_ms"].total() == 3
        assert untold == replace(told, times=UsageSums({}).times)

    def test_times_outlive_their_records(self, store: UsageStore) -> None:
        store.add([ended(f"req_{n}", created_at=DAY, total_ms=n) for n in range(3)])
        before = total_of(store).times

        assert store.prune(DAY + timedelta(hours=1), 10) == 3

        assert total_of(store).times == before
