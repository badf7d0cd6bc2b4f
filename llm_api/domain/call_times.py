"""Times of calls in buckets of a logarithmic scale, from which percentiles are told.

Counts of buckets are added up over hours, keys and machines, and tell the same as if all calls had
been counted at once. The scale is that of DDSketch (Masson, Rim, Lee, 2019,
https://arxiv.org/abs/1908.10693): a percentile is off by `RELATIVE_ERROR` at most, and by less than
half a millisecond of rounding.
"""

import math
from collections.abc import Mapping

# The fields of a UsageRecord whose times are counted, in milliseconds.
TIMES = ("total_ms", "first_token_ms")
# Buckets from a time to its double.
_PER_DOUBLE = 8
_GROWTH = 2 ** (1 / _PER_DOUBLE)
RELATIVE_ERROR = (_GROWTH - 1) / (_GROWTH + 1)  # 4.3 %
# The last bucket ends at 2^32 ms, which are 45 days.
BUCKETS = 256


def bucket_of(ms: int) -> int:
    """Return the bucket of a time: 0 for no time at all, 1 for a millisecond, up to BUCKETS - 1."""
    if ms < 1:
        return 0
    return min(1 + math.ceil(_PER_DOUBLE * math.log2(ms)), BUCKETS - 1)


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """Return the milliseconds within which so many percent of calls are.

    Args:
        counts: calls by bucket.
        percent: from 1 to 100; the nearest rank is taken, so that it is the time of a call.

    Returns:
        The middle of that call's bucket; None without calls.
    """
    rank = -(-sum(counts.values()) * percent // 100)
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank > 0:
            return _middle(bucket)
    return None


def _middle(bucket: int) -> int:
    """Return the time that is off by the same share from both ends of a bucket."""
    return round(2 * _GROWTH ** (bucket - 1) / (_GROWTH + 1)) if bucket else 0
