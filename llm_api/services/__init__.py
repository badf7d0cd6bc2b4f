"""What the product does, told without HTTP, SQL or sockets.

* `catalogue` knows the models and decides which upstream answers a call; `fallback` goes on to the
  next where one fails.
* `chat` answers requests to models, whole or streamed; `prompts/` rewrites prompts.
* `replays` gives a repeated request the answer of the first.
* `usage` accounts for every call that reaches an upstream; `tokens` estimates what that left
  uncounted.
* `doctor` examines the installation.
* `readiness` says whether everything that a call needs is there.
"""
