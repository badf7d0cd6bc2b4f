"""What the product does, without HTTP, SQL or sockets.

* `chat` answers requests to models, whole or streamed; `prompts/` rewrites prompts.
* `routing/` knows the models: which upstream answers a call, and which if that fails.
* `usage/` accounts for every call that reaches an upstream, and reports; `pricing` prices them.
* `quotas/` enforces rate limits, concurrency limits and budgets before a call is made.
* `keys/` creates and authenticates API keys.
* `idempotency` answers a repeated request with the answer of the first.
* `readiness` checks whether everything that a call needs is available.
"""
