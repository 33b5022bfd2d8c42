#!/usr/bin/env python3
"""What is promised of the scaled shape when a part of it dies, hangs, is cut off, fills up or is replaced, shown with
real processes: PostgreSQL with a synchronous standby, RabbitMQ, Redis with sentinels, Nginx, replicas of each service.

    faults.py                      every fault in turn           make faults
    faults.py --only NAME[,NAME]   these                         make faults ARGS='--only kill-booking'
    faults.py --list               their names
    faults.py --quick              two of them, on few servers: what `make test` runs

For each fault a city (`lorry simulate`) lives on the platform through Nginx, and notes each answer it gets; beside it a
few clients write down every word they were given. A fault begins when the city is in full swing. When its part has come
back, one whole way through the platform (sign in, quote, book, hear of it, send a fix, cancel) is tried until it goes
well: that is when the service is back. Then the city ends, settles, and audits; the clients ask for all they were promised.

The promises, each of which ends the run with status 1 if it is broken: the audit is clean (nobody is assigned twice,
what was acknowledged is seen by all whom it concerns); what was acknowledged is there; the outboxes run empty; no process
dies that was not killed; the service is back in time; no process of Lorry grows; what claims it has no failed request.

All state lies under one folder (--folder, default build/faults), which is emptied first; all listen on 127.0.0.1 on free
ports, and end with this program, however that ends. Results are kept there, too, and with --write they become the table
of docs/faults.md.
"""
import argparse
import ctypes
import datetime
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cluster  # noqa: E402
from cluster import ROOT, SERVICES, Cluster, ClusterError  # noqa: E402

SLOW = int(os.environ.get('LORRY_TEST_SLOW', '1'))  # sanitizers
PASSWORD = 'correct horse battery staple'
BACK_S_MAX = 5  # after the part has returned
RSS_GROWTH_MB_MAX = 64  # of one process while something is away
PAUSE_S = 10
TRIES_S = 60  # for the service to be back at all
STEP_TIMEOUT_S = 2  # of one request while it is tried whether the service is back
FAR = (59.33, 18.06)  # where no driver of the city is: bookings there are never offered to one
SETTINGS = ['--registers-per-hour-max', '0', '--driver-approval', 'auto', '--writes-per-minute-max', '0',
            '--open-bookings-max', '0', '--fixes-per-hour-max', '0']
SKIPPED = 77  # Meson's word
SMALL_DISK = 'size=1g'
SMALL_WAL = ('max_wal_size=128MB', 'min_wal_size=32MB', 'wal_recycle=off')
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


class Broken(Exception):
    """A promise was not kept, or nothing could be tried."""


def rfc3339(at_s):
    return datetime.datetime.fromtimestamp(at_s, datetime.timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')


# ---- processes ----

def tree(pid):
    """PID and all that descend from it: PostgreSQL's sessions and Nginx's workers are in no group of theirs."""
    found = [pid]
    for one in found:
        try:
            for task in Path(f'/proc/{one}/task').iterdir():
                found += map(int, (task / 'children').read_text().split())
        except OSError:
            pass
    return found


def signal_all(pid, how):
    """All of the tree, the parent first, and once more: who was born meanwhile."""
    for _ in range(2):
        for one in tree(pid):
            try:
                os.kill(one, how)
            except ProcessLookupError:
                pass


def rss_kb(pid):
    try:
        for line in Path(f'/proc/{pid}/status').read_text().splitlines():
            if line.startswith('VmRSS:'):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


class Memory(threading.Thread):
    """Looks four times a second at how much each process of Lorry has."""

    def __init__(self, house):
        super().__init__(daemon=True)
        self.house, self.most, self.done = house, {}, threading.Event()

    def now(self):
        pids = {name: self.house.pid_of(name) for name in self.house.lorry_names()}
        return {name: rss_kb(pid) / 1024 for name, pid in pids.items() if pid}

    def run(self):
        while not self.done.wait(0.25):
            for name, mb in self.now().items():
                self.most[name] = max(mb, self.most.get(name, 0))


# ---- a link that can be cut ----

class Link:
    """Forwards a port of its own to another. While it is cut nothing is passed on, in either way, and nobody is told:
    what a partition looks like."""

    def __init__(self, to):
        self.to, self.open = to, threading.Event()
        self.open.set()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        self.open.wait()
        try:
            far = socket.create_connection(('127.0.0.1', self.to), 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for one, other in ((near, far), (far, near)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    def pump(self, one, other):
        try:
            while True:
                got = one.recv(65536)
                self.open.wait()
                if not got:
                    break
                other.sendall(got)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.open.set()
        self.listener.close()


# ---- clients ----

class Client:
    """One connection to the platform, made again when it must be."""

    def __init__(self, port, timeout_s):
        self.port, self.timeout_s, self.connection, self.token = port, timeout_s, None, None

    def ask(self, method, path, body=None, key=None):
        """(status, body); OSError and HTTPException: no answer."""
        headers = {'Content-Type': 'application/json'} if body is not None else {}
        if self.token:
            headers['Authorization'] = f'Bearer {self.token}'
        if key:
            headers['Idempotency-Key'] = key
        if self.connection is None:
            self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=self.timeout_s)
        try:
            self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = self.connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        except BaseException:
            self.close()
            raise

    def must(self, expected, *request, **more):
        status, body = self.ask(*request, **more)
        if status != expected:
            raise Broken(f'{request[0]} {request[1]}: {status} {body.get("detail", "")}')
        return body

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Witness:
    """A customer and a driver who try one whole way through the platform, and know what was acknowledged."""

    def __init__(self, house, timeout_s):
        self.house = house
        self.customer, self.driver = Client(house.port('http'), timeout_s), Client(house.port('http'), timeout_s)
        tag = uuid.uuid4().hex[:12]
        self.emails = [f'{role}-{tag}@witness.example' for role in ('customer', 'driver')]
        self.bookings, self.fixes, self.at_s = {}, [], time.time() - 3000
        self.cycles = self.failures = self.seq = 0
        for client, role, email in zip((self.customer, self.driver), ('customer', 'driver'), self.emails):
            body = {'email': email, 'password': PASSWORD, 'name': 'Wim Ness', 'role': role, 'phone': '+46700000001'}
            client.token = client.must(201, 'POST', '/v1/auth/register', body)['access_token']
        self.driver_id = self.driver.must(200, 'GET', '/v1/driver')['id']

    def cycle(self):
        """auth, booking, the broker, notification, driver. Broken or OSError: it did not go well."""
        me = self.customer
        me.token = me.must(200, 'POST', '/v1/auth/login', {'email': self.emails[0], 'password': PASSWORD})['access_token']
        stops = [{'lat': FAR[0], 'lng': FAR[1]}, {'lat': FAR[0] + 0.01, 'lng': FAR[1]}]
        quotes = me.must(201, 'POST', '/v1/quotes', {'stops': stops, 'vehicle': 'van'})['quotes']
        booking = me.must(201, 'POST', '/v1/bookings', {'quote_id': quotes[0]['id']}, key=str(uuid.uuid4()))
        self.bookings[booking['id']] = None
        self.hear_of(booking['id'])
        self.send_fix()
        self.bookings[booking['id']] = 'doubt'  # cancelled or not, if there is no answer
        state = me.must(200, 'POST', f'/v1/bookings/{booking["id"]}/cancel', {'reason': 'a test'}, key=str(uuid.uuid4()))['state']
        self.bookings[booking['id']] = state
        self.cycles += 1

    def hear_of(self, booking_id):
        until = time.monotonic() + self.customer.timeout_s
        while True:
            items = self.customer.must(200, 'GET', f'/v1/notifications?after={self.seq}&limit=50')['items']
            if any(booking_id in json.dumps(item) for item in items):
                self.seq = items[-1]['seq']
                return
            if time.monotonic() > until:
                raise Broken('nothing was heard of a booking')
            time.sleep(0.02)

    def send_fix(self):
        self.at_s += 1
        fix = {'at': rfc3339(self.at_s), 'lat': FAR[0], 'lng': FAR[1]}
        self.driver.must(200, 'POST', '/v1/driver/locations', {'fixes': [fix]})
        self.fixes.append(fix['at'])

    def verify(self, dispatcher):
        """What is not there of what was acknowledged, in words."""
        lost = []
        for booking_id, state in self.bookings.items():
            status, booking = dispatcher.ask('GET', f'/v1/bookings/{booking_id}')
            if status != 200:
                lost.append(f'booking {booking_id} is not there: {status}')
            elif state == 'cancelled' and booking['state'] != state:
                lost.append(f'the cancel of booking {booking_id} is lost: {booking["state"]}')
        stored, cursor = set(), ''
        while cursor is not None:
            page = dispatcher.must(200, 'GET', f'/v1/drivers/{self.driver_id}/trail?from={rfc3339(time.time() - 7200)}&limit=200'
                                   + (f'&cursor={cursor}' if cursor else ''))
            stored |= {fix['at'].rstrip('Z').rstrip('0').rstrip('.') for fix in page['fixes']}
            cursor = page['next_cursor']
        gone = [at for at in self.fixes if at.rstrip('Z').rstrip('0').rstrip('.') not in stored]
        return lost + [f'the fix of {at} is lost' for at in gone]

    def close(self):
        self.customer.close()
        self.driver.close()


class Writer(threading.Thread):
    """A witness who goes on and on."""

    def __init__(self, house):
        super().__init__(daemon=True)
        self.witness, self.done, self.fault = Witness(house, 5 * SLOW), threading.Event(), None
        self.driver_token_s = time.monotonic()

    def run(self):
        w = self.witness
        while not self.done.wait(0.1):
            try:
                w.cycle()
            except (Broken, OSError, http.client.HTTPException, ValueError) as e:
                w.failures, self.fault = w.failures + 1, str(e)


# ---- the city ----

class City:
    """`lorry simulate` through Nginx. What it says is read as it comes."""

    def __init__(self, house, seed, o):
        self.folder = house.folder
        self.answers_path = self.folder / 'requests.jsonl'
        self.answers_path.unlink(missing_ok=True)
        argv = [house.lorry, 'simulate', house.url(), '--for', '0', '--seed', str(seed), '--tag', 'faults', '--json',
                '--drivers', str(o.drivers), '--speed', str(o.speed), '--bookings-per-hour',
                str(max(1, round(o.bookings * 3600 / o.speed))), '--settle', str(120 * SLOW),
                '--requests', str(self.answers_path)]
        self.errors = open(self.folder / 'log' / 'simulate.log', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        preexec_fn=cluster.die_with_parent)
        self.progress, self.summary = {}, None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if said['type'] == 'progress':
                self.progress = said
            elif said['type'] == 'summary':
                self.summary = said

    def wait_swing(self, drivers, seconds):
        """Until all drivers are on duty and bookings are being delivered."""
        until = time.monotonic() + seconds
        while self.progress.get('drivers', 0) < drivers or self.progress.get('delivered', 0) < 1:
            if self.process.poll() is not None:
                raise Broken(f'the city has ended with status {self.process.returncode}: {self.said()}')
            if time.monotonic() > until:
                raise Broken(f'the city does not come to life: {self.progress}')
            time.sleep(0.05)

    def said(self):
        self.errors.flush()
        return Path(self.errors.name).read_text(encoding='utf-8').strip()

    def end(self):
        """Lets bookings end, and gives what broke its audit, in words."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(150 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return ['the city does not end']
        self.reader.join(10)
        said = [line for line in self.said().splitlines() if 'audit:' in line]
        if self.process.returncode != 0 and not said:
            said = [f'the city ended with status {self.process.returncode}: {self.said()[-300:]}']
        return said

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def answers(self):
        """(begun, ended, status, method, path) of each request, to the clock on the wall."""
        found = []
        for line in self.answers_path.read_text(encoding='utf-8').splitlines():
            try:
                a = json.loads(line)
            except ValueError:
                continue  # a line that was being written
            found.append((a['at_s'] - a['took_s'], a['at_s'], a['status'], a['method'], a['path']))
        return found


def figures(answers):
    """(requests, failed, p99 in ms)."""
    took = sorted(end - begun for begun, end, status, *_ in answers if status not in (0,))
    failed = sum(status == 0 or status >= 500 for _, _, status, *_ in answers)
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))] * 1000 if took else None
    return {'requests': len(answers), 'failed': failed, 'p99_ms': p99}


# ---- one fault ----

class Trial:
    """A fault, from the city's first breath to the last look. The fault itself calls away() when its part goes and
    returned() when it is there again; more than once if it has several parts."""

    def __init__(self, house, fault, o, seed):
        self.house, self.fault, self.o, self.seed = house, fault, o, seed
        self.broken, self.spans, self.back_s, self.away_s = [], [], 0.0, 0.0
        self.pids, self.undoing = {}, []
        self.began = time.monotonic()

    def say(self, text):
        print(f'    {time.monotonic() - self.began:5.1f} s  {text}', flush=True)

    # what faults say

    def away(self, what):
        self.say(what)
        self.spans.append([time.time(), None])

    def returned(self, what, *ready):
        """The part is there. READY: replicas that must say so, too. Measures how long it takes until all goes well."""
        begun = time.monotonic()
        self.say(what)
        for name in ready:
            self.until(lambda name=name: self.house.ready(name), f'{name} is ready')
        self.until(self.goes_well, 'the service is back')
        back_s = time.monotonic() - begun
        self.spans[-1][1] = time.time()
        self.back_s = max(self.back_s, back_s)
        self.say(f'back after {back_s:.2f} s')
        if back_s > self.o.back_s_max:
            self.broken.append(f'the service was back after {back_s:.1f} s only')

    def goes_well(self):
        try:
            self.probe.cycle()
            return True
        except (Broken, OSError, http.client.HTTPException, ValueError) as e:
            self.why = str(e)
            return False

    def until(self, done, what):
        until = time.monotonic() + TRIES_S * SLOW
        self.why = ''
        while not done():
            if time.monotonic() > until:
                raise Broken(f'not within {TRIES_S * SLOW} s: {what} ({self.why})')
            time.sleep(0.02)

    def wait(self, seconds):
        time.sleep(seconds)

    def afterwards(self, undo):
        """UNDO is called when the city has ended, and also if it did not get so far."""
        self.undoing.append(undo)

    def restarted(self, *names):
        """They have other pids now, and may."""
        for name in names:
            self.pids[name] = self.house.pid_of(name)

    # the course

    def run(self):
        house, o = self.house, self.o
        self.city = City(house, self.seed, o)
        self.probe, self.writers, self.memory = None, [], Memory(house)
        try:
            self.probe = Witness(house, STEP_TIMEOUT_S * SLOW)
            self.writers = [Writer(house) for _ in range(o.writers)]
            self.city.wait_swing(o.drivers, 120 * SLOW)
            self.pids = {name: house.pid_of(name) for name in house.lorry_names()}
            for w in self.writers:
                w.start()
            steady_s = time.time()
            self.say(f'{o.drivers} drivers on duty')
            self.wait(o.window_s)
            before = self.memory.now()
            self.memory.start()
            self.fault.act(self)
            if self.spans and self.spans[-1][1] is None:
                raise Broken('the fault has not said that its part is back')
            back_s = self.spans[-1][1] if self.spans else time.time()
            self.wait(o.window_s)
            after_end_s = time.time()
            self.finish(before)
            self.count(steady_s, back_s, after_end_s)
        except (Broken, ClusterError, OSError, http.client.HTTPException) as e:
            self.broken.append(f'{type(e).__name__}: {e}')
        finally:
            for undo in self.undoing:
                undo()
            self.memory.done.set()
            for w in self.writers:
                w.done.set()
            self.city.kill()
        return self.result()

    def finish(self, before):
        house = self.house
        for w in self.writers:
            w.done.set()
        for w in self.writers:
            w.join(30 * SLOW)
        self.say('the city ends')
        self.broken += self.city.end()
        self.memory.done.set()
        for name, pid in self.pids.items():
            if house.pid_of(name) != pid:
                self.broken.append(f'{name} has died; see {house.path("log", name + ".log")}')
        self.growth_mb = max((mb - before.get(name, mb) for name, mb in self.memory.most.items()), default=0)
        self.most_mb = max(self.memory.most.values(), default=0)
        if self.growth_mb > RSS_GROWTH_MB_MAX * SLOW:
            self.broken.append(f'a process grew by {self.growth_mb:.0f} MB')
        for witness in [self.probe, *(w.witness for w in self.writers)]:
            self.broken += witness.verify(house.dispatcher())[:5]
        self.until(house.outboxes_empty, 'the outboxes run empty')

    def count(self, steady_s, back_s, after_end_s):
        begin_s = self.spans[0][0] if self.spans else back_s
        answers = self.city.answers()
        self.windows = {
            'before': figures([a for a in answers if a[0] >= steady_s and a[1] < begin_s]),
            'during': figures([a for a in answers if a[1] >= begin_s and a[0] <= back_s]),
            'after': figures([a for a in answers if a[0] > back_s and a[0] <= after_end_s])}
        if self.fault.seamless:
            failed = [a for a in answers if steady_s <= a[1] <= after_end_s and (a[2] == 0 or a[2] >= 500)]
            self.broken += [f'{method} {path}: {status}' for _, _, status, method, path in failed[:5]]
            writers = [w.fault for w in self.writers if w.fault]
            self.broken += [f'a client was told: {why}' for why in writers]

    def result(self):
        kept = {name: getattr(self, name, None) for name in ('back_s', 'growth_mb', 'most_mb', 'windows', 'broken', 'seed')}
        kept['cycles'] = sum(w.witness.cycles for w in self.writers) + (self.probe.cycles if self.probe else 0)
        summary = self.city.summary or {}
        kept['bookings'], kept['fixes'] = summary.get('requested'), summary.get('fixes_acknowledged')
        kept['took_s'] = time.monotonic() - self.began
        kept['away_s'] = sum(end - begin for begin, end in self.spans if end)
        return kept


# ---- the house ----

class House(Cluster):
    """A cluster with what faults need of it."""

    def __init__(self, folder, **more):
        super().__init__(folder, with_us=True, say=lambda text: print(f'  {text}', flush=True), settings=SETTINGS, **more)
        self.staff = None

    def dispatcher(self):
        if self.staff is None:
            email = 'dispatcher@witness.example'
            subprocess.run([self.lorry, 'user', 'add', '--role', 'dispatcher', '--email', email, '--name', 'Dee',
                            *self.store_flags()], input=PASSWORD + '\n', text=True, check=True, capture_output=True)
            self.staff = (email, Client(self.port('http'), 10 * SLOW))
        email, client = self.staff
        client.close()  # it may be of an Nginx that is gone
        client.token = None
        client.token = client.must(200, 'POST', '/v1/auth/login', {'email': email, 'password': PASSWORD})['access_token']
        return client

    def figure(self, name, metric):
        """The value of a metric of a replica that has no labels."""
        c = Client(self.port(name), 5 * SLOW)
        try:
            c.connection = http.client.HTTPConnection('127.0.0.1', c.port, timeout=c.timeout_s)
            c.connection.request('GET', '/metrics')
            for line in c.connection.getresponse().read().decode().splitlines():
                if line.startswith(metric + ' '):
                    return float(line.split()[1])
        finally:
            c.close()
        raise Broken(f'{name} has no metric {metric}')

    def outboxes_empty(self):
        return all(self.figure(name, 'lorry_outbox_behind') == 0 and self.figure(name, 'lorry_outbox_in_flight') == 0
                   for name in self.lorry_names())

    def kill(self, name):
        pid = self.pid_of(name)
        if pid is None:
            raise Broken(f'{name} does not run')
        signal_all(pid, signal.SIGKILL)
        self.end(name, signal.SIGKILL)

    def signal_tree(self, name, how):
        pid = self.pid_of(name)
        if pid is None:
            raise Broken(f'{name} does not run')
        signal_all(pid, how)

    def stop_all(self):
        """At once: nothing of it is kept."""
        for name in self.order():
            pid = self.pid_of(name)
            if pid:
                signal_all(pid, signal.SIGKILL)
                self.end(name, signal.SIGKILL)

    def restart_lorry(self, name, **how):
        self.end(name)
        self.start_lorry(name, **how)
        self.wait(name, lambda: self.ready(name))

    def other(self, database):
        return 'standby' if database == 'postgres' else 'postgres'

    def primary(self):
        for name in ('postgres', 'standby'):
            if self.try_sql(name) and self.sql(name, 'select pg_is_in_recovery()') == 'f':
                return name
        raise Broken('no PostgreSQL is the primary')

    def rejoin(self, old, new):
        """OLD, which was the primary, becomes the standby of NEW: a fresh copy of it."""
        shutil.rmtree(self.path(old, 'data'))
        self.follow(old, new)

    def redis_master(self):
        """Whoever it is by now."""
        for name in ['redis'] + ['redis2'] * (self.sentinels > 0):
            with socket.create_connection(('127.0.0.1', self.port(name)), 5) as s:
                s.sendall(b'ROLE\r\n')
                if b'master' in s.recv(256):
                    return name
        raise Broken('no Redis is the master')


# ---- the faults ----

class Fault:
    """SEAMLESS: no request may fail. QUICK: `make test` runs it. NEEDS_ROOT: to mount."""

    def __init__(self, name, what, act, seamless=False, quick=False, needs_root=False):
        self.name, self.what, self.act = name, what, act
        self.seamless, self.quick, self.needs_root = seamless, quick, needs_root


FAULTS = []


def fault(name, what, **more):
    def add(act):
        FAULTS.append(Fault(name, what, act, **more))
        return act
    return add


def each_replica(trial, service):
    return [name for name in trial.house.lorry_names() if name.rstrip('0123456789') == service]


def kill_replicas(service):
    def act(t):
        for name in each_replica(t, service):
            t.house.kill(name)
            t.away(f'{name} is killed')
            t.wait(1)
            t.house.start_lorry(name)
            t.restarted(name)
            t.returned(f'{name} is started', name)
    return act


for _service in SERVICES:
    fault(f'kill-{_service}', f'`kill -9` of each {_service} replica in turn, started again after 1 s',
          quick=_service == 'booking')(kill_replicas(_service))


@fault('kill-rabbit', '`kill -9` of one RabbitMQ node, started again after 3 s')
def kill_rabbit(t):
    name = t.house.rabbit_names()[0]
    t.house.kill(name)
    t.away(f'{name} is killed')
    t.wait(3)
    t.house.start_rabbit(name)
    t.house.wait(name, lambda: cluster.answers(t.house.port(name)), 180 * SLOW)
    t.returned(f'{name} takes connections')


@fault('kill-rabbits', '`kill -9` of all RabbitMQ nodes, started again at once')
def kill_rabbits(t):
    names = t.house.rabbit_names()
    for name in names:
        t.house.kill(name)
    t.away('all nodes of RabbitMQ are killed')
    for name in names:
        t.house.start_rabbit(name)
    for name in names:
        t.house.wait(name, lambda name=name: cluster.answers(t.house.port(name)), 180 * SLOW)
    t.returned('all take connections')


@fault('kill-redis', '`kill -9` of the Redis that is the master, started again after 5 s')
def kill_redis(t):
    name = t.house.redis_master()
    t.house.kill(name)
    t.away(f'{name} is killed')
    t.wait(5)
    t.house.start_redis(name)
    t.returned(f'{name} takes connections')


@fault('restart-postgres', 'the primary of PostgreSQL ended (SIGINT) and started again after 3 s')
def restart_postgres(t):
    name = t.house.primary()
    t.house.end(name, signal.SIGINT)
    t.away(f'{name} has ended')
    t.wait(3)
    t.house.start_postgres(name)
    t.returned(f'{name} answers')


@fault('kill-nginx', '`kill -9` of Nginx, started again after 1 s')
def kill_nginx(t):
    t.house.kill('nginx')
    t.away('nginx is killed')
    t.wait(1)
    t.house.start_nginx()
    t.returned('nginx takes connections')


def pause(t, *names):
    for name in names:
        t.house.signal_tree(name, signal.SIGSTOP)
    t.away(f'{", ".join(names)} stopped')
    t.wait(PAUSE_S)
    for name in names:
        t.house.signal_tree(name, signal.SIGCONT)
    t.returned(f'{", ".join(names)} goes on')


def pause_replicas(service):
    def act(t):
        for name in each_replica(t, service):
            pause(t, name)
    return act


for _service in SERVICES:
    fault(f'pause-{_service}', f'each {_service} replica in turn stopped (SIGSTOP) for {PAUSE_S} s')(pause_replicas(_service))


@fault('pause-rabbit', f'one RabbitMQ node stopped for {PAUSE_S} s')
def pause_rabbit(t):
    pause(t, t.house.rabbit_names()[-1])


@fault('pause-redis', f'the Redis that is the master stopped for {PAUSE_S} s')
def pause_redis(t):
    pause(t, t.house.redis_master())


@fault('pause-postgres', f'the primary of PostgreSQL stopped for {PAUSE_S} s')
def pause_postgres(t):
    pause(t, t.house.primary())


@fault('pause-standby', f'its synchronous standby stopped for {PAUSE_S} s: commits wait for it')
def pause_standby(t):
    pause(t, t.house.other(t.house.primary()))


@fault('pause-nginx', f'Nginx stopped for {PAUSE_S} s')
def pause_nginx(t):
    pause(t, 'nginx')


def behind_links(t, name, which, ports):
    """Replica NAME is restarted with a link before each of PORTS, which its URL in the file WHICH names."""
    links = [Link(port) for port in ports]
    url = t.house.path('lorry', which).read_text()
    for link in links:
        url = url.replace(f':{link.to}', f':{link.port}')
    path = t.house.path('lorry', f'{which}-links')
    path.write_text(url)
    t.house.restart_lorry(name, **{which: path})

    def undo():
        t.house.restart_lorry(name)
        for link in links:
            link.close()
    t.afterwards(undo)
    t.restarted(name)
    t.until(lambda: t.house.ready(name), f'{name} is ready')
    t.wait(2)
    return links


def cut(t, name, which, ports):
    links = behind_links(t, name, which, ports)
    for link in links:
        link.open.clear()
    t.away(f'{name} is cut off')
    t.wait(PAUSE_S)
    for link in links:
        link.open.set()
    t.returned(f'{name} is not cut off any more', name)


@fault('cut-broker', f'one booking replica cut off from all RabbitMQ nodes for {PAUSE_S} s: nothing passes, nothing is refused')
def cut_broker(t):
    cut(t, 'booking1', 'bus', [t.house.port(name) for name in t.house.rabbit_names()])


@fault('cut-store', f'one booking replica cut off from PostgreSQL for {PAUSE_S} s')
def cut_store(t):
    cut(t, 'booking2', 'store', [t.house.port('postgres'), t.house.port('standby')])


@fault('full-disk', 'the file system of PostgreSQL (a tmpfs) filled to its last byte for 10 s, then freed; started again if it '
       'ended', needs_root=True)
def full_disk(t):
    name = 'postgres'
    ballast = t.house.path(name, 'ballast')
    with open(ballast, 'wb', buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b'x' * size)
            except OSError:
                pass
    t.away(f'the disk of {name} is full')
    t.until(lambda: not t.goes_well(), 'writes are refused')
    t.say('writes are refused')
    t.wait(PAUSE_S)
    ballast.unlink()
    if t.house.pid_of(name) is None:
        t.house.start_postgres(name)
        t.returned('there is room again; postgres had ended, and is started')
    else:
        t.returned('there is room again')


@fault('outbox-full', f'all RabbitMQ nodes stopped for {PAUSE_S} s, where booking may keep 10 events for them: then 503')
def outbox_full(t):
    for name in each_replica(t, 'booking'):
        t.house.restart_lorry(name, more=['--outbox-max', '10'])
        t.restarted(name)
        t.afterwards(lambda name=name: t.house.restart_lorry(name))
        t.until(lambda name=name: t.house.ready(name), f'{name} is ready')
    t.wait(3)
    names = t.house.rabbit_names()
    for name in names:
        t.house.signal_tree(name, signal.SIGSTOP)
    t.away('all nodes of RabbitMQ are stopped')
    t.wait(PAUSE_S)
    behind = max(t.house.figure(name, 'lorry_outbox_behind') for name in each_replica(t, 'booking'))
    t.say(f'{behind:.0f} events wait in a replica')
    if behind > 10 + 512:  # beyond what the batch that crossed the line brought
        t.broken.append(f'{behind:.0f} events wait where 10 may')
    begun = t.spans[-1][0]
    if not any(a[2] == 503 and a[1] >= begun for a in t.city.answers()):
        t.broken.append('nobody was told 503')
    for name in names:
        t.house.signal_tree(name, signal.SIGCONT)
    t.returned('they go on')


@fault('promote-standby', '`kill -9` of the primary of PostgreSQL, its standby promoted; the old one made its standby later')
def promote_standby(t):
    old = t.house.primary()
    new = t.house.other(old)
    t.house.kill(old)
    t.away(f'{old} is killed')
    t.wait(1)
    t.house.sql(new, 'select pg_promote()')
    t.returned(f'{new} is promoted')
    t.afterwards(lambda: t.house.rejoin(old, new))


def roll(t, lorry):
    for name in t.house.lorry_names():
        if not t.spans:
            t.away(f'{name} is told to leave')
        t.house.end(name)
        code = t.house.children[name].returncode
        if code != 0:
            t.broken.append(f'{name} left with status {code}')
        t.house.start_lorry(name, lorry=lorry)
        t.restarted(name)
        t.until(lambda name=name: t.house.ready(name), f'{name} is ready')
    t.returned('all are of the new build')


@fault('roll', 'every replica in turn: SIGTERM, the new build started, the next when `/readyz` says 200', seamless=True,
       quick=True)
def roll_all(t):
    old, new = Path(t.o.lorry_new or t.house.lorry).resolve(), t.house.path('new', 'lorry')
    new.parent.mkdir(exist_ok=True)
    shutil.copy(old, new)
    for module in old.parent.glob('lorry-*.so'):  # what it loads lies beside it
        shutil.copy(module, new.parent)
    roll(t, str(new))


# ---- the table ----

def rate(window):
    return f'{100 * window["failed"] / window["requests"]:.1f} %' if window['requests'] else '–'


def p99(window):
    return f'{window["p99_ms"]:.0f}' if window['p99_ms'] is not None else '–'


def row(result):
    if result.get('skipped'):
        return None
    w = result['windows'] or {name: {'requests': 0, 'failed': 0, 'p99_ms': None} for name in ('before', 'during', 'after')}
    parts = ('before', 'during', 'after')
    return ['kept' if not result['broken'] else 'BROKEN', f'{result["away_s"]:.0f} s', f'{result["back_s"]:.2f} s',
            ' / '.join(rate(w[p]) for p in parts), ' / '.join(p99(w[p]) for p in parts),
            f'{result.get("most_mb") or 0:.0f} ({result.get("growth_mb") or 0:+.0f})']


HEAD = ['promises', 'away', 'back', 'failed before / during / after', 'p99 ms before / during / after', 'max RSS MB (growth)']


def print_table(results):
    rows = [['fault', *HEAD]]
    for f in FAULTS:
        r = results.get(f.name)
        if r:
            rows.append([f.name, *(row(r) or ['skipped: ' + r['skipped']] + [''] * 5)])
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for r in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(r, widths)).rstrip())


def small_disk(path):
    """A tmpfs there that only this program and what it starts sees, and that goes with them. False: we may not mount."""
    libc = ctypes.CDLL(None, use_errno=True)
    path.mkdir(parents=True, exist_ok=True)
    return (libc.unshare(CLONE_NEWNS) == 0 and libc.mount(b'none', b'/', None, MS_REC | MS_PRIVATE, None) == 0 and
            libc.mount(b'tmpfs', str(path).encode(), b'tmpfs', 0, SMALL_DISK.encode()) == 0)


def write_table(results, o, path=ROOT / 'docs/faults.md'):
    """The part of docs/faults.md between the marks."""
    begin, end = '<!-- written by scripts/faults.py -->', '<!-- until here -->'
    text = path.read_text(encoding='utf-8')
    head, rest = text.split(begin)
    models = [line.split(':')[1].strip() for line in Path('/proc/cpuinfo').read_text().splitlines() if 'model name' in line]
    cpu = models[0] if models else platform.machine()
    memory_gb = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    version = subprocess.run([o.lorry, 'version'], capture_output=True, text=True, check=True).stdout.split('\n')[0]
    lines = [begin, '', f'Run in one go or several, the last on {datetime.date.today()}: {os.cpu_count()} processors ({cpu}), {memory_gb:.0f} GB, Linux '
             f'{platform.release()}; {version}; seed {o.seed}; {o.drivers} drivers, {o.bookings:g} bookings a second, '
             f'{o.writers} writing clients.', '', '| fault | what | ' + ' | '.join(HEAD) + ' |', '|' + '---|' * (len(HEAD) + 2)]
    for f in FAULTS:
        r = results.get(f.name)
        if r:
            cells = row(r) or ['skipped: ' + r['skipped']] + [''] * (len(HEAD) - 1)
            lines.append(f'| {f.name} | {f.what} | ' + ' | '.join(cells) + ' |')
    path.write_text(head + '\n'.join(lines) + '\n\n' + end + rest.split(end)[1], encoding='utf-8')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--only', help='these faults, with commas between')
    parser.add_argument('--list', action='store_true', help='their names')
    parser.add_argument('--quick', action='store_true', help='few servers, a few faults, patient: for `make test`')
    parser.add_argument('--add', action='store_true', help='to the results of the runs before, for --write')
    parser.add_argument('--write', action='store_true', help='write the table of docs/faults.md')
    parser.add_argument('--folder', help='where all of it lies (default: build/faults; with --quick one that goes afterwards)')
    parser.add_argument('--lorry', default=str(ROOT / 'build/lorry'), help='the program (default: build/lorry)')
    parser.add_argument('--lorry-new', help='what the replicas are rolled to (default: a copy of it)')
    parser.add_argument('--seed', type=int, default=1, help='of the city; each fault, in the order of the list, has the next one')
    parser.add_argument('--drivers', type=int, default=40)
    parser.add_argument('--bookings', type=float, default=2, help='a second')
    parser.add_argument('--speed', type=int, default=200, help='times faster than life')
    parser.add_argument('--writers', type=int, default=2, help='clients that write beside the city')
    parser.add_argument('--window-s', type=float, default=6, help='how long to look before and after')
    o = parser.parse_args()
    for how in (signal.SIGINT, signal.SIGTERM):  # also where a shell has us ignore it
        signal.signal(how, lambda *_: sys.exit(1))  # ends what was started
    o.back_s_max, o.lorry = BACK_S_MAX, str(Path(o.lorry).resolve())
    if o.list:
        for f in FAULTS:
            print(f'{f.name:20} {f.what}')
        return 0
    if o.quick:
        o.drivers, o.bookings, o.window_s, o.writers, o.back_s_max = 12, 1, 2, 1, 30
    chosen = [f for f in FAULTS if not o.quick or f.quick]
    if o.only:
        names = o.only.split(',')
        unknown = set(names) - {f.name for f in FAULTS}
        if unknown:
            print(f'faults: there is no {", ".join(sorted(unknown))}; --list names them', file=sys.stderr)
            return 2
        chosen = [f for f in FAULTS if f.name in names]
    if o.folder or not o.quick:
        o.folder = o.folder or str(cluster.home('faults'))
        return run(o, chosen)
    with tempfile.TemporaryDirectory(prefix='lorry-faults-', ignore_cleanup_errors=True) as o.folder:
        return run(o, chosen)


def empty(folder):
    """Only a folder of ours is emptied; what runs from it is ended first."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        return
    if not (folder / 'cluster.json').exists():
        raise ClusterError(f'{folder} is not empty, and not a folder of faults: choose another --folder')
    Cluster(folder, say=lambda text: None).stop()
    shutil.rmtree(folder)
    folder.mkdir()


def run(o, chosen):
    few = {'standby': False, 'rabbits': 1, 'sentinels': 0} if o.quick else {}
    kept = Path(o.folder) / 'results.json'
    earlier = json.loads(kept.read_text()) if o.add and kept.exists() else {}
    results, started = {}, time.monotonic()
    if any(f.needs_root for f in chosen):
        few['postgres_settings'] = SMALL_WAL
    house = House(o.folder, lorry=o.lorry, **few)
    try:
        house.check_installed()
        empty(house.folder)
        house.folder.chmod(0o755)  # PostgreSQL's user goes through it
        mounted = any(f.needs_root for f in chosen) and small_disk(house.path('postgres'))
        house.start()
        for i, f in enumerate(chosen):
            print(f'{i + 1}/{len(chosen)} {f.name}: {f.what}', flush=True)
            if f.needs_root and not mounted:
                results[f.name] = {'skipped': 'only root may mount a small disk', 'broken': []}
                print(f'    skipped: {results[f.name]["skipped"]}', flush=True)
                continue
            trial = Trial(house, f, o, o.seed + FAULTS.index(f))
            results[f.name] = trial.run()
            for why in results[f.name]['broken']:
                print(f'    BROKEN: {why}', flush=True)
            kept.write_text(json.dumps({**earlier, **results}, indent=1) + '\n')
    except ClusterError as e:
        print(f'faults: {e}', file=sys.stderr)
        return SKIPPED if 'packages are missing' in str(e) else 1
    finally:
        house.stop_all()
    print(f'\nAfter {time.monotonic() - started:.0f} s:\n')
    print_table(results)
    if o.write:
        write_table({**earlier, **results}, o)
    broken = [name for name, r in results.items() if r['broken']]
    print('\nEvery promise was kept.' if not broken else f'\nBROKEN in {", ".join(broken)}.')
    return 1 if broken else 0


if __name__ == '__main__':
    sys.exit(main())
