"""Upstreams: OpenAI-compatible HTTP APIs, and everything about calling them.

* `protocol` is what services may ask of an upstream. `client` implements it: it limits the calls in
  progress and returns whole and streamed answers; `preparation` puts requests into vendors' forms.
* `call` records one call with all its attempts; `request_sender` chooses an endpoint (a key or an
  address) for each attempt and sends it; `behavior` is what is particular about an upstream.
* `resilience/` decides whether an attempt may be made (circuit breaker) and repeated (policy).
* `http/` connects, sends and reads; `answers/` validates what came, whole or as a stream.
* `vendors/` is what differs between vendors: profiles, errors, redaction of their texts.
* `media/` does for models of pictures and films what all this does for chats, for each vendor.
* `faults` are all failures as our errors: foreign exceptions are translated there and nowhere else.
* `bundled_model/` starts and supervises the model that comes with the installation.
"""
