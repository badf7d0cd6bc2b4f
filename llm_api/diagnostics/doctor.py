"""Examines the installation for `flask doctor`: which checks there are, in which order and time."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm_api.diagnostics.database import DatabaseExamination, spool_folder, spool_space
from llm_api.diagnostics.redis import LimiterExamination
from llm_api.diagnostics.results import CheckResult, State, fail, ok, skipped, warn
from llm_api.diagnostics.upstream_api import ApiExamination
from llm_api.diagnostics.upstream_route import RouteExamination
from llm_api.domain.calls import Timeouts
from llm_api.storage.redis import is_shared

OVERALL_S = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one thing; it is not made unless the checks that it `needs` went well."""

    title: str
    look: Callable[[], CheckResult]
    needs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings, each with the title of its check, in the order of the checks."""

    findings: Sequence[tuple[str, CheckResult]]

    @property
    def is_well(self) -> bool:
        """Whether nothing failed."""
        return all(finding.state is not State.FAIL for _, finding in self.findings)


def examine(parts: Sequence[Sequence[Check]], overall: float = OVERALL_S) -> Diagnosis:
    """Make the checks of each part one after the other, and the parts side by side.

    After `overall` seconds the checks that have not ended are given up.
    """
    deadline = time.monotonic() + overall
    examinations = [_PartExamination(checks) for checks in parts]
    for examination in examinations:
        examination.start()
    for examination in examinations:
        examination.join(max(0.0, deadline - time.monotonic()))
    return Diagnosis([pair for one in examinations for pair in one.results(overall)])


class _PartExamination(threading.Thread):
    """Makes the checks of one part, in a thread that never keeps the process from ending."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__(daemon=True)
        self._checks = checks
        self._findings: list[CheckResult] = []

    def run(self) -> None:
        causes: dict[str, str] = {}  # what did not go well, and the check where that began
        for check in self._checks:
            cause = next((causes[need] for need in check.needs if need in causes), None)
            finding = skipped(f"{cause} must be right first.") if cause else _look(check)
            if finding.state in {State.FAIL, State.SKIPPED}:
                causes[check.title] = cause or check.title
            self._findings.append(finding)

    def results(self, overall: float) -> list[tuple[str, CheckResult]]:
        findings = list(self._findings)
        if len(findings) < len(self._checks):
            advice = "Run it again; if that does not help, see whether it answers at all."
            findings.append(fail(f"No result within {overall:g} seconds.", advice))
        rest = len(self._checks) - len(findings)
        findings += [skipped("The time for the examination was over.")] * rest
        return [
            (check.title, finding) for check, finding in zip(self._checks, findings, strict=True)
        ]


def _look(check: Check) -> CheckResult:
    try:
        return check.look()
    except Exception as error:  # noqa: BLE001  # one broken check must not hide the others
        return fail(
            f"The check itself broke ({type(error).__name__}).", "Report this as a bug of llm_api."
        )


def upstream_checks(
    name: str, route: RouteExamination, api: ApiExamination, *, sees_pictures: bool
) -> list[Check]:
    """List the checks of one upstream; `sees_pictures` adds the one for a vision model."""

    def check(title: str, look: Callable[[], CheckResult], *needs: str) -> Check:
        return Check(f"{name} {title}", look, [f"{name} {need}" for need in needs])

    checks = [
        check("settings", route.settings),
        check("address", route.address),
        check("DNS", route.dns, "address"),
        check("TCP", route.tcp, "DNS"),
        check("TLS", route.tls, "TCP"),
        check("API", api.chat, "TLS", "settings"),
        check("key", api.key, "API"),
        check("model", api.model, "key"),
        check("model list", api.model_list, "key"),
        check("JSON mode", api.json_mode, "model"),
        check("streaming", api.streaming, "model"),
    ]
    if sees_pictures:
        checks.append(check("pictures", api.pictures, "model"))
    return [*checks, check("clock", api.clock, "TLS")]


def database_checks(database: DatabaseExamination) -> list[Check]:
    """List the checks of the database."""
    return [
        Check("database", database.reachable),
        Check("database schema", database.schema, ["database"]),
        Check("database writing", database.writable, ["database schema"]),
    ]


def limiter_checks(storage_uri: str, workers: int) -> list[Check]:
    """List the checks of the store that counts requests."""
    if not is_shared(storage_uri):
        return [Check("limiter", lambda: _memory_limiter(workers))]
    limiter = LimiterExamination(storage_uri)
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
        return ok("Requests are counted in memory, by the one worker.")
    return warn(
        f"Each of the {workers} workers counts requests for itself, so that a client gets up to"
        f" {workers} times RATE_LIMIT.",
        "Set RATELIMIT_STORAGE_URI to a Redis or Valkey, such as redis://127.0.0.1:6379/0.",
    )


def order_of_timeouts(timeouts: Timeouts) -> CheckResult:
    """Look for a time-out that another one makes useless."""
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
    return ok("The time-outs are in a possible order.")
