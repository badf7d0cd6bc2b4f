"""Says what the cache of answers keeps, and what its entries are good for."""

import hashlib

import llm_api
from llm_api.domain.repeats import CacheRules
from llm_api.settings import config_files, held_files
from llm_api.settings.settings import Settings


def cache_rules(settings: Settings) -> CacheRules:
    """Build the rules. Their digest changes with the version, the upstreams, and `config/`.

    Entries in Redis outlive this process, and none may answer for another model.
    """
    digest = hashlib.sha256(llm_api.__version__.encode())
    for name, plan in sorted(settings.upstreams.items()):
        addresses = tuple((one.url, one.model) for one in plan.endpoints)
        digest.update(repr((name, addresses, plan.fallback, plan.profile)).encode())
    switches = (settings.refuse_unknown_parameters, settings.pass_unknown_parameters)
    digest.update(repr((*switches, settings.catalogue_only)).encode())
    profiles = held_files.names(settings.config_root / config_files.PROFILES, "*.toml")
    for path in (settings.config_root / config_files.MODELS, *profiles):
        digest.update(held_files.read(path))
    return CacheRules(settings.answer_cache_max_seconds, digest.hexdigest())
