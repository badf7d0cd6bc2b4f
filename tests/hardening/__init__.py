"""Hostile requests and what becomes of them: sections A and B of the fault matrix, a test a line.

The service runs under gunicorn and is sent raw bytes, on every route that takes a body. Each
refusal is JSON in the envelope of its path, with a request id, in at most 4 KiB; no upstream and no
usage row hears of it. After each case the same worker must be well, and hold no more than before.
`scenarios/` is below `benchmarks/`.

| Line | Where it is tested |
|---|---|
| A1 no JSON, A2 empty, A3 no object | `test_json`; more: `tests/web/request/test_strict_json.py` |
| A4 other media types, A5 compressed | `test_json` |
| A7 NaN and infinities, A8 digits without end, A9 integers | `test_json` |
| A10 nesting | `test_json`; the most that is allowed in `tests/web/request/test_strict_json.py` |
| A11 duplicate keys, A12 half a character | `test_json` |
| A14 line breaks and the log | `test_fields` |
| A15 types, A16 ranges | `test_fields` |
| A17 unknown fields, A18 operator's | `test_fields`; `tests/web/request/test_forbidden.py` |
| A19 errors without end, A20 conversations | `test_fields`; times: `scenarios/refusals.py` |
| A21 too large, A22 too large in chunks, A26 the limit | `test_sizes` |
| A24 half a body, A25 a client that leaves | `test_sizes`; waits: `scenarios/hostile.py` |
| B1 to B3 framing, B4 malformed heads, B5 long heads | `test_transport` |
| B6 other protocols, B7 unread bodies, B8 `SCRIPT_NAME` | `test_transport` |
| B12 and B13 methods, B14 expectations | `test_transport`; `tests/web/response/test_errors.py` |
| B15 gunicorn's own errors | `test_transport`, in every line that gunicorn refuses itself |

* ``sending``: requests as an attacker writes them, and what must come back.
* ``test_fuzzing``: any bytes, any JSON and mutated good bodies (``mutating``) on every route.
* ``test_contract``: schemathesis reads our API document (``schemathesis.toml``, and in
  ``document_hooks`` what the document cannot rule out).
"""
