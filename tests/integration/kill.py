"""kill -9 of the real process under load, ten times at random moments; each time the server is ready again in less than
five seconds on the same folder and port. The simulated city audits what it was promised; beside it clients of our own
write down every word the server gave them, and hold it to that at the end."""
import contextlib
import multiprocessing
import os
import random
import select
import signal
import sqlite3
import subprocess
import threading
import time
import types
import unittest
import uuid

import lorry
from lorry import UNLIMITED, Connection, Server, WebSocket, request_bytes, rfc3339, say, until

KILLS = 10
FLOODS = 2
FLOOD_WIDTH = 24
READY_S_MAX = 5
BETWEEN_S = (0.4, 3.2)
FINAL = {'delivered', 'cancelled', 'expired', 'failed'}


class Stubborn:
    """Somebody who asks again until he is answered, with the same Idempotency-Key, as a good client does."""

    def __init__(self, api, stopping):
        self.api, self.stopping, self.again = api, stopping, 0

    def ask(self, method, path, body=None, key=None):
        """The answer; None when it is time to stop."""
        while not self.stopping.is_set():
            try:
                answer = self.api.call(method, path, body, key=key)
                if answer.status != 503:
                    return answer
            except (OSError, AssertionError) as e:
                if isinstance(e, AssertionError):
                    raise
                self.api.close()
            self.again += 1
            time.sleep(0.05)
        return None


class Customer(threading.Thread):
    """Books and cancels; notes what was acknowledged."""

    def __init__(self, server, stopping, seed):
        super().__init__()
        self.random = random.Random(seed)
        self.me = Stubborn(server.register(), stopping)
        self.promised = {}   # booking id → the newest booking acknowledged
        self.replies = []    # (path, body, key, answer) of what is asked again at the end
        self.fault = None

    def run(self):
        try:
            while not self.me.stopping.is_set():
                self.once()
        except Exception as e:  # pylint: disable=broad-except
            self.fault = e

    def once(self):
        at = (57.70 + self.random.uniform(-.01, .01), 11.97 + self.random.uniform(-.01, .01))
        stops = [{'lat': at[0], 'lng': at[1]}, {'lat': at[0] + 0.001, 'lng': at[1]}]
        quotes = self.me.ask('POST', '/v1/quotes', {'stops': stops, 'vehicle': 'van'}, str(uuid.uuid4()))
        if quotes is None:
            return
        assert quotes.status == 201, quotes
        body = {'quote_id': quotes.json['quotes'][0]['id'], 'payment': 'cash'}
        booking = self.write('/v1/bookings', body, 201)
        if booking is not None and self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, 0.3))
            self.write(f'/v1/bookings/{booking["id"]}/cancel', {'reason': 'a test'}, 200, 409)
        time.sleep(self.random.uniform(0, 0.4))

    def write(self, path, body, *fine):
        key = str(uuid.uuid4())
        answer = self.me.ask('POST', path, body, key)
        if answer is None:
            return None
        assert answer.status in fine, answer
        self.replies.append((path, body, key, answer))
        if answer.status >= 400:
            return None
        self.promised[answer.json['id']] = answer.json
        return answer.json


class Driver(threading.Thread):
    """Sends batches of fixes; one that is not acknowledged comes again as it was."""

    def __init__(self, server, stopping):
        super().__init__()
        self.me = Stubborn(server.register('driver'), stopping)
        self.me.api.get('/v1/driver', expect=200)
        self.driver_id = 'drv' + self.me.api.user['id'][3:]
        self.stored = []
        self.at = time.time() - 3600
        self.fault = None

    def run(self):
        try:
            while not self.me.stopping.is_set():
                self.once()
        except Exception as e:  # pylint: disable=broad-except
            self.fault = e

    def once(self):
        times = [rfc3339(self.at + i / 10) for i in range(20)]
        self.at += 2
        answer = self.me.ask('POST', '/v1/driver/locations', {'fixes': [{'at': t, 'lat': 57.7, 'lng': 11.9} for t in times]})
        if answer is None:
            return
        assert answer.status == 200, answer
        assert answer.json['stored'] + answer.json['duplicates'] == len(times), answer
        self.stored += times
        time.sleep(0.05)


def flood(port, token, begin_s, stopping, result):
    """A process of its own that keeps FLOOD_WIDTH small writes on their way without a pause, so that whenever the kill
    comes a commit is under way. Gives the times of all fixes that were acknowledged. A connection for each: were there
    more requests on one, the kernel would answer the kill with RST, and take back what the server had said last."""
    server, stored, at = types.SimpleNamespace(port=port), [], begin_s
    waiting = {}  # connection → the time of its fix
    while not stopping.is_set():
        try:
            while len(waiting) < FLOOD_WIDTH:
                waiting[Connection(server, timeout=5)] = None
            for c in [c for c, sent in waiting.items() if sent is None]:
                at += 1
                body = {'fixes': [{'at': rfc3339(at), 'lat': 57.7, 'lng': 11.9}]}
                waiting[c] = at
                c.send(request_bytes('POST', '/v1/driver/locations', body, [('Authorization', f'Bearer {token}')]))
        except OSError:
            pass  # found out below, when all that was said has been read
        if not waiting:
            time.sleep(0.02)
            continue
        by_socket = {c.sock: c for c in waiting}
        for ready in select.select(list(by_socket), [], [], 1)[0]:
            c = by_socket[ready]
            try:
                answer = c.answer('POST')
            except OSError:
                del waiting[c]  # what was on its way may be stored or not: nobody has said
                continue
            if answer.status != 200 or answer.json['stored'] + answer.json['duplicates'] != 1:
                result.put(repr(answer))
                return
            stored.append(waiting[c])
            waiting[c] = None
    result.put(stored)


class Flood:
    """The process that floods, and a driver for it."""

    def __init__(self, server):
        fork = multiprocessing.get_context('fork')
        api = server.register('driver')
        api.get('/v1/driver', expect=200)
        self.driver_id = 'drv' + api.user['id'][3:]
        self.begin_s = int(time.time()) - 10 * 86400
        self.stopping, self.result = fork.Event(), fork.Queue()
        args = (server.port, api.token, self.begin_s, self.stopping, self.result)
        self.process = fork.Process(target=flood, args=args, daemon=True)
        self.process.start()

    def end(self):
        self.stopping.set()
        stored = self.result.get(timeout=30)
        self.process.join(30)
        return stored


class KillNine(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get('LORRY_TEST_SEED', str(random.randrange(1 << 30))))
        self.random = random.Random(self.seed)
        say(f'LORRY_TEST_SEED={self.seed} does the same again, as far as chance is ours')

    def test_ten_times(self):
        with Server('--driver-approval', 'auto', '--offer-timeout-s', 3, '--search-timeout-s', 15, *UNLIMITED) as server:
            dispatcher = server.staff('dispatcher')
            floods = [Flood(server) for _ in range(FLOODS)]
            city = self.city(server)
            stopping = threading.Event()
            people = [Customer(server, stopping, self.seed + i) for i in range(4)] + [Driver(server, stopping) for _ in range(2)]
            for person in people:
                person.start()
            try:
                slowest = self.kill_and_start(server, dispatcher, city)
            finally:
                stopping.set()
                for person in people:
                    person.join(30)
                flooded = [(each, each.end()) for each in floods]
            say(f'{KILLS} kills, ready again in at most {slowest:.2f} s')
            for person in people:
                self.assertIsNone(person.fault, f'{person.fault!r}')
            out, _ = city.communicate(timeout=120 * lorry.SLOW)
            self.assertEqual(city.returncode, 0, f'the city\'s audit:\n{out[-4000:]}')
            say(out.strip().splitlines()[-1])
            self.settled(server, dispatcher)
            customers, drivers = people[:4], people[4:]
            self.kept(server, dispatcher, customers)
            self.inboxes(customers)
            self.trails(dispatcher, drivers)
            self.flooded(dispatcher, flooded)
            self.assertEqual(server.stop(), 0, server.log()[-2000:])
            with contextlib.closing(sqlite3.connect(f'file:{server.data}/lorry.db?mode=ro', uri=True)) as db:
                self.assertEqual(db.execute('PRAGMA integrity_check').fetchall(), [('ok',)])

    def city(self, server):
        seconds = int(KILLS * (sum(BETWEEN_S) / 2 + 0.5))
        return subprocess.Popen(
            [lorry.BINARY, 'simulate', f'http://127.0.0.1:{server.port}', '--drivers', '30', '--bookings-per-hour', '60',
             '--speed', '500', '--for', str(seconds), '--settle', str(60 * lorry.SLOW), '--json', '--seed', str(self.seed % 10000)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=lorry.environment(),
            preexec_fn=lambda: lorry.die_with_parent({}))

    def kill_and_start(self, server, dispatcher, city):
        slowest = 0
        time.sleep(2)
        for number in range(KILLS):
            time.sleep(self.random.uniform(*BETWEEN_S))
            self.assertIsNone(city.poll(), 'the city has ended early')
            server.kill()
            self.assertEqual(server.process.returncode, -signal.SIGKILL, 'it had ended by itself')
            if self.random.random() < 0.5:  # and once more while it starts
                server.spawn()
                time.sleep(self.random.uniform(0, 0.06))
                server.kill()
            server.start()
            slowest = max(slowest, server.ready_s)
            self.assertLess(server.ready_s, READY_S_MAX * lorry.SLOW, f'after kill {number + 1}')
            self.one_booking_each(dispatcher)
        return slowest

    def one_booking_each(self, dispatcher):
        dispatcher.close()
        busy = {}
        for booking in dispatcher.pages('/v1/bookings?state=active', 200):
            if booking['driver'] is not None:
                other = busy.setdefault(booking['driver']['id'], booking)
                # The first may have ended, and the second begun, while the pages were read.
                if other is not booking and dispatcher.booking(other['id'])['state'] not in FINAL \
                        and dispatcher.booking(booking['id'])['state'] not in FINAL:
                    self.fail(f'{booking["driver"]["id"]} has {other["id"]} and {booking["id"]}')

    def settled(self, server, dispatcher):
        """No booking hangs: each comes to an end, or the time of its search is over. Nobody stays claimed."""
        until(lambda: not dispatcher.pages('/v1/bookings?state=active', 200), 'every booking has ended', 40 * lorry.SLOW, 0.5)
        for booking in dispatcher.pages('/v1/bookings', 200):
            self.assertIn(booking['state'], FINAL)
            items = dispatcher.get(f'/v1/bookings/{booking["id"]}/timeline', expect=200).json['items']
            assigned = [i['data']['driver_id'] for i in items if i['type'] == 'booking.assigned']
            self.assertLessEqual(len(assigned), 1, booking['id'])
            self.assertEqual([booking['driver']['id']] if booking['driver'] else [], assigned)
            self.assertEqual([i['seq'] for i in items], list(range(1, len(items) + 1)))
            self.assertEqual(items[-1 if items[-1]['type'] != 'booking.rated' else -2]['data']['state'], booking['state'])
            if booking['state'] == 'delivered':
                self.assertEqual({s['state'] for s in booking['stops']}, {'done'})
        def free():
            return not [d for d in dispatcher.pages('/v1/drivers', 200) if d['duty'] == 'busy' or d['booking_id']]
        until(free, 'every driver is free', 40 * lorry.SLOW, 0.5)

    def kept(self, server, dispatcher, customers):
        """What was acknowledged is there, and asked again under its key the answer is the same word for word."""
        count = 0
        for customer in customers:
            api = customer.me.api
            there = {b['id']: b for b in api.pages('/v1/bookings', 100)}
            self.assertGreater(len(customer.promised), 3)
            for booking_id, promised in customer.promised.items():
                self.assertIn(booking_id, there)
                self.assertGreaterEqual(there[booking_id]['version'], promised['version'])
                for member in ('code', 'price', 'customer_id', 'tracking_token', 'created_at', 'vehicle'):
                    self.assertEqual(there[booking_id][member], promised[member])
                if promised['state'] == 'cancelled':
                    self.assertEqual(there[booking_id]['state'], 'cancelled')
            self.assertEqual(len(there), len({b for b in there}))
            for path, body, key, answer in customer.replies:
                again = api.post(path, body, key=key)
                self.assertEqual(again.status, answer.status)
                if answer.status < 400:
                    self.assertEqual(again.body, answer.body)
                count += 1
        say(f'{count} acknowledged writes held')

    def inboxes(self, customers):
        """Every change of a booking is in its customer's inbox exactly once, under numbers without a gap."""
        for customer in customers:
            items = customer.me.api.pages('/v1/notifications', 100)
            self.assertEqual([i['seq'] for i in items], list(range(1, len(items) + 1)))
            told = [(i['data']['id'], i['data']['version']) for i in items if i['type'] == 'booking.updated']
            self.assertEqual(len(told), len(set(told)))
            for booking in customer.me.api.pages('/v1/bookings', 100):
                versions = sorted(v for b, v in told if b == booking['id'])
                self.assertEqual(versions, list(range(1, booking['version'] + 1)), booking['id'])
            with WebSocket(customer.me.api.server, customer.me.api.token) as ws:
                ws.expect('ready')
                ws.send({'type': 'resume', 'after': 0})
                pushed = []
                ws.expect('resumed', passed=pushed)
            self.assertEqual(pushed, items)

    def trails(self, dispatcher, drivers):
        for driver in drivers:
            path = f'/v1/drivers/{driver.driver_id}/trail?from={rfc3339(time.time() - 7200)}'
            stored, cursor = [], ''
            while cursor is not None:
                page = dispatcher.get(path + (f'&cursor={cursor}' if cursor else ''), expect=200).json
                stored, cursor = stored + [f['at'] for f in page['fixes']], page['next_cursor']
            self.assertEqual(len(stored), len(set(stored)), 'a fix is stored twice')
            missing = set(same(t) for t in driver.stored) - set(same(t) for t in stored)
            self.assertEqual(missing, set(), f'{len(missing)} acknowledged fixes are not there')
            say(f'{len(driver.stored)} acknowledged fixes held; asked again {driver.me.again} times')


    def flooded(self, dispatcher, flooded):
        for each, promised in flooded:
            self.assertIsInstance(promised, list, promised)
            path = f'/v1/drivers/{each.driver_id}/trail?from={rfc3339(each.begin_s)}&to={rfc3339(time.time())}'
            stored, cursor = set(), ''
            while cursor is not None:
                page = dispatcher.get(path + (f'&cursor={cursor}' if cursor else ''), expect=200).json
                stored.update(f['at'] for f in page['fixes'])
                cursor = page['next_cursor']
            lost = [at for at in promised if time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at)) not in stored]
            self.assertEqual(lost, [], f'{len(lost)} of {len(promised)} acknowledged fixes are lost')
            say(f'{len(promised)} acknowledged fixes of a flood held')


def same(text):
    """A time as it is compared: fractions without their last zeros."""
    return text.rstrip('Z').rstrip('0').rstrip('.') if '.' in text else text.rstrip('Z')


if __name__ == '__main__':
    lorry.main()
