"""What the doctor says of a store."""

from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from llm_api.diagnostics import doctor
from llm_api.diagnostics.database import DatabaseChecks
from tests.support.service import REPOSITORY_ROOT


def said_of_database(url: str, root: Path = REPOSITORY_ROOT) -> str:
    """Return what is said of the first check that is not ok, or "ok"."""
    return said(doctor.database_checks(DatabaseChecks(url, root)))


def said_of_limiter(url: str) -> str:
    """Return the same for a limiter store."""
    return said(doctor.limiter_checks(url, workers=1))


def said(checks: list[doctor.Check]) -> str:
    """Return what is said of the first check that is not ok, or "ok"."""
    results = doctor.run_checks([checks]).results
    return next((f"{f.state} {f.found} {f.advice}" for _, f in results if f.state != "ok"), "ok")


def run_sql(url: str, statement: str) -> None:
    """Run a statement and commit."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement))
