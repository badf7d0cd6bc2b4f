"""What must hold of every call in the simulated world: its row, its attempts, what it was told."""

from collections.abc import Iterator
from itertools import pairwise

from llm_api.domain.usage import UsageRecord
from llm_api.runtime.deadlines import INTERVAL
from llm_api.upstream.answers.relay import GRACE
from tests.services.simulated import Client, Hit, World
from tests.services.simulated_kinds import TEXT

ASKED, LONGER, LONELY, SPARE = "small", "long", "lonely", "spare"
Claim = tuple[object, str]
Tokens = tuple[int | None, int | None, str | None]
_A_MOMENT = 1e-6
_A_LOOK = 0.5


def check_call(world: World, client: Client, begun: int, rows: list[UsageRecord]) -> None:
    """Check everything about a call that has ended: its row, its attempts, what it was told."""
    for claim, otherwise in [
        *_claims_of_row(client, begun, rows),
        *_claims_of_attempts(client),
        *_claims_of_answer(client),
    ]:
        kinds = [f"{hit.line}: {hit.kind.name}" for hit in client.hits]
        world.expect(claim, f"{client.request_id} ({', '.join(kinds)}): {otherwise}")


def _claims_of_row(client: Client, begun: int, rows: list[UsageRecord]) -> Iterator[Claim]:
    was_asked = bool(client.hits)
    yield (begun, len(rows)) == (was_asked, was_asked), f"{begun} rows begun, {len(rows)} ended"
    if not rows or not client.hits:
        return
    row, hits = rows[0], client.hits
    tries = [(one["upstream"], one["model"], one["reason"]) for one in row.attempts_detail]
    yield row.attempts == len(hits), f"the row has {row.attempts} attempts"
    yield tries == [(hit.line, hit.model, hit.reason) for hit in hits], f"tries are {tries}"
    last = hits[-1]
    yield (row.upstream, row.model) == (last.upstream, last.model), f"{row.upstream}/{row.model}"
    end = (row.status, row.reason, row.http_status)
    yield end == _end_of(client), f"the row ends {end}, and the call {_end_of(client)}"
    counts = (row.prompt_tokens, row.completion_tokens)
    tokens = (*counts, row.usage_source)
    yield all(count is None or count >= 0 for count in counts), f"{tokens} tokens"
    if row.status == "ok":
        yield tokens in _tokens_of(client, last), f"{tokens} tokens of a good answer"
    elif not client.chunks:
        is_unknown = tokens == (None, None, "missing") or row.usage_source == "estimated"
        yield is_unknown, f"{tokens} tokens of no answer"


def _tokens_of(client: Client, last: Hit) -> list[Tokens]:
    """Return what a row may say of a good answer.

    A stream that has finished is good without its usage, too, which is waited for until the time of
    the call is over, but no longer than the service is patient; it looks twice a second.
    """
    told: Tokens = (5, 2, "upstream")
    if last.kind.name == "miscounted":
        told = (None, None, "invalid")
    untold: Tokens = (None, None, "missing")
    if last.usage_after < GRACE and last.ended_at < client.deadline:
        return [told]
    return [told, untold] if last.usage_after <= GRACE + _A_LOOK else [untold]


def _end_of(client: Client) -> tuple[str, str | None, int]:
    if client.has_hung_up:
        return "client_closed", "client_closed", 200
    error = client.error
    if error is None:
        return "ok", None, 200
    status = {499: "client_closed", 504: "timeout"}.get(error.status, "upstream_error")
    return status, error.reason, 200 if client.chunks else error.status


def _claims_of_attempts(client: Client) -> Iterator[Claim]:
    hits = client.hits
    yield len(hits) <= 3, f"{len(hits)} attempts"
    for where in {(hit.upstream, hit.model) for hit in hits}:
        count = sum((hit.upstream, hit.model) == where for hit in hits)
        yield count <= 2, f"{count} attempts at {where}"
    for hit in hits:
        late = hit.began_at - client.deadline
        yield late < 0, f"an attempt {late} s after its time"
        late = hit.began_at - client.leaves_at
        yield late < INTERVAL + _A_MOMENT, f"an attempt {late} s after the client left"
    for before, after in pairwise(hits):
        gap = after.began_at - before.ended_at
        yield _may_follow(before, after, gap), f"{after.line}/{after.model} after {gap} s"


def _may_follow(before: Hit, after: Hit, gap: float) -> bool:
    kind = before.kind
    if before.has_delivered or before.is_given_up or before.cut is not None:
        return False
    if (before.upstream, before.model) != (after.upstream, after.model):
        if after.model == LONGER:
            return kind.name == "overflow" and before.model == ASKED
        # Where the longer model could not even be asked, the spare one may do.
        has_skipped = kind.name == "overflow" and before.model == ASKED
        has_skipped &= not after.has_alternative
        is_named = after.model == SPARE and before.model in (ASKED, LONGER)
        return is_named and (kind.falls_back or has_skipped)
    if kind.goes_on and after.line != before.line and gap == 0:
        return True
    wait = kind.wait or 0
    most = 1.0 if kind.wait is None and kind.name == "limited" else 0.25
    return kind.repeats and wait <= 10 and wait - _A_MOMENT <= gap <= wait + most + _A_MOMENT


# An answer had begun, or may have been at work: another attempt would be paid for as well.
PAID = (
    "upstream_bad_response",
    "upstream_disconnected",
    "upstream_timeout",
    "upstream_truncated",
)


def _claims_of_answer(client: Client) -> Iterator[Claim]:
    where = ("backup", SPARE) if client.model == SPARE else ("fast", client.model or ASKED)
    asked = [hit for hit in client.hits if (hit.upstream, hit.model) == where]
    failed: set[str | None] = {"circuit_open", "overloaded"}
    if asked:
        failed = {asked[-1].reason}
    error, text = client.error, client.text
    yield TEXT.startswith(text), f"the client got {text!r}"
    if error is None:
        yield client.hits[-1].kind.reason is None or client.has_hung_up, "an answer from nowhere"
        yield text == TEXT or client.has_hung_up, f"the client got {text!r} as a whole answer"
        yield from _claims_of_fallback(client, where, failed)
        return
    was_left = any(hit.cut == "client_closed" for hit in client.hits)
    yield not was_left or error.reason == "client_closed", f"{error.reason}, though nobody listens"
    if error.reason == "client_closed":
        yield client.leaves_at <= client.world.now, "its client had not left"
        return
    is_late = error.reason == "upstream_timeout" and client.world.now >= client.deadline
    yield error.reason in failed or is_late or client.chunks, f"{error.reason} was told"
    if len(client.hits) > 1 and not client.chunks:
        yield error.retries_exhausted, f"{error.reason} is not spent"
    if asked == client.hits and [hit.kind.is_final for hit in asked] == [True]:
        is_right = error.retries_exhausted == (error.reason in PAID)
        yield is_right, f"{error.reason} is spent: {error.retries_exhausted}, after one attempt"


def _claims_of_fallback(
    client: Client, where: tuple[str, str], failed: set[str | None]
) -> Iterator[Claim]:
    last, told = client.hits[-1], client.fallback
    yield (told is None) == ((last.upstream, last.model) == where), f"it was told {told}"
    if told is not None:
        yield (told.requested_upstream, told.requested_model) == where, f"{told} was not asked"
        yield (told.used_upstream, told.used_model) == (last.upstream, last.model), f"{told}: used"
        yield told.reason in failed, f"{told}: not for {failed}"
