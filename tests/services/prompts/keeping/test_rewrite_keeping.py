"""The same request gets the same words, from one call, whoever makes it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.calls import CallReport
from llm_api.domain.prompts import OptimizedPrompt, PromptRequest, Target
from llm_api.errors import ApiError
from llm_api.services.prompts import Keeping, KeptRewrites, PromptOptimizer
from llm_api.services.prompts.keeping.rewrite_documents import document_of, result_of
from llm_api.services.prompts.keeping.rewrite_names import asked_of, wanted_rewrite
from llm_api.services.prompts.rewrite_result import RewriteResult
from llm_api.services.usage.ledger import UsageLedger
from llm_api.storage import StoreError
from llm_api.storage.rewrite_memory import MemoryRewrites
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.rewrite_table import SqlRewrites
from tests.services.calls import CALLER, ListSink, catalogue_of, client_of
from tests.services.prompts.asking import TARGETS, answer
from tests.support import replies
from tests.support.schema import give_schema
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

CAT = PromptRequest("a cat on a sill", "image", include_details=True)
REST = (
    ", soft morning light from the left, close-up on its fur, warm muted tones, 85mm lens, crisp"
    " texture of the old wood"
)
FIRST, SECOND = f"A cat on a sill{REST}", f"On a sill, a cat{REST}"
SHOP = replace(CALLER, key=ApiKey("key_1", "shop"))
Worker = Callable[..., PromptOptimizer]


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Name a SQLite file with the schema."""
    url = f"sqlite:///{tmp_path / 'rewrites.db'}"
    give_schema(url)
    return url


@pytest.fixture
def sink() -> ListSink:
    """Keep rows in a list."""
    return ListSink()


@pytest.fixture
def worker(upstream: ScriptedUpstream, sink: ListSink, database: str) -> Iterator[Worker]:
    """Make optimizers as workers of one service have them, with a database they share."""
    opened: list[KeptRewrites] = []

    def make(
        keeping: Keeping | None = None, targets: dict[str, Target] | None = None
    ) -> PromptOptimizer:
        table = SqlRewrites(make_engine(database))
        kept = KeptRewrites(keeping or Keeping(table, table))
        opened.append(kept)
        catalogue = catalogue_of(client_of(upstream.url))
        ledger = UsageLedger(sink)
        return PromptOptimizer(catalogue, ledger, targets or TARGETS, is_enabled=True, kept=kept)

    yield make
    for kept in opened:
        kept.close()


def ask(optimizer: PromptOptimizer, request: PromptRequest = CAT, **caller: Any) -> OptimizedPrompt:
    """Have a prompt rewritten."""
    return optimizer.optimize(request, replace(CALLER, **caller)).answer


def test_a_repeat_is_answered_without_a_call(
    upstream: ScriptedUpstream, worker: Worker, sink: ListSink
) -> None:
    upstream.script(answer(FIRST), answer(SECOND))
    ours, theirs = worker(), worker()

    answers = [ask(ours), ask(ours), ask(theirs), ask(theirs, replace(CAT, include_details=False))]

    assert [one.optimized_prompt for one in answers] == [FIRST] * 4
    assert {one.rewrite_id for one in answers} == {answers[0].rewrite_id}
    assert len(upstream.requests) == len(sink.ended) == 1
    first, second = answers[0].details or {}, answers[1].details or {}
    assert (first["is_repeat"], second["is_repeat"], first["calls"]) == (False, True, 1)
    assert (second["calls"], second["usage"]["total_tokens"]) == (0, 0)
    assert answers[3].details is None
    beside = {"is_repeat", "calls", "usage", "latency_ms"}
    assert {k: v for k, v in first.items() if k not in beside} == {
        k: v for k, v in second.items() if k not in beside
    }
    assert list(answers[1].improvements) == list(answers[0].improvements)


def test_memory_answers_repeats_of_one_worker(upstream: ScriptedUpstream, worker: Worker) -> None:
    upstream.script(answer(FIRST), answer(SECOND))
    ours, theirs = worker(Keeping(MemoryRewrites())), worker(Keeping(MemoryRewrites()))

    words = [ask(ours).optimized_prompt, ask(ours).optimized_prompt, ask(theirs).optimized_prompt]

    assert words == [FIRST, FIRST, SECOND]


def test_memory_is_bounded(upstream: ScriptedUpstream, worker: Worker) -> None:
    upstream.script(answer(FIRST), answer(SECOND), answer(FIRST))
    optimizer = worker(Keeping(MemoryRewrites(max_bytes=2_500)))

    for seed in (1, 2, 1):
        ask(optimizer, replace(CAT, seed=seed))

    assert len(upstream.requests) == 3


def test_what_is_asked_anew_has_another_id_and_is_the_answer_from_then_on(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(answer(FIRST), answer(SECOND))
    optimizer = worker()

    first = ask(optimizer)
    anew = ask(optimizer, replace(CAT, refresh=True))
    again = ask(optimizer)
    pinned = ask(optimizer, replace(CAT, pin=first.rewrite_id))

    assert [one.optimized_prompt for one in (first, anew, again, pinned)] == [
        FIRST,
        SECOND,
        SECOND,
        FIRST,
    ]
    assert first.rewrite_id != anew.rewrite_id == again.rewrite_id
    assert pinned.rewrite_id == first.rewrite_id


def test_other_fields_keys_targets_and_models_are_other_requests(worker: Worker) -> None:
    del worker
    image = {"style": "oil", "seed": 1, "n": 2, "camera": "pan", "max_length": 200}
    image |= {"enhance_details": False, "language": "en", "target_model": "flux"}
    image |= {"preserve": ("cat",), "prompt": "a cat on a sill ", "type": "video"}
    at, other = (
        catalogue_of(client_of()).route(None),
        catalogue_of(client_of(model="m")).route(None),
    )
    flux = replace(TARGETS["generic"], note="another")

    asked = [asked_of(replace(CAT, **{name: value})) for name, value in image.items()]
    wanted = [
        wanted_rewrite(CAT, [target], where, caller).name
        for target, where, caller in [
            (TARGETS["generic"], at, CALLER),
            (flux, at, CALLER),
            (TARGETS["generic"], other, CALLER),
            (TARGETS["generic"], at, SHOP),
        ]
    ]
    beside = ["include_details", "include_negative_prompt", "refresh"]
    same = [asked_of(replace(CAT, **{name: not getattr(CAT, name)})) for name in beside]
    same += [asked_of(replace(CAT, max_wait_ms=100, on_failure="error", pin="rw_1"))]

    assert len({*asked, asked_of(CAT)}) == len(image) + 1
    assert len(set(wanted)) == 4
    assert set(same) == {asked_of(CAT)}


def test_a_pinned_rewrite_outlives_workers_rules_models_and_its_time(
    upstream: ScriptedUpstream, worker: Worker, database: str
) -> None:
    upstream.script(answer(FIRST), answer(SECOND))
    first = ask(worker())
    pin = replace(CAT, pin=first.rewrite_id)
    ask(worker(), pin)
    SqlRewrites(make_engine(database)).prune(datetime.now(UTC) + timedelta(days=99), 10)
    newer = {**TARGETS, "generic": replace(TARGETS["generic"], note="New rules.")}
    optimizer = worker(targets=newer)

    repeat, pinned = ask(optimizer), ask(optimizer, pin)

    assert (repeat.optimized_prompt, pinned.optimized_prompt) == (SECOND, FIRST)
    assert (pinned.details or {})["notes"] == ["New rules."]


PIN = "rw_" + "0" * 32 + "_" + "0" * 16


def test_a_pin_is_refused_where_it_names_nothing_of_the_caller_s(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(answer(FIRST))
    optimizer = worker()
    own = ask(optimizer, key=SHOP.key).rewrite_id
    pin = replace(CAT, pin=own)
    refused = []

    for request, key in [
        (replace(CAT, pin=PIN), SHOP.key),
        (pin, ApiKey("key_2", "other")),
        (pin, None),
        (replace(pin, prompt="a dog on a sill"), SHOP.key),
        (replace(pin, style="oil"), SHOP.key),
    ]:
        with pytest.raises(ApiError) as caught:
            ask(optimizer, request, key=key)
        refused.append((caught.value.status, caught.value.reason))
    with pytest.raises(ApiError) as unnamed:
        ask(worker(Keeping(MemoryRewrites())), pin, key=SHOP.key)

    assert refused == [(404, "rewrite_not_found")] * 3 + [(400, "pin_mismatch")] * 2
    assert (unnamed.value.status, unnamed.value.reason) == (503, "rewrites_not_kept")
    assert unnamed.value.retryable is False


def test_keys_share_no_rewrites(upstream: ScriptedUpstream, worker: Worker) -> None:
    upstream.script(answer(FIRST), answer(SECOND), answer(FIRST))
    optimizer = worker()

    for key in (SHOP.key, ApiKey("key_2", "other"), None, SHOP.key):
        ask(optimizer, key=key)

    assert len(upstream.requests) == 3


def test_failures_are_not_kept(upstream: ScriptedUpstream, worker: Worker) -> None:
    bad = replies.completion("I cannot do that.")
    upstream.script(bad, bad, replies.api_error(400, "no"), answer(FIRST))
    optimizer = worker()

    original = ask(optimizer)
    with pytest.raises(ApiError):
        ask(optimizer)
    rewritten = ask(optimizer)

    assert (original.optimized_prompt, original.rewrite_id) == (CAT.prompt, None)
    assert (original.details or {})["rewrite_id"] is None
    assert rewritten.optimized_prompt == FIRST


def test_what_a_fallback_model_wrote_is_not_kept(worker: Worker) -> None:
    del worker
    made = RewriteResult([FIRST], [], [], [], [], method="instructed", version="v", model="m")
    at = catalogue_of(client_of()).route(None)
    wanted = wanted_rewrite(CAT, [TARGETS["generic"]], at, CALLER)
    kept = KeptRewrites(Keeping(MemoryRewrites()))
    other: Any = object()
    by_another = replace(made, report=CallReport(fallback=other))

    first = kept.obtain(wanted, CALLER, lambda _: by_another, asks_anew=False)
    second = kept.obtain(wanted, CALLER, lambda _: made, asks_anew=False)

    assert (first.rewrite_id, first.is_repeat) == (None, False)
    assert (second.rewrite_id is None, second.is_repeat) == (False, False)


def test_other_words_for_another_target_have_another_id() -> None:
    made = RewriteResult([FIRST], [], [], [], [], method="instructed", version="v", model="m")
    at = catalogue_of(client_of()).route(None)
    wanted = wanted_rewrite(CAT, [TARGETS["generic"], TARGETS["sdxl"]], at, CALLER)
    kept = KeptRewrites(Keeping(MemoryRewrites()))
    both = [replace(made, others=(replace(made, rewrites=[words]),)) for words in (FIRST, SECOND)]

    ids = [
        kept.obtain(wanted, CALLER, lambda _, one=one: one, asks_anew=True).rewrite_id
        for one in both
    ]

    assert len(set(ids)) == 2


def together(asks: list[Callable[[], Any]], is_ready: Callable[[], bool]) -> list[Any]:
    """Run the first in a thread, the others once it is ready; returns outcomes in their order."""
    outcomes: list[Any] = [None] * len(asks)

    def run(place: int) -> None:
        try:
            outcomes[place] = asks[place]()
        except ApiError as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(asks))]
    threads[0].start()
    wait_until(is_ready, 30, "the first request has not come")
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_requests_at_once_share_one_call(upstream: ScriptedUpstream, worker: Worker) -> None:
    upstream.script(replies.delayed(answer(FIRST), 0.5), answer(SECOND))
    workers = [worker(), worker(), worker()]
    asks = [lambda at=workers[n % 3]: ask(at) for n in range(12)]

    outcomes = together(asks, lambda: bool(upstream.requests))

    assert [one.optimized_prompt for one in outcomes] == [FIRST] * 12
    assert sum(not one.details["is_repeat"] for one in outcomes) == 1
    assert len(upstream.requests) == 1


def test_one_worker_shares_calls_also_where_nothing_is_kept(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(replies.delayed(answer(FIRST), 0.5), answer(SECOND))
    optimizer = worker(Keeping())

    outcomes = together([lambda: ask(optimizer)] * 3, lambda: bool(upstream.requests))

    assert [one.optimized_prompt for one in outcomes] == [FIRST] * 3
    assert ask(optimizer).optimized_prompt == SECOND


def test_those_who_wait_get_the_error_of_the_call(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(replies.delayed(replies.api_error(400, "no"), 0.5), answer(FIRST))
    optimizer = worker()

    outcomes = together([lambda: ask(optimizer)] * 4, lambda: bool(upstream.requests))

    assert len({(one.status, one.reason) for one in outcomes}) == 1
    assert len(upstream.requests) == 1


def test_who_waits_goes_on_where_the_first_had_less_time(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(replies.hang(2), answer(FIRST))
    optimizer = worker()
    asks = [lambda: ask(optimizer, time_limit=0.5), lambda: ask(optimizer)]

    first, second = together(asks, lambda: bool(upstream.requests))

    assert first.reason == "upstream_timeout"
    assert second.optimized_prompt == FIRST


def test_a_call_goes_on_for_those_who_wait_when_its_client_leaves(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(replies.delayed(answer(FIRST), 1), answer(SECOND))
    optimizer, is_gone = worker(), threading.Event()
    asks = [
        lambda: ask(optimizer, is_disconnected=is_gone.is_set),
        lambda: (is_gone.set(), ask(optimizer))[1],
    ]

    outcomes = together(asks, lambda: bool(upstream.requests))

    assert outcomes[1].optimized_prompt == FIRST
    assert len(upstream.requests) == 1


def test_who_waits_may_leave_or_have_waited_long_enough(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    upstream.script(replies.delayed(answer(FIRST), 1))
    optimizer = worker()
    asks = [
        lambda: ask(optimizer),
        lambda: ask(optimizer, is_disconnected=lambda: True),
        lambda: ask(optimizer, time_limit=0.1),
    ]

    first, left, late = together(asks, lambda: bool(upstream.requests))

    assert first.optimized_prompt == FIRST
    assert (left.reason, late.reason) == ("client_closed", "upstream_timeout")


def test_another_worker_takes_over_from_one_that_has_died(
    upstream: ScriptedUpstream, worker: Worker, database: str
) -> None:
    upstream.script(answer(FIRST))
    at = catalogue_of(client_of(upstream.url)).route(None)
    name = wanted_rewrite(CAT, [TARGETS["generic"]], at, CALLER).name
    now = datetime.now(UTC)
    SqlRewrites(make_engine(database)).claim(name, "dead", now, now + timedelta(seconds=1))

    waited = ask(worker())

    assert waited.optimized_prompt == FIRST
    assert datetime.now(UTC) >= now + timedelta(seconds=1)


def test_who_waits_for_another_worker_does_not_hold_up_the_end_of_its_own(
    worker: Worker, database: str
) -> None:
    table, now = SqlRewrites(make_engine(database)), datetime.now(UTC)
    at = catalogue_of(client_of()).route(None)
    wanted = wanted_rewrite(CAT, [TARGETS["generic"]], at, CALLER)
    table.claim(wanted.name, "other", now, now + timedelta(minutes=1))
    optimizer = worker(Keeping(table, table, must_end=lambda: True))

    with pytest.raises(ApiError) as caught:
        ask(optimizer)

    assert caught.value.reason == "server_shutdown"


class BrokenStore(MemoryRewrites):
    """Fails whatever it is asked."""

    def latest(self, *_: object) -> None:
        """Fail."""
        raise StoreError("away") from OSError("SELECT rewrites.document FROM rewrites")

    put = claim = get = latest

    def close(self) -> None:
        """Have nothing to close."""


def test_a_store_that_is_away_costs_repeats_their_calls_and_pins_their_answer(
    upstream: ScriptedUpstream, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.script(answer(FIRST), answer(SECOND))
    store: Any = BrokenStore()
    optimizer = worker(Keeping(store, store))

    words = [ask(optimizer).optimized_prompt, ask(optimizer).optimized_prompt]
    with pytest.raises(ApiError) as caught:
        ask(optimizer, replace(CAT, pin=PIN))

    assert words == [FIRST, SECOND]
    assert (caught.value.status, caught.value.reason) == (503, "store_unavailable")
    said = [r for r in caplog.records if r.message == "rewrites are not kept for a while"]
    assert {vars(record)["cause"] for record in said} == {"away"}


def test_a_kept_rewrite_has_all_that_answers_are_made_of_and_no_prompt() -> None:
    """A new field of a result has to be kept, or named here with the reason why it is not."""
    of_the_call = {"report", "is_repeat", "is_pinned"}
    result = RewriteResult(
        [FIRST], ["better"], ["added"], [], [], "instructed", "v1", "m", rewrite_id=PIN
    )

    document = json.loads(json.dumps(document_of(result)))

    assert set(document) == {field.name for field in fields(RewriteResult)} - of_the_call
    assert replace(result_of(document), report=CallReport(), is_repeat=False) == result


def test_several_rewrites_come_back_as_they_were(
    upstream: ScriptedUpstream, worker: Worker
) -> None:
    said = {"prompts": [FIRST, SECOND], "optimized_prompts": [FIRST, SECOND]}
    upstream.script(replies.completion(json.dumps(said)))
    optimizer, two = worker(), replace(CAT, n=2, include_negative_prompt=True)

    first, again = ask(optimizer, two), ask(optimizer, two)

    assert (again.candidates, again.warnings) == (first.candidates, first.warnings)
    assert again.negative_prompt == first.negative_prompt
    assert len(upstream.requests) == 1
