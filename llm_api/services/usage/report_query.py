"""What a usage report can be asked for; the route and the command line read it by one schema."""

from dataclasses import dataclass

from llm_api.domain.usage import USAGE_DIMENSIONS, UsageQuery

GROUPS = (*USAGE_DIMENSIONS, "hour", "day")
FORMATS = ("json", "csv")
DEFAULT_DAYS = 30
MAX_DAYS = 800
MAX_PAGE = 10**6
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 10_000


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A checked request for a report.

    Attributes:
        query: the calls to sum up.
        page: from 1 to MAX_PAGE.
        page_size: groups a page, from 1 to MAX_PAGE_SIZE.
        format: one of FORMATS.
    """

    query: UsageQuery
    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    format: str = FORMATS[0]
