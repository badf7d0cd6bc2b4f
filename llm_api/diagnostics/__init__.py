"""Checks of an installation for `flask doctor`.

* `doctor` runs checks and lists those of each part; `results` has what a check returns.
* `upstream_route` checks the way to an upstream, up to TLS; `upstream_api` what answers there, with
  the calls of `upstream_probe`.
* `database`, `spool` and `redis` check stores.
* `surroundings` checks the names of variables, and who gets in.
"""
