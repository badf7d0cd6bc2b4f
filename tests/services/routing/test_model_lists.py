"""What upstreams list is known without that a call waits for it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.services.routing.model_lists import ModelLists
from tests.services.calls import client_of
from tests.support.replies import hang, json_reply, models
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

WAIT_S = 10.0


class Lister:
    """An upstream that lists what a test says; None is silence."""

    serves_one_model = False

    def __init__(self, *names: str) -> None:
        """List these names."""
        self.names: list[str] | None = list(names)
        self.asked = 0

    def models(self) -> list[str] | None:
        """Count and answer."""
        self.asked += 1
        return self.names


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def opened() -> Iterator[list[ModelLists]]:
    """Close what a test has opened."""
    lists: list[ModelLists] = []
    yield lists
    for one in lists:
        one.close()


def lists_of(opened: list[ModelLists], file: Path | None = None, **upstreams: Lister) -> ModelLists:
    """Open the lists of some upstreams."""
    opened.append(ModelLists(upstreams, file))  # type: ignore[arg-type]  # only what is asked of them
    return opened[-1]


def test_the_first_look_waits_for_the_answers(opened: list[ModelLists]) -> None:
    lists = lists_of(opened, fast=Lister("a", "b"), judge=Lister("c"))

    assert lists.current(WAIT_S) == {"fast": ["a", "b"], "judge": ["c"]}


def test_a_second_look_asks_nobody(opened: list[ModelLists]) -> None:
    fast = Lister("a")
    lists = lists_of(opened, fast=fast)

    for _ in range(5):
        lists.current(WAIT_S)

    assert fast.asked == 1


def test_a_look_without_patience_does_not_wait(
    opened: list[ModelLists], upstream: ScriptedUpstream
) -> None:
    upstream.script(hang(0.3))
    client = client_of(upstream.url)
    lists = ModelLists({"fast": client})
    opened.append(lists)

    assert lists.current() == {}
    assert lists.owner_of("scripted") is None
    client.close()


def test_a_name_belongs_to_the_first_upstream_that_lists_it(opened: list[ModelLists]) -> None:
    lists = lists_of(opened, fast=Lister("a", "b"), judge=Lister("b", "c"))
    lists.current(WAIT_S)

    assert [lists.owner_of(name) for name in "abcd"] == ["fast", "fast", "judge", None]


def test_nobody_is_asked_for_an_owner(opened: list[ModelLists]) -> None:
    fast = Lister("a")
    lists = lists_of(opened, fast=fast)

    assert lists.owner_of("a") is None
    assert fast.asked == 0


def test_while_an_upstream_is_away_its_last_list_stays(opened: list[ModelLists]) -> None:
    fast, judge = Lister("a"), Lister("b")
    lists = ModelLists({"fast": fast, "judge": judge}, interval=0.01)  # type: ignore[dict-item]
    opened.append(lists)
    lists.current(WAIT_S)
    fast.names, judge.names = None, ["b", "c"]

    wait_until(lambda: lists.owner_of("c") is not None, WAIT_S, "the list comes")

    assert lists.current() == {"fast": ["a"], "judge": ["b", "c"]}


def test_where_nobody_asks_for_an_hour_upstreams_are_left_alone(
    opened: list[ModelLists],
) -> None:
    fast, clock = Lister("a"), Clock()
    lists = ModelLists({"fast": fast}, interval=0.01, clock=clock)  # type: ignore[dict-item]
    opened.append(lists)
    lists.current(WAIT_S)
    wait_until(lambda: fast.asked > 2, WAIT_S, "it is asked again")
    clock.now += 3_601

    wait_until(lambda: not grows(fast), WAIT_S, "it is left alone")
    lists.current()
    wait_until(lambda: grows(fast), WAIT_S, "it is asked again")


def grows(lister: Lister) -> bool:
    """Whether an upstream is asked within a moment."""
    before = lister.asked
    threading.Event().wait(0.1)
    return lister.asked > before


def test_processes_share_what_they_have_learned(opened: list[ModelLists], tmp_path: Path) -> None:
    file = tmp_path / "new" / "lists.json"
    first = lists_of(opened, file, fast=Lister("a"), judge=Lister("b"))
    second = lists_of(opened, file, fast=Lister(), judge=Lister())

    first.current(WAIT_S)
    wait_until(file.exists, WAIT_S, "the file is written")

    wait_until(lambda: second.owner_of("b") == "judge", WAIT_S, "the file is read")
    assert second.owner_of("a") == "fast"


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"fast": 7}', '{"fast": [7]}', "null"])
def test_a_file_that_is_none_of_ours_says_nothing(
    opened: list[ModelLists], tmp_path: Path, text: str
) -> None:
    file = tmp_path / "lists.json"
    file.write_text(text)
    lists = lists_of(opened, file, fast=Lister("a"))

    assert lists.owner_of("a") is None
    assert lists.current(WAIT_S) == {"fast": ["a"]}


def test_where_no_file_can_be_written_the_process_knows_for_itself(
    opened: list[ModelLists], tmp_path: Path
) -> None:
    (tmp_path / "away").write_text("a file where the folder should be")
    lists = lists_of(opened, tmp_path / "away" / "lists.json", fast=Lister("a"))

    assert lists.current(WAIT_S) == {"fast": ["a"]}


def test_only_names_that_a_caller_could_send_are_kept(opened: list[ModelLists]) -> None:
    fast = Lister("good", "", "bad\nname", *(f"m{n}" for n in range(3_000)))
    lists = ModelLists({"fast": fast}, is_name=lambda text: "\n" not in text and text != "")  # type: ignore[dict-item]
    opened.append(lists)

    names = lists.current(WAIT_S)["fast"]

    assert names[:2] == ["good", "m0"]
    assert len(names) == 2_000


def test_an_upstream_is_asked_over_http(
    opened: list[ModelLists], upstream: ScriptedUpstream
) -> None:
    upstream.script(models("x", "y"))
    client = client_of(upstream.url)
    lists = ModelLists({"fast": client})
    opened.append(lists)

    assert lists.current(WAIT_S) == {"fast": ["x", "y"]}
    (request,) = upstream.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    client.close()


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refusal_is_no_list(
    opened: list[ModelLists], upstream: ScriptedUpstream, status: int
) -> None:
    upstream.script(json_reply(status, {"data": [{"id": "a"}]}))
    client = client_of(upstream.url)
    lists = ModelLists({"fast": client})
    opened.append(lists)

    assert lists.current(WAIT_S) == {}
    client.close()


def test_a_list_without_end_is_none(opened: list[ModelLists], upstream: ScriptedUpstream) -> None:
    upstream.script(json_reply(200, {"data": ["x" * (9 << 20)]}))
    client = client_of(upstream.url)
    lists = ModelLists({"fast": client})
    opened.append(lists)

    assert lists.current(WAIT_S) == {}
    client.close()
