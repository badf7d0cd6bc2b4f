"""Keeps rewrites, so that the same request gets the same words without another call.

`rewrite_keeping` finds, shares and keeps them; `shared_calls` lets requests of one process wait for
the call of another one, `rewrite_leases` those of several processes. `rewrite_names` knows which
requests are the same, and `rewrite_documents` writes rewrites as JSON.
"""
