"""Metrics are added up over workers and outlive them, and their labels are bounded."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from llm_api.observability import metric_catalogue as catalogue
from llm_api.observability.metric_catalogue import BUILD, CATALOGUE, COUNTER, GAUGE
from llm_api.observability.metric_exposition import exposed
from llm_api.observability.metric_names import MAX_NAMES, OTHER, KnownNames
from llm_api.observability.metrics import MAX_LABEL_SETS, Metrics
from llm_api.server.shared_metrics import FOLDER_VARIABLE, SharedMetrics

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a folder that workers share, as gunicorn's master does."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    yield tmp_path
    values.close_all_multiprocess_files()


def worker(folder: Path, slot: int) -> Metrics:
    """Return the metrics of a worker in a slot."""
    metrics = Metrics()
    metrics.share(folder, slot)
    return metrics


def samples(text: bytes) -> Samples:
    """Return samples by name and label values, in the order of the labels' names."""
    return {
        (one.name, *(one.labels[name] for name in sorted(one.labels))): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


def shown(source: Path | Metrics) -> Samples:
    """Return what is exposed."""
    return samples(exposed(source if isinstance(source, Path) else source.registry)[0])


def test_counts_of_workers_are_added_up_and_go_on_in_the_same_slot(folder: Path) -> None:
    for slot in (0, 1, 0):  # the third is in the place of the first, which was killed
        worker(folder, slot).of(catalogue.CALLS, "fast", "m", "ok").inc()

    assert shown(folder)["llm_api_calls_total", "m", "ok", "fast"] == 3
    assert sorted(path.name for path in folder.glob("counter_*")) == [
        "counter_0.db",
        "counter_1.db",
    ]


def test_gauges_of_a_dead_worker_vanish_and_its_counts_stay(tmp_path: Path, folder: Path) -> None:
    shared = SharedMetrics(tmp_path, None)
    for slot in (0, 1):
        metrics = worker(folder, slot)
        metrics.of(catalogue.STREAMS).set(3)
        metrics.of(catalogue.SHED).inc()
    shared.folder, own = folder, shared.folder

    shared.forget(0)

    found = shown(folder)
    assert found["llm_api_streams_in_progress",] == 3
    assert found["llm_api_shed_calls_total",] == 2
    shared.folder = own
    shared.close()


def test_a_worker_gets_the_lowest_slot_that_is_free(tmp_path: Path) -> None:
    shared = SharedMetrics(tmp_path, None)

    assert [shared.free_slot(taken) for taken in ([], [0, 1], [1, 2], [0, 2])] == [0, 2, 0, 1]
    shared.close()


def test_folders_of_masters_that_were_killed_are_removed(tmp_path: Path) -> None:
    left_over = tmp_path / "1-0123abcd"
    left_over.mkdir()
    (left_over / "lock").touch()

    first, second = SharedMetrics(tmp_path, None), SharedMetrics(tmp_path, None)

    assert set(tmp_path.iterdir()) == {first.folder, second.folder}
    first.close()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_every_metric_is_exposed_with_its_kind_before_anything_has_happened(folder: Path) -> None:
    for source in (folder, Metrics()):
        families = list(
            text_string_to_metric_families(
                exposed(source if isinstance(source, Path) else source.registry)[0].decode()
            )
        )

        kinds = {family.name: family.type for family in families}
        assert kinds == {m.family: m.kind for m in (BUILD, *CATALOGUE.values())}
        zero = {m.name for m in CATALOGUE.values() if not m.labels}
        found = {one.name for family in families for one in family.samples}
        assert found == zero | {BUILD.name}


def test_one_process_and_several_expose_the_same(folder: Path) -> None:
    several, one = worker(folder, 0), Metrics()
    for metrics in (several, one):
        for metric in CATALOGUE.values():
            series = metrics.of(metric, *("a" for _ in metric.labels))
            record = {COUNTER: "inc", GAUGE: "set"}.get(metric.kind, "observe")
            getattr(series, record)(2)

    assert shown(folder) == shown(one)
    assert len(shown(one)) > len(CATALOGUE)


def test_names_that_nobody_has_answered_to_are_other(tmp_path: Path) -> None:
    first, second = KnownNames(), KnownNames()
    for names in (first, second):
        names.share(tmp_path / "names")
    labels = [first.label(f"m{n}", may_add=True) for n in range(MAX_NAMES + 5)]

    assert labels == [*(f"m{n}" for n in range(MAX_NAMES)), *[OTHER] * 5]
    # The other worker has the same list, whatever it sees first.
    assert second.label("new", may_add=True) == OTHER
    assert second.label("m3", may_add=False) == "m3"
    assert KnownNames().label("invented", may_add=False) == OTHER


def test_a_name_of_several_lines_is_other(tmp_path: Path) -> None:
    names = KnownNames()
    names.share(tmp_path / "names")

    assert names.label("a\nb", may_add=True) == OTHER
    assert names.label("b", may_add=True) == "b"


def test_label_sets_beyond_the_most_are_one() -> None:
    metrics = Metrics()
    for number in range(MAX_LABEL_SETS + 30):
        metrics.of(catalogue.REQUEST_ERRORS, f"reason_{number}").inc()

    found = shown(metrics)
    assert found["llm_api_request_errors_total", OTHER] == 30
    assert len([key for key in found if key[0] == "llm_api_request_errors_total"]) == (
        MAX_LABEL_SETS + 1
    )


def test_what_a_worker_records_fits_into_its_files(folder: Path) -> None:
    """A file that grew on a full disk would end the worker."""
    metrics = worker(folder, 0)
    longest = "m" * 60
    for metric in CATALOGUE.values():
        # Models in six states each, thirty upstreams in histograms, more reasons than there are.
        many = MAX_NAMES * 6 if "model" in metric.labels else 200
        most = 1 if not metric.labels else 30 if metric.buckets else many
        for number in range(most):
            series = metrics.of(metric, *(f"{longest}{number}" for _ in metric.labels))
            if metric.kind == GAUGE:
                series.set(1)

    sizes = {path.name: path.stat().st_size for path in folder.glob("[ch]*.db")}
    assert sizes == {"counter_0.db": 1 << 21, "histogram_0.db": 1 << 19}


def test_without_room_on_the_disk_a_worker_goes_on_without_being_counted(folder: Path) -> None:
    metrics = worker(folder / "gone", 0)

    metrics.of(catalogue.SHED).inc()

    assert shown(folder)["llm_api_shed_calls_total",] == 0
