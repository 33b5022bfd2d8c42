"""The server under attack: malformed, oversized, out-of-order and slow requests by the hundred. Each gets the right
problem document with its request id, nothing is changed (what everybody can see through the API is compared), the
server stays up and its memory bounded."""
import concurrent.futures
import gzip
import json
import os
import random
import socket
import time
import unittest
import zlib

import lorry
from lorry import PASSWORD, UNLIMITED, Connection, Server, WebSocket, check_answer, request_bytes, rfc3339, until

SEED = int(os.environ.get('LORRY_TEST_SEED', str(random.randrange(1 << 30))))
RSS_KB_MAX = 160 * 1024  # far above what it needs, far below what would be a leak; plain builds only
NOBODY = '01J0000000000000000000000A'


def setUpModule():
    global server, admin, dispatcher, customer, driver, rider, booking, assigned, rss_kb
    lorry.say(f'LORRY_TEST_SEED={SEED} does the same again')
    server = Server('--driver-approval', 'auto', '--search-timeout-s', 3600, '--offer-timeout-s', 3600, '--search-radius-m', 200,
                    '--search-radius-max-m', 200, '--log-level', 'warn', *UNLIMITED)
    admin, dispatcher, customer = server.staff('admin'), server.staff('dispatcher'), server.register()
    driver = server.driver((10, 10), name='Driver of the other end')  # offered: nothing; assigned by hand
    rider = server.register('driver')
    rider.get('/v1/driver', expect=200)
    booking = customer.book()
    assigned = customer.book((20, 20), (20.01, 20))
    dispatcher.post(f'/v1/bookings/{assigned["id"]}/assign', {'driver_id': driver.driver_id}, expect=200)
    until(lambda: driver.get('/v1/driver').json['duty'] == 'busy', 'the driver is busy')
    time.sleep(0.5)
    rss_kb = server.rss_kb()


def tearDownModule():
    try:
        assert server.alive(), f'the server has died:\n{server.log()[-3000:]}'
        used = server.rss_kb()
        lorry.say(f'memory: {rss_kb // 1024} MB before, {used // 1024} MB after')
        assert used < RSS_KB_MAX or lorry.SLOW > 1, f'{used} kB'
        assert server.stop() == 0
    finally:
        server.close()


def world():
    """What everybody sees. Positions and versions included: whatever changes anything changes this."""
    bookings = [dispatcher.booking(b['id']) for b in dispatcher.pages('/v1/bookings', 100)]
    for each in bookings:  # only an estimate, and it moves with the clock
        for stop in each['stops']:
            stop['eta'] = None
    return json.dumps({
        'users': admin.pages('/v1/users', 200),
        'bookings': bookings,
        'timelines': [dispatcher.get(f'/v1/bookings/{b["id"]}/timeline').json for b in bookings],
        'drivers': dispatcher.pages('/v1/drivers', 200),
        'fleet': dispatcher.get('/v1/fleet', expect=200).json,
        'trails': [dispatcher.get(f'/v1/drivers/{d}/trail').json for d in (driver.driver_id, 'drv' + rider.user['id'][3:])],
        'inboxes': [who.get('/v1/notifications?limit=200').json['items'] for who in (customer, driver, dispatcher)],
        'earnings': driver.get('/v1/driver/earnings').json}, indent=1)


class Attack(unittest.TestCase):
    """After each attack the world is as it was."""

    def setUp(self):
        self.before = world()

    def tearDown(self):
        self.assertTrue(server.alive())
        self.assertEqual(world(), self.before)

    def client_error(self, answer, *statuses):
        self.assertIn(answer.status, statuses or range(400, 500), answer)
        self.assertEqual(answer.header('content-type'), 'application/problem+json', answer)
        return answer


# Every route that takes a body: who may, method, path, a body that is right but for what is asked to be wrong with it,
# and the members by the kind they must have.
def routes():
    place = {'lat': 57.7, 'lng': 11.9}
    fix = {'at': rfc3339(time.time()), 'lat': 57.7, 'lng': 11.9}
    gone = f'/v1/bookings/bkg_{NOBODY}'
    quotes = {'stops': [place, place | {'lat': 57.8}], 'vehicle': 'van', 'goods': [{'name': 'box', 'handling': ['cold']}]}
    goods_kinds = {'/goods': 'list', '/goods/0': 'object!', '/goods/0/name': 'text!', '/goods/0/weight_g': 'whole',
                   '/goods/0/volume_cm3': 'whole', '/goods/0/count': 'whole', '/goods/0/handling': 'list', '/goods/0/handling/0': 'word!'}
    quote_kinds = {'/stops': 'list!', '/stops/0': 'object!', '/stops/0/lat': 'number!', '/stops/1/lng': 'number!',
                   '/stops/0/address': 'text', '/vehicle': 'word', '/promo_code': 'text'} | goods_kinds
    return [
        (server.api(), 'POST', '/v1/auth/register', {'email': 'not@there.example', 'password': PASSWORD, 'name': 'X', 'role': 'customer'},
         {'/email': 'text!', '/password': 'text!', '/name': 'text!', '/role': 'word!', '/phone': 'text'}),
        (server.api(), 'POST', '/v1/auth/refresh', {'refresh_token': 'x'}, {'/refresh_token': 'text!'}),
        (server.api(), 'POST', '/v1/auth/logout', {'refresh_token': 'x'}, {'/refresh_token': 'text!'}),
        (customer, 'PATCH', '/v1/me', {}, {'/name': 'text', '/phone': 'text'}),
        (admin, 'PATCH', f'/v1/users/{admin.user["id"]}', {}, {'/role': 'word', '/disabled': 'bool'}),
        (customer, 'POST', '/v1/quotes', quotes, quote_kinds),
        (customer, 'POST', '/v1/bookings', {'quote_id': f'qte_{NOBODY}', 'goods': quotes['goods']},
         {'/quote_id': 'id!', '/notes': 'text', '/payment': 'word', '/stops': 'list', '/stops/0': 'object!', '/stops/0/contact': 'object',
          '/stops/0/contact/name': 'text', '/stops/0/contact/phone': 'text'} | goods_kinds),
        (admin, 'POST', '/v1/promo-codes', {'code': 'HOSTILE', 'percent': 1, 'vehicles': ['van'], 'zones': ['town']},
         {'/code': 'text!', '/percent': 'whole!', '/cap': 'whole', '/minimum_total': 'whole', '/uses_max': 'whole',
          '/uses_per_customer_max': 'whole', '/note': 'text', '/zones': 'list', '/vehicles': 'list', '/vehicles/0': 'word!',
          '/first_only': 'bool'}),
        (admin, 'PATCH', '/v1/promo-codes/HOSTILE', {}, {'/note': 'text', '/minimum_total': 'whole', '/uses_max': 'whole',
                                                         '/uses_per_customer_max': 'whole'}),
        (customer, 'POST', gone + '/cancel', {}, {'/reason': 'text', '/version': 'whole'}),
        (driver, 'POST', gone + '/accept', {'offer_id': f'ofr_{NOBODY}'}, {'/offer_id': 'id!'}),
        (driver, 'POST', gone + '/decline', {'offer_id': f'ofr_{NOBODY}'}, {'/offer_id': 'id!', '/reason': 'text'}),
        (driver, 'POST', gone + '/status', {'status': 'delivered'}, {'/status': 'word!', '/stop': 'whole', '/version': 'whole', '/reason': 'text'}),
        (customer, 'POST', gone + '/rating', {'stars': 5}, {'/stars': 'whole!', '/comment': 'text', '/version': 'whole'}),
        (dispatcher, 'POST', gone + '/assign', {'driver_id': f'drv_{NOBODY}'}, {'/driver_id': 'id!', '/version': 'whole'}),
        (driver, 'PUT', '/v1/driver', {'vehicle': {'class': 'van', 'plate': 'ABC123', 'capacity_kg': 800}},
         {'/vehicle': 'object!', '/vehicle/class': 'word!', '/vehicle/plate': 'text!', '/vehicle/capacity_kg': 'whole'}),
        (driver, 'POST', '/v1/driver/duty', {'duty': 'on'}, {'/duty': 'word!'}),
        (admin, 'PATCH', f'/v1/drivers/drv_{NOBODY}', {'status': 'approved'}, {'/status': 'word!', '/reason': 'text'}),
        (rider, 'POST', '/v1/driver/locations', {'fixes': [fix]}, {'/fixes': 'fixes!'}),
    ]


# JSON text that is none of a kind. "!" at a kind says that the member must be there, so that null is wrong, too.
WRONG = {
    'text': ['1', '-0.5', 'true', '[]', '{}', '["x"]', '"\\ud800"', '"\\u0000"', '"' + 'x' * 70000 + '"'],
    'word': ['1', 'true', '[]', '{}', '""', '"nothing like it"', '"VAN"', '" van"', '"van\\u0000"', '"' + 'v' * 70000 + '"'],
    'id': ['1', 'true', '[]', '{}', '""', '"x"', f'"usr_{NOBODY}"', f'"qte_{NOBODY}x"', f'"qte_{NOBODY.lower()}"', '"qte_' + 'Z' * 26 + '"',
           '"' + '0' * 70000 + '"'],
    'bool': ['1', '0', '"true"', '[]', '{}'],
    'whole': ['"1"', '1.5', 'true', '[]', '{}', '-1', '9223372036854775808', '-9223372036854775809', '18446744073709551616', '1e19', '1e400',
              '9' * 400],
    'number': ['"57"', 'true', '[]', '{}', '1e3', '-91e1', '1e400', '9' * 400, '18446744073709551616', '57.7.7', 'NaN', '-Infinity'],
    'object': ['1', '"x"', 'true', '[]', '[{}]'],
    'fixes': ['1', '"x"', 'true', '{}', '{"0":1}', '[]'],
    'list': ['1', '"x"', 'true', '{}', '{"0":1}', '[null]', '[[]]', '[1]'],
}


def put(body, pointer, raw):
    """BODY as JSON text with RAW at POINTER."""
    body, mark = json.loads(json.dumps(body)), 'the-mark-of-' + pointer
    at, parts = body, pointer.split('/')[1:]
    for here, following in zip(parts, parts[1:] + [None]):
        key = int(here) if isinstance(at, list) else here
        if following is None:
            if isinstance(at, list) and key == len(at):
                at.append(None)
            at[key] = mark
        else:
            fresh = [] if following.isdigit() else {}
            if isinstance(at, list) and key == len(at):
                at.append(fresh)
            elif isinstance(at, dict):
                at.setdefault(key, fresh)
            at = at[key]
    return json.dumps(body).replace(json.dumps(mark), raw)


class WrongBodies(Attack):
    def test_every_member_of_every_body(self):
        """Each member with each thing it may not be: refused, and by its pointer."""
        count = 0
        for who, method, path, body, kinds in routes():
            for pointer, kind in kinds.items():
                wrong = WRONG[kind.rstrip('!')] + (['null'] if kind.endswith('!') else [])
                for raw in wrong:
                    answer = self.client_error(who.call(method, path, put(body, pointer, raw).encode()), 400, 422)
                    count += 1
                    if answer.status == 422 and path != '/v1/driver/locations':
                        pointers = [e['pointer'] for e in answer.json['errors']]
                        self.assertTrue(any(p.startswith(pointer) for p in pointers), f'{method} {path} {pointer} {raw[:60]} → {answer}')
        self.assertGreater(count, 300)
        lorry.say(f'{count} wrong members')

    def test_members_missing(self):
        for who, method, path, body, kinds in routes():
            for pointer, kind in kinds.items():
                if not kind.endswith('!') or pointer.count('/') != 1:
                    continue
                less = {k: v for k, v in body.items() if k != pointer[1:]}
                answer = self.client_error(who.call(method, path, less), 422)
                self.assertIn(pointer, [e['pointer'] for e in answer.json['errors']])

    def test_no_json_at_all(self):
        deep = 20000
        texts = [b'', b' ', b'{', b'}', b'[', b'nul', b'tru', b'{"a":1', b'{"a":1,}', b'{"a" 1}', b'{a:1}', b"{'a':1}", b'{"a":01}', b'{"a":1.}',
                 b'{"a":.5}', b'{"a":+1}', b'{"a":1e}', b'{"a":--1}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":0x10}', b'[1 2]', b'[1,]', b'{"a":1}}',
                 b'{"a":1}{"b":2}', b'{"a":1} x', b'{"a":"\x01"}', b'{"a":"\n"}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":"\\ud800x"}',
                 b'{"a":"\xff"}', b'{"a":"\xc0\x80"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xe2\x82"}', b'\xef\xbb\xbf[',
                 '{"a":1}'.encode('utf-16'), b'\x00', b'{"a":\x00}', b'{}\x00', b'// x\n{}', b'/**/{}', b'[' * deep, b'{"a":' * deep,
                 b'[' * deep + b']' * deep, b'"' + b'x' * 100000, b'<xml/>', b'a=1&b=2', b'\x80\x04\x95', random.Random(SEED).randbytes(5000)]
        for who, method, path in ((customer, 'POST', '/v1/quotes'), (rider, 'POST', '/v1/driver/locations'), (server.api(), 'POST', '/v1/auth/login')):
            for text in texts:
                answer = self.client_error(who.call(method, path, text), 400)
                self.assertEqual(answer.type, 'malformed-json', (text[:40], answer))
                self.assertRegex(answer.json['detail'], r'^line \d+, column \d+: .')
        answer = customer.call('POST', '/v1/quotes', b'{\n  "stops": [\n    oops\n  ]\n}')
        self.assertTrue(answer.json['detail'].startswith('line 3, column '), answer)

    def test_not_an_object(self):
        for text in (b'1', b'"x"', b'null', b'true', b'[]', b'[{}]'):
            for who, path in ((customer, '/v1/quotes'), (rider, '/v1/driver/locations'), (server.api(), '/v1/auth/login')):
                self.client_error(who.call('POST', path, text), 422)

    def test_the_same_member_twice(self):
        quote = '{"vehicle":"van","stops":[{"lat":57.7,"lng":11.9},{"lat":57.8,"lng":11.9}],"vehicle":"car"}'
        login = '{"email":"a@example.com","password":"x","email":"b@example.com"}'
        fixes = f'{{"fixes":[{{"at":"{rfc3339(time.time())}","lat":1,"lng":1}}],"fixes":[]}}'
        for who, path, text in ((customer, '/v1/quotes', quote), (server.api(), '/v1/auth/login', login), (rider, '/v1/driver/locations', fixes)):
            self.client_error(who.call('POST', path, text.encode()), 400, 422)

    def test_fixes_that_are_none(self):
        now = rfc3339(time.time())
        fixes = ['null', '1', '[]', '{}', '"x"', f'{{"at":"{now}","lat":57.7}}', f'{{"at":"{now}","lat":"57.7","lng":11}}', f'{{"at":"{now}","lat":91,"lng":11}}',
                 f'{{"at":"{now}","lat":57,"lng":1e400}}', f'{{"at":{time.time()},"lat":57,"lng":11}}', '{"at":"1969-12-31T23:59:59Z","lat":57,"lng":11}',
                 '{"at":"9999-12-31T23:59:59Z","lat":57,"lng":11}', '{"at":"2026-02-30T00:00:00Z","lat":57,"lng":11}', '{"at":"","lat":57,"lng":11}',
                 f'{{"at":"{now}","lat":57,"lng":11,"speed_mps":-1}}', f'{{"at":"{now}","lat":57,"lng":11,"speed_mps":"fast"}}',
                 f'{{"at":"{now}","lat":57,"lng":11,"bearing_deg":361}}', f'{{"at":"{now}","lat":57,"lng":11,"accuracy_m":-1}}',
                 f'{{"at":"{now}","lat":57,"lng":11,"lat":58}}']
        text = '{"fixes":[' + ','.join(fixes) + ']}'
        answer = rider.call('POST', '/v1/driver/locations', text.encode())
        if answer.status == 200:
            self.assertEqual(answer.json['stored'], 0, answer)
            self.assertEqual([r['index'] for r in answer.json['rejected']], list(range(len(fixes))))
        else:
            self.client_error(answer, 400, 422)
        for fix in fixes:
            answer = rider.call('POST', '/v1/driver/locations', f'{{"fixes":[{fix}]}}'.encode())
            if answer.status == 200:
                self.assertEqual((answer.json['stored'], len(answer.json['rejected'])), (0, 1), fix)
            else:
                self.client_error(answer, 400, 422)

    def test_sizes(self):
        limit = 1 << 20
        head = b'{"stops":[],"vehicle":"van","x":"'
        exact = head + b'x' * (limit - len(head) - 2) + b'"}'
        self.assertEqual(len(exact), limit)
        self.client_error(customer.call('POST', '/v1/quotes', exact), 422)
        self.client_error(customer.call('POST', '/v1/quotes', exact[:-2] + b'x"}'), 413)
        fixes = json.dumps({'fixes': [{'at': rfc3339(time.time() + i), 'lat': 1.0, 'lng': 1.0} for i in range(1001)]}).encode()
        self.client_error(rider.call('POST', '/v1/driver/locations', fixes), 422)
        many = b'[' + b'0,' * (limit // 2 - 2) + b'0]'
        self.client_error(customer.call('POST', '/v1/quotes', many), 400, 422)
        members = b'{' + b','.join(b'"k%d":0' % i for i in range(80000)) + b'}'
        self.client_error(customer.call('POST', '/v1/quotes', members), 400, 422)
        stops = json.dumps({'stops': [{'lat': 57.7, 'lng': 11.9}] * 20000}).encode()
        self.client_error(customer.call('POST', '/v1/quotes', stops), 422)

    def test_media_types(self):
        body = b'{"stops":[]}'
        for kind in ('text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '', 'json',
                     'application/jsonx', 'application', '/', 'application/json,text/plain'):
            answer = customer.call('POST', '/v1/quotes', body, headers=[('Content-Type', kind)])
            self.assertEqual((answer.status, answer.type), (415, 'unsupported-media-type'), kind)
        for kind in ('application/json; charset=utf-8', 'APPLICATION/JSON', 'application/merge-patch+json'):
            self.client_error(customer.call('POST', '/v1/quotes', body, headers=[('Content-Type', kind)]), 422)
        for coding, packed in (('gzip', gzip.compress(body)), ('deflate', zlib.compress(body)), ('br', body), ('identity, gzip', body)):
            answer = customer.call('POST', '/v1/quotes', packed, headers=[('Content-Encoding', coding)])
            self.assertEqual(answer.status, 415, coding)
        self.client_error(customer.call('POST', '/v1/quotes'), 400, 415)
        bomb = gzip.compress(b'\x00' * 50_000_000)
        self.client_error(customer.call('POST', '/v1/quotes', bomb, headers=[('Content-Encoding', 'gzip')]), 415)


class WrongTargets(Attack):
    def test_paths(self):
        tree = ['/%00', '/v1/bookings/%00', '/v1/bookings/%2e%2e', '/v1/../v1/me', '/v1/./me', '//v1/me', '/v1/me/', '/v1/me%20', '/V1/ME', '/v1/me;x=1',
                '/v1/bookings/..%2f..%2fetc%2fpasswd', '/etc/passwd', '/v1/bookings/bkg_' + 'A' * 5000, '/v1/bookings/' + '%41' * 2000,
                '/v1/track/' + 'a' * 48, '/v1/track/' + 'A' * 7000, '/v1/track/%ff%fe', '/v1/bookings/%c0%ae', '/v1/drivers/%zz/trail', '/v1/users/%',
                '/problems/../v1/me', '/problems/' + 'x' * 3000, '/v1/bookings/' + '/'.join('x' * 1000), "/v1/bookings/' OR 1=1 --".replace(' ', '%20'),
                '/v1/bookings/{id}', '/v1/bookings/\\..\\x', '/v1/me\x7f', '/v1/drivers/nearby/x', '/v1/track/' + '.' * 48]
        for path in tree:
            for who in (customer, server.api()):
                with Connection(server) as c:
                    headers = [('Authorization', f'Bearer {who.token}')] if who.token else []
                    c.send(request_bytes('GET', path, None, headers))
                    answer = check_answer(c.answer())
                    if answer.status == 200 and not path.startswith(('/v1/', '/problems/')):
                        self.assertIn(b'<!doctype html>', answer.body) # where the web app is built, it says that there is no such page
                    else:
                        self.client_error(answer, 400, 401, 403, 404, 405, 414)

    def test_queries(self):
        junk = ['limit=-1', 'limit=1e3', 'limit=%31%00', 'limit=', 'limit=1&limit=2000', 'limit=99999999999999999999', 'cursor=' + 'A' * 5000, 'cursor=%00',
                'cursor=AAAA', 'cursor=..', 'cursor=' + 'Z' * 36, 'state=', 'state=,', 'state=active,,', 'state=' + 'active,' * 700, 'state=%F0%9F%9A%9A', '%', '&&&&',
                '=', '?', 'limit=1%', 'limit=%zz', "state=active'--"]
        for query in junk:
            for path in ('/v1/bookings', '/v1/notifications'):
                answer = customer.get(f'{path}?{query}')
                if answer.status != 200:
                    self.client_error(answer, 400, 414, 422)
            answer = admin.get(f'/v1/users?{query}')
            if answer.status != 200:
                self.client_error(answer, 400, 414, 422)
        for query in ('lat=1', 'lat=1&lng=', 'lat=1&lng=nan', 'lat=inf&lng=1', 'lat=0x1p3&lng=1', 'lat=1e99&lng=1', 'lat=1,5&lng=1', 'lat=%201&lng=1',
                      'lat=1&lng=1&radius_m=1e9', 'lat=1&lng=1&radius_m=-5', 'lat=1&lng=1&limit=0', 'lat=1&lng=1&vehicle=', 'lat=' + '1' * 3000 + '&lng=1'):
            self.client_error(customer.get('/v1/drivers/nearby?' + query), 422)
        trail = f'/v1/drivers/{driver.driver_id}/trail?'
        for query in ('from=x', 'to=2026-13-01T00:00:00Z', 'from=2026-01-01T00:00:00+00:00', 'cursor=' + 'z' * 40, 'limit=0', 'from=' + '9' * 200):
            self.client_error(dispatcher.get(trail + query), 422)
        for query in ('from=0000-00-00', 'from=2026-01-01&to=2020-01-01', 'from=1900-01-01&to=2026-01-01', 'to=x', 'from=9999-99-99'):
            self.client_error(driver.get('/v1/driver/earnings?' + query), 422)
        for query in ('after=-1', 'after=x', 'after=1e5', 'after=99999999999999999999'):
            self.client_error(customer.get('/v1/notifications?' + query), 422)

    def test_methods(self):
        for method in ('DELETE', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'LINK', 'M-SEARCH', 'SUBSCRIBE'):
            with Connection(server) as c:
                c.send(request_bytes(method, '/v1/bookings', None, [('Authorization', f'Bearer {customer.token}')]))
                answer = self.client_error(check_answer(c.answer(method)), 405)
                self.assertEqual(set(answer.header('allow').split(', ')), {'GET', 'POST'})
        for method in ('BREW', 'get', 'GETT', 'CONNECT', 'PRI', 'X' * 100):
            with Connection(server) as c:
                c.send(request_bytes(method, '/v1/bookings'))
                answer = check_answer(c.answer(method))
                self.assertIn(answer.status, (400, 501, 505), method)
                self.assertTrue(c.closed())

    def test_headers_of_the_api(self):
        token = [('Authorization', f'Bearer {customer.token}')]
        for value in ('Bearer', 'Bearer ', 'bearer x', 'Bearer ' + 'x' * 6000, 'Bearer a b', 'Basic ' + 'x' * 100, 'Bearer ' + customer.token + 'x',
                      'Bearer\t' + customer.token, customer.token, 'Digest username="x"', 'Bearer \x80\xff'):
            with Connection(server) as c:
                c.send(request_bytes('GET', '/v1/me', None, [('Authorization', value)]))
                self.client_error(check_answer(c.answer()), 400, 401)
        path = f'/v1/bookings/{booking["id"]}/cancel'
        for value in ('', '3', 'W/"3"', '"x"', '"-1"', '"1", "2"', '"99999999999999999999"', '"1', '*, "1"'):
            answer = customer.call('POST', path, {'reason': 'no'}, if_match=value)
            self.client_error(answer, 412)
        for value in ('', ' ', 'a b', 'ä', 'x' * 129, '\x01'):
            with Connection(server) as c:
                c.send(request_bytes('POST', '/v1/bookings', {'quote_id': f'qte_{NOBODY}'}, token + [('Idempotency-Key', value)]))
                self.client_error(check_answer(c.answer('POST')), 400, 422)


class WrongHttp(Attack):
    def refused(self, data, *statuses, closes=True):
        with Connection(server) as c:
            try:
                c.send(data)
            except ConnectionError:
                pass  # refused before it was all there; the answer has been sent
            answer = check_answer(c.answer())
            self.assertIn(answer.status, statuses, (data[:80], answer))
            self.assertTrue(answer.json['request_id'])
            if closes:
                self.assertTrue(c.closed(), data[:80])
            return answer

    def test_heads(self):
        ok = b'GET /healthz HTTP/1.1\r\nHost: x\r\n'
        refused = self.refused
        for line in (b'GET\r\n\r\n', b'GET /\r\n\r\n', b'/ HTTP/1.1\r\n\r\n', b' GET / HTTP/1.1\r\nHost: x\r\n\r\n',
                     b'GET / HTTP/1.1 x\r\nHost: x\r\n\r\n', b'GET / HTTP/1.1\nHost: x\n\n', b'GET / HTTP/1.1\r\nHost: x\n\r\n', b'GET / HTTP/1.1\rHost: x\r\r',
                     b'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', b'GET / HTTP/1.1\r\n Host: x\r\n\r\n', ok + b'X: a\r\n b\r\n\r\n', ok + b'X : 1\r\n\r\n', ok + b': 1\r\n\r\n',
                     ok + b'X\r\n\r\n', ok + b'X\x00Y: 1\r\n\r\n', ok + b'X: a\x00b\r\n\r\n', ok + b'X: a\rb\r\n\r\n', ok + b'X(): 1\r\n\r\n', ok + b'Host: y\r\n\r\n',
                     b'GET / HTTP/1.1\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', b'GET x HTTP/1.1\r\nHost: x\r\n\r\n',
                     b'GET /#x HTTP/1.1\r\nHost: x\r\n\r\n', b'GET * HTTP/1.1\r\nHost: x\r\n\r\n', b'GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n', b'\r\n\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
                     b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(500), b'{"json":1}\r\n\r\n', b'HELO mail\r\n', b'\x00' * 100, b'\xff' * 100):
            refused(line, 400, 501, 505)
        for version in (b'HTTP/0.9', b'HTTP/1.2', b'HTTP/2.0', b'HTTP/3', b'HTTP/9.9', b'http/1.1', b'HTTP/11'):
            refused(b'GET / ' + version + b'\r\nHost: x\r\n\r\n', 400, 505)
        refused(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 501, 505)
        self.assertEqual(refused(b'GET /' + b'a' * 30000 + b' HTTP/1.1\r\nHost: x\r\n\r\n', 414, 431).status, 414)
        refused(ok + b'X: ' + b'a' * 30000 + b'\r\n\r\n', 431)
        refused(ok + b''.join(b'X-%d: 1\r\n' % i for i in range(200)) + b'\r\n', 431)
        refused(ok + b'X: 1\r\n' * 200 + b'\r\n', 431)
        refused(ok + b'A' * 20000, 431)
        refused(ok + b'Expect: a miracle\r\n\r\n', 417)

    def test_bodies_two_parsers_would_read_differently(self):
        head = b'POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
        for lengths in (b'Content-Length: 5\r\nContent-Length: 6\r\n', b'Content-Length: 5, 6\r\n', b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n',
                        b'Transfer-Encoding: chunked\r\nContent-Length: 2\r\n', b'Content-Length: -1\r\n', b'Content-Length: +2\r\n', b'Content-Length: 0x2\r\n',
                        b'Content-Length: 2 2\r\n', b'Content-Length:\r\n', b'Content-Length: two\r\n', b'Content-Length: 99999999999999999999\r\n', b'Transfer-Encoding: gzip\r\n',
                        b'Transfer-Encoding: chunked, chunked\r\n', b'Transfer-Encoding: gzip, chunked\r\n', b'Transfer-Encoding: chunked, gzip\r\n', b'Transfer-Encoding: chunke\r\n',
                        b'Transfer-Encoding: \x0bchunked\r\n', b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', b'Transfer-Encoding : chunked\r\n',
                        b'Transfer-Encoding:\r\n chunked\r\n'):
            self.refused(head + lengths + b'\r\n{}', 400, 413, 501)
        chunked = head + b'Transfer-Encoding: chunked\r\n\r\n'
        for chunks in (b'g\r\n', b'-1\r\n', b'2 \r\n{}\r\n0\r\n\r\n'[:4] + b'x', b'2\n{}\n0\n\n', b'2\r\n{}x\r\n0\r\n\r\n', b'2\r\n{}0\r\n\r\n', b'fffffffffffffffff\r\n', b'0x2\r\n{}\r\n',
                       b'\r\n', b'2;' + b'x' * 9_000_000, b'2\r\n{}\r\n0\r\n' + b'T: x\r\n' * 1_500_000):
            self.refused(chunked + chunks, 400, 413, 431)
        self.refused(head + b'Content-Length: 1048577\r\n\r\n', 413)
        self.refused(head + b'Content-Length: 9223372036854775807\r\n\r\n', 413)
        big = b''.join(b'10000\r\n' + b' ' * 65536 + b'\r\n' for _ in range(17))
        self.refused(chunked + big, 413)
        self.refused(chunked + b''.join(b'1\r\n \r\n' for _ in range(1_600_000)), 400, 413)

    def test_a_smuggled_request_is_never_answered(self):
        inner = b'GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ' + customer.token.encode() + b'\r\n\r\n'
        head = b'POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
        for lengths in (b'Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', b'Content-Length: 4\r\nContent-Length: 0\r\n', b'Transfer-Encoding: xchunked\r\n'):
            with Connection(server) as c:
                c.send(head + lengths + b'\r\n0\r\n\r\n' + inner)
                self.assertGreaterEqual(check_answer(c.answer('POST')).status, 400)
                self.assertTrue(c.closed(), 'something was answered after the refusal')
        with Connection(server) as c:  # said to be a body, so it is one
            c.send(head + b'Content-Length: %d\r\n\r\n' % len(inner) + inner)
            self.assertEqual(check_answer(c.answer('POST')).status, 400)
            c.send(b'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
            self.assertEqual(c.answer().status, 200)

    def test_what_is_odd_but_right_is_answered(self):
        token = customer.token.encode()
        me = b'Authorization: Bearer ' + token + b'\r\n'
        body = b'{"stops":[]}'
        right = [
            (b'GET /v1/me HTTP/1.1\r\nhOsT:x\r\nAUTHORIZATION:  bEARER ' + token + b'  \r\n\r\n', 200),
            (b'\r\nGET /v1/me HTTP/1.1\r\nHost: x\r\n' + me + b'\r\n', 200),
            (b'GET http://anything.example/v1/me?x=1 HTTP/1.1\r\nHost: x\r\n' + me + b'\r\n', 200),
            (b'GET /v1/me HTTP/1.0\r\n' + me + b'\r\n', 200),
            (b'GET /v1/me HTTP/1.1\r\nHost: x\r\n' + me + b'Content-Length: 0\r\n\r\n', 200),
            (b'POST /v1/quotes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' + me + b'Transfer-Encoding: chunked\r\n\r\n'
             + b''.join(b'1;x=y\r\n%c\r\n' % b for b in body) + b'0\r\nTrailer: x\r\n\r\n', 422),
        ]
        for data, status in right:
            with Connection(server) as c:
                c.send(data)
                self.assertEqual(check_answer(c.answer()).status, status, data)
            with Connection(server) as c:  # and in the smallest pieces
                for byte in data[:400]:
                    c.send(bytes([byte]))
                c.send(data[400:])
                self.assertEqual(check_answer(c.answer()).status, status, data)
        with Connection(server) as c:
            interim = []
            c.send(b'POST /v1/quotes HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n' + me + b'Content-Length: %d\r\n\r\n' % len(body))
            time.sleep(0.1)
            c.send(body)
            self.assertEqual(check_answer(c.answer('POST', interim)).status, 422)
            self.assertEqual(interim, [100])
        with Connection(server) as c:  # in order, whatever takes longer
            c.send(b''.join(request_bytes('GET', f'/problems/{"email-taken" if i % 2 else "none"}') for i in range(200)))
            self.assertEqual([c.answer().status for _ in range(200)], [404, 200] * 100)

    def test_noise(self):
        """Right requests with a few bytes changed: an answer or an end of the connection, never silence."""
        rng = random.Random(SEED)
        seeds = [request_bytes('POST', '/v1/quotes', {'stops': [], 'vehicle': 'van'}, [('Authorization', f'Bearer {customer.token}')]),
                 request_bytes('GET', '/v1/bookings?limit=5', None, [('Authorization', f'Bearer {customer.token}'), ('X-Request-Id', 'abc')]),
                 b'POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n']
        for _ in range(400):
            data = bytearray(rng.choice(seeds))
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(data))
                kind = rng.randrange(4)
                if kind == 0:
                    data[at] = rng.randrange(256)
                elif kind == 1:
                    del data[at:at + rng.randint(1, 8)]
                elif kind == 2:
                    data[at:at] = rng.randbytes(rng.randint(1, 8))
                else:
                    data[at:at] = data[max(0, at - 20):at]
                if not data:
                    data = bytearray(b'x')
            with Connection(server) as c:
                c.send(bytes(data))
                c.sock.shutdown(socket.SHUT_WR)
                try:
                    while True:
                        answer = c.answer()
                        if answer.status == 101:
                            break
                        self.assertLess(answer.status, 506)
                        self.assertNotEqual(answer.status, 500, (bytes(data), answer))
                        check_answer(answer)
                except (ConnectionResetError, BrokenPipeError):
                    pass

    def test_websocket_handshakes(self):
        good = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='}
        for change in ({'Sec-WebSocket-Version': '8'}, {'Sec-WebSocket-Version': None}, {'Sec-WebSocket-Key': None}, {'Sec-WebSocket-Key': 'short'},
                       {'Sec-WebSocket-Key': 'x' * 2000}, {'Upgrade': 'h2c'}, {'Upgrade': None}, {'Connection': 'keep-alive'},
                       {'Sec-WebSocket-Protocol': 'lorry.v1, bearer.'}, {'Sec-WebSocket-Protocol': 'bearer.x'}, {'Sec-WebSocket-Protocol': 'bearer.' + 'x' * 5000},
                       {'Sec-WebSocket-Protocol': ',' * 1000 + 'bearer.' + '.' * 10}):
            headers = [(k, v) for k, v in (good | change).items() if v is not None]
            with Connection(server) as c:
                c.send(request_bytes('GET', '/v1/ws', None, headers))
                self.client_error(check_answer(c.answer()), 400, 401, 426)
        with Connection(server) as c:
            c.send(request_bytes('POST', '/v1/ws', b'{}', list(good.items())))
            self.client_error(check_answer(c.answer('POST')), 400, 405)
        with Connection(server) as c:
            c.send(request_bytes('GET', '/v1/me', None, list(good.items())))
            self.client_error(check_answer(c.answer()), 401)
        answer = customer.get('/v1/ws?token=' + customer.token)
        self.assertEqual(answer.status, 426, 'never in the URL')

    def test_websocket_noise(self):
        rng = random.Random(SEED)
        for _ in range(60):
            with WebSocket(server, customer.token) as ws:
                try:
                    for _ in range(20):
                        ws.send_frame(rng.randbytes(rng.choice((0, 1, 2, 5, 125, 126, 200))), rng.choice((0, 1, 1, 1, 1, 2, 8, 9, 10, 11)), rng.random() < 0.8,
                                      rng.random() < 0.98, rng.choice((0, 0, 0, 0, 0, 0, 1, 4)))
                    ws.connection.send(rng.randbytes(100))
                    ws.connection.sock.shutdown(socket.SHUT_WR)
                    while True:
                        ws.receive(10)
                except (lorry.Closed, ConnectionError):
                    pass


class OutOfOrder(Attack):
    def test_everything_at_the_wrong_time(self):
        """Every action on bookings that are not in the state for it, by those who may and those who may not."""
        free, hers = f'/v1/bookings/{booking["id"]}', f'/v1/bookings/{assigned["id"]}'
        offer = {'offer_id': f'ofr_{NOBODY}'}
        for who, path, body, statuses in (
                (customer, free + '/rating', {'stars': 5}, (409,)), (customer, hers + '/rating', {'stars': 5}, (409,)),
                (driver, free + '/accept', offer, (404, 409)), (driver, hers + '/accept', offer, (409,)), (rider, free + '/accept', offer, (404, 409)),
                (rider, hers + '/accept', offer, (404, 409)), (driver, free + '/decline', offer, (404, 409)), (rider, hers + '/decline', offer, (404, 409)),
                (rider, hers + '/status', {'status': 'arrived_pickup'}, (404,)), (driver, free + '/status', {'status': 'arrived_pickup'}, (404,)),
                (rider, '/v1/driver/duty', {'duty': 'on'}, (403, 409)), (driver, '/v1/driver/duty', {'duty': 'off'}, (409,))):
            self.client_error(who.post(path, body), *statuses)
        for status in ('requested', 'offered', 'assigned', 'picked_up', 'arrived_dropoff', 'delivered', 'cancelled', 'expired', 'failed'):
            self.client_error(driver.post(hers + '/status', {'status': status, 'reason': 'x'}), 409, 422)
        for stop in (1, 19):
            self.client_error(driver.post(hers + '/status', {'status': 'arrived_pickup', 'stop': stop}), 409, 422)
        for version in (1, 99, 2**62):
            self.client_error(driver.post(hers + '/status', {'status': 'arrived_pickup', 'version': version}), 409)

    def test_roles(self):
        """Every route for everyone whose role it is not for, and for nobody at all."""
        roles = {'customer': customer, 'driver': driver, 'dispatcher': dispatcher, 'admin': admin}
        any_id, denied = f'bkg_{NOBODY}', 0
        table = [('PATCH', f'/v1/drivers/drv_{NOBODY}', 'admin'), ('GET', '/v1/users', 'admin'), ('PATCH', f'/v1/users/usr_{NOBODY}', 'admin'),
                 ('GET', '/v1/fleet', 'dispatcher admin'), ('GET', '/v1/drivers', 'dispatcher admin'), ('GET', f'/v1/drivers/drv_{NOBODY}/trail', 'dispatcher admin'),
                 ('GET', f'/v1/bookings/{any_id}/dispatch', 'dispatcher admin'), ('POST', f'/v1/bookings/{any_id}/assign', 'dispatcher admin'),
                 ('POST', '/v1/quotes', 'customer dispatcher admin'), ('POST', '/v1/bookings', 'customer dispatcher admin'),
                 ('POST', f'/v1/bookings/{any_id}/cancel', 'customer dispatcher admin'), ('POST', f'/v1/bookings/{any_id}/rating', 'customer dispatcher admin'),
                 ('GET', '/v1/drivers/nearby', 'customer dispatcher admin')]
        table += [(m, p, 'driver') for m, p in (('GET', '/v1/driver'), ('PUT', '/v1/driver'), ('POST', '/v1/driver/duty'), ('POST', '/v1/driver/locations'),
                                                ('GET', '/v1/driver/offers'), ('GET', '/v1/driver/earnings'), ('POST', f'/v1/bookings/{any_id}/accept'),
                                                ('POST', f'/v1/bookings/{any_id}/decline'), ('POST', f'/v1/bookings/{any_id}/status'))]
        for method, path, allowed in table:
            body = None if method == 'GET' else {}
            self.client_error(server.api().call(method, path, body), 401)
            for role, who in roles.items():
                if role not in allowed.split():
                    self.assertEqual(who.problem(403, 'forbidden', method, path, body).status, 403)
                    denied += 1
                else:
                    self.assertNotIn(who.call(method, path, body).status, (401, 403, 500), (role, path))
        self.assertGreater(denied, 40)


class Slow(Attack):
    def test_slow_heads_and_bodies_end(self):
        """Two hundred that send a byte now and then, as long as they like; the others are served meanwhile."""
        heads = [Connection(server) for _ in range(150)]
        bodies = [Connection(server) for _ in range(50)]
        for c in heads:
            c.send(b'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ')
        for c in bodies:
            c.send(b'POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{')
        begun, left, worst = time.monotonic(), list(heads), 0
        while left and time.monotonic() - begun < 25 * lorry.SLOW:
            asked = time.monotonic()
            self.assertEqual(customer.get('/v1/me').status, 200)
            worst = max(worst, time.monotonic() - asked)
            for c in left + bodies:
                try:
                    c.send(b'x')
                except ConnectionError:
                    pass
            left = [c for c in left if not self.answered(c)]
            time.sleep(0.2)
        self.assertEqual(left, [], 'slow heads are held for ever')
        self.assertLess(worst, 1.0 * lorry.SLOW)
        statuses = {check_answer(c.answer()).status for c in heads}
        self.assertEqual(statuses, {408})
        for c in heads + bodies:
            c.close()

    @staticmethod
    def answered(c):
        c.sock.setblocking(False)
        try:
            c.more()
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        finally:
            c.sock.settimeout(lorry.WAIT_S)
        return True

    def test_those_who_do_not_read(self):
        """A hundred thousand answers asked for, none read: the server stops taking, not growing."""
        before = server.rss_kb()
        pipelined = request_bytes('GET', '/metrics') * 500
        held = []
        for _ in range(20):
            c = Connection(server)
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.sock.settimeout(0.3)
            try:
                for _ in range(10):
                    c.send(pipelined)
            except (socket.timeout, ConnectionError):
                pass
            held.append(c)
        self.assertEqual(customer.get('/v1/me').status, 200)
        grown = server.rss_kb() - before
        self.assertTrue(grown < 96 * 1024 or lorry.SLOW > 1, f'{grown} kB for 20 connections')
        for c in held:
            c.close()

    def test_many_come_and_go(self):
        """Connections cut in every phase, a thousand of them, with RST."""
        data = request_bytes('POST', '/v1/auth/login', {'email': 'x@example.com', 'password': 'x' * 20})
        for i in range(1000):
            with Connection(server) as c:
                c.send(data[:i * 7 % len(data)])
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
        sockets = [WebSocket(server, customer.token) for _ in range(200)]
        for ws in sockets:
            ws.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\x01\0\0\0\0\0\0\0')
            ws.close()
        until(lambda: 'lorry_sockets_open 0' in server.api().get('/metrics').body.decode(), 'the sockets are gone')
        self.assertEqual(customer.get('/v1/me').status, 200)


class Overload(unittest.TestCase):
    def test_an_account_that_writes_too_much(self):
        with Server('--writes-per-minute-max', 20) as small:
            eager, other = small.register(), small.register()
            statuses = [eager.patch('/v1/me', {'name': f'Name {i}'}).status for i in range(30)]
            self.assertEqual(statuses, [200] * 20 + [429] * 10)
            answer = eager.problem(429, 'too-many-requests', 'POST', '/v1/quotes', {'stops': []})
            self.assertLessEqual(int(answer.header('retry-after')), 60)
            self.assertEqual(eager.get('/v1/me', expect=200).json['name'], 'Name 19')
            other.patch('/v1/me', {'name': 'Another'}, expect=200)

    def test_a_driver_who_sends_too_many_fixes(self):
        """Over HTTP and the socket from one budget; a batch that has no room is refused whole."""
        with Server('--fixes-per-hour-max', 1000, '--driver-approval', 'auto') as small:
            driver, dispatcher = small.driver(), small.staff('dispatcher')
            now = time.time()
            batch = [{'at': rfc3339(now - 3000 + i), 'lat': 57.7, 'lng': 11.9} for i in range(2000)]

            def stored():
                since = rfc3339(now - 3001), rfc3339(now - 999)
                return len(dispatcher.get(f'/v1/drivers/{driver.driver_id}/trail?from={since[0]}&to={since[1]}', expect=200).json['fixes'])

            with WebSocket(small, driver.token) as ws:
                ws.expect('ready')
                self.assertEqual(driver.post('/v1/driver/locations', {'fixes': batch[:500]}, expect=200).json['stored'], 500)
                self.assertEqual(driver.post('/v1/driver/locations', {'fixes': batch[:400]}, expect=200).json['duplicates'], 400)
                ws.send({'type': 'location', 'id': 1, 'fixes': batch[500:900]})
                self.assertEqual(ws.expect('ack')['stored'], 400)
                ws.send({'type': 'location', 'id': 2, 'fixes': batch[900:1400]})
                error = ws.expect('error')
                self.assertEqual((error['status'], error['id'], error['problem']), (429, 2, '/problems/too-many-requests'))
                self.assertTrue(0 < error['retry_after_s'] <= 3600, error)
                answer = driver.problem(429, 'too-many-requests', 'POST', '/v1/driver/locations', {'fixes': batch[900:1400]})
                self.assertTrue(0 < int(answer.header('retry-after')) <= 3600)
                self.assertEqual(stored(), 900)
                self.assertEqual(driver.post('/v1/driver/locations', {'fixes': batch[900:990]}, expect=200).json['stored'], 90)

    def test_a_customer_who_would_occupy_all_drivers(self):
        with Server('--open-bookings-max', 5) as small:
            greedy, other = small.register(), small.register()
            quotes = [greedy.quote()['id'] for _ in range(40)]

            def book(quote_id):
                return greedy.call('POST', '/v1/bookings', {'quote_id': quote_id}, key=quote_id)

            with concurrent.futures.ThreadPoolExecutor(10) as pool:
                answers = list(pool.map(book, quotes))
            self.assertEqual(sorted(a.status for a in answers), [201] * 5 + [409] * 35)
            self.assertLessEqual({a.type for a in answers if a.status == 409}, {'too-many-open-bookings'})
            other.book()
            made = next(a for a in answers if a.status == 201)
            greedy.post(f"/v1/bookings/{made.json['id']}/cancel", {}, expect=200)
            refused = quotes[next(i for i, a in enumerate(answers) if a.status == 409)]
            self.assertEqual(book(refused).status, 201)  # a refusal is not kept: the same key may try again
            self.assertEqual(len(greedy.get('/v1/bookings?state=active', expect=200).json['items']), 5)
            self.assertEqual(len(greedy.get('/v1/bookings', expect=200).json['items']), 6)

    @staticmethod
    def register_as(server, forwarded):
        body = {'role': 'customer', 'name': 'Asha Rao', 'email': f'p{time.time_ns()}@example.com', 'password': PASSWORD}
        return server.api().post('/v1/auth/register', body, headers=[('X-Forwarded-For', forwarded)] if forwarded else []).status

    def test_an_address_behind_a_proxy(self):
        """Each client behind a trusted proxy has limits of his own; who is none cannot speak for others."""
        spoofed = [f'203.0.113.{i}' for i in range(6)]
        with Server('--registers-per-hour-max', 3, '--trusted-proxies', '127.0.0.0/8,10.0.0.0/8') as small:
            for client in ('192.0.2.1', '192.0.2.2', None):
                self.assertEqual([self.register_as(small, client) for _ in range(4)], [201, 201, 201, 429], client)
            # What the client wrote himself stands before what the proxy wrote, and counts for nothing.
            statuses = [self.register_as(small, f'{each}, 192.0.2.3, 10.1.2.3') for each in spoofed]
            self.assertEqual(statuses, [201] * 3 + [429] * 3)
            self.assertEqual(self.register_as(small, '2001:db8::1'), 201)
            statuses = [self.register_as(small, f'2001:db8::{i}') for i in range(2, 6)]
            self.assertEqual(statuses, [201, 201, 429, 429], 'a /64 is one')
            self.assertEqual(self.register_as(small, 'x' * 10000), 429)
        with Server('--registers-per-hour-max', 3) as small:
            self.assertEqual([self.register_as(small, each) for each in spoofed], [201] * 3 + [429] * 3)

    def test_more_connections_than_an_address_has(self):
        with Server('--connections-per-address-max', 10) as small:
            until(lambda: small.api().get('/healthz').status == 200, 'it is up')
            held, refused = [], 0
            for _ in range(20):
                try:
                    c = Connection(small, timeout=2)
                    c.send(request_bytes('GET', '/healthz'))
                    self.assertEqual(c.answer().status, 200)
                    held.append(c)
                except OSError:
                    refused += 1
            self.assertTrue(7 <= len(held) <= 10 and refused >= 10, (len(held), refused))
            for c in held:
                c.close()
            until(lambda: self.served(small), 'there is room again')

    def test_more_passwords_than_can_be_hashed(self):
        with Server('--hash-workers', 1, '--hash-queue', 2) as small:
            email = small.register().user['email']

            def login(_):
                return small.api().post('/v1/auth/login', {'email': email, 'password': PASSWORD})

            with concurrent.futures.ThreadPoolExecutor(40) as pool:
                answers = list(pool.map(login, range(120)))
            statuses = [a.status for a in answers]
            self.assertLessEqual(set(statuses), {200, 503, 429})
            self.assertIn(503, statuses)
            self.assertIn(200, statuses)
            for answer in answers:
                if answer.status == 503:
                    self.assertEqual(answer.type, 'overloaded')
            until(lambda: login(0).status == 200, 'a login once it is quiet')

    def test_more_connections_than_are_held(self):
        with Server('--connections-max', 16, '--workers', 1) as small:
            customer_there = small.register()
            self.assertEqual(customer_there.get('/v1/me').status, 200)
            held, refused = [], 0
            for _ in range(60):
                try:
                    c = Connection(small, timeout=2)
                    c.send(request_bytes('GET', '/healthz'))
                    self.assertEqual(c.answer().status, 200)
                    held.append(c)
                except OSError:
                    refused += 1
            self.assertTrue(10 <= len(held) <= 16 and refused >= 44, (len(held), refused))
            self.assertEqual(customer_there.get('/v1/me').status, 200, 'who is there is served')
            for c in held:
                c.close()
            until(lambda: self.served(small), 'there is room again')

    @staticmethod
    def served(small):
        try:
            return small.api().get('/healthz').status == 200
        except OSError:
            return False


if __name__ == '__main__':
    lorry.main()
