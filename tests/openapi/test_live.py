#!/usr/bin/env python3
"""Holds a running server against api/openapi.yaml and api/asyncapi.yaml. Every answer of this test's requests must be documented: the
status, the body's shape with no member beyond it, the type of a problem, the ETag. In the end every operation must have
answered well once, every query parameter must have been read, and every route must have let in just the roles that the
document names. Every frame of a socket must be documented, too, and every kind of frame must have come.

Usage: test_live.py LORRY [TEST]...
"""
import base64
import calendar
import email
import email.policy
import hashlib
import hmac
import json
import re
import struct
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests/integration'))

import lorry  # noqa: E402
import surface  # noqa: E402
import webhooks  # noqa: E402
from witness import Witness  # noqa: E402
from lorry import PASSWORD, Connection, Server, WebSocket, rfc3339  # noqa: E402

STOPS = [{'lat': 57.7089, 'lng': 11.9746, 'address': 'Drottningtorget'}, {'lat': 57.6969, 'lng': 11.9865}]
BAD = '~not~valid~'
NOBODY = '_01M850A1E7QCRB3XG104WRR17N'


def totp(secret):
    """RFC 6238, as authenticators reckon."""
    mac = hmac.digest(base64.b32decode(secret), int(time.time() // 30).to_bytes(8, 'big'), 'sha1')
    at = mac[19] & 15
    return f'{(int.from_bytes(mac[at:at + 4], "big") & 0x7fffffff) % 1000000:06}'


class Watched(Connection):
    def request(self, method, path, body=None, headers=()):
        a = super().request(method, path, body, headers)
        witness.look(method, path, a)
        return a


class WatchedSocket(WebSocket):
    def receive(self, timeout_s=lorry.WAIT_S):
        frame = super().receive(timeout_s)
        witness.look_at_frame(frame)
        return frame


def post_box():
    """A folder that takes the server's mails."""
    global post
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    post = Path(folder.name)
    return folder.name


def mailed(to, words):
    """The token in the newest mail to somebody whose text has these words; it may be on its way still."""
    for _ in range(200):
        for path in sorted(post.rglob('*.eml'), key=lambda p: p.stat().st_mtime, reverse=True):
            letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            text = letter.get_body(('plain',)).get_content()
            found = re.search(r'token=([0-9A-Z]{26}\.[\w-]{22})', text)
            if to in letter['to'] and words in text and found:
                return found[1]
        time.sleep(0.05)
    raise AssertionError(f'no mail to {to} with {words!r}')


def write_streets():
    """A street round the block, as a file."""
    corners = [(57.7085, 11.974), (57.7085, 11.976), (57.7095, 11.976), (57.7095, 11.974)]
    lines = [{'type': 'Feature', 'properties': {'highway': 'residential', 'name': f'{word} gatan'},
              'geometry': {'type': 'LineString', 'coordinates': [[lng, lat] for lat, lng in (a, b)]}}
             for word, a, b in zip(('Norra', 'Östra', 'Södra', 'Västra'), corners, corners[1:] + corners[:1])]
    file = tempfile.NamedTemporaryFile('w', suffix='.json')
    json.dump({'type': 'FeatureCollection', 'features': lines}, file)
    file.flush()
    unittest.addModuleCleanup(file.close)
    return file.name


def setUpModule():
    global server, doc, witness, admin, dispatcher, customer, driver
    doc = surface.load(ROOT / 'api/openapi.yaml')
    witness = Witness(doc)
    lorry.Connection = Watched
    server = Server('--streets', write_streets(), '--mail', f'file:{post_box()}', '--public-url', 'https://lorry.example.com', '--offer-timeout-s', 10, '--search-timeout-s', 20, '--quote-ttl-s', 10, '--webhook-allow-private',
                    '--unassigned-after-s', 5)
    admin, dispatcher = server.staff('admin'), server.staff('dispatcher')
    customer = server.register('customer')
    driver = server.driver(vehicle='car', at=(1.0, 1.0), admin=admin)


def everything_was_seen():
    well = {name for name, status in witness.seen if status < 400}
    missing = {op['operationId'] for op in witness.operations.values()} - well
    assert not missing, f'operations that never answered well: {sorted(missing)}'
    missing = witness.frames.keys() - witness.seen_frames
    assert not missing, f'frames that never came: {sorted(missing)}'
    wanted = {(op['operationId'], s) for op in witness.operations.values() for s in op['responses'] if s != 'default'}
    rare = sorted(f'{n} {s}' for n, s in wanted if (n, int(s)) not in witness.seen and s != '503')
    print('documented and not seen here:', ', '.join(rare) or 'nothing')


def tearDownModule():
    try:
        if len(sys.argv) < 3:  # all tests have run
            everything_was_seen()
        assert server.stop() == 0, server.log()[-2000:]
    finally:
        server.close()


class FirstRun(unittest.TestCase):
    def test_set_up(self):
        """An empty platform of its own: its first administrator, by the code on its standard output."""
        with tempfile.TemporaryDirectory(prefix='lorry-web-') as web, \
                Server('--demo-drivers', 1, '--demo-bookings-per-hour', 1, '--web', web, start=False) as empty:
            Path(web, 'index.html').write_text('<!doctype html><title>Lorry</title>')  # the code is for the app's page
            empty.start()
            anybody = empty.api()
            self.assertEqual(anybody.get('/v1/setup', expect=200).json['needed'], True)
            code = lorry.until(lambda: re.search(r'^  (\w{4}-\w{4}-\w{4})$', ''.join(empty.said), re.M), 'the code is printed')[1]
            self.assertNotIn(code, empty.log())
            body = {'code': code, 'email': 'ada@example.com', 'password': PASSWORD, 'name': 'Ada'}
            anybody.problem(422, 'invalid-request', 'POST', '/v1/setup/admin', {**body, 'password': 'short'})
            anybody.problem(403, 'setup-code', 'POST', '/v1/setup/admin', {**body, 'code': '0000-0000-0000'})
            anybody.post('/v1/setup/admin', body, expect=201)
            anybody.problem(409, 'setup-done', 'POST', '/v1/setup/admin', {**body, 'email': 'bo@example.com'})
            empty.login('ada@example.com').post('/v1/setup/demo', expect=202)
            lorry.until(lambda: 'The city:' in ''.join(empty.said), 'the city moves in')
            self.assertEqual(empty.stop(), 0)


class MainWay(unittest.TestCase):
    """The story of a delivery, with what goes wrong on the way."""

    def test_accounts(self):
        anybody = server.api()
        body = {'email': 'asha@example.com', 'password': PASSWORD, 'name': 'Asha Rao', 'role': 'customer'}
        first = anybody.post('/v1/auth/register', body, expect=201).json
        anybody.problem(409, 'email-taken', 'POST', '/v1/auth/register', body)
        anybody.problem(422, 'invalid-request', 'POST', '/v1/auth/register', {**body, 'role': 'admin', 'email': 'a'})
        asha = server.login('asha@example.com')
        anybody.problem(401, 'invalid-credentials', 'POST', '/v1/auth/login', {'email': 'asha@example.com', 'password': 'wrong'})
        anybody.post('/v1/auth/refresh', {'refresh_token': first['refresh_token']}, expect=200)
        anybody.problem(401, 'invalid-refresh-token', 'POST', '/v1/auth/refresh', {'refresh_token': first['refresh_token']})
        asha.get('/v1/me', expect=200)
        asha.get('/v1/me', headers=[('If-None-Match', '"1"')], expect=304)
        asha.patch('/v1/me', {'phone': '+46701234567'}, key='phone-1', if_match='"1"', expect=200)
        asha.patch('/v1/me', {'phone': '+46701234567'}, key='phone-1', if_match='"1"', expect=200)
        asha.problem(412, 'precondition-failed', 'PATCH', '/v1/me', {'name': 'A'}, if_match='"1"')
        asha.problem(422, 'idempotency-mismatch', 'PATCH', '/v1/me', {'name': 'A'}, key='phone-1')
        server.login('asha@example.com')
        others = [s for s in asha.get('/v1/me/sessions?limit=10', expect=200).json['items'] if not s['current']]
        asha.delete(f'/v1/me/sessions/{others[0]["id"]}', expect=204)
        asha.problem(404, 'not-found', 'DELETE', f'/v1/me/sessions/ses{NOBODY}')
        asha.delete('/v1/me/sessions', expect=204)
        self.assertEqual(len(asha.get('/v1/me/sessions', expect=200).json['items']), 1)
        self.assertEqual(asha.get('/v1/me/export', expect=200).json['account']['email'], 'asha@example.com')
        admin.get('/v1/users?role=customer&limit=1', expect=200)
        admin.get(f'/v1/users/{asha.user["id"]}', expect=200)
        admin.problem(404, 'not-found', 'GET', f'/v1/users/usr{NOBODY}')
        asha.problem(403, 'forbidden', 'GET', f'/v1/users/{asha.user["id"]}')
        admin.patch(f'/v1/users/{asha.user["id"]}', {'disabled': True}, expect=200)
        anybody.problem(403, 'account-disabled', 'POST', '/v1/auth/login', {'email': 'asha@example.com', 'password': PASSWORD})
        self.audited(asha)
        self.erased()
        admin.problem(409, 'last-admin', 'PATCH', f'/v1/users/{admin.user["id"]}', {'role': 'customer'})
        admin.problem(404, 'not-found', 'PATCH', f'/v1/users/usr{NOBODY}', {'role': 'customer'})
        anybody.post('/v1/auth/logout', {'refresh_token': asha.refresh_token}, expect=204)
        anybody.get('/.well-known/jwks.json', expect=200)
        for _ in range(6):
            last = anybody.post('/v1/auth/login', {'email': 'nobody@example.com', 'password': 'wrong horse'})
        self.assertEqual(last.status, 429)

    def erased(self):
        for by_admin in False, True:
            leaver = server.register('customer')
            leaver.problem(403, 'not-confirmed', 'DELETE', '/v1/me', {'password': 'not this one'})
            if by_admin:
                admin.call('DELETE', f'/v1/users/{leaver.user["id"]}', expect=204)
            else:
                leaver.call('DELETE', '/v1/me', {'password': PASSWORD}, expect=204)
            self.assertIn('erased_at', admin.get(f'/v1/users/{leaver.user["id"]}', expect=200).json)
            admin.problem(404, 'not-found', 'DELETE', f'/v1/users/{leaver.user["id"]}')

    def test_second_factor(self):
        ingrid = server.register('customer', name='Ingrid')
        sign_in = {'email': ingrid.user['email'], 'password': PASSWORD}
        ingrid.problem(403, 'not-confirmed', 'POST', '/v1/me/second-factor', {'password': 'wrong horse'})
        ingrid.problem(409, 'second-factor-state', 'POST', '/v1/me/second-factor/confirm', {'code': '123456'})
        secret = ingrid.post('/v1/me/second-factor', {'password': PASSWORD}, expect=200).json['secret']
        ingrid.problem(403, 'not-confirmed', 'POST', '/v1/me/second-factor/confirm', {'code': '1234567'})
        codes = ingrid.post('/v1/me/second-factor/confirm', {'code': totp(secret)}, expect=200).json['recovery_codes']
        ingrid.problem(409, 'second-factor-state', 'POST', '/v1/me/second-factor', {'password': PASSWORD})
        anybody = server.api()
        anybody.problem(401, 'second-factor-required', 'POST', '/v1/auth/login', sign_in)
        anybody.problem(403, 'not-confirmed', 'POST', '/v1/auth/login', {**sign_in, 'code': totp(secret)})
        anybody.post('/v1/auth/login', {**sign_in, 'code': codes[0].lower().replace('-', ' ')}, expect=200)
        ingrid.problem(403, 'not-confirmed', 'POST', '/v1/me/second-factor/remove', {'code': codes[0]})
        ingrid.post('/v1/me/second-factor/remove', {'code': codes[1]}, expect=204)
        ingrid.problem(409, 'second-factor-state', 'POST', '/v1/me/second-factor/remove', {'code': codes[2]})
        admin.delete(f'/v1/users/{ingrid.user["id"]}/second-factor', expect=204)

    def test_mail(self):
        vera, anybody = server.register('customer', name='Vera'), server.api()
        old, new = vera.user['email'], f'new-{vera.user["email"]}'
        token = mailed(old, 'confirm that this address')
        anybody.post('/v1/auth/email/confirm', {'token': token}, expect=204)
        anybody.problem(403, 'not-confirmed', 'POST', '/v1/auth/email/confirm', {'token': token})
        vera.post('/v1/me/email/verify', expect=204)
        anybody.post('/v1/auth/password-reset', {'email': 'nobody-at-all@example.com'}, expect=202)
        anybody.post('/v1/auth/password-reset', {'email': old}, expect=202)
        reset = {'token': mailed(old, 'asked for a new password'), 'new_password': 'another horse 7'}
        anybody.post('/v1/auth/password-reset/confirm', reset, expect=204)
        anybody.problem(403, 'not-confirmed', 'POST', '/v1/auth/password-reset/confirm', reset)
        vera.problem(401, 'unauthenticated', 'GET', '/v1/me')
        time.sleep(0.005)  # a session of the very millisecond of such a change counts as one from before it
        vera = server.login(old, 'another horse 7')
        vera.problem(403, 'not-confirmed', 'POST', '/v1/me/password', {'password': 'wrong', 'new_password': 'third horse 5'})
        vera.post('/v1/me/password', {'password': 'another horse 7', 'new_password': 'third horse 5'}, expect=204)
        vera.problem(403, 'not-confirmed', 'POST', '/v1/me/email', {'password': 'wrong', 'email': new})
        vera.post('/v1/me/email', {'password': 'third horse 5', 'email': customer.user['email']}, expect=202)
        taken = {'token': mailed(customer.user['email'], 'Vera')}
        anybody.problem(409, 'email-taken', 'POST', '/v1/auth/email/confirm', taken)
        vera.post('/v1/me/email', {'password': 'third horse 5', 'email': new}, expect=202)
        anybody.post('/v1/auth/email/confirm', {'token': mailed(new, 'confirm that this address')}, expect=204)
        time.sleep(0.005)
        server.login(new, 'third horse 5')

    def test_api_keys(self):
        nils = server.register('customer', name='Nils')
        machine = server.api()
        machine.token = nils.post('/v1/api-keys', {'name': 'till', 'scopes': ['bookings:write']}, expect=201).json['key']
        machine.book(vehicle='car')
        machine.problem(403, 'forbidden', 'GET', '/v1/bookings')
        machine.problem(403, 'forbidden', 'GET', '/v1/me')
        nils.problem(422, 'invalid-request', 'POST', '/v1/api-keys', {'name': 'x', 'scopes': ['account:read']})
        key = nils.get('/v1/api-keys?limit=10', expect=200).json['items'][0]
        nils.problem(404, 'not-found', 'DELETE', f'/v1/api-keys/apk{NOBODY}')
        nils.delete(f'/v1/api-keys/{key["id"]}', expect=204)
        machine.problem(401, 'unauthenticated', 'GET', '/v1/bookings')

    def audited(self, asha):
        """What the admin did comes into the log a moment later."""
        for _ in range(100):
            found = admin.get(f'/v1/audit?subject={asha.user["id"]}&limit=5', expect=200).json['items']
            if found:
                break
            time.sleep(0.05)
        self.assertEqual((found[0]['actor_id'], found[0]['after']), (admin.user['id'], {'disabled': True}))

    def test_delivery(self):
        ola = server.register('driver', name='Ola Berg')
        ola.driver_id = 'drv' + ola.user['id'][3:]
        ola.get('/v1/driver', expect=200)
        ola.problem(403, 'not-approved', 'POST', '/v1/driver/duty', {'duty': 'on'})
        admin.patch(f'/v1/drivers/{ola.driver_id}', {'status': 'approved'}, expect=200)
        admin.problem(422, 'invalid-request', 'PATCH', f'/v1/drivers/{ola.driver_id}', {'status': 'suspended'})
        ola.problem(409, 'no-vehicle', 'POST', '/v1/driver/duty', {'duty': 'on'})
        ola.put('/v1/driver', {'vehicle': {'class': 'van', 'plate': 'ABC123', 'capacity_kg': 800}}, expect=200)
        ola.post('/v1/driver/duty', {'duty': 'on'}, expect=200)
        fixes = [{'at': rfc3339(time.time() - 2), 'lat': 57.712, 'lng': 11.97, 'speed_mps': 9.1, 'bearing_deg': 45},
                 {'at': rfc3339(time.time()), 'lat': 57.7121, 'lng': 11.9701}, {'at': 'yesterday', 'lat': 0, 'lng': 0}]
        ola.post('/v1/driver/locations', {'fixes': fixes}, expect=200)
        ola.get('/v1/driver', expect=200)
        ola.get('/v1/driver/offers', expect=200)
        customer.get('/v1/drivers/nearby?lat=57.7089&lng=11.9746&radius_m=3000&vehicle=van&limit=5', expect=200)
        dispatcher.get('/v1/drivers/nearby?lat=57.7089&lng=11.9746', expect=200)
        self.tariffs()
        self.promos()
        self.service_area()
        booking = self.book(ola)
        self.drive(ola, booking)
        self.cash(ola)
        self.other_stops(ola)
        self.look_back(ola, booking)

    def cash(self, ola):
        """Goods paid for at the door; what was taken is handed in, and a slip is put right."""
        quote = customer.quote((57.7089, 11.9746), (57.6969, 11.9865))
        ask = {'quote_id': quote['id'], 'payment': 'card', 'stops': [{}, {'collect': {'amount': 25000}}]}
        customer.problem(422, 'invalid-request', 'POST', '/v1/bookings', ask | {'stops': [{}, {'collect': {'amount': 0}}]})
        booking = customer.post('/v1/bookings', ask, expect=201).json
        at, book = f'/v1/bookings/{booking["id"]}', f'/v1/drivers/{ola.driver_id}/cash'
        held = dispatcher.get(book, expect=200).json['cash_held']
        ola.accept(booking['id'])
        ola.problem(409, 'illegal-transition', 'POST', f'{at}/collection', {'stop': 1, 'amount': 25000})
        ola.status(booking['id'], 'arrived_pickup', 'picked_up', 'arrived_dropoff')
        self.assertEqual(ola.get(f'{at}/collection', expect=200).json['stops'][0]['due'], 25000)
        ola.problem(422, 'invalid-request', 'POST', f'{at}/collection', {'stop': 1, 'amount': 24000})
        ola.post(f'{at}/collection', {'stop': 1, 'amount': 25000}, expect=200)
        ola.status(booking['id'], 'delivered')
        lorry.until(lambda: dispatcher.get(book, expect=200).json['cash_held'] == held + 25000, 'he holds it')
        ola.get('/v1/driver/cash', expect=200)
        dispatcher.get('/v1/cash?limit=5', expect=200)
        settle = {'kind': 'handed_in', 'amount': 25000, 'balance': held + 25000, 'reference': 'R-17'}
        entry = dispatcher.post(f'{book}/settlements', settle, key='slip-17', expect=201).json
        dispatcher.problem(409, 'cash-changed', 'POST', f'{book}/settlements', settle, key='slip-18')
        dispatcher.problem(422, 'invalid-request', 'POST', f'{book}/settlements', settle | {'amount': 0}, key='slip-19')
        dispatcher.problem(422, 'bad-parameter', 'POST', f'{book}/settlements', settle)
        dispatcher.post(f'{book}/entries/{entry["id"]}/reverse', {'reason': 'miscounted'}, expect=201)
        dispatcher.problem(409, 'cash-reversed', 'POST', f'{book}/entries/{entry["id"]}/reverse', {'reason': 'miscounted'})
        self.assertGreaterEqual(len(dispatcher.get(f'{book}/entries?limit=10', expect=200).json['items']), 3)
        ola.get('/v1/driver/cash/entries?limit=10', expect=200)

    def other_stops(self, ola):
        """One more on the way, for a price that was shown before; and back again."""
        quote = customer.quote((57.7089, 11.9746), (57.6969, 11.9865))
        booking = customer.post('/v1/bookings', {'quote_id': quote['id'], 'payment': 'card'}, expect=201).json
        ola.accept(booking['id'])
        at, more = f'/v1/bookings/{booking["id"]}/stops', {'lat': 57.7016, 'lng': 11.9668, 'address': 'Avenyn 1'}
        wish = {'stops': [{'index': 0}, more, {'index': 1}], 'stops_revision': 0}
        shown = customer.post(f'{at}/preview', wish, expect=200).json
        self.assertEqual(shown['difference'], shown['price']['total'] - booking['price']['total'])
        customer.problem(422, 'invalid-request', 'POST', f'{at}/preview', wish | {'stops': [{'index': 1}, {'index': 0}]})
        customer.problem(409, 'price-changed', 'POST', at, wish)
        customer.problem(409, 'version-conflict', 'POST', at, wish | {'stops_revision': 1})
        customer.problem(422, 'invalid-request', 'POST', at, wish | {'stops': [{'index': 0}, {}]})
        changed = customer.post(at, wish | {'total': shown['price']['total']}, expect=200).json
        self.assertEqual([changed['stops_revision'], len(changed['stops'])], [1, 3])
        back = {'stops': [{'index': 0}, {'index': 2}], 'stops_revision': 1}
        dispatcher.problem(422, 'invalid-request', 'POST', at, back)
        self.assertEqual(dispatcher.post(at, back | {'reason': 'They rang'}, expect=200).json['price'], booking['price'])
        note, floor = f'/v1/bookings/{booking["id"]}/note', {'stop': 1, 'note': 'Code 1234, fourth floor'}
        self.assertEqual(customer.put(note, floor, expect=200).json['stops'][1]['note'], floor['note'])
        self.assertEqual(ola.booking(booking['id'])['stops'][1]['note'], floor['note'])
        customer.problem(409, 'version-conflict', 'PUT', note, floor | {'note': 'x', 'stops_revision': 0})
        customer.problem(422, 'invalid-request', 'PUT', note, floor | {'stop': 2})
        ola.problem(403, 'forbidden', 'PUT', note, floor)
        ola.status(booking['id'], 'arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered')
        customer.problem(409, 'illegal-transition', 'POST', at, back | {'stops_revision': 2})
        customer.problem(409, 'illegal-transition', 'PUT', note, floor)

    def promos(self):
        stops = [{'lat': 57.7089, 'lng': 11.9746}, {'lat': 57.6969, 'lng': 11.9865}]
        ask = {'stops': stops, 'vehicle': 'van', 'goods': [{'name': 'Sofa', 'weight_g': 70000, 'count': 2, 'handling': ['two_people']}]}
        admin.post('/v1/promo-codes', {'code': 'live', 'percent': 20, 'cap': 5000, 'uses_max': 1, 'vehicles': ['van']}, expect=201)
        admin.problem(409, 'promo-exists', 'POST', '/v1/promo-codes', {'code': 'LIVE', 'amount': 1})
        admin.problem(422, 'invalid-request', 'POST', '/v1/promo-codes', {'code': 'L V', 'amount': 0})
        etag = admin.get('/v1/promo-codes/LIVE', expect=200).header('etag')
        admin.patch('/v1/promo-codes/LIVE', {'note': 'for a test'}, if_match=etag, expect=200)
        admin.problem(412, 'precondition-failed', 'PATCH', '/v1/promo-codes/LIVE', {'note': 'x'}, if_match=etag)
        admin.get('/v1/promo-codes?limit=1', expect=200)
        customer.problem(422, 'promo-unknown', 'POST', '/v1/quotes', ask | {'promo_code': 'nothing'})
        customer.problem(422, 'promo-not-for-this', 'POST', '/v1/quotes', {'stops': stops, 'vehicle': 'bike', 'promo_code': 'live'})
        customer.problem(422, 'invalid-request', 'POST', '/v1/quotes', ask | {'vehicle': 'bike'})
        all_of_them = {'stops': stops, 'goods': ask['goods'], 'promo_code': 'live'}
        self.assertEqual({u['vehicle'] for u in customer.post('/v1/quotes', all_of_them, expect=201).json['unfit']}, {'bike'})
        late = customer.post('/v1/quotes', ask | {'promo_code': 'live'}, expect=201).json['quotes'][0]
        quote = customer.post('/v1/quotes', ask | {'promo_code': ' Live '}, expect=201).json['quotes'][0]
        booking = customer.post('/v1/bookings', {'quote_id': quote['id']}, expect=201).json
        self.assertEqual((booking['promo_code'], booking['goods'][0]['count']), ('LIVE', 2))
        self.assertEqual(admin.get('/v1/promo-codes/LIVE').json['used'], 1)
        customer.problem(409, 'promo-used-up', 'POST', '/v1/bookings', {'quote_id': late['id']})
        customer.problem(409, 'promo-used-up', 'POST', '/v1/quotes', ask | {'promo_code': 'LIVE'})
        customer.post(f'/v1/bookings/{booking["id"]}/cancel', expect=200)
        admin.post('/v1/promo-codes/LIVE/end', expect=200)
        customer.problem(409, 'promo-expired', 'POST', '/v1/quotes', ask | {'promo_code': 'LIVE'})

    def tariffs(self):
        now = customer.get('/v1/tariffs', expect=200)
        terms = {'currency': 'SEK', 'items': now.json['items'], 'timezone': 'Europe/Stockholm', 'note': 'as before, and more',
                 'zones': [{'name': 'pole', 'area': [{'lat': 89, 'lng': 0}, {'lat': 89, 'lng': 1}, {'lat': 88, 'lng': 0}]}],
                 'night': {'from': '22:00', 'to': '06:00', 'add_percent': 25}, 'weekend': {'days': ['sat', 'sun'], 'add_percent': 10},
                 'holiday': {'dates': ['2026-12-25'], 'add_percent': 50}, 'surge': {'full_percent': 300, 'add_percent': 60},
                 'taxes': [{'name': 'VAT', 'rate_bp': 2500}], 'taxes_included': True, 'commission_bp': 2000,
                 'cancellation': {'free_minutes': 2, 'assigned_percent': 10, 'arrived_percent': 50}}
        admin.put('/v1/tariffs', terms, if_match=now.header('etag'), expect=200)
        admin.problem(412, 'precondition-failed', 'PUT', '/v1/tariffs', terms, if_match=now.header('etag'))
        admin.problem(422, 'invalid-request', 'PUT', '/v1/tariffs', {**terms, 'currency': 'EUR'})
        admin.put('/v1/tariffs', {**terms, 'effective_at': rfc3339(time.time() + 86400), 'taxes_included': False}, expect=200)
        customer.get('/v1/tariffs?version=1', expect=200)
        customer.problem(404, 'not-found', 'GET', '/v1/tariffs?version=99')
        dispatcher.get('/v1/tariffs/versions?limit=2', expect=200)
        admin.post('/v1/tariffs/preview', terms, expect=200)

    def service_area(self):
        now = customer.get('/v1/service-area', expect=200)
        square = [[11.8, 57.6], [12.2, 57.6], [12.2, 57.8], [11.8, 57.8], [11.8, 57.6]]
        bow = [[11, 57], [13, 58], [13, 57], [11, 58], [11, 57]]
        admin.put('/v1/service-area', {'area': {'type': 'Polygon', 'coordinates': [square]}}, if_match=now.header('etag'), expect=200)
        admin.problem(412, 'precondition-failed', 'PUT', '/v1/service-area', {'area': None}, if_match=now.header('etag'))
        admin.problem(422, 'invalid-request', 'PUT', '/v1/service-area', {'area': {'type': 'Polygon', 'coordinates': [bow]}})
        there = customer.problem(422, 'outside-service-area', 'POST', '/v1/quotes', {'stops': [STOPS[0], {'lat': 57.9, 'lng': 12}]})
        self.assertEqual([o['stop'] for o in there.json['outside']], [1])
        dispatcher.get('/v1/service-area', expect=200)
        versions = dispatcher.get('/v1/service-area/versions', expect=200).json['items']
        dispatcher.get(f"/v1/service-area?version={versions[-1]['version']}", expect=200)
        dispatcher.problem(404, 'not-found', 'GET', '/v1/service-area?version=99999')
        dispatcher.problem(422, 'bad-parameter', 'GET', '/v1/service-area?version=x')
        seen = admin.post('/v1/service-area/preview', {'area': {'type': 'Polygon', 'coordinates': [square]}}, expect=200).json
        self.assertLessEqual(seen['outside'], seen['bookings'])
        admin.problem(422, 'invalid-request', 'POST', '/v1/service-area/preview', {'area': {'type': 'Polygon', 'coordinates': [bow]}})
        dispatcher.problem(403, 'forbidden', 'POST', '/v1/service-area/preview', {'area': None})
        admin.put('/v1/service-area', {'area': None}, expect=200)

    def book(self, ola):
        customer.post('/v1/quotes', {'stops': STOPS}, expect=201)
        customer.problem(422, 'outside-service-area', 'POST', '/v1/quotes', {'stops': [STOPS[0], {'lat': 0, 'lng': 0}]})
        customer.problem(422, 'invalid-request', 'POST', '/v1/quotes', {'stops': [{}], 'vehicle': 'plane'})
        quote = customer.post('/v1/quotes', {'stops': STOPS, 'vehicle': 'van'}, expect=201).json['quotes'][0]
        body = {'quote_id': quote['id'], 'notes': 'ring twice',
                'stops': [{'contact': {'name': 'Asha', 'phone': '+46701234567'}}, {'proof': ['pin', 'photo']}]}
        booking = customer.post('/v1/bookings', body, key='order-1', expect=201).json
        customer.post('/v1/bookings', body, key='order-1', expect=201)
        customer.problem(409, 'quote-used', 'POST', '/v1/bookings', body)
        customer.problem(404, 'not-found', 'POST', '/v1/bookings', {'quote_id': f'qte{NOBODY}'})
        self.later()
        self.assertEqual(ola.offer(booking['id'])['booking_id'], booking['id'])
        ola.get('/v1/driver/offers', expect=200)
        return booking

    def later(self):
        """For next week, then for the middle of a night, which costs more; and cancelled."""
        def window(days, hour):
            day = time.gmtime(time.time() + days * 86400)
            begin = calendar.timegm((*day[:3], hour, 0, 0))
            return {'pickup_window': {'from': rfc3339(begin), 'to': rfc3339(begin + 7200)}}
        customer.problem(422, 'invalid-request', 'POST', '/v1/quotes', {'stops': STOPS} | window(-1, 12))
        quote = customer.post('/v1/quotes', {'stops': STOPS, 'vehicle': 'van'} | window(7, 12), expect=201).json['quotes'][0]
        self.assertFalse(quote['surge_applies'])
        booking = customer.post('/v1/bookings', {'quote_id': quote['id']}, expect=201).json
        self.assertEqual(booking['state'], 'scheduled')
        at = f'/v1/bookings/{booking["id"]}'
        self.assertIn(booking['id'], [b['id'] for b in customer.get('/v1/bookings?state=scheduled', expect=200).json['items']])
        dearer = customer.problem(409, 'price-changed', 'PUT', f'{at}/pickup-window', window(6, 1)).json['price']
        customer.problem(409, 'version-conflict', 'PUT', f'{at}/pickup-window', window(6, 1) | {'version': 9})
        customer.problem(422, 'invalid-request', 'PUT', f'{at}/pickup-window', {})
        customer.put(f'{at}/pickup-window', window(6, 1) | {'total': dearer['total']}, expect=200)
        customer.post(f'{at}/cancel', {}, expect=200)
        customer.problem(409, 'illegal-transition', 'PUT', f'{at}/pickup-window', window(6, 12))

    def again(self, ola, booking):
        quote = customer.post(f'/v1/bookings/{booking["id"]}/rebook', expect=201).json['quotes'][0]
        self.assertEqual(quote['again_of'], booking['id'])
        customer.problem(422, 'invalid-request', 'POST', f'/v1/bookings/{booking["id"]}/rebook', {'pickup_window': {}})
        at = f'/v1/me/favourite-drivers/{ola.driver_id}'
        customer.problem(422, 'invalid-request', 'PUT', at, {'booking_id': f'bkg{NOBODY}'})
        customer.put(at, {'booking_id': booking['id']}, expect=200)
        self.assertEqual(len(customer.get('/v1/me/favourite-drivers', expect=200).json['items']), 1)
        customer.delete(at, expect=204)
        place = {'label': 'Home', 'lat': 57.7, 'lng': 11.97, 'address': 'Nygatan 1', 'contact': {'name': 'Bo'}}
        home = customer.post('/v1/me/places', place, expect=201).json
        customer.problem(422, 'invalid-request', 'POST', '/v1/me/places', place | {'lat': 91})
        customer.problem(404, 'not-found', 'PUT', f'/v1/me/places/plc{NOBODY}', place)
        customer.put(f'/v1/me/places/{home["id"]}', place | {'label': 'Depot'}, expect=200)
        self.assertEqual([p['label'] for p in customer.get('/v1/me/places', expect=200).json['items']], ['Depot'])
        customer.delete(f'/v1/me/places/{home["id"]}', expect=204)

    def recurrences(self):
        day = lambda ahead: time.strftime('%Y-%m-%d', time.gmtime(time.time() + ahead * 86400))  # noqa: E731
        at, who = '/v1/recurrences', server.register('customer')
        rule = {'stops': STOPS, 'vehicle': 'van', 'weekdays': ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
                'pickup': {'from': '12:00', 'to': '14:00'}, 'starts_on': day(3), 'price_max': 1}
        with WatchedSocket(server, who.token) as socket:
            socket.expect('ready')
            made = who.post(at, rule | {'name': 'Bread'}, key='bread', expect=201).json
            self.assertEqual(who.post(at, rule | {'name': 'Bread'}, key='bread', expect=201).json['id'], made['id'])
            socket.expect('recurrence.updated', lambda m: m['data']['id'] == made['id'])
            held = socket.expect('recurrence.failed')['data']
        self.assertEqual((held['id'], held['reason'], held['date']), (made['id'], 'too_dear', day(3)))
        at_it = f'{at}/{made["id"]}'
        price = who.problem(409, 'price-changed', 'POST', f'{at_it}/book', {'date': day(3)}).json['price']
        now = who.post(f'{at_it}/book', {'date': day(3), 'total': price['total']}, expect=200).json
        booked = now['occurrences'][0]
        self.assertEqual((booked['state'], booked['total']), ('booked', price['total']))
        lorry.until(lambda: who.call('GET', f'/v1/bookings/{booked["booking_id"]}').status == 200, 'its booking is there')
        self.assertEqual(who.get(f'/v1/bookings/{booked["booking_id"]}', expect=200).json['made_by'], made['id'])
        self.assertIn('booking_id', who.problem(409, 'illegal-transition', 'POST', f'{at_it}/skip', {'date': day(3)}).json)
        who.problem(422, 'invalid-request', 'POST', f'{at_it}/skip', {'date': day(1)})
        self.assertEqual(who.post(f'{at_it}/skip', {'date': day(12)}, expect=200).json['skips'], [day(12)])
        self.assertEqual(who.post(f'{at_it}/unskip', {'date': day(12)}, expect=200).json['skips'], [])
        who.problem(412, 'precondition-failed', 'PATCH', at_it, {'paused': True}, if_match='"1"')
        who.problem(422, 'invalid-request', 'PATCH', at_it, {'weekdays': ['someday']})
        self.assertEqual(who.patch(at_it, {'paused': True, 'weekdays': ['sun']}, expect=200).json['state'], 'paused')
        who.get(at_it, expect=200)
        self.assertEqual(len(dispatcher.get(f'{at}?limit=1', expect=200).json['items']), 1)
        who.problem(422, 'invalid-request', 'POST', at, rule | {'ends_on': day(2)})
        others = [who.post(at, rule | {'starts_on': day(300)}, expect=201).json['id'] for _ in range(19)]
        who.problem(409, 'too-many-recurrences', 'POST', at, rule)
        for i in (made['id'], *others):
            who.delete(f'{at}/{i}', expect=204)
        who.problem(409, 'illegal-transition', 'PATCH', at_it, {'paused': False})
        who.post(f'/v1/bookings/{booked["booking_id"]}/cancel', {}, expect=200)

    def imports(self):
        at, kind = '/v1/booking-imports', [('Content-Type', 'text/csv')]
        head = 'pickup_lat,pickup_lng,dropoff_lat,dropoff_lng,vehicle\n'
        file = (head + '57.7089,11.9746,57.6969,11.9865,van\n57.7089,north,57.6969,11.9865,van\n').encode()
        with WatchedSocket(server, customer.token) as socket:
            socket.expect('ready')
            taken = customer.post(at, file, headers=kind, expect=201)
            socket.expect('import.updated', lambda m: m['data']['id'] == taken.json['id'])
        at_it = f'{at}/{taken.json["id"]}'
        for _ in range(100):
            if customer.get(at_it, expect=200).json['ended_at'] is not None:
                break
            time.sleep(0.1)
        self.assertEqual([row['state'] for row in customer.get(f'{at_it}/rows', expect=200).json['items']], ['booked', 'failed'])
        self.assertIn(taken.json['id'], [i['id'] for i in customer.get(at, expect=200).json['items']])
        made = customer.get(f'{at_it}/rows?state=booked', expect=200).json['items'][0]['booking_id']
        self.assertEqual(customer.post(f'/v1/bookings/{made}/cancel', {}, expect=200).json['made_by'], taken.json['id'])
        customer.problem(409, 'illegal-transition', 'POST', f'{at_it}/cancel')
        rows = {'rows': [{'vehicle': 'van', 'stops': [{'lat': 57.7089, 'lng': 11.9746}, {'lat': 57.6969, 'lng': 11.9865}]}] * 200}
        under_way = [customer.post(f'{at}?dry_run=true', rows, expect=201).json['id'] for _ in range(3)]
        customer.problem(409, 'too-many-imports', 'POST', f'{at}?dry_run=true', rows)
        for i in under_way:
            customer.post(f'{at}/{i}/cancel', expect=200)
        customer.problem(422, 'invalid-request', 'POST', at, {'rows': []})
        customer.problem(422, 'bad-parameter', 'GET', f'{at_it}/rows?state=gone')

    def drive(self, ola, booking):
        at, offer = f'/v1/bookings/{booking["id"]}', ola.offer(booking['id'])
        ola.post(f'{at}/accept', {'offer_id': offer['id']}, expect=200)
        ola.problem(409, 'offer-closed', 'POST', f'{at}/decline', {'offer_id': offer['id']})
        ola.problem(409, 'active-booking', 'POST', '/v1/driver/duty', {'duty': 'off'})
        ola.problem(409, 'active-booking', 'PUT', '/v1/driver', {'vehicle': {'class': 'car', 'plate': 'A', 'capacity_kg': 8}})
        ola.problem(409, 'illegal-transition', 'POST', f'{at}/status', {'status': 'delivered'})
        ola.problem(409, 'version-conflict', 'POST', f'{at}/status', {'status': 'arrived_pickup', 'version': 1})
        server.api().get(f'/v1/track/{booking["tracking_token"]}', expect=200)
        self.assertIsNotNone(customer.booking(booking['id'])['stops'][0]['eta'])
        self.assertEqual(customer.get(f'{at}/cancellation', expect=200).json['fee']['amount'], 0)
        ola.status(booking['id'], 'arrived_pickup')
        fee = customer.get(f'{at}/cancellation', expect=200).json['fee']['amount']
        self.assertEqual(fee, (booking['price']['total'] + 1) // 2)
        customer.problem(409, 'fee-changed', 'POST', f'{at}/cancel', {'fee': fee - 1})
        dispatcher.get('/v1/fleet?bbox=11.9,57.6,12.1,57.8', expect=200)
        ola.status(booking['id'], 'picked_up', 'arrived_dropoff')
        self.prove(ola, booking, at)
        ola.status(booking['id'], 'delivered')
        self.look_at_proof(booking, at)
        customer.problem(409, 'illegal-transition', 'POST', f'{at}/cancel')
        customer.post(f'{at}/rating', {'stars': 5, 'comment': 'Careful with the boxes'}, expect=200)
        customer.problem(409, 'already-rated', 'POST', f'{at}/rating', {'stars': 4})
        link, anybody = f'/v1/track/{booking["tracking_token"]}', server.api()
        anybody.problem(409, 'already-rated', 'POST', f'{link}/rating', {'stars': 4})
        anybody.problem(422, 'invalid-request', 'POST', f'{link}/rating', {'stars': 0})
        anybody.problem(404, 'not-found', 'POST', f'{link[:-3]}AAA/rating', {'stars': 4})
        self.assertEqual(anybody.get(link, expect=200).json['rating'], {'stars': 5})
        other = customer.book((57.7089, 11.9746), (57.6969, 11.9865))
        ola.accept(other['id'])
        ola.deliver(other['id'])
        rated = anybody.post(f'/v1/track/{other["tracking_token"]}/rating', {'stars': 3}, expect=200).json
        self.assertEqual((rated['state'], rated['rating']), ('delivered', {'stars': 3}))

    def prove(self, ola, booking, at):
        ola.problem(409, 'proof-missing', 'POST', f'{at}/status', {'status': 'delivered', 'stop': 1})
        pin = customer.get(f'{at}/pins', expect=200).json['items'][0]
        self.assertEqual(server.api().get(f'/v1/track/{pin["tracking_token"]}', expect=200).json['stops'][1]['proof']['pin'], pin['pin'])
        photo = ola.post('/v1/files', png(4, 4), headers=[('Content-Type', 'image/png')], expect=201).json
        ola.post(f'{at}/proof', {'stop': 1, 'pin': pin['pin'], 'name': 'Bo Ek', 'photo_id': photo['id'],
                                 'signature_id': photo['id']}, expect=200)
        ola.problem(422, 'invalid-request', 'POST', f'{at}/proof', {'stop': 1})
        ola.problem(409, 'illegal-transition', 'POST', f'{at}/proof', {'stop': 0, 'name': 'Bo'})

    def look_at_proof(self, booking, at):
        photo = customer.get(at, expect=200).json['stops'][1]['proof']['given']['photo']
        picture = server.api().get(f'/v1/track/{booking["tracking_token"]}/files/{photo["id"]}', expect=200)
        self.assertEqual(hashlib.sha256(picture.body).hexdigest(), photo['sha256'])

    def look_back(self, ola, booking):
        at = f'/v1/bookings/{booking["id"]}'
        customer.get(at, expect=200)
        customer.get('/v1/bookings?state=finished&limit=1', expect=200)
        for who in (customer, dispatcher):
            who.get(f'{at}/timeline', expect=200)
        lines = dispatcher.get(f'{at}/ledger', expect=200).json['items']
        self.assertEqual(sum(line['amount'] for line in lines), 0)
        self.assertLess(len(ola.get(f'{at}/ledger', expect=200).json['items']), len(lines))
        customer.problem(404, 'not-found', 'GET', f'/v1/bookings/bkg{NOBODY}/ledger')
        customer.get(f'{at}/custody', expect=200)
        customer.problem(404, 'not-found', 'GET', f'/v1/bookings/bkg{NOBODY}/custody')
        ola.problem(403, 'forbidden', 'GET', f'{at}/custody')
        dispatcher.get(f'{at}/dispatch', expect=200)
        dispatcher.get('/v1/alerts', expect=200)
        dispatcher.get('/v1/alerts?state=past&limit=1', expect=200)
        dispatcher.problem(404, 'not-found', 'POST', f'/v1/alerts/alr{NOBODY}_late/ack', {'note': 'seen'})
        server.api().get(f'/v1/track/{booking["tracking_token"]}', expect=200)
        server.api().problem(404, 'not-found', 'GET', '/v1/track/nothing')
        dispatcher.get(f'/v1/drivers/{ola.driver_id}/trail?limit=1', expect=200)
        track = f'/v1/drivers/{ola.driver_id}/trail/file?from=2026-01-01T00:00:00Z&to={rfc3339(time.time())}&simplify_m=5'
        dispatcher.get(track, expect=200)
        dispatcher.get(f'{track}&format=geojson', expect=200)
        dispatcher.get(f'/v1/drivers/{ola.driver_id}/playback?from={rfc3339(time.time() - 60)}&to={rfc3339(time.time())}&step_s=5', expect=200)
        self.reports()
        self.devices(ola)
        self.again(ola, booking)
        self.imports()
        self.recurrences()
        self.vehicles(ola)
        self.schedule(ola)
        self.documents(ola)
        dispatcher.get('/v1/drivers?status=approved', expect=200)
        ola.get('/v1/driver/earnings?from=2026-01-01&to=2026-12-31', expect=200)
        for who in (customer, ola, dispatcher):
            who.get('/v1/notifications', expect=200)
        ola.post('/v1/driver/duty', {'duty': 'off'}, expect=200)
        admin.patch(f'/v1/drivers/{ola.driver_id}', {'status': 'suspended', 'reason': 'papers have run out'}, expect=200)

    def reports(self):
        lorry.until(lambda: dispatcher.get('/v1/reports/ratings', expect=200).json['totals']['ratings'] > 0, 'the rating is counted')
        names = 'bookings on-time acceptance utilisation revenue cancellations earnings ratings'.split()
        for name in names:
            for by in 'day', 'hour', 'class', 'driver':
                dispatcher.get(f'/v1/reports/{name}?by={by}&compare=previous', expect=200)
        file = dispatcher.get('/v1/reports/revenue?by=zone&format=csv', expect=200)
        self.assertTrue(file.body.decode().startswith('zone,delivered,revenue,'))
        dispatcher.problem(404, 'not-found', 'GET', '/v1/reports/weather')
        dispatcher.problem(422, 'bad-parameter', 'GET', '/v1/reports/earnings?by=zone')

    def devices(self, ola):
        mine = ola.post('/v1/driver/devices', {'name': 'My phone'}, expect=201).json
        ola.get('/v1/driver/devices', expect=200)
        theirs = f'/v1/drivers/{ola.driver_id}/devices'
        other = dispatcher.post(theirs, {'name': 'In the van'}, expect=201).json
        dispatcher.get(theirs, expect=200)
        dispatcher.problem(422, 'invalid-request', 'POST', theirs, {'name': ''})
        nobody, now = server.api(), int(time.time())
        at = f'/v1/ingest/osmand?id={mine["token"]}&lat=57.71&lon=11.97'
        nobody.get(f'{at}&timestamp={now - 9}&speed=10&bearing=45&accuracy=8&altitude=3&batt=81', expect=200)
        nobody.post(f'{at}&timestamp={now - 8}000', expect=200)
        nobody.problem(422, 'bad-parameter', 'GET', f'{at}&timestamp=soon')
        nobody.problem(422, 'bad-parameter', 'GET', f'{at}&timestamp=1500000000')
        bearer = [('Authorization', f'Bearer {mine["token"]}')]
        location = {'_type': 'location', 'tst': now - 7, 'lat': 57.71, 'lon': 11.97, 'acc': 8, 'vel': 33, 'cog': 45}
        nobody.post('/v1/ingest/owntracks', location, headers=bearer, expect=200)
        nobody.problem(422, 'invalid-request', 'POST', '/v1/ingest/owntracks', {'_type': 'location'}, headers=bearer)
        nobody.post('/v1/ingest/fixes', {'fixes': [{'at': rfc3339(now - 6), 'lat': 57.71, 'lng': 11.97}]}, headers=bearer, expect=200)
        for n in range(8):
            ola.post('/v1/driver/devices', {'name': f'{n}'}, expect=201)
        ola.problem(409, 'too-many-devices', 'POST', '/v1/driver/devices', {'name': 'one more'})
        ola.call('DELETE', f'/v1/driver/devices/{mine["id"]}', expect=204)
        dispatcher.call('DELETE', f'{theirs}/{other["id"]}', expect=204)
        nobody.problem(401, 'unauthenticated', 'GET', at)

    def documents(self, ola):
        theirs = f'/v1/drivers/{ola.driver_id}'
        def send(kind, **more):
            file = ola.post('/v1/files', png(3, 2), headers=[('Content-Type', 'image/png')], expect=201).json['id']
            return ola.post('/v1/driver/documents', {'kind': kind, 'file_id': file, **more}, expect=201).json
        first = send('insurance', expires_at=rfc3339(time.time() + 4))
        review = f'{theirs}/documents/{first["id"]}/review'
        admin.post(review, {'decision': 'rejected', 'reason': 'blurred'}, expect=200)
        admin.post(review, {'decision': 'approved'}, expect=200)
        self.assertEqual(admin.get(f'{theirs}/documents', expect=200).json['items'][0]['state'], 'approved')
        admin.call('GET', f'/v1/files/{first["file_id"]}', expect=200)
        dispatcher.problem(404, 'not-found', 'GET', f'/v1/files/{first["file_id"]}')
        ola.problem(422, 'invalid-request', 'POST', '/v1/driver/documents', {'kind': 'passport', 'file_id': first['file_id']})
        lorry.until(lambda: ola.get('/v1/driver', expect=200).json['status'] == 'suspended', 'a suspension')
        admin.problem(409, 'document-state', 'POST', review, {'decision': 'approved'})
        admin.problem(409, 'documents-lacking', 'PATCH', theirs, {'status': 'approved'})
        second = send('insurance')
        admin.post(f'{theirs}/documents/{second["id"]}/review', {'decision': 'approved'}, expect=200)
        self.assertEqual(dispatcher.get(theirs, expect=200).json['status'], 'approved')
        self.assertEqual(ola.get('/v1/driver/documents', expect=200).json['lacking'], None)
        dispatcher.get(f'{theirs}/vehicles', expect=200)
        ola.post('/v1/driver/duty', {'duty': 'on'}, expect=200)

    def schedule(self, ola):
        shifts = [{'day': 'mon', 'from': '08:00', 'to': '17:00'}, {'day': 'fri', 'from': '22:00', 'to': '06:00'}]
        home = {'name': 'Centrum', 'lat': 57.7089, 'lng': 11.9746, 'radius_m': 5000}
        ola.call('PUT', '/v1/driver/schedule', {'shifts': shifts, 'home': home}, expect=200)
        self.assertEqual(ola.get('/v1/driver/schedule', expect=200).json['shifts'], shifts)
        theirs = f'/v1/drivers/{ola.driver_id}/schedule'
        self.assertEqual(dispatcher.get(theirs, expect=200).json['home']['radius_m'], 5000)
        admin.call('PUT', theirs, {'shifts': []}, expect=200)
        admin.problem(422, 'invalid-request', 'PUT', theirs, {'shifts': [shifts[0], shifts[0]]})
        admin.problem(404, 'not-found', 'PUT', f'/v1/drivers/drv{NOBODY}/schedule', {'shifts': []})

    def vehicles_by_the_office(self, at):
        bike = admin.post(at, {'class': 'bike', 'plate': 'OFFICE 1'}, expect=201).json
        admin.call('PUT', f'{at}/{bike["id"]}', {'class': 'bike', 'plate': 'OFFICE 2'}, expect=200)
        self.assertIn('OFFICE 2', [v['plate'] for v in dispatcher.get(at, expect=200).json['items']])
        dispatcher.problem(403, 'forbidden', 'DELETE', f'{at}/{bike["id"]}')
        admin.call('DELETE', f'{at}/{bike["id"]}', expect=204)
        admin.problem(404, 'not-found', 'DELETE', f'{at}/{bike["id"]}')
        admin.problem(404, 'not-found', 'POST', f'/v1/drivers/drv{NOBODY}/vehicles', {'class': 'bike', 'plate': 'X'})
        notes = admin.get('/v1/audit?action=driver.vehicles&limit=3', expect=200).json['items']
        self.assertEqual(len(notes), 3)

    def vehicles(self, ola):
        self.vehicles_by_the_office(f'/v1/drivers/{ola.driver_id}/vehicles')
        at = '/v1/driver/vehicles'
        van = ola.get(at, expect=200).json['items'][0]
        self.assertTrue(van['in_use'])
        bike = ola.post(at, {'class': 'bike', 'plate': 'BIKE 7'}, expect=201).json
        ola.post(f'{at}/{bike["id"]}/use', expect=200)
        ola.call('PUT', f'{at}/{bike["id"]}', {'class': 'bike', 'plate': 'BIKE 8', 'capacity_l': 150}, expect=200)
        self.assertEqual(ola.get('/v1/driver', expect=200).json['vehicle']['capacity_l'], 150)
        ola.problem(409, 'active-booking', 'DELETE', f'{at}/{bike["id"]}')
        ola.post(f'{at}/{van["id"]}/use', expect=200)
        ola.call('DELETE', f'{at}/{bike["id"]}', expect=204)
        ola.problem(404, 'not-found', 'POST', f'{at}/veh{NOBODY}/use')
        for n in range(7):
            ola.post(at, {'class': 'car', 'plate': f'CAR {n}'}, expect=201)
        ola.problem(409, 'too-many-vehicles', 'POST', at, {'class': 'car', 'plate': 'one more'})

    def test_decline_and_assign(self):
        at = (-30.0, -60.0)
        eva = server.driver(at=at, vehicle='bike', name='Eva Lind', admin=admin)
        booking = customer.book(at, (-30.01, -60.01), vehicle='bike')
        path = f'/v1/bookings/{booking["id"]}'
        offer = eva.offer(booking['id'])
        eva.post(f'{path}/decline', {'offer_id': offer['id'], 'reason': 'too far'}, expect=204)
        dispatcher.problem(409, 'driver-unavailable', 'POST', f'{path}/assign', {'driver_id': driver.driver_id})
        dispatcher.post(f'{path}/assign', {'driver_id': eva.driver_id}, expect=(200, 202))
        dispatcher.get(f'{path}/dispatch', expect=200)
        dispatcher.get(f'{path}/candidates', expect=200)
        for turn in range(2):
            lorry.until(lambda: customer.get(path, expect=200).json['state'] == 'assigned', 'it is hers')
            if turn == 0:
                with WatchedSocket(server) as socket:
                    socket.send({'type': 'auth', 'token': eva.token})
                    seq = socket.expect('ready')['seq']
                    socket.send({'type': 'resume', 'after': seq})
                    eva.post(f'{path}/release', {'reason': 'a puncture'}, expect=200)
                    socket.expect('booking.unassigned', lambda m: m['data']['how'] == 'released')
                lorry.until(lambda: eva.get('/v1/driver', expect=200).json['duty'] == 'on', 'she is free')
                dispatcher.post(f'{path}/assign', {'driver_id': eva.driver_id}, expect=(200, 202))
        dispatcher.post(f'{path}/unassign', {'reason': 'stuck', 'search': False}, expect=200)
        customer.post(f'{path}/cancel', {'reason': 'changed my mind'}, key='cancel-1', expect=200)
        eva.get('/v1/notifications', expect=200)

    def test_late(self):
        quote = customer.quote()
        time.sleep(10.2)
        customer.problem(409, 'quote-expired', 'POST', '/v1/bookings', {'quote_id': quote['id']})

    def test_nobody_comes(self):
        who = server.register()
        quote = who.post('/v1/quotes', {'stops': STOPS, 'vehicle': 'truck'}, expect=201).json['quotes'][0]
        booking = who.post('/v1/bookings', {'quote_id': quote['id']}, expect=201).json
        alert = f'alr_{booking["id"][4:]}_unassigned'
        for _ in range(100):
            active = dispatcher.get('/v1/alerts', expect=200).json['items']
            if any(a['id'] == alert for a in active):
                break
            time.sleep(0.2)
        seen = dispatcher.post(f'/v1/alerts/{alert}/ack', {'note': 'is being called'}, expect=200).json
        self.assertEqual((seen['state'], seen['kind'], seen['note']), ('acknowledged', 'unassigned', 'is being called'))
        dispatcher.problem(422, 'invalid-request', 'POST', f'/v1/alerts/{alert}/ack', {'note': ''})

    def test_preferences(self):
        api = server.register()
        path = '/v1/notifications/preferences'
        self.assertIn('delivered', api.get(path, expect=200).json['email'])
        chosen = {'language': 'hi', 'timezone': 'Asia/Kolkata', 'quiet_from': '22:00', 'quiet_until': '07:00', 'email': ['failed'],
                  'message': []}
        now = api.call('PUT', path, chosen, expect=200).json
        self.assertEqual({k: now[k] for k in chosen}, chosen)
        self.assertEqual(api.get(path, expect=200).json, now)
        api.call('PUT', path, {'email': ['x'], 'message': []}, expect=422)

    def test_webhooks(self):
        there = webhooks.Receiver(lambda path: 410 if path == '/gone' else 204)
        self.addCleanup(there.close)
        api = server.register()
        made = api.post('/v1/webhooks', {'url': there.url(), 'events': ['booking.delivered']}, expect=201).json
        path = f'/v1/webhooks/{made["id"]}'
        api.call('PATCH', path, {'description': 'the shop'}, expect=200)
        api.get(path, expect=200)
        api.post(f'{path}/secret', expect=200)
        sent = api.post(f'{path}/test', expect=202).json
        lorry.until(lambda: api.get(f'{path}/deliveries', expect=200).json['items'][0]['state'] == 'sent', 'it is sent')
        api.post(f'/v1/deliveries/{sent["id"]}/retry', expect=202)
        api.call('DELETE', path, expect=204)
        with WatchedSocket(server, api.token) as socket:
            socket.expect('ready')
            api.post('/v1/webhooks', {'url': there.url('/gone')}, expect=201)
            at = (-41.0, -71.0)
            api.book(at, (-41.01, -71.01))
            socket.expect('webhook.disabled')
        for _ in range(19):
            api.post('/v1/webhooks', {'url': there.url('/more')}, expect=201)
        api.problem(409, 'too-many-webhooks', 'POST', '/v1/webhooks', {'url': there.url()})

    def test_operations(self):
        api = server.api()
        for path in ('/healthz', '/readyz', '/metrics'):
            api.get(path, expect=200)
        self.assertIn('lorry_commits_total', api.get('/metrics').body.decode())
        for slug in (n for n, e in doc['components']['examples'].items() if 'type' in e['value']):
            api.get(f'/problems/{slug}', expect=200)
        api.get('/problems/rain', expect=404)
        api.problem(426, 'upgrade-required', 'GET', '/v1/ws')
        api.problem(404, 'not-found', 'GET', '/v1/nothing')
        api.problem(405, 'method-not-allowed', 'DELETE', '/v1/me/export')
        api.problem(400, 'malformed-json', 'POST', '/v1/auth/login', b'{')
        api.problem(415, 'unsupported-media-type', 'POST', '/v1/auth/login', b'a', headers=[('Content-Type', 'text/plain')])


    def test_places(self):
        api = server.api()
        basemap = api.get('/v1/map', expect=200).json
        west, south, east, north = basemap['bounds']
        self.assertTrue(west < 11.975 < east and south < 57.709 < north, basemap)
        tile = api.get('/v1/map/tiles/14/8736/4959', expect=200)
        self.assertEqual(tile.header('content-type'), 'application/vnd.mapbox-vector-tile')
        api.get('/v1/map/tiles/14/0/0', expect=204)
        api.problem(404, 'not-found', 'GET', '/v1/map/tiles/14/0/16384')
        found = customer.get('/v1/places?q=ostra', expect=200).json['items']
        self.assertEqual([p['label'] for p in found], ['Östra gatan'])
        self.assertIn(found[0]['detail'], ('Norra gatan', 'Södra gatan'))
        near = driver.get('/v1/places/near?lat=57.7084&lng=11.975', expect=200).json
        self.assertEqual((near['label'], near['detail']), ('Norra gatan', 'Västra gatan'))
        customer.problem(404, 'not-found', 'GET', '/v1/places/near?lat=0&lng=0')

    def test_files(self):
        as_png = [('Content-Type', 'image/png')]
        made = customer.post('/v1/files', png(3, 2), key='picture-1', headers=as_png, expect=201)
        self.assertEqual((made.json['type'], made.json['width'], made.json['height']), ('image/png', 3, 2))
        again = customer.post('/v1/files', png(3, 2), key='picture-1', headers=as_png, expect=201)
        self.assertEqual(again.json, made.json)
        customer.problem(422, 'idempotency-mismatch', 'POST', '/v1/files', png(3, 3), key='picture-1', headers=as_png)
        customer.problem(422, 'invalid-request', 'POST', '/v1/files', png(3, 2)[:-9], headers=as_png)
        customer.problem(415, 'unsupported-media-type', 'POST', '/v1/files', b'{}')
        large = bytes(8 * 1024 * 1024)
        customer.problem(422, 'invalid-request', 'POST', '/v1/files', large, headers=as_png)
        customer.problem(413, 'payload-too-large', 'POST', '/v1/files', large + b'x', headers=as_png)
        customer.problem(413, 'payload-too-large', 'POST', '/v1/quotes', large)
        at = made.header('location')
        self.assertEqual(at, f'/v1/files/{made.json["id"]}')
        back = customer.get(at, expect=200)
        self.assertEqual(hashlib.sha256(back.body).hexdigest(), made.json['sha256'])
        customer.get(at, headers=[('If-None-Match', back.header('etag'))], expect=304)
        driver.problem(404, 'not-found', 'GET', at)
        server.api().problem(401, 'unauthenticated', 'GET', at)


def png(width, height):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = zlib.compress(b''.join(b'\0' + bytes(3 * width) for _ in range(height)))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>2I5B', width, height, 8, 2, 0, 0, 0)) +
            chunk(b'IDAT', rows) + chunk(b'IEND', b''))


class Socket(unittest.TestCase):
    def test_frames(self):
        at = (-40.0, -70.0)
        kim = server.driver(at=at, vehicle='truck', name='Kim Ek', admin=admin)
        buyer = server.register('customer')
        with WatchedSocket(server, buyer.token) as socket:
            self.assertEqual(socket.handshake.status, 101)
            witness.seen.add(('openSocket', 101))
            socket.expect('ready')
            booking = buyer.book(at, (-40.01, -70.01), vehicle='truck')
            socket.send({'type': 'watch', 'booking_id': booking['id']})
            socket.expect('watching')
            kim.accept(booking['id'])
            kim.fix(at, speed_mps=3.5, bearing_deg=90)
            socket.expect('position')
            self.assertEqual(len(socket.expect('eta')['data']['stops']), 2)
            socket.send({'type': 'unwatch', 'booking_id': booking['id']})
            socket.expect('unwatched')
            buyer.post(f'/v1/bookings/{booking["id"]}/cancel', expect=200)
            socket.expect('booking.updated', lambda m: m['data']['state'] == 'cancelled')
        self.drivers_side(kim, at, buyer)
        self.staffs_side()

    def drivers_side(self, kim, at, buyer):
        with WatchedSocket(server) as socket:
            socket.send({'type': 'auth', 'token': kim.token})
            seq = socket.expect('ready')['seq']
            socket.send({'type': 'auth', 'token': kim.token})
            socket.expect('renewed')
            socket.send({'type': 'resume', 'after': 0})
            socket.expect('resumed')
            booking = buyer.book(at, (-40.01, -70.01), vehicle='truck')
            offer = socket.expect('offer.made', lambda m: m['seq'] > seq)['data']
            kim.post(f'/v1/bookings/{booking["id"]}/decline', {'offer_id': offer['id']}, expect=204)
            socket.expect('offer.closed', lambda m: m['data']['id'] == offer['id'])
            buyer.post(f'/v1/bookings/{booking["id"]}/cancel', expect=200)
            fix = {'at': rfc3339(time.time()), 'lat': at[0], 'lng': at[1]}
            socket.send({'type': 'location', 'id': 7, 'fixes': [fix, {}]})
            self.assertEqual(socket.expect('ack')['id'], 7)
            for wrong in ({'type': 'location', 'id': 8, 'fixes': []}, {'type': 'location', 'id': -1, 'fixes': [fix]},
                          {'type': 'location', 'id': 2**53, 'fixes': [fix]}, {'type': 'resume', 'after': -1},
                          {'type': 'watch', 'bbox': [1, 2, 3, 4]}, {'type': 'hello'}):
                socket.send(wrong)
                socket.expect('error')
            socket.send({'type': 'ping'})
            socket.expect('pong')
            for to in ({'status': 'suspended', 'reason': 'complaints'}, {'status': 'approved'}):
                admin.patch(f'/v1/drivers/{kim.driver_id}', to, expect=200)
                socket.expect('driver.notice', lambda m: m['data']['kind'] == to['status'])
            kim.post('/v1/driver/duty', {'duty': 'on'}, expect=200)
            kim.fix(at, speed_mps=3.5, bearing_deg=90)

    def staffs_side(self):
        with WatchedSocket(server, dispatcher.token) as socket:
            seq = socket.expect('ready')['seq']
            socket.send({'type': 'watch', 'bbox': [-180, -90, 180, 90]})
            socket.expect('position', lambda m: 'driver_id' in m['data'])
            socket.send({'type': 'resume', 'after': seq + 1000})
            socket.expect('gap')
        with WatchedSocket(server, dispatcher.token) as socket:
            socket.expect('ready')
            self.nobody_takes()
            socket.expect('alert.updated', lambda m: m['data']['kind'] == 'unassigned')

    def nobody_takes(self):
        who = server.register('customer')
        return who.book((-41.0, -71.0), (-41.01, -71.01), vehicle='truck')


def filled(path):
    """The path with ids of nothing that there is."""
    kinds = {'/users/': 'usr', 'drivers/': 'drv', '/me/places/': 'plc', '-imports/': 'imp', '/recurrences/': 'rec'}
    prefix = next((kind for part, kind in kinds.items() if part in path), 'bkg')
    path = path.replace('{entry_id}', 'cse' + NOBODY)
    return path.replace('{id}', prefix + NOBODY).replace('{token}', 'A' * 48).replace('{slug}', 'not-found').replace('{code}', 'NONE')


class Everywhere(unittest.TestCase):
    """What holds for every operation; requests that can change nothing."""

    def test_roles(self):
        people = {'customer': customer, 'driver': driver, 'dispatcher': dispatcher, 'admin': admin}
        for (method, path), op in surface.operations(doc).items():
            body = {'nothing': 1} if 'requestBody' in op else None
            for role, who in [*people.items(), (None, server.api())]:
                if op['x-roles'] == [] and role is not None:
                    continue
                with self.subTest(f'{method} {path} as {role}'):
                    a = who.call(method, filled(path), body)
                    if op.get('x-device-token'):  # what is public of it is that nobody need be signed in
                        self.assertIn(a.status, (401, 422))
                    elif op['x-roles'] == []:
                        self.assertNotIn(a.status, (401, 403))
                    elif role is None:
                        self.assertEqual(a.status, 401)
                    elif role in op['x-roles']:
                        self.assertNotIn(a.status, (401, 403))
                    else:
                        self.assertEqual((a.status, a.type), (403, 'forbidden'))

    def test_scopes(self):
        """Each role's keys, each with one scope, on each route: what fits goes through, all else does not."""
        people = {'customer': customer, 'driver': driver, 'dispatcher': dispatcher, 'admin': admin}
        scopes = {op['x-scope'] for op in surface.operations(doc).values() if 'x-scope' in op}
        scopes |= {s.partition(':')[0] + ':write' for s in scopes}
        for role, who in people.items():
            for scope in sorted(scopes - {'account:read', 'account:write'}):
                made = who.post('/v1/api-keys', {'name': scope, 'scopes': [scope]}, expect=201).json
                machine = server.api()
                machine.token = made['key']
                for (method, path), op in surface.operations(doc).items():
                    if op['x-roles'] == [] or (op.get('x-scope') != scope and zlib.crc32((path + scope).encode()) % 4):
                        continue
                    with self.subTest(f'{method} {path} as {role} with {scope}'):
                        a = machine.call(method, filled(path), {'nothing': 1} if 'requestBody' in op else None)
                        if role in op['x-roles'] and op.get('x-scope') == scope:
                            self.assertNotIn(a.status, (401, 403))
                        else:
                            self.assertEqual((a.status, a.type), (403, 'forbidden'))
                who.delete(f'/v1/api-keys/{made["id"]}', expect=204)
                self.assertEqual(machine.get('/v1/bookings').status, 401)

    def test_query_parameters_are_read(self):
        people = {'customer': customer, 'driver': driver, 'dispatcher': dispatcher, 'admin': admin}
        for (method, path), op in surface.operations(doc).items():
            query = surface.parameters(doc, op, 'query')
            needed = ''.join(f'&{n}={p["example"]}' for n, p in query.items() if p.get('required'))
            for name, p in query.items():
                schema = surface.follow(doc, p['schema'])
                bad = '' if 'minLength' in schema else BAD  # any words are good to search by
                values = [bad] + [schema[m] + d for m, d in (('minimum', -1), ('maximum', 1)) if m in schema]
                for value in values:
                    with self.subTest(f'{method} {path} {name}={value}'):
                        who = people[op['x-roles'][-1]] if op['x-roles'] else server.api()
                        a = who.call(method, f'{filled(path)}?{name}={value}{needed}', KEYED.get(op['operationId']))
                        wanted = (401, 'unauthenticated') if name == op.get('x-device-token') else (422, 'bad-parameter')
                        self.assertEqual((a.status, a.type), wanted)

    def test_bodies_are_read(self):
        people = {'customer': customer, 'driver': driver, 'dispatcher': dispatcher, 'admin': admin, None: server.api()}
        for (method, path), op in surface.operations(doc).items():
            if 'application/json' in op.get('requestBody', {}).get('content', {}):
                with self.subTest(f'{method} {path}'):
                    a = people[(op['x-roles'] or [None])[0]].call(method, filled(path), b'{')
                    self.assertEqual((a.status, a.type), (400, 'malformed-json'))

    def test_headers_are_read(self):
        people = {'customer': customer, 'driver': driver, 'dispatcher': dispatcher, 'admin': admin}
        file = driver.post('/v1/files', png(3, 2), headers=[('Content-Type', 'image/png')], expect=201).json
        KEYED['sendDocument'] = {'kind': 'licence', 'file_id': file['id']}  # a file is looked at before the headers are
        for (method, path), op in surface.operations(doc).items():
            if 'Idempotency-Key' in surface.parameters(doc, op, 'header'):
                with self.subTest(f'{method} {path}'):
                    who, body = people[op['x-roles'][0]], KEYED[op['operationId']]
                    kind = [('Content-Type', 'image/png')] if isinstance(body, bytes) else []
                    a = who.call(method, filled(path), body, key='no spaces', headers=kind)
                    self.assertEqual((a.status, a.type), (422, 'bad-parameter'), (method, path))
            if 'If-Match' in surface.parameters(doc, op, 'header'):
                with self.subTest(f'{method} {path} If-Match'):
                    who, body = people[op['x-roles'][0]], KEYED[op['operationId']]
                    a = who.call(method, filled(path), body, if_match='1')
                    self.assertEqual((a.status, a.type), (412, 'precondition-failed'))


TARIFFS = {'currency': 'SEK', 'items': [{'vehicle': 'van', 'base': 1, 'per_km': 1, 'per_minute': 1, 'minimum': 1}]}
# Bodies that get as far as the headers, which are looked at once the body is sound.
KEYED = {'updateMe': {'name': 'A'}, 'createQuotes': {'stops': STOPS}, 'createBooking': {'quote_id': f'qte{NOBODY}'},
         'cancelBooking': {}, 'acceptOffer': {'offer_id': f'ofr{NOBODY}'}, 'declineOffer': {'offer_id': f'ofr{NOBODY}'},
         'unassignDriver': {'reason': 'stuck'}, 'releaseBooking': {'reason': 'a puncture'},
         'setStatus': {'status': 'delivered'}, 'rateBooking': {'stars': 5}, 'assignDriver': {'driver_id': f'drv{NOBODY}'},
         'putDriver': {'vehicle': {'class': 'car', 'plate': 'A', 'capacity_kg': 8}}, 'setDuty': {'duty': 'on'},
         'updateUser': {'role': 'driver'}, 'patchWebhook': {}, 'deleteWebhook': None,
         'putNotificationPreferences': {'email': [], 'message': []},
         'putServiceArea': {'area': None}, 'previewServiceArea': {'area': None}, 'putTariffs': TARIFFS, 'previewTariffs': TARIFFS,
         'patchDriver': {'status': 'approved'}, 'uploadFile': png(3, 2), 'acknowledgeAlert': {}, 'giveProof': {'stop': 0, 'name': 'Bo'}}
# Of what recurs.
KEYED.update({'createRecurrence': {'stops': STOPS, 'vehicle': 'van', 'weekdays': ['mon'], 'pickup': {'from': '08:00', 'to': '10:00'}},
              'patchRecurrence': {}, 'skipOccurrence': {'date': '2030-01-01'}, 'unskipOccurrence': {'date': '2030-01-01'},
              'bookOccurrence': {'date': '2030-01-01'}})
# Of those who drive.
KEYED.update({'addVehicle': {'class': 'car', 'plate': 'A'}, 'changeVehicle': {'class': 'car', 'plate': 'A'},
              'addDriverVehicle': {'class': 'car', 'plate': 'A'}, 'changeDriverVehicle': {'class': 'car', 'plate': 'A'},
              'removeDriverVehicle': None, 'removeVehicle': None, 'useVehicle': None, 'putSchedule': {'shifts': []}, 'putDriverSchedule': {'shifts': []},
              'reviewDocument': {'decision': 'approved'}})
# Of those who give something off.
KEYED.update({'createPromoCode': {'code': 'KEYED', 'percent': 1}, 'patchPromoCode': {}, 'endPromoCode': None})
# Of those who take cash.
KEYED.update({'putStopNote': {'stop': 1, 'note': 'x'}, 'changeStops': {'stops': [{'index': 0}, {'index': 1}], 'stops_revision': 0}, 'confirmCollection': {'stop': 1, 'amount': 1}, 'reverseSettlement': {'reason': 'miscounted'},
              'settleCash': {'kind': 'kept', 'amount': 1, 'balance': 1}})
# Of those who send files.
KEYED.update({'importBookings': {'rows': [{}]}, 'cancelImport': None})
# Of those who book for later, and again.
SAVED = {'label': 'Home', 'lat': 57.7, 'lng': 11.97}
KEYED.update({'addFavouriteDriver': {'booking_id': f'bkg{NOBODY}'}, 'savePlace': SAVED, 'putSavedPlace': SAVED,
              'reschedule': {'pickup_window': {'from': rfc3339(time.time() + 7200), 'to': rfc3339(time.time() + 10800)}}})


if __name__ == '__main__':
    lorry.main(at_once=4)
