"""What the product does, told without HTTP, SQL or sockets.

* `catalogue` knows the models and decides which upstream answers a call; `fallback` goes on to the
  next where one fails.
* `chat` answers requests to models, whole or streamed; `prompts/` rewrites prompts.
* `replays` gives a repeated request the answer of the first.
* `usage` accounts for every call that reaches an upstream, at the `prices` of its day; `tokens`
  estimates what that left uncounted, and `reports` sums up.
* `allowances` grants each of those calls first: by `rates`, places at the same time and `budgets`,
  for what it `needs`. `refusals` are what it says otherwise.
* `keys` issues API keys and looks after them; `key_ring` finds the one that a caller shows, and
  `key_words` reads how their properties are written.
* `doctor` examines the installation.
* `readiness` says whether everything that a call needs is there.
"""
