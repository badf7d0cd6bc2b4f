"""Checks of the store of files."""

from llm_api.diagnostics.results import CheckResult, fail, ok
from llm_api.domain.files import FilesPlan
from llm_api.storage import StoreError
from llm_api.storage.factory import open_file_store


def file_store(plan: FilesPlan) -> CheckResult:
    """Check that a file can be written to the store, and deleted again."""
    store = open_file_store(plan)
    try:
        store.check()
    except StoreError as error:
        return fail(
            str(error),
            "Correct FILES_URL, or let the service's user write there; an S3 store also needs the"
            " other FILES_ settings.",
        )
    finally:
        store.close()
    return ok("Files can be written and deleted.")
