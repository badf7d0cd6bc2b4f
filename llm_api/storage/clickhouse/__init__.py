"""Usage rows in ClickHouse, for those who have one; what `requirements/clickhouse.txt` installs."""
