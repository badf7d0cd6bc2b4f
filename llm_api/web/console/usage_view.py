"""Reads what the page of usage shows, from the reports that the API answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from llm_api.domain.usage import UsageQuery, UsageSums, parted_tags
from llm_api.services.usage.reports import NAMES, ReportService, to_dict
from llm_api.web.access.visible_usage import visible_to_caller
from llm_api.web.console import figures
from llm_api.web.console.figures import Figure, Group
from llm_api.web.console.usage_arguments import UsageView, without

PAGE, API = "/console/usage", "/api/v1/usage"
MOST_COMPARED = 6
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class UsagePage:
    """What the page shows of a view.

    Attributes:
        total: the group of all calls; None without any.
        figures: over time.
        comparison: some groups of the view's dimension over time.
        groups: those of the view's dimension with the most calls, and `group_count` all of them.
        errors: groups by status and reason of calls that did not go well.
    """

    view: UsageView
    total: Group | None
    figures: Sequence[Figure]
    comparison: Figure
    groups: Sequence[Group]
    group_count: int
    errors: Sequence[Group]

    def link(self, *dropped: str, **changed: str) -> str:
        """Return the address of this view with other arguments; a filter replaces another."""
        return link_to({**without(self.view.arguments, *dropped), **changed})

    def link_of_days(self, days: str) -> str:
        """Return the address of this view of the last days."""
        return self.link("since", "until", days=days)

    def narrowed_to(self, value: str) -> str | None:
        """Return the address of this view of one group alone; None for what has no name."""
        return self.link(**{self.view.by: value}) if value else None

    def api_link(self, *group_by: str, as_csv: bool = False) -> str:
        """Return the address of a report of the API with the same numbers."""
        table = {"format": "csv"} if as_csv else {}
        groups = {"group_by": ",".join(group_by)} if group_by else {}
        view = self.view
        return f"{API}?{urlencode({**view.span, **groups, **view.query.filters, **table})}"

    def name_of(self, group: Group) -> str:
        """Return what a group of the view's dimension is called; empty for what has no name."""
        return name_of(group, self.view.by)


def link_to(arguments: Mapping[str, str]) -> str:
    """Return the address of a view."""
    return f"{PAGE}?{urlencode(arguments)}"


def name_of(group: Group, by: str) -> str:
    """Return what a group is called: keys and groups of keys by their names, if they have one."""
    return str((by in NAMES and group[NAMES[by]]) or group[by])


def usage_page(reports: ReportService, view: UsageView) -> UsagePage:
    """Read a view of what the caller may see.

    Raises:
        Forbidden: it is about another key.
        InvalidRequest: several keys have the name of the filter.
        Unavailable: the store cannot be read.
    """
    query = visible_to_caller(view.query)
    step, by = view.step, view.by
    # A call with two tags is in the groups of both, and once in that of all its tags.
    parts = _read(reports, query, step, "tags" if by == "tag" else by)
    steps = _regrouped(parts, step)
    if by == "tag":
        parts = _by_each_tag(parts, step)
    totals = _dicts(_regrouped(steps))
    found = sorted(_regrouped(parts, by), key=lambda sums: -sums.calls)
    # Of a thousand groups to work out the percentiles of all takes most of a second.
    groups = _dicts(found[:MOST_LISTED])
    named = {group[by]: name_of(group, by) for group in groups[:MOST_COMPARED]}
    compared = _dicts([sums for sums in parts if sums.group[by] in named])
    outcomes = _dicts(_read(reports, replace(query, has_times=False), "status", "reason"))
    failed = [group for group in outcomes if group["status"] != "ok"]
    return UsagePage(
        view,
        totals[0] if totals else None,
        list(figures.over_time(query, step, _dicts(steps))),
        figures.compared(
            query, step, (by, named), view.show, compared, currencies=figures.currencies_of(totals)
        ),
        groups,
        len(found),
        sorted(failed, key=_most_calls_first),
    )


def _read(reports: ReportService, query: UsageQuery, *group_by: str) -> list[UsageSums]:
    return reports.all(replace(query, group_by=group_by)).value


def _dicts(found: Sequence[UsageSums]) -> list[Group]:
    return [to_dict(sums) for sums in found]


def _by_each_tag(found: Sequence[UsageSums], step: str) -> list[UsageSums]:
    """Return groups by time and all tags of a call as the report by time and tag has them."""
    groups: dict[tuple[str, str], UsageSums] = {}
    for sums in found:
        at = sums.group[step]
        for tag in parted_tags(sums.group["tags"]):
            if (at, tag) not in groups:
                groups[at, tag] = UsageSums({step: at, "tag": tag})
            groups[at, tag].add_sums(sums)
    return [groups[values] for values in sorted(groups)]


def _regrouped(found: Sequence[UsageSums], *names: str) -> list[UsageSums]:
    """Return the groups of fewer dimensions, as the report by those would have them.

    What was read once is added up: to read it again takes most of a page's time.
    """
    groups: dict[tuple[str, ...], UsageSums] = {}
    for sums in found:
        kept = {one: sums.group[one] for name in names for one in (name, NAMES.get(name, name))}
        values = tuple(kept.values())
        if values not in groups:
            groups[values] = UsageSums(kept)
        groups[values].add_sums(sums)
    return list(groups.values())


def _most_calls_first(group: Group) -> int:
    return -int(group["calls"])
