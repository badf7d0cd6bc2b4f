"""Finds names that nobody reads and that resemble a setting: `REQUIRE_API_KEYS`, `RATE_LIMITS`.

An environment is full of names that belong to others, so that an unknown name is no mistake by
itself. It probably is one if it is a setting's name with a slip, has its words in another order or
with some more or less between them, or begins as only settings of this service do.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from llm_api.settings.definitions import SETTINGS
from llm_api.settings.upstream_definitions import upstream_settings

# First words of settings that also begin what others read, such as DATABASE_HOST and CLIENT_ID.
_COMMON = frozenset(
    "ADMIN ALLOW API BIND CLIENT DATABASE ENABLE EXTRA LOCAL MAX WEB".split()  # noqa: SIM905  # to be read
)
# Of two names without their underscores; OPENAI_API_KEY and ADMIN_API_KEY are at 0.78.
_ALIKE = 0.9
# What Kubernetes sets for every service of a namespace, whose name is anybody's choice:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_OF_KUBERNETES = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP)(_.*)?)?)")
_OF_THE_PRODUCT = ("LLM_API_", "LLM_GATEWAY_")
_URL_OF_AN_UPSTREAM = upstream_settings("")[0].name  # _LLM_API_URL


def _stems(name: str) -> list[str]:
    """Return the words of a name without their endings: REQUIRED, PROXIES -> REQUIRE, PROXY."""
    words = (re.sub(r"IES$", "Y", word) for word in name.split("_"))
    return [re.sub(r"(?<=[A-Z]{3})S$|(?<=E)D$", "", word) for word in words]


# Those of the commands are like what others read: LLM_MODEL, OPENAI_API_KEY.
_STEMS = {name: _stems(name) for name in SETTINGS if not name.startswith(_OF_THE_PRODUCT)}
_OWN_FIRST_WORDS = {stems[0] for stems in _STEMS.values()} - _COMMON
# What settings are about; the last two are what people look for and we do not have.
_SUBJECTS = {stem for stems in _STEMS.values() for stem in stems[1:]} | {"AUTH", "RETRY"}
_SUBJECTS -= {"HOST"}  # which everybody has: TRUSTED_HOSTS, UPSTREAM_HOST
_BEGINNINGS = (
    *("ADMIN_KEY_", "CORS_", "LOCAL_LLM_", "LOCAL_MODEL_", "RATELIMIT_"),
    *("_".join([*name.split("_")[:2], ""]) for name in _STEMS if name.count("_") > 1),
)


def misspelt(names: Iterable[str], upstreams: Iterable[str] = ()) -> list[str]:
    """Return a sentence for each name that is probably meant to be a setting and is none.

    Args:
        names: of variables that have a value.
        upstreams: names of the upstreams that EXTRA_UPSTREAMS adds.
    """
    extra = [name.upper() for name in upstreams]
    known = {*SETTINGS, *(s.name for name in extra for s in upstream_settings(name))}
    beginnings = tuple(f"{name}_LLM_" for name in extra)
    found = [_sentence(name, beginnings) for name in sorted(set(names) - known)]
    return [sentence for sentence in found if sentence is not None]


def _sentence(name: str, beginnings: tuple[str, ...]) -> str | None:
    written = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    # OpenTelemetry has a hundred names of its own, and its packages read some of them themselves.
    if not written or written.startswith("OTEL_") or _OF_KUBERNETES.fullmatch(written):
        return None
    if (meant := _meant(written)) is not None:
        return f"{name} is no setting and has no effect; is {meant} meant?"
    if f"{written}_".startswith(_BEGINNINGS + beginnings) or _is_about_ours(written):
        return f"{name} is no setting and has no effect; docs/configuration.md lists them all."
    if written.endswith(_URL_OF_AN_UPSTREAM):
        upstream = written.removesuffix(_URL_OF_AN_UPSTREAM).lower()
        return f"{name} has no effect: EXTRA_UPSTREAMS does not name {upstream}."
    return None


def _meant(written: str) -> str | None:
    """Return the setting that a name is meant for; None where that cannot be said."""
    for prefix in _OF_THE_PRODUCT:
        written = written.removeprefix(prefix)
    return written if written in SETTINGS else _with_a_slip(written) or _with_its_words(written)


def _with_a_slip(written: str) -> str | None:
    """Return the setting that differs in a few letters."""
    letters = written.replace("_", "")
    likeness = {name: _likeness(letters, name.replace("_", "")) for name in _STEMS}
    nearest = max(likeness, key=lambda name: likeness[name])
    return nearest if likeness[nearest] >= _ALIKE else None


def _likeness(letters: str, others: str) -> float:
    """Return the similarity of two names, or 0 for names that are not alike anyway.

    Two upper bounds are asked first: to compare the environment with all settings took 26 ms of
    CPU, in each of the three processes of a start.
    """
    if 2 * min(len(letters), len(others)) < _ALIKE * (len(letters) + len(others)):
        return 0.0
    matcher = SequenceMatcher(None, letters, others, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _ALIKE else 0.0


def _with_its_words(written: str) -> str | None:
    """Return the setting with the same words in another order, else those framed by the same two.

    UPSTREAM_TIMEOUT may be meant for any of five: `A, B or C`.
    """
    words = _stems(written)
    found = [name for name, theirs in _STEMS.items() if sorted(words) == sorted(theirs)]
    if not found and len(words) > 1 and words[0] in _OWN_FIRST_WORDS:
        frame = (words[0], words[-1])
        found = [name for name, theirs in _STEMS.items() if (theirs[0], theirs[-1]) == frame]
    if not found:
        return None
    *others, last = found
    return f"{', '.join(others)} or {last}" if others else last


def _is_about_ours(written: str) -> bool:
    """Whether a name begins like a setting, and is about what settings are about."""
    first, *others = _stems(written)
    return first in _OWN_FIRST_WORDS and not _SUBJECTS.isdisjoint(others)
