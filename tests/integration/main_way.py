"""The main way through the API, by example: every shape, every status, every rule that clients rely on, over HTTP and
WebSocket against the real binary."""
import base64
import concurrent.futures
import itertools
import json
import tempfile
import time
import unittest

import ed25519
import lorry
from lorry import (PASSWORD, TIME, Closed, Connection, Id, Refused, Server, WebSocket, check, rfc3339,
                   until)
from shapes import (BOOKING, DISPATCH, DRIVEN, DRIVER, EARNINGS, EVENT, FLEET, JWKS, NEAR, OFFER, POSITION, QUOTES, STORED, TIMELINE,
                    TOKENS, TRACK, TRAIL, USER, VEHICLES)

# Every test has a part of the world of its own, so that no driver is offered another test's booking.
_places = itertools.product(range(-50, 51, 5), range(-170, 171, 5))


def place():
    return next(_places)


def near(at, north_m=0.0):
    return (at[0] + north_m / 111_200, at[1])


def setUpModule():
    global server, admin, dispatcher
    server = Server('--offer-timeout-s', 6, '--search-timeout-s', 60, '--quote-ttl-s', 10, '--search-radius-m', 2000,
                    '--search-radius-max-m', 8000)
    admin, dispatcher = server.staff('admin'), server.staff('dispatcher')


def tearDownModule():
    try:
        assert server.alive(), f'the server has died:\n{server.log()[-3000:]}'
        assert server.stop() == 0, f'it did not leave well:\n{server.log()[-3000:]}'
    finally:
        server.close()


def b64(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


class Accounts(unittest.TestCase):
    def test_register_login_me(self):
        api = server.api()
        body = {'email': 'Asha@Example.com', 'password': PASSWORD, 'name': 'Asha', 'phone': '+46701234567', 'role': 'customer'}
        made = check(api.post('/v1/auth/register', body, expect=201).json, TOKENS)
        self.assertEqual(made['expires_in'], 900)
        self.assertEqual(made['user']['email'], 'asha@example.com')
        self.assertEqual(made['user']['phone'], '+46701234567')
        api.problem(409, 'email-taken', 'POST', '/v1/auth/register', body)
        entered = check(api.post('/v1/auth/login', {'email': 'asha@example.com', 'password': PASSWORD}, expect=200).json, TOKENS)
        self.assertEqual(entered['user'], made['user'])
        me = api.signed_in(entered).get('/v1/me', expect=200)
        self.assertEqual(check(me.json, USER), made['user'])
        self.assertEqual(me.header('etag'), '"1"')
        self.assertEqual(me.header('cache-control'), 'private, no-cache')
        api.get('/v1/me', headers=[('If-None-Match', '"1"')], expect=304)

    def test_register_names_every_bad_field(self):
        body = {'email': 'nobody', 'password': 'short', 'name': '', 'phone': 'abc', 'role': 'admin'}
        a = server.api().problem(422, 'invalid-request', 'POST', '/v1/auth/register', body)
        pointers = {e['pointer'] for e in a.json['errors']}
        self.assertLessEqual({'/password', '/name', '/role'}, pointers)
        for field, bad in (('email', 'a b@example.com'), ('email', 'x@'), ('password', 'password1'), ('password', 'x' * 129),
                           ('password', 'me@example.com'), ('name', '   '), ('role', 'dispatcher'), ('phone', '070')):
            body = {'email': 'me@example.com', 'password': PASSWORD, 'name': 'Me', 'role': 'driver', field: bad}
            a = server.api().problem(422, 'invalid-request', 'POST', '/v1/auth/register', body)
            self.assertEqual([e['pointer'] for e in a.json['errors']], ['/' + field], bad)

    def test_one_email_is_registered_once(self):
        body = {'email': 'twin@example.com', 'password': PASSWORD, 'name': 'Twin', 'role': 'customer'}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: server.api().post('/v1/auth/register', body).status, range(8)))
        self.assertEqual(sorted(statuses), [201] + [409] * 7)

    def test_tokens_verify_by_the_published_keys(self):
        api = server.register()
        header, claims, signature = api.token.split('.')
        head, body = json.loads(b64(header)), json.loads(b64(claims))
        check(body, {'iss': str, 'aud': str, 'sub': Id('usr'), 'role': str, 'sid': str, 'iat': int, 'exp': int})
        self.assertEqual((body['sub'], body['role'], body['exp'] - body['iat']), (api.user['id'], 'customer', 900))
        keys = check(server.api().get('/.well-known/jwks.json', expect=200).json, JWKS)['keys']
        key = next(k for k in keys if k['kid'] == head['kid'])
        self.assertEqual((head['alg'], key['crv']), ('EdDSA', 'Ed25519'))
        self.assertFalse(any('d' in k for k in keys), 'a private key is published')
        self.assertTrue(ed25519.verify(b64(key['x']), f'{header}.{claims}'.encode(), b64(signature)))
        self.assertFalse(ed25519.verify(b64(key['x']), f'{header}.{claims}x'.encode(), b64(signature)))

    def test_forged_tokens(self):
        api = server.register()
        header, claims, signature = api.token.split('.')
        other = json.loads(b64(claims)) | {'role': 'admin'}
        forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip('=')
        none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip('=')
        last = 'A' if signature[0] != 'A' else 'B'
        for token in (f'{header}.{forged}.{signature}', f'{none}.{claims}.', f'{none}.{forged}.', f'{header}.{claims}.',
                      f'{header}.{claims}', f'{header}.{claims}.{last}{signature[1:]}', 'x', '..', api.refresh_token):
            server.api(token).problem(401, 'unauthenticated', 'GET', '/v1/me')
        server.api().problem(401, 'unauthenticated', 'GET', '/v1/me')
        server.api().problem(401, 'unauthenticated', 'GET', '/v1/me', headers=[('Authorization', 'Basic YTpi')])

    def test_wrong_passwords(self):
        api = server.register(email='locked@example.com')
        wrong = {'email': 'locked@example.com', 'password': 'not the one 1'}
        answers = [api.problem(401, 'invalid-credentials', 'POST', '/v1/auth/login', wrong) for _ in range(5)]
        nobody = api.problem(401, 'invalid-credentials', 'POST', '/v1/auth/login', wrong | {'email': 'ghost@example.com'})
        same = [{k: v for k, v in a.json.items() if k != 'request_id'} for a in (answers[0], nobody)]
        self.assertEqual(*same)
        for body in (wrong, wrong | {'password': PASSWORD}):
            a = api.problem(429, 'too-many-attempts', 'POST', '/v1/auth/login', body)
            self.assertGreater(int(a.header('retry-after')), 60)
        ghost = wrong | {'email': 'ghost2@example.com'}
        statuses = [api.post('/v1/auth/login', ghost).status for _ in range(6)]
        self.assertEqual(statuses, [401] * 5 + [429], 'an unknown e-mail is locked like a known one')

    def test_refresh_turns_and_a_spent_one_ends_the_family(self):
        api = server.register()
        first = api.refresh_token
        second = check(api.post('/v1/auth/refresh', {'refresh_token': first}, expect=200).json, TOKENS)
        third = api.post('/v1/auth/refresh', {'refresh_token': second['refresh_token']}, expect=200).json
        self.assertEqual(len({first, second['refresh_token'], third['refresh_token']}), 3)
        server.api(third['access_token']).get('/v1/me', expect=200)
        api.problem(401, 'invalid-refresh-token', 'POST', '/v1/auth/refresh', {'refresh_token': first})
        api.problem(401, 'invalid-refresh-token', 'POST', '/v1/auth/refresh', {'refresh_token': third['refresh_token']})
        until(lambda: server.api(third['access_token']).get('/v1/me').status == 401, 'the family\'s access tokens end')
        api.problem(401, 'invalid-refresh-token', 'POST', '/v1/auth/refresh', {'refresh_token': 'rt_made_up'})

    def test_logout(self):
        api = server.register()
        other = server.login(api.user['email'])
        server.api().post('/v1/auth/logout', {'refresh_token': api.refresh_token}, expect=204)
        api.problem(401, 'invalid-refresh-token', 'POST', '/v1/auth/refresh', {'refresh_token': api.refresh_token})
        until(lambda: api.get('/v1/me').status == 401, 'the session\'s access token ends')
        other.get('/v1/me', expect=200)
        server.api().post('/v1/auth/logout', {'refresh_token': api.refresh_token}, expect=204)

    def test_edit_me(self):
        api = server.register()
        a = api.patch('/v1/me', {'name': 'Asha R.'}, if_match='"1"', expect=200)
        self.assertEqual((check(a.json, USER)['name'], a.header('etag')), ('Asha R.', '"2"'))
        api.problem(412, 'precondition-failed', 'PATCH', '/v1/me', {'name': 'Too late'}, if_match='"1"')
        api.problem(412, 'precondition-failed', 'PATCH', '/v1/me', {'name': 'Odd'}, if_match='2')
        self.assertEqual(api.patch('/v1/me', {'phone': '+4670000000'}, if_match='*', expect=200).json['version'], 3)
        self.assertEqual(api.get('/v1/me', expect=200).json['name'], 'Asha R.')

    def test_users_for_admins(self):
        made = [server.register('driver') for _ in range(5)]
        for who in (made[0], dispatcher):
            who.problem(403, 'forbidden', 'GET', '/v1/users')
        users = admin.pages('/v1/users?role=driver', 2)
        check(users, [USER])
        self.assertTrue(all(u['role'] == 'driver' for u in users))
        ids = [u['id'] for u in users]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual({m.user['id'] for m in made}, set(ids))
        everybody = {u['id'] for u in admin.pages('/v1/users', 200)}
        self.assertLess(set(ids), everybody)
        admin.problem(422, 'bad-parameter', 'GET', '/v1/users?role=king')
        admin.problem(422, 'bad-parameter', 'GET', '/v1/users?limit=201')
        admin.problem(422, 'bad-parameter', 'GET', '/v1/users?limit=0')
        admin.problem(422, 'bad-parameter', 'GET', '/v1/users?cursor=%21')

    def test_an_admin_promotes_and_disables(self):
        api = server.register()
        path = f'/v1/users/{api.user["id"]}'
        changed = admin.patch(path, {'role': 'dispatcher'}, if_match='"1"', expect=200)
        self.assertEqual((check(changed.json, USER)['role'], changed.header('etag')), ('dispatcher', '"2"'))
        time.sleep(0.01)  # a sign-in within the very millisecond of the change is refused with the older ones
        api = server.login(api.user['email'])
        api.get('/v1/fleet', expect=200)
        admin.problem(412, 'precondition-failed', 'PATCH', path, {'disabled': True}, if_match='"1"')
        admin.patch(path, {'disabled': True}, expect=200)
        until(lambda: api.get('/v1/me').status == 401, 'a disabled account\'s token ends')
        self.assertIn(api.post('/v1/auth/refresh', {'refresh_token': api.refresh_token}).status, (401, 403))
        self.assertIn(api.post('/v1/auth/login', {'email': api.user['email'], 'password': PASSWORD}).status, (401, 403))
        admin.patch(path, {'disabled': False}, expect=200)
        time.sleep(0.01)
        server.login(api.user['email']).get('/v1/me', expect=200)
        admin.problem(404, 'not-found', 'PATCH', '/v1/users/usr_01J0000000000000000000000A', {'disabled': True})
        admin.problem(404, 'not-found', 'PATCH', '/v1/users/x', {'disabled': True})

    def test_the_last_admin_stays(self):
        a = admin.problem(409, 'last-admin', 'PATCH', f'/v1/users/{admin.user["id"]}', {'role': 'customer'})
        self.assertEqual(a.status, 409)
        admin.problem(409, 'last-admin', 'PATCH', f'/v1/users/{admin.user["id"]}', {'disabled': True})


def decode_polyline(text):
    """Google's encoding with precision 6, as [(lat, lng)…]."""
    values, shift, value = [], 0, 0
    for char in text:
        value |= (ord(char) - 63 & 31) << shift
        shift += 5
        if ord(char) - 63 < 32:
            values.append(~(value >> 1) if value & 1 else value >> 1)
            shift = value = 0
    points, lat, lng = [], 0, 0
    for dlat, dlng in zip(values[::2], values[1::2]):
        lat, lng = lat + dlat, lng + dlng
        points.append((lat / 1e6, lng / 1e6))
    return points


class QuotesAndBookings(unittest.TestCase):
    def setUp(self):
        self.at = place()
        self.stops = (self.at, near(self.at, 1500))
        self.customer = server.register()

    def test_quotes(self):
        body = {'stops': [{'lat': 57.7089, 'lng': 11.9746, 'address': 'Drottningtorget'}, {'lat': 57.6969, 'lng': 11.9865}]}
        every = check(self.customer.post('/v1/quotes', body, expect=201).json, QUOTES)['quotes']
        self.assertEqual([q['vehicle'] for q in every], ['bike', 'car', 'van', 'truck'])
        for quote in every:
            self.assertEqual(sum(i['amount'] for i in quote['items']), quote['total'])
            self.assertTrue(quote['items'][0]['code'] == 'base' and quote['total'] > 0)
            for item in quote['items']:
                self.assertEqual('quantity' in item, 'unit' in item)
            line = decode_polyline(quote['polyline'])
            for got, asked in ((line[0], body['stops'][0]), (line[-1], body['stops'][1])):
                self.assertAlmostEqual(got[0], asked['lat'], 2)
                self.assertAlmostEqual(got[1], asked['lng'], 2)
            self.assertEqual(quote['stops'][0]['address'], 'Drottningtorget')
            self.assertEqual([s['kind'] for s in quote['stops']], ['pickup', 'dropoff'])
        one = check(self.customer.post('/v1/quotes', body | {'vehicle': 'van'}, expect=201).json, QUOTES)['quotes']
        self.assertEqual([q['vehicle'] for q in one], ['van'])
        self.assertEqual(one[0]['total'], every[2]['total'])

    def test_bad_quotes_name_every_field(self):
        body = {'stops': [{'lat': 91, 'lng': 11.9}, {'lat': 57.7, 'lng': 181}], 'vehicle': 'plane'}
        a = self.customer.problem(422, 'invalid-request', 'POST', '/v1/quotes', body)
        errors = {e['pointer']: e['detail'] for e in a.json['errors']}
        self.assertEqual(set(errors), {'/stops/0/lat', '/stops/1/lng', '/vehicle'})
        self.assertEqual(errors['/stops/0/lat'], 'must be between -90 and 90')
        self.assertEqual(errors['/vehicle'], 'unknown vehicle class: plane; one of bike, car, van, truck')
        self.assertEqual(a.json['detail'], '3 fields are not valid')
        stop = {'lat': 57.7, 'lng': 11.9}
        for stops in ([], [stop], [stop] * 21):
            a = self.customer.problem(422, 'invalid-request', 'POST', '/v1/quotes', {'stops': stops})
            self.assertEqual([e['pointer'] for e in a.json['errors']], ['/stops'])
        many = [stop | {'lat': 57.7 + i / 1000} for i in range(20)]
        quote = self.customer.post('/v1/quotes', {'stops': many, 'vehicle': 'car'}, expect=201).json['quotes'][0]
        self.assertEqual([s['index'] for s in quote['stops']], list(range(20)))

    def test_too_far_apart(self):
        far = {'stops': [{'lat': 57.7, 'lng': 11.9}, {'lat': 59.33, 'lng': 18.06}]}
        a = self.customer.problem(422, 'outside-service-area', 'POST', '/v1/quotes', far)
        self.assertTrue(a.json['errors'][0]['pointer'].startswith('/stops/'))

    def test_book(self):
        quote = self.customer.quote(*self.stops)
        body = {'quote_id': quote['id'], 'notes': 'ring twice', 'payment': 'cash',
                'stops': [{'contact': {'name': 'Bo', 'phone': '+46701111111'}}, {'contact': {'name': 'Cy', 'phone': '+46702222222'}}]}
        a = self.customer.post('/v1/bookings', body, key='5f0c', expect=201)
        booking = check(a.json, BOOKING)
        self.assertEqual(a.header('location'), f'/v1/bookings/{booking["id"]}')
        self.assertEqual((booking['state'], booking['version'], booking['driver'], booking['vehicle_plate']), ('requested', 1, None, None))
        self.assertEqual({k: booking['price'][k] for k in ('currency', 'total', 'items')}, {k: quote[k] for k in ('currency', 'total', 'items')})
        self.assertEqual([s['contact']['name'] for s in booking['stops']], ['Bo', 'Cy'])
        self.assertEqual((booking['payment'], booking['notes'], booking['customer_id']), ('cash', 'ring twice', self.customer.user['id']))
        again = self.customer.get(f'/v1/bookings/{booking["id"]}', expect=200)
        self.assertEqual(again.header('etag'), f'"{again.json["version"]}"')
        self.assertEqual(again.json['code'], booking['code'])
        self.customer.problem(409, 'quote-used', 'POST', '/v1/bookings', {'quote_id': quote['id'], 'payment': 'cash'})

    def test_a_quote_expires(self):
        quote = self.customer.quote(*self.stops)
        time.sleep(10.2)
        self.customer.problem(409, 'quote-expired', 'POST', '/v1/bookings', {'quote_id': quote['id'], 'payment': 'cash'})

    def test_anothers_quote_and_booking_are_not_there(self):
        booking = self.customer.book(*self.stops)
        other, driver = server.register(), server.register('driver')
        other.problem(404, 'not-found', 'POST', '/v1/bookings', {'quote_id': self.customer.quote(*self.stops)['id']})
        base = f'/v1/bookings/{booking["id"]}'
        for who in (other, driver):
            for path in (base, base + '/timeline'):
                who.problem(404, 'not-found', 'GET', path)
        other.problem(404, 'not-found', 'POST', base + '/cancel', {'reason': 'mine?'})
        other.problem(404, 'not-found', 'POST', base + '/rating', {'stars': 1})
        driver.problem(404, 'not-found', 'POST', base + '/status', {'status': 'arrived_pickup'})
        for unknown in ('bkg_01J0000000000000000000000A', 'bkg_1', 'x', '%00', 'usr_01J0000000000000000000000A'):
            if unknown == '%00' and lorry.CLUSTERED:
                continue  # Nginx takes it for no request at all
            self.customer.problem(404, 'not-found', 'GET', f'/v1/bookings/{unknown}')
        self.assertEqual(self.customer.booking(booking['id'])['state'], 'requested')

    def test_idempotency(self):
        quote, other = self.customer.quote(*self.stops), self.customer.quote(*self.stops)
        body = {'quote_id': quote['id'], 'payment': 'cash'}
        first = self.customer.post('/v1/bookings', body, key='k-1', expect=201)
        again = self.customer.post('/v1/bookings', body, key='k-1', expect=201)
        self.assertEqual(first.body, again.body)
        self.assertEqual(again.header('idempotency-replayed'), 'true')
        for name, value in (('location', f"/v1/bookings/{first.json['id']}"), ('etag', '"1"')):
            self.assertEqual([first.header(name), again.header(name)], [value, value])
        self.customer.problem(422, 'idempotency-mismatch', 'POST', '/v1/bookings', body | {'notes': 'x'}, key='k-1')
        self.customer.post('/v1/bookings', {'quote_id': other['id']}, key='k-2', expect=201)
        self.customer.problem(422, 'bad-parameter', 'POST', '/v1/bookings', body, key='with space')
        self.customer.problem(422, 'bad-parameter', 'POST', '/v1/bookings', body, key='k' * 129)
        # The key is the account's own: another account's request with it is another request.
        somebody = server.register()
        somebody.post('/v1/bookings', {'quote_id': somebody.quote(*self.stops)['id']}, key='k-1', expect=201)
        # Also a refusal is an answer; and it is the same one.
        refused = [self.customer.problem(409, 'quote-used', 'POST', '/v1/bookings', body, key='k-3') for _ in range(2)]
        self.assertEqual(*[a.json['detail'] for a in refused])

    def test_concurrent_duplicates(self):
        quote = self.customer.quote(*self.stops)
        body = {'quote_id': quote['id'], 'payment': 'cash'}

        def post(key):
            return server.api(self.customer.token).post('/v1/bookings', body, key=key)

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            same = list(pool.map(post, ['one'] * 12))
        self.assertEqual({a.status for a in same}, {201})
        self.assertEqual(len({a.body for a in same}), 1)
        quote = self.customer.quote(*self.stops)
        body = {'quote_id': quote['id'], 'payment': 'cash'}
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            different = list(pool.map(post, [f'key-{i}' for i in range(12)]))
        self.assertEqual(sorted(a.status for a in different), [201] + [409] * 11)
        self.assertEqual(len(self.customer.pages('/v1/bookings', 50)), 2)

    def test_lists_and_filters(self):
        made = [self.customer.book(*self.stops)['id'] for _ in range(7)]
        for booking_id in made[:3]:
            self.customer.post(f'/v1/bookings/{booking_id}/cancel', {}, expect=200)
        every = self.customer.pages('/v1/bookings', 2)
        check(every, [BOOKING])
        self.assertEqual([b['id'] for b in every], sorted(made, reverse=True), 'each once, in one order')
        times = [b['created_at'][:23] for b in every]  # an id is of its millisecond
        self.assertEqual(times, sorted(times, reverse=True), 'newest first')
        self.assertEqual({b['id'] for b in self.customer.pages('/v1/bookings?state=active', 3)}, set(made[3:]))
        self.assertEqual({b['id'] for b in self.customer.pages('/v1/bookings?state=cancelled', 3)}, set(made[:3]))
        self.assertEqual(self.customer.pages('/v1/bookings?state=delivered', 3), [])
        self.assertLessEqual(set(made), {b['id'] for b in dispatcher.pages('/v1/bookings', 100)})
        self.customer.problem(422, 'bad-parameter', 'GET', '/v1/bookings?state=lost')
        self.customer.problem(422, 'bad-parameter', 'GET', '/v1/bookings?limit=many')

    def test_roles(self):
        driver = server.register('driver')
        driver.problem(403, 'forbidden', 'POST', '/v1/quotes', {'stops': []})
        driver.problem(403, 'forbidden', 'POST', '/v1/bookings', {})
        booking = self.customer.book(*self.stops)
        base = f'/v1/bookings/{booking["id"]}'
        for method, path in (('GET', '/v1/fleet'), ('GET', '/v1/driver'), ('PUT', '/v1/driver'), ('GET', '/v1/users'),
                             ('POST', '/v1/driver/duty'), ('POST', '/v1/driver/locations'), ('GET', '/v1/driver/offers'),
                             ('GET', '/v1/driver/earnings'), ('GET', base + '/dispatch'), ('POST', base + '/assign'),
                             ('POST', base + '/accept'), ('POST', base + '/decline'), ('POST', base + '/status'),
                             ('GET', '/v1/drivers/drv_01J0000000000000000000000A/trail')):
            body = {} if method != 'GET' else None
            self.customer.problem(403, 'forbidden', method, path, body)
            server.api().problem(401, 'unauthenticated', method, path, body)
        driver.problem(403, 'forbidden', 'GET', base + '/dispatch')
        driver.problem(403, 'forbidden', 'POST', base + '/cancel', {})
        dispatcher.problem(403, 'forbidden', 'PATCH', '/v1/drivers/drv_01J0000000000000000000000A', {'status': 'approved'})
        dispatcher.problem(403, 'forbidden', 'POST', base + '/accept', {})

    def test_tariffs(self):
        tariffs = check(self.customer.get('/v1/tariffs', expect=200).json,
                        {'items': [{'vehicle': VEHICLES, 'base': int, 'per_km': int, 'per_minute': int, 'minimum': int}]})
        self.assertEqual(len(tariffs['items']), 4)
        server.api().problem(401, 'unauthenticated', 'GET', '/v1/tariffs')

    def test_cancel_and_if_match(self):
        booking = self.customer.book(*self.stops)
        path = f'/v1/bookings/{booking["id"]}/cancel'
        self.customer.problem(412, 'precondition-failed', 'POST', path, {'reason': 'old'}, if_match='"99"')
        a = self.customer.post(path, {'reason': 'changed my mind'}, key='c', expect=200)
        self.assertEqual((check(a.json, BOOKING)['state'], a.json['version']), ('cancelled', 2))
        self.assertEqual(self.customer.post(path, {'reason': 'changed my mind'}, key='c', expect=200).body, a.body)
        again = self.customer.problem(409, 'illegal-transition', 'POST', path, {'reason': 'twice'})
        self.assertEqual((again.json['state'], again.json['allowed']), ('cancelled', []))
        timeline = check(self.customer.get(f'/v1/bookings/{booking["id"]}/timeline', expect=200).json, TIMELINE)['items']
        self.assertEqual([(e['seq'], e['type']) for e in timeline], [(1, 'booking.requested'), (2, 'booking.cancelled')])
        self.assertEqual(timeline[0]['actor'], {'kind': 'customer', 'id': self.customer.user['id']})
        self.customer.problem(409, 'illegal-transition', 'POST', f'/v1/bookings/{booking["id"]}/rating', {'stars': 5})

    def test_service_area(self):
        box = {'type': 'Polygon', 'coordinates': [[[11, 57], [13, 57], [13, 58], [11, 58], [11, 57]]]}
        with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
            json.dump(box, file)
            file.flush()
            with Server('--area', file.name) as inside:
                customer = inside.register()
                customer.quote((57.7, 11.97), (57.69, 11.98))
                body = {'stops': [{'lat': 57.7, 'lng': 11.97}, {'lat': 59.3, 'lng': 18.0}], 'vehicle': 'van'}
                a = customer.problem(422, 'outside-service-area', 'POST', '/v1/quotes', body)
                self.assertEqual([e['pointer'] for e in a.json['errors']], ['/stops/1'])


class Driving(unittest.TestCase):
    def setUp(self):
        self.at = place()
        self.stops = (self.at, near(self.at, 1500))
        self.customer = server.register(phone='+46709999999')

    def test_profile_approval_duty(self):
        driver = server.register('driver', name='Ola Berg')
        profile = check(driver.get('/v1/driver', expect=200).json, DRIVER)
        self.assertEqual((profile['status'], profile['duty'], profile['vehicle'], profile['position']), ('pending', 'off', None, None))
        self.assertEqual(profile['id'][4:], driver.user['id'][4:])
        path = f'/v1/drivers/{profile["id"]}'
        driver.problem(403, 'not-approved', 'POST', '/v1/driver/duty', {'duty': 'on'})
        admin.patch(path, {'status': 'approved'}, expect=200)
        driver.problem(409, 'no-vehicle', 'POST', '/v1/driver/duty', {'duty': 'on'})
        vehicle = {'class': 'van', 'plate': 'ABC123', 'capacity_kg': 800}
        told = check(driver.put('/v1/driver', {'vehicle': vehicle}, expect=200).json, DRIVER)['vehicle']
        self.assertEqual({k: told[k] for k in vehicle}, vehicle)
        a = driver.problem(422, 'invalid-request', 'PUT', '/v1/driver', {'vehicle': {'class': 'boat', 'plate': '', 'capacity_kg': 0}})
        self.assertEqual({e['pointer'] for e in a.json['errors']}, {'/vehicle/class', '/vehicle/plate', '/vehicle/capacity_kg'})
        a = driver.problem(422, 'invalid-request', 'PUT', '/v1/driver', {})
        self.assertEqual([e['pointer'] for e in a.json['errors']], ['/vehicle'])
        self.assertEqual(check(driver.post('/v1/driver/duty', {'duty': 'on'}, expect=200).json, DRIVER)['duty'], 'on')
        driver.problem(422, 'invalid-request', 'POST', '/v1/driver/duty', {'duty': 'busy'})
        a = admin.problem(422, 'invalid-request', 'PATCH', path, {'status': 'suspended'})
        self.assertEqual([e['pointer'] for e in a.json['errors']], ['/reason'])
        suspended = check(admin.patch(path, {'status': 'suspended', 'reason': 'papers'}, expect=200).json, DRIVER)
        self.assertEqual((suspended['status'], suspended['duty']), ('suspended', 'off'))
        driver.problem(403, 'not-approved', 'POST', '/v1/driver/duty', {'duty': 'on'})
        admin.problem(404, 'not-found', 'PATCH', '/v1/drivers/drv_01J0000000000000000000000A', {'status': 'approved'})
        etag = driver.get('/v1/driver', expect=200)
        self.assertEqual(etag.header('etag'), f'"{etag.json["version"]}"')

    def test_locations(self):
        driver = server.register('driver')
        now = time.time()
        fixes = [{'at': rfc3339(now - 10 + i), 'lat': 57.7 + i / 1e4, 'lng': 11.97, 'accuracy_m': 8, 'speed_mps': 9.1, 'bearing_deg': 45}
                 for i in range(5)]
        answer = check(driver.post('/v1/driver/locations', {'fixes': fixes}, expect=200).json, STORED)
        self.assertEqual((answer['stored'], answer['duplicates'], answer['rejected']), (5, 0, []))
        answer = driver.post('/v1/driver/locations', {'fixes': fixes}, expect=200).json
        self.assertEqual((answer['stored'], answer['duplicates']), (0, 5))
        mixed = fixes[:1] + [fixes[1] | {'at': rfc3339(now)}, fixes[2] | {'at': rfc3339(now + 1), 'lat': 91},
                             fixes[3] | {'at': 'yesterday'}, fixes[3] | {'at': rfc3339(now + 86400)}]
        answer = check(driver.post('/v1/driver/locations', {'fixes': mixed}, expect=200).json, STORED)
        self.assertEqual((answer['stored'], answer['duplicates']), (1, 1))
        self.assertEqual([(r['index'], r['pointer']) for r in answer['rejected']], [(2, '/fixes/2/lat'), (3, '/fixes/3/at'), (4, '/fixes/4/at')])
        for body in ({}, {'fixes': []}, {'fixes': fixes[:1] * 1001}, {'fixes': 1}, []):
            driver.problem(422, 'invalid-request', 'POST', '/v1/driver/locations', body)
        thousand = [{'at': rfc3339(now - 2000 + i), 'lat': 57.7, 'lng': 11.9} for i in range(1000)]
        self.assertEqual(driver.post('/v1/driver/locations', {'fixes': thousand}, expect=200).json['stored'], 1000)
        driver.get('/v1/driver', expect=200)  # looked at: now he is a driver of whom there is a trail
        driver_id = 'drv' + driver.user['id'][3:]
        trail = check(dispatcher.get(f'/v1/drivers/{driver_id}/trail', expect=200).json, TRAIL)
        self.assertEqual(len(trail['fixes']), 1006)
        self.assertEqual(trail['fixes'], sorted(trail['fixes'], key=lambda f: f['at']))
        self.assertEqual({k: trail['fixes'][-2][k] for k in ('lat', 'lng', 'speed_mps', 'bearing_deg')},
                         {'lat': 57.7004, 'lng': 11.97, 'speed_mps': 9.1, 'bearing_deg': 45})
        pages, cursor = [], ''
        while cursor is not None:
            page = dispatcher.get(f'/v1/drivers/{driver_id}/trail?limit=200' + (f'&cursor={cursor}' if cursor else ''), expect=200).json
            pages, cursor = pages + page['fixes'], page['next_cursor']
        self.assertEqual(pages, trail['fixes'])
        part = dispatcher.get(f'/v1/drivers/{driver_id}/trail?from={rfc3339(now - 11)}&to={rfc3339(now - 4.5)}', expect=200).json
        self.assertEqual(len(part['fixes']), 5)
        dispatcher.problem(404, 'not-found', 'GET', '/v1/drivers/drv_01J0000000000000000000000A/trail')
        dispatcher.problem(422, 'bad-parameter', 'GET', f'/v1/drivers/{driver_id}/trail?from=noon')

    def test_offer_accept_deliver_rate_earn(self):
        driver = server.driver(near(self.at, 300), admin=admin)
        booking = self.customer.book(*self.stops)
        base = f'/v1/bookings/{booking["id"]}'
        offer = check(driver.offer(booking['id']), OFFER)
        self.assertEqual((offer['stops'], offer['earning']['currency']), (2, booking['price']['currency']))
        self.assertEqual(offer['earning']['amount'], (booking['price']['total'] * 80 + 50) // 100)
        self.assertTrue(250 < offer['pickup_distance_m'] < 350, offer)
        self.assertNotIn('contact', json.dumps(offer))
        self.assertEqual(self.customer.booking(booking['id'])['state'], 'offered')
        driver.problem(404, 'not-found', 'GET', base)  # an offer is not yet a booking of his

        won = check(driver.post(base + '/accept', {'offer_id': offer['id']}, expect=200).json, DRIVEN)
        self.assertEqual((won['state'], won['driver']['name'], won['vehicle_plate']), ('assigned', 'Ola Berg', 'ABC123'))
        again = driver.post(base + '/accept', {'offer_id': offer['id']}, expect=200).json
        self.assertEqual((again['state'], again['version']), (won['state'], won['version']))
        self.assertEqual(driver.get('/v1/driver', expect=200).json['duty'] in ('on', 'busy'), True)
        until(lambda: driver.get('/v1/driver').json['duty'] == 'busy', 'the driver is busy')
        self.assertEqual(driver.get('/v1/driver/offers', expect=200).json['items'], [])
        driver.problem(409, 'active-booking', 'POST', '/v1/driver/duty', {'duty': 'off'})
        driver.problem(409, 'active-booking', 'PUT', '/v1/driver', {'vehicle': {'class': 'car', 'plate': 'X', 'capacity_kg': 1}})
        self.assertEqual([b['id'] for b in check(driver.pages('/v1/bookings', 10), [DRIVEN])], [booking['id']])
        seen = check(self.customer.booking(booking['id']), BOOKING)
        self.assertEqual(seen['driver'], {'id': driver.driver_id, 'name': 'Ola Berg', 'phone': '+46701112233', 'rating': None})

        tracked = check(server.api().get(f'/v1/track/{booking["tracking_token"]}', expect=200).json, TRACK)
        self.assertEqual(tracked['driver'], {'name': 'Ola', 'vehicle': 'van', 'plate': 'ABC123'})
        self.assertAlmostEqual(tracked['position']['lat'], near(self.at, 300)[0], 6)
        self.assertIsNotNone(tracked['eta'])
        self.assertNotIn('phone', json.dumps(tracked))
        self.assertNotIn('Berg', json.dumps(tracked))
        server.api().problem(404, 'not-found', 'GET', f'/v1/track/{booking["tracking_token"][:-1]}')
        changed = booking['tracking_token'][:-1] + ('A' if booking['tracking_token'][-1] != 'A' else 'B')
        server.api().problem(404, 'not-found', 'GET', f'/v1/track/{changed}')

        self.illegal(driver, base, 'delivered', 'assigned', ['arrived_pickup', 'cancelled'])
        driver.problem(409, 'version-conflict', 'POST', base + '/status', {'status': 'arrived_pickup', 'version': 1})
        driver.problem(412, 'precondition-failed', 'POST', base + '/status', {'status': 'arrived_pickup'}, if_match='"1"')
        version = self.customer.booking(booking['id'])['version']
        moved = driver.post(base + '/status', {'status': 'arrived_pickup', 'stop': 0, 'version': version}, key='s', expect=200).json
        self.assertEqual((moved['state'], moved['version'], moved['stops'][0]['state']), ('arrived_pickup', version + 1, 'arrived'))
        repeat = driver.post(base + '/status', {'status': 'arrived_pickup', 'stop': 0, 'version': version}, key='s', expect=200).json
        self.assertEqual(repeat, moved)
        self.illegal(driver, base, 'arrived_pickup', 'arrived_pickup', ['picked_up', 'cancelled', 'failed'])
        driver.status(booking['id'], 'picked_up')
        self.customer.problem(409, 'illegal-transition', 'POST', base + '/cancel', {'reason': 'too late'})
        self.customer.problem(409, 'illegal-transition', 'POST', base + '/rating', {'stars': 5})
        done = driver.status(booking['id'], 'arrived_dropoff', 'delivered')
        self.assertEqual((done['state'], [s['state'] for s in done['stops']]), ('delivered', ['done', 'done']))
        after = check(server.api().get(f'/v1/track/{booking["tracking_token"]}', expect=200).json, TRACK)
        self.assertIsNone(after['position'], 'a position after the end')

        for bad in ({}, {'stars': 0}, {'stars': 6}, {'stars': '5'}, {'stars': 4.5}):
            self.customer.problem(422, 'invalid-request', 'POST', base + '/rating', bad)
        rated = check(self.customer.post(base + '/rating', {'stars': 4, 'comment': 'fine'}, expect=200).json, BOOKING)
        self.assertEqual(rated['rating'], {'stars': 4, 'comment': 'fine'})
        self.customer.problem(409, 'already-rated', 'POST', base + '/rating', {'stars': 5})
        until(lambda: driver.get('/v1/driver').json['rating'] == {'mean': 4, 'count': 1}, 'the rating reaches the driver')
        until(lambda: driver.get('/v1/driver').json['duty'] == 'on', 'the driver is free again')

        earned = until(lambda: [e for e in [driver.get('/v1/driver/earnings', expect=200).json] if e['bookings'] == 1], 'earnings')[0]
        check(earned, EARNINGS)
        self.assertEqual((earned['total'], earned['days'][0]['total']), (offer['earning']['amount'],) * 2)
        day = earned['days'][0]['date']
        self.assertEqual(driver.get(f'/v1/driver/earnings?from={day}&to={day}', expect=200).json['total'], earned['total'])
        self.assertEqual(driver.get('/v1/driver/earnings?from=2020-01-01&to=2020-01-31', expect=200).json['bookings'], 0)
        driver.problem(422, 'bad-parameter', 'GET', '/v1/driver/earnings?from=2021-01-01&to=2020-01-01')

        kinds = [e['type'] for e in check(dispatcher.get(base + '/timeline', expect=200).json, TIMELINE)['items']]
        self.assertEqual(kinds[:3] + kinds[-2:], ['booking.requested', 'booking.offered', 'booking.assigned', 'booking.delivered', 'booking.rated'])
        own = self.customer.get(base + '/timeline', expect=200).json['items']
        offered = [e for e in own if e['type'] == 'booking.offered']
        self.assertNotIn(driver.driver_id, json.dumps(offered), 'who was asked is staff\'s business')
        trace = check(dispatcher.get(base + '/dispatch', expect=200).json, DISPATCH)['rounds']
        if lorry.CLUSTERED:  # the replica that looks may hear of him a moment later
            trace = [r for r in trace if r['candidates']]
        self.assertEqual([(c['driver_id'], c['rank'], c['outcome']) for c in trace[0]['candidates']], [(driver.driver_id, 1, 'accepted')])

    def illegal(self, who, base, status, state, allowed):
        a = who.problem(409, 'illegal-transition', 'POST', base + '/status', {'status': status})
        self.assertEqual((a.json['state'], sorted(a.json['allowed'])), (state, sorted(allowed)))

    def test_the_nearest_is_asked_first_and_declining_asks_the_next(self):
        first = server.driver(near(self.at, 200), admin=admin)
        second = server.driver(near(self.at, 900), admin=admin)
        bike = server.driver(near(self.at, 10), vehicle='bike', admin=admin)  # the booking wants a van
        booking = self.customer.book(*self.stops)
        base = f'/v1/bookings/{booking["id"]}'
        offer = first.offer(booking['id'])
        self.assertEqual(second.get('/v1/driver/offers').json['items'], [])
        second.problem(409, 'offer-closed', 'POST', base + '/accept', {'offer_id': offer['id']})
        first.post(base + '/decline', {'offer_id': offer['id'], 'reason': 'too far'}, expect=204)
        first.problem(409, 'offer-closed', 'POST', base + '/accept', {'offer_id': offer['id']})
        second.accept(booking['id'])
        first.problem(404, 'not-found', 'GET', base)
        self.assertEqual(bike.get('/v1/driver/offers').json['items'], [])
        rounds = until(lambda: [r for r in [dispatcher.get(base + '/dispatch').json] if r['status'] == 'done'], 'the trace ends')[0]['rounds']
        check({'rounds': rounds}, DISPATCH)
        outcomes = {c['driver_id']: c['outcome'] for r in rounds for c in r['candidates']}
        self.assertEqual((outcomes[first.driver_id], outcomes[second.driver_id]), ('passed_over', 'accepted'))
        story = [(c['driver_id'], c['outcome']) for r in rounds for c in r['candidates'] if c['outcome'] != 'passed_over']
        self.assertEqual(story, [(first.driver_id, 'declined'), (second.driver_id, 'accepted')])
        second.deliver(booking['id'])

    def test_an_offer_times_out(self):
        slow = server.driver(near(self.at, 200), admin=admin)
        quick = server.driver(near(self.at, 900), admin=admin)
        booking = self.customer.book(*self.stops)
        offer = slow.offer(booking['id'])
        second = quick.offer(booking['id'])  # only after the first one's time
        a = slow.post(f'/v1/bookings/{booking["id"]}/accept', {'offer_id': offer['id']}, expect=409)
        self.assertEqual(a.type, 'offer-closed')
        quick.post(f'/v1/bookings/{booking["id"]}/accept', {'offer_id': second['id']}, expect=200)
        quick.deliver(booking['id'])

    def test_the_customer_cancels_under_way(self):
        driver = server.driver(self.at, admin=admin)
        booking = self.customer.book(*self.stops)
        driver.accept(booking['id'])
        driver.status(booking['id'], 'arrived_pickup')
        cancelled = self.customer.post(f'/v1/bookings/{booking["id"]}/cancel', expect=200).json  # the body is optional
        self.assertEqual(cancelled['state'], 'cancelled')
        until(lambda: driver.get('/v1/driver').json['duty'] == 'on', 'the driver is free again')
        self.illegal(driver, f'/v1/bookings/{booking["id"]}', 'picked_up', 'cancelled', [])

    def test_staff_cancels_in_any_open_state(self):
        driver = server.driver(self.at, admin=admin)
        booking = self.customer.book(*self.stops)
        driver.accept(booking['id'])
        driver.status(booking['id'], 'arrived_pickup', 'picked_up')
        self.assertEqual(dispatcher.post(f'/v1/bookings/{booking["id"]}/cancel', {'reason': 'breakdown'}, expect=200).json['state'], 'cancelled')
        until(lambda: driver.get('/v1/driver').json['duty'] == 'on', 'the driver is free again')

    def test_failed_needs_a_reason_and_a_stop(self):
        driver = server.driver(self.at, admin=admin)
        booking = self.customer.book(*self.stops)
        base = f'/v1/bookings/{booking["id"]}'
        driver.accept(booking['id'])
        driver.problem(409, 'illegal-transition', 'POST', base + '/status', {'status': 'failed', 'reason': 'flat'})
        driver.status(booking['id'], 'arrived_pickup')
        a = driver.problem(422, 'invalid-request', 'POST', base + '/status', {'status': 'failed'})
        self.assertEqual([e['pointer'] for e in a.json['errors']], ['/reason'])
        failed = driver.status(booking['id'], 'failed', reason='nobody there')
        self.assertEqual((failed['state'], failed['stops'][0]['state'], failed['reason']), ('failed', 'failed', 'nobody there'))
        until(lambda: driver.get('/v1/driver').json['duty'] == 'on', 'the driver is free again')
        self.assertEqual(driver.get('/v1/driver/earnings').json['bookings'], 0)

    def test_several_dropoffs(self):
        driver = server.driver(self.at, admin=admin)
        booking = self.customer.book(self.at, near(self.at, 1000), near(self.at, 2000), near(self.at, 3000))
        self.assertIn('stops', [i['code'] for i in booking['price']['items']])
        booking_id = booking['id']
        driver.accept(booking_id)
        driver.status(booking_id, 'arrived_pickup', 'picked_up')
        base = f'/v1/bookings/{booking_id}'
        for stop in (1, 2, 3):
            wrong = driver.post(base + '/status', {'status': 'arrived_dropoff', 'stop': stop % 3 + 1}, expect=(409, 422))
            self.assertEqual(wrong.json['status'], wrong.status)
            arrived = driver.status(booking_id, 'arrived_dropoff', stop=stop)
            self.assertEqual((arrived['state'], arrived['stops'][stop]['state']), ('arrived_dropoff', 'arrived'))
            done = driver.status(booking_id, 'delivered', stop=stop)
            self.assertEqual((done['state'], done['stops'][stop]['state']), ('picked_up' if stop < 3 else 'delivered', 'done'))
        kinds = [e['type'] for e in self.customer.get(base + '/timeline').json['items']]
        self.assertEqual(kinds.count('booking.delivered'), 1)

    def test_a_dispatcher_assigns(self):
        driver = server.driver(near(self.at, 50_000), admin=admin)  # too far away to be asked
        bike = server.driver(near(self.at, 50_000), vehicle='bike', admin=admin)
        off = server.register('driver')
        off.get('/v1/driver', expect=200)
        booking = self.customer.book(*self.stops)
        path = f'/v1/bookings/{booking["id"]}/assign'
        for wrong in ('drv' + off.user['id'][3:], bike.driver_id, 'drv_01J0000000000000000000000A'):
            a = dispatcher.post(path, {'driver_id': wrong}, expect=(404, 409))
            self.assertIn(a.type, ('driver-unavailable', 'not-found'))
        self.assertIn(self.customer.booking(booking['id'])['state'], ('requested', 'offered'))
        a = dispatcher.post(path, {'driver_id': driver.driver_id}, expect=(200, 202))
        until(lambda: self.customer.booking(booking['id'])['state'] == 'assigned', 'the booking is assigned')
        self.assertEqual(self.customer.booking(booking['id'])['driver']['id'], driver.driver_id)
        other = server.register()
        second = other.book(*self.stops)
        a = dispatcher.post(f'/v1/bookings/{second["id"]}/assign', {'driver_id': driver.driver_id}, expect=409)
        self.assertEqual(a.type, 'driver-unavailable')
        dispatcher.post(path, {'driver_id': driver.driver_id}, expect=200)  # he is already
        a = dispatcher.problem(422, 'invalid-request', 'POST', path, {'driver_id': bike.driver_id})
        self.assertEqual([e['pointer'] for e in a.json['errors']], ['/reason'])
        dispatcher.problem(409, 'driver-unavailable', 'POST', path, {'driver_id': bike.driver_id, 'reason': 'nearer'})
        self.assertEqual(self.customer.booking(booking['id'])['driver']['id'], driver.driver_id)
        driver.deliver(booking['id'])

    def test_a_booking_changes_hands(self):
        first = server.driver(near(self.at, 50_000), admin=admin)
        second = server.driver(near(self.at, 50_000), admin=admin)
        booking = self.customer.book(*self.stops)
        path = f'/v1/bookings/{booking["id"]}'

        def driven_by(who):
            return lambda: (self.customer.booking(booking['id'])['driver'] or {}).get('id') == who.driver_id

        dispatcher.post(f'{path}/assign', {'driver_id': first.driver_id}, expect=(200, 202))
        until(driven_by(first), 'the first has it')
        first.post(f'{path}/status', {'status': 'arrived_pickup', 'stop': 0}, expect=200)
        dispatcher.post(f'{path}/assign', {'driver_id': second.driver_id, 'reason': 'nearer'}, expect=(200, 202))
        until(driven_by(second), 'the second has it')
        first.get(path, expect=404)
        told = until(lambda: [n['data'] for n in first.get('/v1/notifications', expect=200).json['items']
                              if n['type'] == 'booking.unassigned'], 'the first is told')
        self.assertEqual(told, [{'booking_id': booking['id'], 'how': 'reassigned', 'reason': 'nearer'}])
        until(lambda: first.get('/v1/driver', expect=200).json['duty'] == 'on', 'the first is free')
        second.post(f'{path}/release', {'reason': 'a puncture'}, expect=200)
        self.assertIsNone(self.customer.booking(booking['id'])['driver'])
        until(lambda: second.get('/v1/driver', expect=200).json['duty'] == 'on', 'the second is free')
        dispatcher.post(f'{path}/assign', {'driver_id': first.driver_id}, expect=(200, 202))
        until(driven_by(first), 'the first has it again')
        a = dispatcher.post(f'{path}/unassign', {'reason': 'stuck', 'search': False}, expect=200)
        self.assertIs(a.json['held'], True)
        acts = [('booking.assigned', None), ('booking.reassigned', 'nearer'), ('booking.assigned', None), ('booking.unassigned', 'stuck')]
        audit = f'/v1/audit?subject={booking["id"]}'
        noted = lambda: [(e['action'], e['reason']) for e in admin.get(audit, expect=200).json['items']]
        until(lambda: len(noted()) >= len(acts), 'all four are in the log')
        self.assertCountEqual(noted(), acts)
        rounds = dispatcher.get(f'{path}/dispatch', expect=200).json['rounds']
        self.assertIn('left', [c['outcome'] for r in rounds for c in r['candidates']])

    def test_a_search_ends(self):
        with Server('--search-timeout-s', 5, '--offer-timeout-s', 2, '--driver-approval', 'auto') as short:
            customer = short.register()
            booking = customer.book()
            until(lambda: customer.booking(booking['id'])['state'] == 'expired', 'the booking expires', 15 * lorry.SLOW)
            kinds = [e['type'] for e in customer.get(f'/v1/bookings/{booking["id"]}/timeline').json['items']]
            self.assertEqual(kinds, ['booking.requested', 'booking.expired'])
            # An auto-approved driver is on the road with his vehicle.
            driver = short.driver()
            self.assertEqual(driver.get('/v1/driver').json['status'], 'approved')

    def test_going_off_duty_gives_the_offer_back(self):
        leaver, other = server.driver(near(self.at, 100), admin=admin), server.driver(near(self.at, 900), admin=admin)
        booking = self.customer.book(*self.stops)
        leaver.offer(booking['id'])
        leaver.post('/v1/driver/duty', {'duty': 'off'}, expect=200)
        other.accept(booking['id'])
        other.deliver(booking['id'])


class Watching(unittest.TestCase):
    def test_nearby_and_fleet(self):
        at = place()
        drivers = [server.driver(near(at, m), vehicle=v, admin=admin, name=f'Driver {m}')
                   for m, v in ((100, 'van'), (600, 'car'), (1400, 'van'), (4000, 'van'))]
        off = server.driver(near(at, 50), admin=admin)
        off.post('/v1/driver/duty', {'duty': 'off'}, expect=200)
        customer = server.register()
        path = f'/v1/drivers/nearby?lat={at[0]}&lng={at[1]}'
        lorry.everybody_knows()
        items = check(customer.get(path + '&radius_m=3000', expect=200).json, {'items': [NEAR]})['items']
        self.assertEqual([round(i['distance_m'], -2) for i in items], [100, 600, 1400])
        self.assertFalse(any('driver_id' in i or 'name' in i for i in items), 'customers see no names')
        self.assertEqual([i['vehicle'] for i in customer.get(path + '&radius_m=10000&vehicle=van&limit=2').json['items']], ['van', 'van'])
        self.assertEqual(len(customer.get(path + '&radius_m=10000').json['items']), 4)
        staff = dispatcher.get(path + '&radius_m=3000', expect=200).json['items']
        self.assertEqual([(i['driver_id'], i['name']) for i in staff], [(d.driver_id, d.user['name']) for d in drivers[:3]])
        for bad in ('lat=91&lng=0', 'lng=0', 'lat=nan&lng=0', 'lat=1&lng=1&radius_m=0', 'lat=1&lng=1&vehicle=tank', 'lat=1&lng=1&limit=1000'):
            customer.problem(422, 'bad-parameter', 'GET', f'/v1/drivers/nearby?{bad}')
        box = f'{at[1] - 1},{at[0] - 1},{at[1] + 1},{at[0] + 1}'
        fleet = check(dispatcher.get(f'/v1/fleet?bbox={box}', expect=200).json, FLEET)
        self.assertEqual({i['driver_id'] for i in fleet['items']}, {d.driver_id for d in drivers})
        self.assertEqual(fleet['counts'], {'on': 4, 'busy': 0})
        for bad in ('1,2,3', 'a,b,c,d', '0,91,1,92', '0,10,1,5', ',,,'):
            dispatcher.problem(422, 'bad-parameter', 'GET', f'/v1/fleet?bbox={bad}')

    def test_notifications_are_the_same_events(self):
        at = place()
        customer = server.register()
        booking = customer.book(at, near(at, 1000))
        customer.post(f'/v1/bookings/{booking["id"]}/cancel', {}, expect=200)
        for _ in range(4):
            customer.book(at, near(at, 1000))
        def listed():
            items, after = [], 0
            while True:
                page = customer.get(f'/v1/notifications?after={after}&limit=2', expect=200).json
                items += page['items']
                if not page['items']:
                    return items
                after = page['items'][-1]['seq']
        items = until(lambda: [i for i in [listed()] if len(i) >= 6], 'six events')[0]
        check(items, [EVENT])
        self.assertEqual([i['seq'] for i in items], list(range(1, 7)))
        with WebSocket(server, customer.token) as ws:
            ws.expect('ready')
            ws.send({'type': 'resume', 'after': 0})
            pushed = []
            self.assertEqual(ws.expect('resumed', passed=pushed)['seq'], 6)
        self.assertEqual(pushed, items, 'an event is the same wherever it is read')
        self.assertEqual(customer.pages('/v1/notifications', 2), items)
        page = customer.get('/v1/notifications?limit=6', expect=200).json
        self.assertEqual([i['seq'] for i in page['items']], list(range(1, 7)))


class Sockets(unittest.TestCase):
    def setUp(self):
        self.at = place()
        self.stops = (self.at, near(self.at, 1500))

    def test_signing_in(self):
        customer = server.register()
        with WebSocket(server, customer.token) as ws:
            self.assertEqual(ws.handshake.header('sec-websocket-protocol'), 'lorry.v1')
            self.assertEqual(check(ws.receive(), {'type': {'ready'}, 'seq': int})['seq'], 0)
        with WebSocket(server) as ws:
            ws.send({'type': 'auth', 'token': customer.token})
            self.assertEqual(ws.receive()['type'], 'ready')
        with WebSocket(server, protocols='') as ws:
            self.assertIsNone(ws.handshake.header('sec-websocket-protocol'))
            ws.send({'type': 'auth', 'token': customer.token})
            self.assertEqual(ws.receive()['type'], 'ready')
        with self.assertRaises(Refused) as refused:
            WebSocket(server, token='not.a.token')
        self.assertEqual(refused.exception.answer.status, 401)
        with WebSocket(server) as ws:
            ws.send({'type': 'auth', 'token': 'not.a.token'})
            with self.assertRaises(Closed) as closed:
                self.assertEqual(ws.receive()['status'], 401)
                ws.receive()
            self.assertEqual(closed.exception.code, 1008)
        a = customer.get('/v1/ws')
        self.assertEqual((a.status, a.type), (426, 'upgrade-required'))

    def test_no_auth_in_five_seconds(self):
        with WebSocket(server) as ws:
            begun = time.monotonic()
            ws.expect_closed(1008)
            self.assertTrue(4.5 < time.monotonic() - begun < 8 * lorry.SLOW, time.monotonic() - begun)

    def test_everyone_hears_of_a_booking(self):
        driver, customer = server.driver(self.at, admin=admin), server.register()
        with WebSocket(server, customer.token) as c, WebSocket(server, driver.token) as d, WebSocket(server, dispatcher.token) as s:
            for ws in (c, d, s):
                ws.expect('ready')
            booking = customer.book(*self.stops)
            mine = lambda m: m['data']['id'] == booking['id']
            first = check(c.expect('booking.updated', mine), EVENT)
            check(first['data'], BOOKING)
            made = check(d.expect('offer.made'), EVENT)
            self.assertEqual(check(made['data'], OFFER), driver.offer(booking['id']))
            driver.accept(booking['id'])
            for ws in (c, d, s):
                heard = ws.expect('booking.updated', lambda m: mine(m) and m['data']['state'] == 'assigned')['data']
                self.assertEqual(check(heard, DRIVEN if ws is d else BOOKING)['driver']['id'], driver.driver_id)
            driver.deliver(booking['id'])
            passed = []
            c.expect('booking.updated', lambda m: m['data']['state'] == 'delivered', passed=passed)
            self.assertEqual([m['data']['state'] for m in passed], ['arrived_pickup', 'picked_up', 'arrived_dropoff'])
            versions = [first['data']['version']] + [m['data']['version'] for m in passed]
            self.assertEqual(versions, sorted(set(versions)))

    def test_offer_closed_reasons(self):
        first, second = server.driver(near(self.at, 100), admin=admin), server.driver(near(self.at, 500), admin=admin)
        customer = server.register()
        lorry.everybody_knows()
        with WebSocket(server, first.token) as a, WebSocket(server, second.token) as b:
            booking = customer.book(*self.stops)
            made = a.expect('offer.made')['data']
            closed = check(a.expect('offer.closed'), EVENT)  # his time runs out
            self.assertEqual((closed['data']['id'], closed['data']['reason']), (made['id'], 'expired'))
            made = b.expect('offer.made')['data']
            customer.post(f'/v1/bookings/{booking["id"]}/cancel', {}, expect=200)
            closed = b.expect('offer.closed')
            self.assertEqual((closed['data']['id'], closed['data']['reason']), (made['id'], 'withdrawn'))

    def test_resume(self):
        customer = server.register()
        made = [customer.book(*self.stops)['id'] for _ in range(5)]
        lorry.until(lambda: len(customer.get('/v1/notifications').json['items']) >= 5, 'the inbox has all five')
        with WebSocket(server, customer.token) as ws:
            ready = ws.expect('ready')['seq']
            ws.send({'type': 'resume', 'after': 2})
            passed = []
            resumed = ws.expect('resumed', passed=passed)
            self.assertEqual(resumed['seq'], ready)
            self.assertEqual([m['seq'] for m in passed if m['seq'] <= ready], list(range(3, ready + 1)))
            customer.post(f'/v1/bookings/{made[0]}/cancel', {}, expect=200)
            live = ws.expect('booking.updated', lambda m: m['data']['state'] == 'cancelled')
            self.assertGreater(live['seq'], ready)
            ws.send({'type': 'resume', 'after': 0})
            self.assertEqual(ws.expect('error')['status'], 400)
        with WebSocket(server, customer.token) as ws:
            ready = ws.expect('ready')['seq']
            ws.send({'type': 'resume', 'after': ready + 1000})
            check(ws.expect('gap'), {'from': int})
        with WebSocket(server, customer.token) as ws:
            ready = ws.expect('ready')['seq']
            ws.send({'type': 'resume', 'after': ready})
            self.assertEqual(ws.expect('resumed')['seq'], ready)

    def test_watch(self):
        driver, customer, other = server.driver(self.at, admin=admin), server.register(), server.register()
        booking = customer.book(*self.stops)
        driver.accept(booking['id'])
        with WebSocket(server, customer.token) as c, WebSocket(server, other.token) as o, WebSocket(server, dispatcher.token) as s:
            for ws in (c, o, s):
                ws.expect('ready')
            c.send({'type': 'watch', 'booking_id': booking['id']})
            self.assertEqual(c.expect('watching')['booking_id'], booking['id'])
            o.send({'type': 'watch', 'booking_id': booking['id']})
            self.assertEqual(o.expect('error')['status'], 403)
            o.send({'type': 'watch', 'bbox': [-1, -1, 1, 1]})
            self.assertEqual(o.expect('error')['status'], 403)
            box = [self.at[1] - 1, self.at[0] - 1, self.at[1] + 1, self.at[0] + 1]
            s.send({'type': 'watch', 'bbox': box})
            self.assertEqual(s.expect('watching')['bbox'], box)
            there = near(self.at, 77)
            driver.fix(there, speed_mps=9.5, bearing_deg=90)
            at = lambda m: abs(m['data']['lat'] - there[0]) < 1e-6
            seen = check(c.expect('position', at)['data'], POSITION | {'booking_id': Id('bkg')})
            self.assertEqual((seen['booking_id'], seen['speed_mps'], seen['bearing_deg']), (booking['id'], 9.5, 90))
            self.assertNotIn('seq', seen)
            self.assertEqual(check(s.expect('position', at)['data'], POSITION | {'driver_id': Id('drv')})['driver_id'], driver.driver_id)
            c.send({'type': 'unwatch', 'booking_id': booking['id']})
            c.expect('unwatched')
            driver.fix(near(self.at, 150))
            self.assertEqual([m for m in c.drain(1) if m['type'] == 'position'], [])
            for bad in ({'type': 'watch'}, {'type': 'watch', 'bbox': [1, 2, 3]}, {'type': 'watch', 'bbox': [0, 50, 1, 40]}):
                s.send(bad)
                self.assertEqual(s.expect('error')['status'], 400)
            driver.deliver(booking['id'])
            c.send({'type': 'watch', 'booking_id': booking['id']})
            c.drain(0.3)
            driver.fix(near(self.at, 500))
            self.assertEqual([m for m in c.drain(1) if m['type'] == 'position'], [], 'no positions after the end')

    def test_locations(self):
        driver, customer = server.driver(self.at, admin=admin), server.register()
        with WebSocket(server, driver.token) as ws:
            ws.expect('ready')
            now = time.time() + 1
            fixes = [{'at': rfc3339(now + i / 10), 'lat': self.at[0], 'lng': self.at[1]} for i in range(3)]
            ws.send({'type': 'location', 'id': 7, 'fixes': fixes})
            ack = check(ws.expect('ack'), {'id': int, 'stored': int, 'through': TIME})
            self.assertEqual((ack['id'], ack['stored'], ack['through']), (7, 3, fixes[-1]['at']))
            ws.send({'type': 'location', 'id': 8, 'fixes': fixes})
            ack = ws.expect('ack')
            self.assertEqual((ack['id'], ack['stored'], ack['duplicates'], ack['through']), (8, 0, 3, fixes[-1]['at']))
            ws.send({'type': 'location', 'id': 9, 'fixes': []})
            self.assertEqual({k: v for k, v in ws.expect('error').items() if k in ('id', 'status')}, {'id': 9, 'status': 400})
        trail = dispatcher.get(f'/v1/drivers/{driver.driver_id}/trail', expect=200).json['fixes']
        self.assertEqual([f['at'] for f in trail[-3:]], [f['at'] for f in fixes])
        with WebSocket(server, customer.token) as ws:
            ws.send({'type': 'location', 'id': 1, 'fixes': fixes})
            self.assertEqual(ws.expect('error')['status'], 403)

    def test_bad_frames_get_an_error_and_the_socket_stays(self):
        customer = server.register()
        with WebSocket(server, customer.token) as ws:
            ws.expect('ready')
            for frame in (b'', b'{', b'[]', b'1', b'null', b'{"type":1}', b'{}', b'{"type":"dance"}', b'{"type":"watch","booking_id":7}',
                          b'{"type":"auth"}', b'{"type":"resume"}', b'{"type":"resume","after":-1}', b'{"type":"resume","after":1e99}',
                          b'{"type":"location","fixes":1}', b'[' * 5000, b'{"type":"watch","bbox":[NaN,0,1,1]}'):
                ws.send_frame(frame)
                error = check(ws.expect('error'), {'status': int, 'detail': str})
                self.assertTrue(400 <= error['status'] < 500, error)
            ws.send({'type': 'ping'})
            ws.expect('pong')

    def test_limits(self):
        token = server.register().token
        with WebSocket(server, token) as ws:
            ws.expect('ready')
            ws.send_frame(b'{"type":"ping","x":"' + b'x' * (65536 - 22) + b'"}')
            ws.expect('pong')
            ws.send_frame(b'{"type":"ping","x":"' + b'x' * (65536 - 21) + b'"}')
            ws.expect_closed(1009)
        with WebSocket(server, token) as ws:
            ws.expect('ready')
            ws.send_frame(b'x' * 40000, fin=False)
            ws.send_frame(b'x' * 40000, opcode=0)
            ws.expect_closed(1009)
        with WebSocket(server, token) as ws:
            ws.expect('ready')
            for _ in range(150):
                ws.send({'type': 'ping'})
            for _ in range(150):
                ws.expect('pong')  # a burst is fine
        with WebSocket(server, token) as ws:
            ws.expect('ready')
            try:
                for _ in range(1000):
                    ws.send({'type': 'ping'})
            except ConnectionError:
                pass
            ws.expect_closed(1008)

    def test_broken_framing(self):
        token = server.register().token
        for opcode, payload, more, code in ((1, b'{}', {'masked': False}, 1002), (1, b'{}', {'rsv': 4}, 1002), (3, b'', {}, 1002),
                                            (0, b'x', {}, 1002), (2, b'x', {}, 1003), (9, b'x' * 126, {}, 1002),
                                            (9, b'x', {'fin': False}, 1002), (8, b'x', {}, 1002), (8, b'\x03\xed', {}, 1002),
                                            (1, b'{"type":"\xff"}', {}, 1007), (8, b'\x03\xe8\xff', {}, 1007)):
            with WebSocket(server, token) as ws:
                ws.expect('ready')
                ws.send_frame(payload, opcode, **more)
                ws.expect_closed(code)
        with WebSocket(server, token) as ws:
            ws.expect('ready')
            ws.send_frame(b'hello', 9)
            self.assertEqual(ws.read_frame(), (10, b'hello'))
            ws.send_frame(b'{"type":', fin=False)
            ws.send_frame(b'', 9)
            ws.send_frame(b'"ping"}', 0)
            self.assertEqual(ws.read_frame(), (10, b''))
            ws.expect('pong')
            ws.send_frame(b'\x03\xe8bye', 8)
            ws.expect_closed(1000)

    def test_a_disabled_account_loses_its_socket(self):
        customer = server.register()
        with WebSocket(server, customer.token) as ws:
            ws.expect('ready')
            admin.patch(f'/v1/users/{customer.user["id"]}', {'disabled': True}, expect=200)
            ws.expect_closed(1008)


class Operations(unittest.TestCase):
    def test_health_readiness_metrics(self):
        api = server.api()
        self.assertEqual(api.get('/healthz', expect=200).json, {'status': 'alive'})
        ready = api.get('/readyz', expect=200).json
        if lorry.CLUSTERED:
            self.assertEqual(ready, {'status': 'ready', 'parts': {'store': 'ok', 'bus': 'ok', 'cache': 'ok'}})
            api.problem(404, 'not-found', 'GET', '/metrics')  # is for Prometheus alone, which asks each process
            return
        self.assertEqual(ready, {'status': 'ready'})
        text = api.get('/metrics', expect=200).body.decode()
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{[^{}]*(\{[^}]*\}[^{}]*)*\})? [-+0-9.e]+(inf|nan)?)$')
        for name in ('lorry_ready 1', 'lorry_commits_total', 'lorry_http_requests_total', 'lorry_sockets_open'):
            self.assertIn(name, text)

    def test_every_problem_has_a_page(self):
        api = server.api()
        for slug in ('email-taken', 'invalid-request', 'offer-closed', 'store-unavailable', 'malformed-json', 'not-found',
                     'malformed-request', 'headers-too-large', 'uri-too-long', 'not-implemented', 'request-timeout', 'expectation-failed'):
            page = api.get(f'/problems/{slug}', expect=200)
            self.assertTrue(page.header('content-type').startswith('text/html') and len(page.body) > 200, slug)
        api.problem(404, 'not-found', 'GET', '/problems/none')

    def test_request_ids(self):
        with Connection(server) as c:
            self.assertEqual(c.request('GET', '/v1/me', headers=[('X-Request-Id', 'abc-1.2_3')]).header('x-request-id'), 'abc-1.2_3')
            for bad in ('a b', 'x' * 200, 'ä', '<script>', ''):
                c.send(lorry.request_bytes('GET', '/v1/me', None, [('X-Request-Id', bad)]))
                given = lorry.check_answer(c.answer()).header('x-request-id')
                if lorry.CLUSTERED:  # Nginx gives them
                    self.assertRegex(given, r'^req_[0-9a-f]{32}$')
                else:
                    check(given, Id('req'))

    def test_unknown_routes_and_methods(self):
        api = server.register()
        api.problem(404, 'not-found', 'GET', '/v1/nothing')
        api.problem(404, 'not-found', 'GET', '/v1/bookings/')
        api.problem(404, 'not-found', 'GET', '/v1//bookings')
        a = api.problem(405, 'method-not-allowed', 'DELETE', '/v1/bookings')
        self.assertEqual(set(a.header('allow').split(', ')), {'GET', 'POST'})
        head = api.call('HEAD', '/v1/me', expect=200)
        self.assertEqual(head.body, b'')
        self.assertGreater(int(head.header('content-length')), 50)

    def test_nothing_personal_is_logged(self):
        log = server.log()
        for line in log.splitlines():
            check(json.loads(line), {'ts': str, 'level': str, 'service': str, 'msg': str})
        for secret in ('@example.com', '+4670', 'Asha', 'Ola Berg', PASSWORD, 'Bearer'):
            self.assertNotIn(secret, log)


if __name__ == '__main__':
    lorry.main(at_once=6)
