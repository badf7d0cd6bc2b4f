"""What the codes of vendors of pictures mean: the table of docs/errors.md as data.

A code decides, a vendor's own first; then those of all others, because the API at an address is
often another one's front. Sentences are looked into last, and only for what a caller may cause.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_api.upstream.vendors.error_body import VendorError

# Meanings that are no reasons of errors.
WRONG_PROTOCOL = "wrong_protocol"
_ABOUT_THE_REQUEST = frozenset([None, 400, 403, 422, 451])


@dataclass(frozen=True, slots=True)
class ImageErrorRule:
    """What an error means whose codes the pattern is found in."""

    meaning: str
    match: re.Pattern[str]


def _rules(*rows: tuple[str, str]) -> tuple[ImageErrorRule, ...]:
    return tuple(
        ImageErrorRule(meaning, re.compile(pattern, re.IGNORECASE)) for meaning, pattern in rows
    )


# Words that say that the code means something else than usually.
_EXCEPTIONS = _rules(
    (
        "image_fetch_failed",
        (
            r"\bdownload\w*.{0,80}(?:time\w* ?out|timed out|fail)|time\w* ?out.{0,40}\bdownload"
            r"|failed to (?:download|fetch).{0,40}(?:image|media|resource|url)|\bInvalidURL\b"
        ),
    ),
    # One code has three meanings on Ark: a spent trial, a spent plan, and a queue that is full.
    ("upstream_rate_limited", r"QuotaExceeded.{0,500}(?:queue|排队|retry later|try again later)"),
    (WRONG_PROTOCOL, r"not support a?synchronous calls|url error, please check url"),
)
# Codes of words, which mean the same whoever sends them; the more special ones come first.
_NAMED: Mapping[str, Sequence[ImageErrorRule]] = {
    "openai": _rules(
        ("content_filtered", r"moderation_blocked|content_?policy|content_?filter|ResponsibleAI"),
        ("invalid_image", r"invalid_image|image_too_(?:large|small)|unsupported_image"),
        ("upstream_account", r"insufficient_quota|billing_(?:hard_limit|not_active)"),
        ("upstream_auth", r"invalid_api_key|invalid_authentication"),
        ("upstream_model_missing", r"model_not_found|DeploymentNotFound"),
        ("upstream_rate_limited", r"rate_limit_exceeded"),
        ("invalid_request", r"unknown_parameter|invalid_value|missing_required_parameter"),
    ),
    "ark": _rules(
        ("content_filtered", r"SensitiveContent|Audio\w*\.PolicyViolation|RiskDetection"),
        ("invalid_image", r"InvalidImageURL|InvalidPixelLimit|InvalidImageDetail"),
        ("upstream_account", r"AccountOverdue|ServiceOverdue|SetLimitExceeded|QuotaExceeded"),
        (
            "upstream_model_missing",
            r"ServiceNotOpen|ModelNotOpen|InvalidEndpointOrModel|UnsupportedModel",
        ),
        ("upstream_auth", r"AuthenticationError|InvalidAccountStatus|AccessDenied|OperationDenied"),
        (
            "upstream_rate_limited",
            r"RateLimitExceeded|RequestBurstTooFast|InflightBatchsizeExceeded",
        ),
        ("overloaded", r"ServerOverloaded"),
        ("upstream_error", r"InternalServiceError"),
        (
            "invalid_request",
            (
                r"InvalidParameter|MissingParameter|TaskType(?:Mismatch|Constraint)"
                r"|InvalidArgumentError|OutofContextError"
            ),
        ),
    ),
    "dashscope": _rules(
        ("content_filtered", r"Data_?Inspection|IPInfringement"),
        ("upstream_account", r"Arrearage|AccessDenied\.Unpurchased|AllocationQuota"),
        ("upstream_model_missing", r"ModelNotFound|Model\.NotExist|Model\.AccessDenied"),
        ("upstream_auth", r"Invalid_?ApiKey|AccessDenied"),
        ("upstream_rate_limited", r"Throttling|\blimit_(?:requests|burst_rate)"),
        ("upstream_timeout", r"RequestTimeOut"),
        ("upstream_error", r"InternalError"),
        ("invalid_request", r"InvalidParameter"),
    ),
}
# Codes of digits, which mean something else to everybody.
_NUMBERED: Mapping[str, Sequence[ImageErrorRule]] = {
    "zhipu": _rules(
        ("content_filtered", r"\b1301\b"),
        ("upstream_account", r"\b(?:1113|1304|1308|1310)\b"),
        ("upstream_rate_limited", r"\b130[23]\b"),
        ("overloaded", r"\b(?:1305|1312)\b"),
        ("upstream_auth", r"\b100[0-4]\b"),
        ("upstream_model_missing", r"\b12[12]1\b"),
        ("invalid_request", r"\b(?:121[0345]|1261)\b"),
        ("upstream_error", r"\b(?:500|1234)\b"),
    ),
    "siliconflow": _rules(
        ("upstream_account", r"\b300\d\d\b"),
        ("overloaded", r"\b50505\b"),
        ("invalid_request", r"\b200\d\d\b"),
    ),
}
_SENTENCES = _rules(
    (
        "content_filtered",
        (
            r"\bnsfw\b|sensitive (?:content|information|words?)|\binappropriate\b"
            r"|prohibited content|content (?:policy|moderation|filter)"
            r"|safety (?:system|checker|filter)"
            r"|违规|敏感|不合规|不当内容|不安全"
        ),
    ),
)


def meaning_of(vendor: str, status: int | None, sent: VendorError) -> str | None:
    """Return what an error means, by its words; None where they do not say.

    `status` is None for an error inside an answer with status 200.
    """
    words, codes = sent.words, sent.code_words
    exception = _first(_EXCEPTIONS, words)
    if exception is not None:
        return exception
    by_code = _first(_by_code(vendor), codes)
    # That a request is invalid says little: the sentence may say why.
    says_little = by_code in {None, "invalid_request"} and status in _ABOUT_THE_REQUEST
    return (_first(_SENTENCES, words) if says_little else None) or by_code


def _first(rules: Iterable[ImageErrorRule], words: str) -> str | None:
    return next((rule.meaning for rule in rules if rule.match.search(words)), None)


def _by_code(vendor: str) -> Iterator[ImageErrorRule]:
    yield from _NUMBERED.get(vendor, ())
    yield from _NAMED.get(vendor, ())
    for other, rules in _NAMED.items():
        if other != vendor:
            yield from rules
