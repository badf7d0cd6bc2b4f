"""Upstreams: OpenAI-compatible HTTP endpoints, and everything that is known about calling them.

* `client` is the door: one `UpstreamClient` an upstream, with its `places`, the bound on calls in
  progress; `traits` says what is peculiar to this installation's upstream, `profiles` what is to
  its vendor; `ask` is what is asked, `opening` sends it in the form that the upstream takes, and
  `call` is one call with all its attempts.
* `policy` decides about attempts, with `breaker` (leave a failing upstream alone) and `budget`
  (repeat only so much); `lines` chooses among an upstream's keys and addresses. `thinking` sees
  whether a model has thought until nothing was left for the answer.
* `transport` is one `requests` session with its connections, deadlines and watch; `connecting`
  opens them, with the names that `resolver` looks up.
* A body is read by `body`, which takes off its `framing`; `events` finds the server-sent events in
  it, `chunks` checks and settles each with its `deltas`, `relay` passes them on in batches, and
  `collect` puts them together where nobody asked for a stream. `answers` checks what came whole.
* `refusals` reads what an upstream says is wrong, by its profile's `error_rules`, and `scrubbing`
  takes out of it what is not for callers; `faults` are all failures as our errors. Foreign
  exceptions end here.
* `examine`, `examine_route` and `examine_call` find out what `flask doctor` tells of an upstream.
* `local` starts and supervises the bundled model; `llama_child` is the program that it starts.
"""
