"""What operators want to be told of at once: budgets, circuits, accounts, the judge.

* `alert_service` sends an alert to the operators' addresses, once over all workers.
* `budget_watch` notices how much of a budget is spent, `upstream_watch` what becomes of upstreams.
"""
