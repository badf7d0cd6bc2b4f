"""Who acts as an administrator in tests."""

from llm_api.domain.audit import Actor

OPERATOR = Actor("cli:operator", "operator")
