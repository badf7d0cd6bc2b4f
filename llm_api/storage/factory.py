"""Opens the stores of an installation."""

import importlib
from pathlib import Path
from typing import cast

from llm_api.storage import BudgetStore, KeyStore, StoreError, UsageStore
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.keys import SqlKeyStore
from llm_api.storage.sql.usage import SqlUsageStore


def open_store(database_url: str, foreign: str | None, folder: Path) -> UsageStore:
    """Open the SQL store, or the one that `foreign` names as `package.module:function`.

    That function is called with the folder where an installation keeps what it writes. Raises
    StoreError.
    """
    if foreign is None:
        return SqlUsageStore(make_engine(database_url))
    module, _, name = foreign.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StoreError(f"USAGE_STORE names {foreign}, which is not there to import.") from error
    return cast("UsageStore", make(folder))


def budgets_of(store: UsageStore) -> BudgetStore | None:
    """Return where spending is kept: beside the usage rows, with which it is settled.

    None where another store than SQL keeps those.
    """
    return SqlBudgets(store.engine) if isinstance(store, SqlUsageStore) else None


def open_key_store(database_url: str) -> KeyStore:
    """Open the store of keys, which is SQL wherever usage rows are; raises StoreError."""
    return SqlKeyStore(make_engine(database_url))
