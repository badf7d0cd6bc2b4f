"""The vocabulary in memory, of which every worker has one."""

from itertools import chain

from llm_api.services.prompts.vocabulary.words import KnownPhrase, phrases_by_pair


def known() -> list[KnownPhrase]:
    """Return all phrases."""
    openings = phrases_by_pair().values()
    longer = (rows for one in openings for rows in one[1].values())
    return [one[0] for one in openings if one[0]] + list(chain.from_iterable(longer))


def test_what_phrases_have_in_common_is_kept_once() -> None:
    phrases = known()
    parts = [
        *(token for phrase in phrases for token in phrase.tokens),
        *(meaning for phrase in phrases for meaning in phrase.meanings),
        *(phrase.meanings for phrase in phrases),
        *(phrase.kinds for phrase in phrases),
    ]

    assert len(phrases) > 1_000
    assert len(set(map(id, parts))) == len(set(parts))
