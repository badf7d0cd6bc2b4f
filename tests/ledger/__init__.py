"""The usage ledger when things break: section G of the fault matrix, one test a line.

Whatever happens to databases, disks and processes: requests are answered as before, every call that
was about to reach an upstream has one row in the end, and the sums are those of the rows.

| Line | Where it is tested |
|---|---|
| G1 PostgreSQL stopped under load | `test_outages` |
| G2 PostgreSQL silent, or its table locked | `test_outages` |
| G3 SQLite locked by another process | `tests/test_process.py`, `tests/storage/sql/test_usage.py` |
| G4 four processes write | `test_writers`; rows alone in `tests/storage/sql/test_usage.py` |
| G5 disk of the database full | `test_full_disks` |
| G6 both disks full | `test_full_disks`; the spool alone in `tests/storage/spool/test_spool.py` |
| G8 SIGKILL in mid-call | `test_killed`; single cases in `tests/test_process.py` |
| G9 SIGKILL between commit and removal | `test_replays` |
| G10 two replayers | `test_replays` |
| G12 a flush after a failed one | `test_replays`; a batch in `tests/storage/sql/test_usage.py` |
| G13 interrupted stream is estimated | `tests/web/test_ledger_fields.py` |
| G14 a repeated or fallen-back call is one row | `tests/web/test_ledger_fields.py` |
| G15 sums beyond 2^31, exact money | `test_sums`; costs in `tests/services/test_pricing.py` |
| G16 no word of prompts and answers is kept | `tests/web/test_ledger_privacy.py` |
| G17 pragmas of every connection | `tests/storage/sql/test_usage.py` |
| G18 retention under write load | `test_writers`; the rest in `tests/storage/test_retention.py` |
| G19 day boundary, UTC, sums are those of rows | `test_sums` |
| G20 characters and lengths | `tests/storage/sql/test_usage.py` |

* ``test_stores``: rows that wait while another store is configured.
* ``load``: many calls at once, which must all go well.
* ``children``: what other processes do here; ``test_blocking``: stores that are slow, or refuse.
"""
