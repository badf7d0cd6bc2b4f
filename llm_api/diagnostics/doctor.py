"""Runs the checks of `flask doctor`, and lists them for each part of an installation."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm_api.diagnostics.database import DatabaseChecks
from llm_api.diagnostics.redis import LimiterChecks
from llm_api.diagnostics.replica import ReplicaChecks
from llm_api.diagnostics.results import CheckResult, State, fail, ok, skipped, warn
from llm_api.diagnostics.spool import spool_folder, spool_space
from llm_api.diagnostics.upstream_api import ApiChecks
from llm_api.diagnostics.upstream_route import RouteChecks
from llm_api.domain.upstream_plans import Timeouts
from llm_api.storage.redis import is_shared

OVERALL_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One check; it is skipped unless the checks whose titles it `needs` passed."""

    title: str
    run: Callable[[], CheckResult]
    needs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The results, each with the title of its check, in the order of the checks."""

    results: Sequence[tuple[str, CheckResult]]

    @property
    def is_well(self) -> bool:
        """Whether no check failed."""
        return all(result.state is not State.FAIL for _, result in self.results)


def run_checks(parts: Sequence[Sequence[Check]], timeout: float = OVERALL_TIMEOUT_S) -> Diagnosis:
    """Run the checks of each part in sequence, and the parts in parallel.

    Args:
        parts: checks that depend on each other are in one part, in their order.
        timeout: seconds for all; checks that have not ended by then fail or are skipped.
    """
    deadline = time.monotonic() + timeout
    runs = [_PartRun(checks) for checks in parts]
    for run in runs:
        run.start()
    for run in runs:
        run.join(max(0.0, deadline - time.monotonic()))
    return Diagnosis([pair for run in runs for pair in run.results(timeout)])


class _PartRun(threading.Thread):
    """Runs the checks of one part, in a thread that does not keep the process from exiting."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__(daemon=True)
        self._checks = checks
        self._results: list[CheckResult] = []

    def run(self) -> None:
        causes: dict[str, str] = {}  # checks that did not pass: the first failed check behind each
        for check in self._checks:
            cause = next((causes[need] for need in check.needs if need in causes), None)
            result = skipped(f"{cause} must pass first.") if cause else _run(check)
            if result.state in {State.FAIL, State.SKIPPED}:
                causes[check.title] = cause or check.title
            self._results.append(result)

    def results(self, timeout: float) -> list[tuple[str, CheckResult]]:
        results = list(self._results)
        if len(results) < len(self._checks):
            advice = "Run it again; if that does not help, see whether it answers at all."
            results.append(fail(f"No result within {timeout:g} seconds.", advice))
        rest = len(self._checks) - len(results)
        results += [skipped("The time for all checks was over.")] * rest
        titles = [check.title for check in self._checks]
        return list(zip(titles, results, strict=True))


def _run(check: Check) -> CheckResult:
    try:
        return check.run()
    except Exception as error:  # noqa: BLE001  # one broken check must not hide the others
        return fail(
            f"The check itself broke ({type(error).__name__}).", "Report this as a bug of llm_api."
        )


def route_checks(name: str, route: RouteChecks) -> list[Check]:
    """List the checks of one upstream that send it no request; see `upstream_checks`."""
    return [
        Check(f"{name} settings", route.settings),
        Check(f"{name} address", route.address),
        Check(f"{name} DNS", route.dns, [f"{name} address"]),
        Check(f"{name} TCP", route.tcp, [f"{name} DNS"]),
        Check(f"{name} TLS", route.tls, [f"{name} TCP"]),
    ]


def upstream_checks(
    name: str, route: RouteChecks, api: ApiChecks, *, has_vision: bool
) -> list[Check]:
    """List the checks of one upstream, in their order.

    Args:
        name: title of the upstream, the beginning of each check's title.
        route: checks from the settings to the TLS handshake.
        api: checks of the API behind it.
        has_vision: whether its model must accept pictures.
    """

    def check(title: str, run: Callable[[], CheckResult], *needs: str) -> Check:
        return Check(f"{name} {title}", run, [f"{name} {need}" for need in needs])

    checks = [
        *route_checks(name, route),
        check("API", api.chat, "TLS", "settings"),
        check("key", api.key, "API"),
        check("model", api.model, "key"),
        check("model list", api.model_list, "key"),
        check("JSON mode", api.json_mode, "model"),
        check("streaming", api.streaming, "model"),
    ]
    if has_vision:
        checks.append(check("pictures", api.pictures, "model"))
    return [*checks, check("clock", api.clock, "TLS")]


def database_checks(database: DatabaseChecks) -> list[Check]:
    """List the checks of the database."""
    return [
        Check("database", database.reachable),
        Check("database schema", database.schema, ["database"]),
        Check("database writing", database.writable, ["database schema"]),
        Check("usage months", database.months, ["database schema"]),
    ]


def replica_checks(replica: ReplicaChecks) -> list[Check]:
    """List the checks of the replica that has the reports."""
    return [
        Check("reports", replica.reachable),
        Check("reports lag", replica.lag, ["reports"]),
    ]


def limiter_checks(storage_uri: str, workers: int) -> list[Check]:
    """List the checks of the rate limit's store.

    Args:
        storage_uri: RATELIMIT_STORAGE_URI.
        workers: number of worker processes.
    """
    if not is_shared(storage_uri):
        return [Check("limiter", lambda: _memory_limiter(workers))]
    limiter = LimiterChecks(storage_uri)
    return [
        Check("limiter", limiter.reachable),
        Check("limiter writing", limiter.writable, ["limiter"]),
    ]


def spool_checks(folder: Path) -> list[Check]:
    """List the checks of the folder where usage rows wait for the database."""
    return [
        Check("spool folder", lambda: spool_folder(folder)),
        Check("spool space", lambda: spool_space(folder), ["spool folder"]),
    ]


def _memory_limiter(workers: int) -> CheckResult:
    if workers == 1:
        return ok("Requests are counted in memory, by a single worker.")
    return warn(
        f"Each of the {workers} workers counts requests on its own, so that a client gets up to"
        f" {workers} times RATE_LIMIT.",
        "Set RATELIMIT_STORAGE_URI to a Redis or Valkey, such as redis://127.0.0.1:6379/0.",
    )


def order_of_timeouts(timeouts: Timeouts) -> CheckResult:
    """Check that no time-out is longer than one that includes it."""
    pairs = (
        ("UPSTREAM_CONNECT_TIMEOUT", timeouts.connect, "UPSTREAM_TOTAL_TIMEOUT", timeouts.total),
        (
            "UPSTREAM_FIRST_BYTE_TIMEOUT",
            timeouts.first_byte,
            "UPSTREAM_TOTAL_TIMEOUT",
            timeouts.total,
        ),
        ("UPSTREAM_IDLE_TIMEOUT", timeouts.idle, "UPSTREAM_STREAM_TIMEOUT", timeouts.stream),
        ("UPSTREAM_TOTAL_TIMEOUT", timeouts.total, "UPSTREAM_STREAM_TIMEOUT", timeouts.stream),
    )
    for shorter, lower, longer, upper in pairs:
        if lower > upper:
            return warn(
                f"{shorter} ({lower:g} s) is longer than {longer} ({upper:g} s), which ends every"
                " call first.",
                f"Make {longer} at least as long as {shorter}.",
            )
    return ok("No time-out is longer than one that includes it.")
