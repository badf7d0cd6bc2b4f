"""Builds what tells operators of budgets, circuits, accounts and the judge."""

from functools import partial

from llm_api.container.surroundings import Surroundings
from llm_api.services.alerts.alert_service import AlertService
from llm_api.services.alerts.upstream_watch import UpstreamWatch
from llm_api.services.tasks.webhooks import Webhooks
from llm_api.settings.settings import SettingsError
from llm_api.upstream.media.links import LinkFailed


def build_alerts(around: Surroundings, webhooks: Webhooks) -> AlertService:
    """Build it; raises SettingsError for an address to which nothing may be sent."""
    urls = around.settings.webhooks.alert_urls
    for url in urls:
        try:
            webhooks.vet(url)
        except LinkFailed as error:
            raise SettingsError([f"Each of ALERT_WEBHOOK_URLS {error.problem}"]) from error
    alerts = AlertService(urls, webhooks)
    if around.budget_watch is not None:
        alerts.look_by(partial(around.budget_watch.look, alerts.send))
    if urls:
        upstreams = UpstreamWatch(alerts.notice)
        upstreams.listen()
        alerts.close_with(upstreams.close)
    return alerts
