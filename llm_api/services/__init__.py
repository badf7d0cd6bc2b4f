"""What the product does, told without HTTP, SQL or sockets.

* `catalogue` knows the models and decides which upstream answers a call.
* `chat` answers chat completions; `prompts/` rewrites prompts.
* `usage` accounts for every call that reaches an upstream.
* `readiness` says whether everything that a call needs is there.
"""
