"""The pictures of the benchmark are what it says of them, and its service is asked as written."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness.figures import Figure
from benchmarks.harness.servers import BenchmarkError, Server
from benchmarks.pictures import crowd, files
from benchmarks.pictures.hostile_pictures import Hostile
from benchmarks.pictures.measuring_costs import MeasuringCosts
from benchmarks.pictures.vendor import Vendor, VendorServer
from llm_api.pictures.facts import PictureError
from llm_api.pictures.headers import read_facts


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Server]:
    """Run the vendor of pictures in this process."""
    with VendorServer(("127.0.0.1", 0), Vendor) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Server("vendor", 0, server.server_address[1], tmp_path / "log")
        server.shutdown()
        thread.join()


def test_good_pictures_are_as_large_as_is_accepted() -> None:
    assert files.SIDE**2 == files.MAX_PIXELS
    assert {read_facts(data).pixels for _, data in files.good(300)} == {300**2}


def test_hostile_pictures_have_no_more_bytes_than_are_accepted() -> None:
    """One that is too long would be refused without a look at what makes it dear."""
    assert [name for name, data in files.hostile(300) if len(data) > files.MAX_BYTES] == []


def test_some_hostile_pictures_pass_the_headers() -> None:
    passed = 0
    for _, data in files.hostile(300):
        try:
            passed += read_facts(data).pixels <= files.MAX_PIXELS
        except PictureError:
            continue

    assert passed >= 5


def test_a_picture_has_the_bytes_that_were_asked_for() -> None:
    assert 0.95e6 < len(files.photograph(1)) < 1.15e6


def test_a_hostile_picture_is_measured_against_the_dearest_good_one() -> None:
    [line] = Hostile({"PNG": 1.0, "GIF": 2.0}, {"bomb": 5.0}).budget

    assert (line.measured, line.limit, line.verdict) == (2.5, 2.0, "over")


def test_measuring_is_held_to_its_dearest_picture() -> None:
    cpu, p99 = Figure(1.0, 0.9, 3.0), Figure(1.1, 0.9, 4.0)

    budget = MeasuringCosts(["flags"], 2.0, cpu, 900.0, p99, p99).budget

    assert [line.verdict for line in budget] == ["over", "over", "ok"]
    assert [line.limit for line in budget] == [2.5, 800, 2.0]


def test_a_crowd_is_answered_and_its_failures_are_told(vendor: Server) -> None:
    crowd.fulfil_at_once(vendor, crowd.made(0))

    with pytest.raises(BenchmarkError, match="20 of 20 failed"):
        crowd.fulfil_at_once(vendor, crowd.Wish("none", "/", b""))


def test_a_picture_that_is_sent_is_a_part_of_a_form() -> None:
    wish = crowd.sent(b"PICTURE", 8)

    assert wish.body.endswith(b"Content-Type: image/png\r\n\r\nPICTURE\r\n--x--\r\n")
    assert wish.content_type == "multipart/form-data; boundary=x"
