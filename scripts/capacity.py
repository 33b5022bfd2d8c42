#!/usr/bin/env python3
"""Loads a cluster on this machine through its Nginx, with one and with two replicas of each service, and says what each
request costs in each process. The figures of docs/capacity.md.

The load is `lorry bench mixed` (60 % reads, 20 % fixes, 10 % nearby, 10 % quote/book/cancel), then each of its parts alone.
Costs are processor time, user and system, from /proc/PID/stat of each process and its children, for each request that was
answered meanwhile; signing up and the second of warming up are left out. The load generator runs on the same processors.

Usage: capacity.py [--seconds 10] [--rounds 2] [--small] [--lorry FILE] [--json FILE]
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from cluster import ROOT, SERVICES, Cluster, ClusterError

UNLIMITED = ['--registers-per-hour-max', '0', '--writes-per-minute-max', '0', '--fixes-per-hour-max', '0',
             '--open-bookings-max', '0', '--connections-per-address-max', '0', '--driver-approval', 'auto',
             '--log-level', 'warn']
WARM_S, END_S = 1, 0.2  # of `lorry bench`; how long before its end the last look is
LOAD = 'the load itself'
METRICS = {'events to RabbitMQ': 'lorry_bus_published_total', 'given to services': 'lorry_bus_delivered_total',
           'signals to Redis': 'lorry_signals_sent_total', 'changes': 'lorry_commits_total', 'their commits': 'lorry_commit_batches_total'}
KINDS = ('all', 'reads', 'fixes', 'nearby', 'business')
TICK_US = 1e6 / os.sysconf('SC_CLK_TCK')


def processes():
    """{pid: (parent, processor time in µs, with that of its children that have ended)}"""
    found = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / 'stat').read_text().rpartition(')')[2].split()
            except OSError:
                continue
            found[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])) * TICK_US
    return found


def cpu_us(pid, table):
    """Of a process and of all below it."""
    below = [p for p, (parent, _) in table.items() if parent == pid]
    return (table[pid][1] if pid in table else 0) + sum(cpu_us(p, table) for p in below)


def machine_ticks():
    """(idle, all) of all processors since the boot."""
    fields = [int(x) for x in Path('/proc/stat').read_text().split('\n', 1)[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def memory_mib(pid, table):
    """Proportional: what several processes share counts once."""
    total = sum(memory_mib(p, table) for p, (parent, _) in table.items() if parent == pid)
    try:
        for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            if line.startswith('Pss:'):
                total += int(line.split()[1]) / 1024
    except OSError:
        pass
    return total


class Loaded:
    """A cluster with two of each service, of which the second can be away."""

    def __init__(self, folder, small, lorry):
        less = {'standby': False, 'rabbits': 1, 'sentinels': 0} if small else {}
        self.c = Cluster(folder, replicas=2, say=lambda text: print(f'  {text}', file=sys.stderr), settings=UNLIMITED,
                         with_us=True, lorry=lorry, **less)

    def replicas(self, count):
        """Runs COUNT of each service, and tells Nginx."""
        for service in SERVICES:
            second = f'{service}2'
            if count == 1:
                self.c.end(second)
            elif self.c.pid_of(second) is None:
                self.c.start_lorry(second)
                self.c.wait(second, lambda name=second: self.c.ready(name))
        self.c.replicas = count
        self.c.path('nginx', 'nginx.conf').write_text(self.c.nginx_config())
        self.c.replicas = 2
        self.c.send('nginx', signal.SIGHUP)

    def groups(self):
        """{what: pids at the top of it}"""
        of = {'Nginx': ['nginx'], 'PostgreSQL': ['postgres'], 'its standby': ['standby'],
              'RabbitMQ': self.c.rabbit_names(), 'Redis': ['redis', 'redis2'],
              **{f'lorry {s}': [f'{s}1', f'{s}2'] for s in SERVICES}}
        found = {what: [pid for pid in map(self.c.pid_of, names) if pid] for what, names in of.items()}
        return {what: pids for what, pids in found.items() if pids}

    def cpu(self, groups):
        table = processes()
        return {what: sum(cpu_us(pid, table) for pid in pids) for what, pids in groups.items()}

    def counts(self):
        """{what: how many since the start}"""
        found = {'bytes of PostgreSQL\'s log': int(self.c.sql('postgres', "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")),
                 'transactions': int(self.c.sql('postgres', "select xact_commit from pg_stat_database where datname = 'lorry'"))}
        for name in self.c.lorry_names():
            if self.c.pid_of(name):
                with urllib.request.urlopen(f'http://127.0.0.1:{self.c.port(name)}/metrics', timeout=10) as answer:
                    text = answer.read().decode()
                for what, metric in METRICS.items():
                    value = re.search(rf'(?m)^{metric} (\S+)$', text)
                    found[what] = found.get(what, 0) + (float(value[1]) if value else 0)
        return found

    def memory(self):
        table = processes()
        return {what: sum(memory_mib(pid, table) for pid in pids) for what, pids in self.groups().items()}

    def load(self, kind, seconds):
        """One run: requests a second, p50 and p99 in ms, and CPU µs a request by what spent it."""
        bench = subprocess.Popen([self.c.lorry, 'bench', 'mixed', '--url', self.c.url(), '--only', kind, '--runs', '1',
                                  '--seconds', str(seconds), '--json'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = bench.stderr.readline()
        time.sleep(WARM_S)
        groups = {**self.groups(), LOAD: [bench.pid]}
        counts = self.counts()
        before, ticks, began = self.cpu(groups), machine_ticks(), time.monotonic()
        time.sleep(seconds - END_S)  # it ends by itself, and its time with it
        after, ticks_after, took = self.cpu(groups), machine_ticks(), time.monotonic() - began
        counts_after = self.counts()
        out, rest = bench.communicate()
        if bench.returncode != 0:
            raise ClusterError(f'the load failed: {first}{rest}'.strip())
        figures = {line['name'].partition('.')[2]: line['value'] for line in map(json.loads, out.splitlines())}
        requests = figures['requests'] * took
        idle = 100 * (ticks_after[0] - ticks[0]) / (ticks_after[1] - ticks[1])
        return {**figures, 'idle': idle, 'cost': {what: (after[what] - before[what]) / requests for what in groups},
                'counts': {what: (counts_after[what] - counts[what]) / requests for what in counts}}


def median(runs):
    """Of each figure of several runs."""
    def each(part):
        return {what: statistics.median(run[part][what] for run in runs) for what in runs[0][part]}
    return {**{name: statistics.median(run[name] for run in runs) for name in ('requests', 'p50', 'p99', 'idle')},
            'cost': each('cost'), 'counts': each('counts')}


def measure(loaded, seconds, rounds):
    runs = {}
    for number in range(rounds):
        for count in (1, 2) if number % 2 == 0 else (2, 1):  # side by side, neither always first
            loaded.replicas(count)
            for kind in KINDS if count == 1 else KINDS[:1]:
                print(f'  round {number + 1}: {count} of each, {kind}', file=sys.stderr)
                runs.setdefault((count, kind), []).append(loaded.load(kind, seconds))
    return {key: median(each) for key, each in runs.items()}


def show(found, memory):
    keys = sorted(found, key=lambda key: (key[0] != 1, KINDS.index(key[1])))
    names = [f'{kind}, {count} of each' if kind == 'all' else kind for count, kind in keys]
    rows = [('requests/s', [f"{found[k]['requests']:,.0f}" for k in keys]),
            ('p50, ms', [f"{found[k]['p50']:.1f}" for k in keys]), ('p99, ms', [f"{found[k]['p99']:.1f}" for k in keys])]
    for what in found[keys[0]]['cost']:
        rows.append((f'{what}, µs', [f"{found[k]['cost'].get(what, 0):.0f}" for k in keys]))
    whole = [f"{sum(v for what, v in found[k]['cost'].items() if what != LOAD):.0f}" for k in keys]
    rows.append(('all but the load, µs', whole))
    for what in found[keys[0]]['counts']:
        rows.append((what, [f"{found[k]['counts'][what]:.3g}" for k in keys]))
    rows.append(('processors idle, %', [f"{found[k]['idle']:.0f}" for k in keys]))
    print('| | ' + ' | '.join(names) + ' |\n|---' + '|---' * len(keys) + '|')
    for name, cells in rows:
        print(f'| {name} | ' + ' | '.join(cells) + ' |')
    print('\nMemory afterwards, MiB: ' + ', '.join(f'{what} {mib:.0f}' for what, mib in memory.items()))


def reckon(one, rate=100_000, full=0.5):
    """What RATE requests a second would take if each cost what one did here, with processors FULL at most."""
    print(f'\n| at {rate:,} requests/s | busy cores | cores at {full:.0%} |\n|---|---|---|')
    for what, us in one['cost'].items():
        if what != LOAD:
            print(f'| {what} | {us * rate / 1e6:.1f} | {math.ceil(us * rate / 1e6 / full)} |')
    for what, count in one['counts'].items():
        print(f'| {what}, a second | {count * rate:,.0f} | |')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--seconds', type=int, default=10, help='how long each load lasts (default: 10)')
    parser.add_argument('--rounds', type=int, default=2, help='how often each is run; medians are told (default: 2)')
    parser.add_argument('--small', action='store_true', help='one of each server behind the services')
    parser.add_argument('--lorry', metavar='FILE', default=ROOT / 'build/lorry', help='the program (default: build/lorry)')
    parser.add_argument('--json', metavar='FILE', help='all of it for programs, too')
    o = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix='lorry-capacity-', dir='/var/tmp'))  # an ordinary disk, not memory
    folder.chmod(0o755)  # PostgreSQL's user goes through it
    loaded = Loaded(folder, o.small, o.lorry)
    try:
        loaded.c.start()
        found = measure(loaded, o.seconds, o.rounds)
        memory = loaded.memory()
        show(found, memory)
        reckon(found[1, 'all'])
        if o.json:
            Path(o.json).write_text(json.dumps({'memory_mib': memory, 'runs': [
                {'replicas': count, 'kind': kind, **each} for (count, kind), each in found.items()]}, indent=1) + '\n', encoding='utf-8')
    except ClusterError as e:
        print(f'capacity: {e}', file=sys.stderr)
        return 1
    finally:
        loaded.c.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
