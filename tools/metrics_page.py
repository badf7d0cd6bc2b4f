"""Writes the table of docs/metrics.md from the catalogue of metrics."""

from llm_api.observability.metric_catalogue import BUILD, CATALOGUE, MetricDefinition


def written() -> str:
    """Return the table: a line for each metric."""
    rows = [_row(metric) for metric in (*CATALOGUE.values(), BUILD)]
    return "\n".join(["| metric | kind | labels | what it is |", "|---|---|---|---|", *rows, ""])


def _row(metric: MetricDefinition) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
