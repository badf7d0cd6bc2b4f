"""The benchmark of films under way: a vendor that accepts, counts and never ends, and a verdict."""

import threading
from collections.abc import Iterator

import pytest
import requests

from benchmarks.films.film_vendor import FilmVendor
from benchmarks.films.open_films import OpenFilms
from benchmarks.pictures.vendor import VendorServer


@pytest.fixture
def vendor() -> Iterator[str]:
    """Run the vendor; return its address."""
    server = VendorServer(("127.0.0.1", 0), FilmVendor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_each_task_has_an_id_of_its_own_and_each_look_counts(vendor: str) -> None:
    tasks = f"{vendor}/api/v3/contents/generations/tasks"
    with requests.Session() as session:
        ids = {session.post(tasks, json={}).json()["id"] for _ in range(3)}
        before = int(session.get(f"{vendor}/looks").text)
        states = {session.get(f"{tasks}/{one}").json()["status"] for one in ids}
        after = int(session.get(f"{vendor}/looks").text)

    assert len(ids) == 3
    assert states == {"running"}
    assert after - before - 1 == 3


@pytest.mark.parametrize(("share", "verdict"), [(0.031, "ok"), (0.045, "too much")])
def test_what_idles_is_no_cost_of_films(share: float, verdict: str) -> None:
    [line] = OpenFilms(1_000, 0.005, share, 20.0, 80.0, 110.0).budget

    assert (line.verdict == "ok") == (verdict == "ok")
