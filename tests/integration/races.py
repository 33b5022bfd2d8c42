"""Many at once: exactly one driver wins, a cancel and an accept end in one state, fixes that come over several ways are
stored once, a token is spent once, and who reads slowly gets everything in order without costing memory."""
import concurrent.futures
import contextlib
import itertools
import random
import socket
import threading
import time
import unittest

import lorry
from lorry import UNLIMITED, Server, WebSocket, rfc3339, until

_places = itertools.product(range(-50, 51, 5), range(-170, 171, 5))


def setUpModule():
    global server, dispatcher
    server = Server('--driver-approval', 'auto', '--offer-wave', 5, '--offer-timeout-s', 30, '--search-radius-m', 1000,
                    '--search-radius-max-m', 1000, *UNLIMITED)
    dispatcher = server.staff('dispatcher')


def tearDownModule():
    try:
        assert server.stop() == 0, server.log()[-3000:]
    finally:
        server.close()


def at_once(*calls):
    """Calls all of them as nearly at the same moment as threads can, and returns what they return."""
    gate = threading.Barrier(len(calls))

    def call(each):
        gate.wait()
        return each()

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def duty(driver):
    return driver.get('/v1/driver', expect=200).json['duty']


class OneWins(unittest.TestCase):
    def setUp(self):
        self.at = next(_places)
        self.stops = (self.at, (self.at[0] + 0.01, self.at[1]))
        self.customer = server.register()

    def accept(self, driver, booking, offer):
        return lambda: driver.post(f'/v1/bookings/{booking["id"]}/accept', {'offer_id': offer['id']}, expect=(200, 409))

    def test_five_drivers_accept(self):
        drivers = [server.driver((self.at[0] + i / 10000, self.at[1])) for i in range(5)]
        for _ in range(8):
            booking = self.customer.book(*self.stops)
            offers = [driver.offer(booking['id']) for driver in drivers]
            self.assertEqual(len({o['id'] for o in offers}), 5)
            answers = at_once(*[self.accept(d, booking, o) for d, o in zip(drivers, offers)])
            self.assertEqual(sorted(a.status for a in answers), [200, 409, 409, 409, 409])
            for answer in answers:
                if answer.status == 409:
                    self.assertEqual(answer.type, 'offer-closed')
            winner = next(d for d, a in zip(drivers, answers) if a.status == 200)
            self.assertEqual(self.customer.booking(booking['id'])['driver']['id'], winner.driver_id)
            until(lambda: sorted(map(duty, drivers)) == ['busy', 'on', 'on', 'on', 'on'], 'four are free again')
            winner.deliver(booking['id'])
            until(lambda: {duty(d) for d in drivers} == {'on'}, 'all are free again')

    def test_two_bookings_and_one_driver(self):
        """He holds one offer at a time, and a dispatcher's choice does not give him a second booking."""
        driver, other = server.driver(self.at), server.register()
        for _ in range(5):
            first, second = at_once(lambda: self.customer.book(*self.stops), lambda: other.book(*self.stops))
            offers = until(lambda: driver.get('/v1/driver/offers').json['items'], 'an offer')
            self.assertEqual(len(offers), 1)
            mine, rest = (first, second) if offers[0]['booking_id'] == first['id'] else (second, first)
            answers = at_once(self.accept(driver, mine, offers[0]),
                              lambda: dispatcher.post(f'/v1/bookings/{rest["id"]}/assign', {'driver_id': driver.driver_id}))
            active = [b for b in (self.customer.booking(first['id']), other.booking(second['id'])) if b['state'] == 'assigned']
            self.assertEqual(len(active), 1, answers)
            self.assertIn(answers[1].status, (200, 202, 409))
            driver.deliver(active[0]['id'])
            last = rest if active[0]['id'] == mine['id'] else mine
            who = self.customer if last['customer_id'] == self.customer.user['id'] else other
            who.post(f'/v1/bookings/{last["id"]}/cancel', {}, expect=200)
            until(lambda: duty(driver) == 'on' and not driver.get('/v1/driver/offers').json['items'], 'the driver is free again')

    def test_cancel_against_accept(self):
        driver, outcomes = server.driver(self.at), set()
        for _ in range(12):
            booking = self.customer.book(*self.stops)
            offer = driver.offer(booking['id'])
            accepted, cancelled = at_once(self.accept(driver, booking, offer),
                                          lambda: self.customer.post(f'/v1/bookings/{booking["id"]}/cancel', {}, expect=200))
            outcomes.add(accepted.status)
            self.assertEqual(self.customer.booking(booking['id'])['state'], 'cancelled')
            kinds = [e['type'] for e in self.customer.get(f'/v1/bookings/{booking["id"]}/timeline').json['items']]
            self.assertEqual('booking.assigned' in kinds, accepted.status == 200)
            self.assertEqual(cancelled.json['driver'] is not None, accepted.status == 200)
            until(lambda: duty(driver) == 'on' and not driver.get('/v1/driver/offers').json['items'], 'the driver is free again')
        lorry.say(f'accepts that raced a cancel: {sorted(outcomes)}')

    def test_the_same_step_twice(self):
        driver = server.driver(self.at)
        booking = self.customer.book(*self.stops)
        driver.accept(booking['id'])
        for status in ('arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered'):
            version = driver.booking(booking['id'])['version']
            step = lambda: driver.post(f'/v1/bookings/{booking["id"]}/status', {'status': status, 'version': version})
            answers = at_once(*[step] * 6)
            self.assertEqual(sorted(a.status for a in answers), [200] + [409] * 5, status)
            self.assertEqual(driver.booking(booking['id'])['version'], version + 1)
        link = f'/v1/track/{booking["tracking_token"]}/rating'
        ratings = at_once(*[lambda n=n: self.customer.post(f'/v1/bookings/{booking["id"]}/rating', {'stars': n}) for n in (1, 2, 3)],
                          *[lambda n=n: server.api().post(link, {'stars': n}) for n in (4, 5)])
        self.assertEqual(sorted(a.status for a in ratings), [200] + [409] * 4)
        stars = next(a.json['rating']['stars'] for a in ratings if a.status == 200)
        until(lambda: driver.get('/v1/driver').json['rating'] == {'mean': stars, 'count': 1}, 'one rating counts')
        self.assertEqual(driver.get('/v1/driver/earnings').json['bookings'], 1)

    def test_edits_with_if_match(self):
        etag = self.customer.get('/v1/me').header('etag')
        answers = at_once(*[lambda n=n: self.customer.patch('/v1/me', {'name': f'Name {n}'}, if_match=etag) for n in range(6)])
        self.assertEqual(sorted(a.status for a in answers), [200] + [412] * 5)

    def test_a_refresh_token_is_spent_once(self):
        for _ in range(3):
            who = server.register()
            answers = at_once(*[lambda: server.api().post('/v1/auth/refresh', {'refresh_token': who.refresh_token})] * 5)
            self.assertLessEqual(sorted(a.status for a in answers).count(200), 1, answers)

    def test_fixes_over_several_ways(self):
        driver = server.register('driver')
        driver.get('/v1/driver', expect=200)
        begun, rng = time.time() - 600, random.Random(7)
        times = [rfc3339(begun + i / 2) for i in range(400)]
        stored = []

        def http():
            for _ in range(12):
                low = rng.randrange(400)
                part = times[low:low + rng.randrange(1, 120)]
                answer = driver.post('/v1/driver/locations', {'fixes': [{'at': t, 'lat': 1, 'lng': 2} for t in part]}, expect=200).json
                self.assertEqual(answer['stored'] + answer['duplicates'], len(part))
                stored.append(answer['stored'])

        def ws():
            with WebSocket(server, driver.token) as mine:
                mine.expect('ready')
                for i in range(12):
                    low = rng.randrange(400)
                    part = times[low:low + rng.randrange(1, 120)]
                    mine.send({'type': 'location', 'id': i, 'fixes': [{'at': t, 'lat': 1, 'lng': 2} for t in part]})
                    ack = mine.expect('ack')
                    self.assertEqual((ack['id'], ack['stored'] + ack['duplicates']), (i, len(part)))
                    stored.append(ack['stored'])

        at_once(http, ws, http, ws, http, ws)
        stored.append(driver.post('/v1/driver/locations', {'fixes': [{'at': t, 'lat': 1, 'lng': 2} for t in times]}, expect=200).json['stored'])
        if lorry.CLUSTERED:  # two processes may each have stored one; it is read once
            self.assertGreaterEqual(sum(stored), 400)
        else:
            self.assertEqual(sum(stored), 400, 'each fix is stored once, and told of once')
        trail = dispatcher.get(f'/v1/drivers/drv{driver.user["id"][3:]}/trail', expect=200).json['fixes']
        self.assertEqual(len(trail), 400)
        self.assertEqual(trail, sorted(trail, key=lambda f: f['at']))


class SlowReaders(unittest.TestCase):
    def test_everything_in_order_later(self):
        """A dispatcher's socket that is not read while some 10 MB of events come; then it gets them all, each once."""
        at = next(_places)
        customers = [server.register() for _ in range(6)]
        with contextlib.closing(WebSocket(server, dispatcher.token, rcvbuf=8192)) as slow, WebSocket(server, dispatcher.token) as quick:
            ready = slow.expect('ready')['seq']
            first = quick.expect('ready')['seq']
            before = server.rss_kb()
            made = []

            def book(customer):
                for _ in range(250):
                    booking = customer.book(at, (at[0] + 0.01, at[1]))
                    customer.post(f'/v1/bookings/{booking["id"]}/cancel', {'reason': 'x' * 500}, expect=200)
                    made.append(booking['id'])

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                done = [pool.submit(book, c) for c in customers]
                seqs, ends = [], set()
                while len(ends) < 1500:  # the quick one is told of everything at once meanwhile
                    message = quick.receive(60)
                    seqs.append(message['seq'])
                    if message['data'].get('state') == 'cancelled':
                        ends.add(message['data']['id'])
                for each in done:
                    each.result()
            self.assertEqual(seqs, list(range(first + 1, first + 1 + len(seqs))))
            grown = server.rss_kb() - before
            self.assertTrue(grown < 64 * 1024 or lorry.SLOW > 1, f'{grown} kB for one slow reader')
            late = []
            while not late or late[-1] < seqs[-1]:
                late.append(slow.receive(30)['seq'])
            self.assertEqual(late, list(range(ready + 1, late[-1] + 1)))
            lorry.say(f'{len(late)} events kept for the slow one, {grown} kB')

    def test_one_who_never_reads_again_is_let_go(self):
        """His queue is bounded, his positions are left out: the server does not grow."""
        at = next(_places)
        driver = server.driver(at)
        sockets = [WebSocket(server, dispatcher.token, rcvbuf=4096) for _ in range(30)]
        for ws in sockets:
            ws.expect('ready')
            ws.send({'type': 'watch', 'bbox': [at[1] - 1, at[0] - 1, at[1] + 1, at[0] + 1]})
        before = server.rss_kb()
        customer = server.register()
        for i in range(150):
            driver.fix((at[0] + i / 1e6, at[1]))
            booking = customer.book((at[0] + 1, at[1]), (at[0] + 1.01, at[1]))
            customer.post(f'/v1/bookings/{booking["id"]}/cancel', {'reason': 'y' * 500}, expect=200)
        grown = server.rss_kb() - before
        self.assertTrue(grown < 96 * 1024 or lorry.SLOW > 1, f'{grown} kB for 30 who do not read')
        for ws in sockets:
            ws.close()


class Texts(unittest.TestCase):
    def test_what_people_write_comes_back_as_it_was(self):
        customer, at = server.register(name='Åsa «Ö» 张伟 🚚'), next(_places)
        self.assertEqual(customer.get('/v1/me').json['name'], 'Åsa «Ö» 张伟 🚚')
        texts = ['🚚' * 1000, 'a\nb', '"quotes" \\ /', '</script><script>alert(1)</script>', "'; DROP TABLE bookings; --",
                 'e\u0301 \ufeff \U0010ffff', '%s %n %x', '{"json":1}']
        with WebSocket(server, customer.token) as ws:
            ws.expect('ready')
            for text in texts:
                quote = customer.quote(at, (at[0] + 0.01, at[1]))
                made = customer.post('/v1/bookings', {'quote_id': quote['id'], 'notes': text, 'stops': [{'contact': {'name': 'Åsa 🚚'}}]}, expect=201).json
                self.assertEqual((made['notes'], made['stops'][0]['contact']), (text, {'name': 'Åsa 🚚', 'phone': None}))
                self.assertEqual(customer.booking(made['id'])['notes'], text)
                self.assertEqual(ws.expect('booking.updated', lambda m: m['data']['id'] == made['id'])['data']['notes'], text)
        for bad in ('\x00', '\x1b[31m', '\x7f', '\x9b', '\u202e', '\u2028'):
            customer.problem(422, 'invalid-request', 'POST', '/v1/bookings', {'quote_id': customer.quote(at, (at[0] + 0.01, at[1]))['id'], 'notes': bad})
        too_long = customer.post('/v1/bookings', {'quote_id': customer.quote(at, (at[0] + 0.01, at[1]))['id'], 'notes': '🚚' * 1001})
        self.assertEqual((too_long.status, too_long.json['errors'][0]['pointer']), (422, '/notes'))


if __name__ == '__main__':
    lorry.main()
