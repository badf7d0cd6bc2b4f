"""SQLite, PostgreSQL, MySQL and MariaDB through SQLAlchemy."""
