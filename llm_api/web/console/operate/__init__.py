"""Pages for admins: upstreams, keys and groups, limits, tasks, the audit, calls, the doctor."""

from llm_api.web.console.operate import group_pages, key_pages, state_pages
from llm_api.web.console.operate.admin_views import blueprint

__all__ = ["blueprint", "group_pages", "key_pages", "state_pages"]
