"""What every store of rewrites that processes share has to keep to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from llm_api.domain.rewrites import KeptRewrite
from llm_api.services.prompts import SharedRewrites

NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)
FIRST = KeptRewrite("1" * 64, "f" * 64, {"rewrites": ["a cat 🐈"]}, NOW, NOW + WEEK)
SECOND = replace(FIRST, name="2" * 64, document={"rewrites": ["猫"]}, created_at=NOW + WEEK / 7)


class SharedRewritesContract:
    """Each test gets an empty store, twice: as two processes have it."""

    def test_the_newest_rewrite_of_a_request_is_found(
        self, stores: tuple[SharedRewrites, SharedRewrites]
    ) -> None:
        ours, theirs = stores
        assert (theirs.latest("f" * 64, NOW), theirs.get("1" * 64, NOW)) == (None, None)

        ours.put(FIRST)
        ours.put(replace(SECOND, request="e" * 64))
        first = theirs.latest("f" * 64, NOW)
        ours.put(replace(SECOND, name="3" * 64))
        newest, older = theirs.latest("f" * 64, NOW), theirs.get("1" * 64, NOW)

        assert first is not None
        assert (first.name, first.document) == (FIRST.name, FIRST.document)
        assert newest is not None
        assert (newest.name, newest.document) == ("3" * 64, SECOND.document)
        assert older is not None

    def test_the_same_words_once_more_are_the_newest_again(
        self, stores: tuple[SharedRewrites, SharedRewrites]
    ) -> None:
        ours, theirs = stores
        ours.put(FIRST)
        ours.put(SECOND)
        ours.put(replace(FIRST, created_at=NOW + 2 * WEEK / 7))

        newest = theirs.latest("f" * 64, NOW)

        assert newest is not None
        assert newest.name == FIRST.name

    def test_a_pinned_rewrite_does_not_expire_and_is_deleted(
        self, stores: tuple[SharedRewrites, SharedRewrites]
    ) -> None:
        ours, theirs = stores
        ours.put(FIRST)
        ours.pin(FIRST.name)
        ours.put(FIRST)  # the same words, asked for anew

        pinned = theirs.get(FIRST.name, NOW + 9 * WEEK)
        was_there, is_there = theirs.delete(FIRST.name), theirs.delete(FIRST.name)

        assert pinned is not None
        assert pinned.expires_at is None
        assert (was_there, is_there) == (True, False)
        assert ours.latest("f" * 64, NOW) is None

    def test_one_process_has_a_lease_until_it_ends_or_runs_out(
        self, stores: tuple[SharedRewrites, SharedRewrites]
    ) -> None:
        ours, theirs = stores
        now = datetime.now(UTC)
        later, past = now + timedelta(minutes=1), now + timedelta(milliseconds=1)

        granted = [
            ours.claim("r", "a", now, later),
            theirs.claim("r", "b", now, later),
            theirs.claim("s", "b", now, later),
        ]
        theirs.release("r", "b")  # not its own
        granted.append(theirs.claim("r", "b", now, later))
        ours.renew("r", "a", later)
        ours.release("r", "a")
        granted.append(theirs.claim("r", "b", now, past))

        assert granted == [True, False, True, False, True]
