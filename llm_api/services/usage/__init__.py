"""The ledger of calls, and reports about it."""
