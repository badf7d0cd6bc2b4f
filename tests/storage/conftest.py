"""The shared contracts of stores."""

import pytest

# Its asserts are told in full like those of the test files.
pytest.register_assert_rewrite(
    "tests.storage.contract",
    "tests.storage.contract_budgets",
    "tests.storage.contract_file_bytes",
    "tests.storage.contract_file_index",
    "tests.storage.contract_keys",
    "tests.storage.contract_lineage",
    "tests.storage.contract_reports",
    "tests.storage.contract_tasks",
)
