"""The generated part of docs/benchmarks.md, and its plots."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.pages.markdown import (
    budget_table,
    figure,
    number,
    ratio_table,
    server_name,
    table,
)
from benchmarks.pages.plots import bars, growth

OURS = ("this service", "this service, with a key")
CALL_COLUMNS = {
    "cpu_ms": "CPU ms a call",
    "added_p50_ms": "added p50 ms",
    "added_p99_ms": "added p99 ms",
}
STREAM_COLUMNS = {
    "cpu_ms": "CPU ms a stream",
    "added_p50_ms": "added p50 ms an event",
    "added_p99_ms": "added p99 ms an event",
}
MANY_COLUMNS = {
    "p50_ms": "p50 ms an event",
    "p99_ms": "p99 ms an event",
    "cpu_ms": "CPU ms a stream",
}
FOOTPRINT_COLUMNS = {
    "idle_mib": "idle worker, private MiB",
    "idle_resident_mib": "idle worker, resident MiB",
    "after_mib": "resident MiB after the streams, 200 at once",
    "crowd_mib": "resident MiB after all at once",
    "broken": "of them broken",
    "start_s": "`make run` to the first answer, s",
    "start_bundled_s": "the same with the bundled model, s",
}
ROUTES = {
    "chat": "`/v1/chat/completions`",
    "rest": "`/api/v1/llm/chat`",
    "stream": "streams",
    "responses": "`/v1/responses`",
    "responses-stream": "streams of `/v1/responses`",
}
Run = Mapping[str, Any]


def page(run: Run) -> str:
    """Return all sections of what was measured."""
    return "\n\n".join(part for part in sections(run) if part) + "\n"


def plots(run: Run) -> Mapping[str, str]:
    """Return the plots by their file names."""
    drawn = {
        "calls.svg": bars("CPU ms a chat call", of_route(run["targets"], "chat", "cpu_ms"), OURS)
    }
    if run["streams"]:
        streams = run["streams"]["targets"]
        drawn["streams.svg"] = bars(
            "CPU ms a stream of 100 events", of_route(streams, "stream", "cpu_ms"), OURS
        )
        drawn["events.svg"] = bars(
            "added p99 ms an event", of_route(streams, "stream", "added_p99_ms"), OURS
        )
    growing = [line for line in run["scale"] if line["verdict"] != "does not grow"]
    if growing:
        drawn["scale.svg"] = growth("What the cost of a call grows with", growing)
    return drawn


def of_route(
    targets: Mapping[str, Any], route: str, field: str
) -> Mapping[str, Mapping[str, float]]:
    """Return a figure of every server that has a route, the cheapest first."""
    found = {
        server_name(label.split()[0]): figures[field]
        for label, figures in targets.items()
        if label.split()[1] == route
    }
    return dict(sorted(found.items(), key=lambda item: item[1]["median"]))


def sections(run: Run) -> Iterator[str]:
    """Yield the sections in their order."""
    yield measured_on(run)
    yield f"## What was to be reached\n\n{budget_table(list(budgets(run)))}"
    yield calls(run)
    yield streams(run)
    yield many_streams(run)
    yield prompts(run)
    yield footprint(run)
    yield stores(run)
    yield scale(run)
    yield hostile(run)
    yield outages(run)


def measured_on(run: Run) -> str:
    """Return what was measured, where and when."""
    names = run["measured"]
    peers = [
        f"{server_name(name)} {names[name]}" for name in ("portkey", "litellm") if name in names
    ]
    before = f", in turn with the build before, {names['before']}" if "before" in names else ""
    beside = f" Beside it: {', '.join(peers)}." if peers else ""
    broken = "".join(f"\nNot measured, {part}: {why}" for part, why in run["failures"].items())
    return (
        f"Measured on {names['day']}: commit {names['service']}{before},"
        f" Python {run['python']}, {run['cores']} shared cores.{beside}\n"
        f"A cell is the median of {run['rounds']} rounds unless a section says otherwise,"
        " with the lowest and the highest."
        f"{broken}"
    )


def budgets(run: Run) -> Iterator[Mapping[str, Any]]:
    """Yield every limit that was measured, but for hostile input and outages."""
    yield from run["budget"]
    for part in ("streams", "many_streams", "prompts", "footprint"):
        yield from (run[part] or {}).get("budget", [])


def server_table(
    targets: Mapping[str, Any], columns: Mapping[str, str], worker_mib: Mapping[str, float]
) -> str:
    """Return a line for every target."""
    rows = []
    for label, figures in targets.items():
        server, route = label.split()
        cells = [figure(figures[field]) for field in columns]
        rows.append([server_name(server), ROUTES[route], *cells, number(worker_mib[server])])
    return table(["server", "route", *columns.values(), "worker MiB"], rows)


def failures(failed: Mapping[str, str]) -> str:
    """Return a sentence for each target that failed."""
    return "\n".join(
        f"{server_name(label.split()[0])} could not: `{why}`" for label, why in failed.items()
    )


def calls(run: Run) -> str:
    """Return the section of calls."""
    targets = server_table(run["targets"], CALL_COLUMNS, run["worker_mib"])
    picture = "![CPU milliseconds a chat call of every server](benchmarks/calls.svg)"
    parts = ["## A call", picture, targets, ratio_table(run["ratios"]), failures(run["failed"])]
    return "\n\n".join(part for part in parts if part)


def streams(run: Run) -> str:
    """Return the section of streams."""
    part = run["streams"]
    if not part:
        return ""
    scope = (
        f"{part['streams']} streams at once, 100 events each over {part['seconds']:g} s,"
        f" rounds: {part['rounds']}."
    )
    pictures = (
        "![CPU milliseconds a stream of every server](benchmarks/streams.svg)\n\n"
        "![Added 99th percentile of an event's delay of every server](benchmarks/events.svg)"
    )
    lines = server_table(part["targets"], STREAM_COLUMNS, part["worker_mib"])
    parts = ["## Streams", scope, pictures, lines, ratio_table(part["ratios"])]
    return "\n\n".join(p for p in [*parts, failures(part["failed"])] if p)


def by_server(part: Run, columns: Mapping[str, str], more: Mapping[str, Any] | None = None) -> str:
    """Return a line for every server, with the ratios below."""
    rows = [
        [
            server_name(server),
            *(figure(figures[field]) for field in columns),
            *([str(more[server])] if more else []),
        ]
        for server, figures in part["servers"].items()
    ]
    head = ["server", *columns.values(), *(["broken"] if more else [])]
    return f"{table(head, rows)}\n\n{ratio_table(part['ratios'])}".strip()


def many_streams(run: Run) -> str:
    """Return the section of many streams."""
    part = run["many_streams"]
    if not part:
        return ""
    scope = (
        f"{part['streams']:,} streams at once before two workers, rounds: {part['rounds']}."
        " The delays are whole ones: those without a server between are the first line."
    )
    return f"## Many streams\n\n{scope}\n\n{by_server(part, MANY_COLUMNS, part['broken'])}"


def prompts(run: Run) -> str:
    """Return the section of optimized prompts."""
    part = run["prompts"]
    if not part:
        return ""
    scope = (
        f"Rewrites of 200 words, {part['prompts']} a round, rounds: {part['rounds']}."
        " The own time is all the time of a request that was not spent at the upstream."
    )
    columns = {"own_ms": "own ms, p50", "cpu_ms": "CPU ms a prompt"}
    return f"## Optimized prompts\n\n{scope}\n\n{by_server(part, columns)}"


def footprint(run: Run) -> str:
    """Return the section of memory and starts."""
    part = run["footprint"]
    if not part:
        return ""
    scope = f"One worker; {part['streams']:,} streams; everything is installed."
    head = ["figure", *map(server_name, part["servers"])]
    rows = [
        [title, *(figure(figures[field]) for figures in part["servers"].values())]
        for field, title in FOOTPRINT_COLUMNS.items()
    ]
    lines = f"{table(head, rows)}\n\n{ratio_table(part['ratios'])}".strip()
    return f"## Memory and start\n\n{scope}\n\n{lines}"


def stores(run: Run) -> str:
    """Return the section of what calls cost PostgreSQL and Valkey."""
    part = run["stores"]
    if not part:
        return ""
    columns = {
        "service_cpu_ms": "CPU ms of the service",
        "database_cpu_ms": "CPU ms of PostgreSQL",
        "transactions": "writing transactions",
        "valkey_cpu_ms": "CPU ms of Valkey",
        "commands": "commands",
    }
    rows = [
        [name, *(figure(figures[field]) for field in columns)]
        for name, figures in part["calls"].items()
    ]
    scope = (
        "A chat call where usage rows and budgets are in PostgreSQL and limits in Valkey,"
        f" rounds: {part['rounds']}."
    )
    return (
        f"## PostgreSQL and Valkey\n\n{scope}\nCommands are counted as Valkey counts them, those of"
        f" scripts included.\n\n{table(['call', *columns.values()], rows)}"
    )


def scale(run: Run) -> str:
    """Return the section of growth."""
    lines: Sequence[Run] = run["scale"]
    if not lines:
        return ""
    rows = []
    for line in lines:
        steps = zip(line["sizes"], line["cpu_ms"], strict=True)
        costs = ", ".join(f"{size:,}: {number(cost['median'])}" for size, cost in steps)
        steepest = max(line["exponents"])
        rows.append([line["name"], costs, f"{steepest:.2f}", line["verdict"]])
    text = (
        "CPU milliseconds of the thread that answers a chat call (or writes rows).\n"
        "The exponent is that of the steepest step: 0 is constant, 1 is proportional."
    )
    picture = "![Growth of the cost](benchmarks/scale.svg)" if "scale.svg" in plots(run) else ""
    head = ["what grows", "size: ms", "exponent", "verdict"]
    return "\n\n".join(p for p in ["## Growth", text, picture, table(head, rows)] if p)


def hostile(run: Run) -> str:
    """Return the section of hostile input."""
    if not run["refusals"]:
        return ""
    text = "CPU time as a multiple of `json.loads` of the same bytes, or of large reads."
    return f"## Hostile input\n\n{text}\n\n{budget_table(run['refusals'])}"


def outages(run: Run) -> str:
    """Return the section of outages."""
    if not run["outages"]:
        return ""
    return f"## Outages\n\n{budget_table(run['outages']['budget'])}"
