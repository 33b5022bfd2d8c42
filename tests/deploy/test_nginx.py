#!/usr/bin/env python3
"""deploy/nginx in a real Nginx before the real server: every route of the route tables goes to the service that owns it,
and what the configuration promises besides.

Usage: test_nginx.py LORRY DUMP_ROUTES [TEST]...
"""
import gzip
import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path

import proxy
from proxy import Nginx, Witness, free_port, lorry, render
from lorry import Api, Connection, Server, WebSocket, until

SERVICES = ('auth', 'booking', 'driver', 'notification')
COMMON = ('/healthz', '/readyz', '/problems/{slug}')  # every process answers these
PARTS = {'map': 'booking', 'files': 'booking'}  # the map is drawn where the streets are that bookings are routed over
VALUES = {'slug': 'email-taken', 'token': 'A' * 22, 'z': '12', 'x': '2184', 'y': '1255'}
NOBODY = '_01M850A1E7QCRB3XG104WRR17N'


def tables():
    return json.loads(subprocess.run([DUMP_ROUTES], check=True, capture_output=True, timeout=60).stdout)


def concrete(path):
    """A request's path for a route's pattern."""
    def value(found):
        kind = {'bookings': 'bkg', 'drivers': 'drv', 'users': 'usr', 'webhooks': 'whk'}.get(found[1], 'x')
        return f'/{found[1]}/{VALUES.get(found[2], kind + NOBODY)}'
    return re.sub(r'\{(\w+)\}', lambda m: VALUES[m[1]], re.sub(r'/([\w.-]+)/\{(\w+)\}', value, path))


def misrouted(nginx, ports):
    """Sends a request for every route; yields those that came elsewhere than to their service. PORTS: {service: port}."""
    with Connection(nginx) as c:
        for i, route in enumerate(tables()['routes']):
            name, wanted = f'{route["method"]} {route["path"]}', PARTS.get(route['service'], route['service'])
            body = {} if route['method'] in ('POST', 'PUT', 'PATCH') else None
            c.request(route['method'], concrete(route['path']), body, [('X-Request-Id', f'route-{i}')])
            upstream = nginx.logged(f'route-{i}')['upstream']
            came_to = next((s for s, port in ports.items() if upstream == f'127.0.0.1:{port}'), upstream or 'nobody')
            if route['path'] == '/metrics':
                if came_to != 'nobody':
                    yield f'{name} is public'
            elif came_to != wanted and not (route['path'] in COMMON and came_to in ports):
                yield f'{name} is of {wanted} and came to {came_to}'


class Configuration(unittest.TestCase):
    def test_what_it_is_given_stands_in_it(self):
        done = render({'LORRY_AUTH': '10.0.0.1:1 [::1]:2', 'LORRY_TRUSTED_PROXIES': '10.1.0.0/16 fd00::/8',
                       'LORRY_HTTPS_LISTEN': '[::]:8443'})
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ('server 10.0.0.1:1 max_fails', 'server [::1]:2 max_fails', 'set_real_ip_from fd00::/8;',
                     'listen [::]:8443 ssl', 'https://$host:8443$request_uri', 'server 127.0.0.1:8080 max_fails'):
            self.assertIn(text, done.stdout)
        self.assertIsNone(re.search(r'@[A-Z_0-9]+@', done.stdout))

    def test_its_problems_are_those_of_the_table(self):
        known = {(p['slug'], p['status'], p['title']) for p in tables()['problems']}
        documents = re.findall(r"return (\d+) '(\{.*\})';", render({}).stdout)
        self.assertGreater(len(documents), 10)
        for status, text in documents:
            doc = json.loads(text)
            self.assertEqual(doc['status'], int(status))
            self.assertIn((doc['type'].removeprefix('/problems/'), doc['status'], doc['title']), known)

    def test_what_would_break_out_is_refused(self):
        for name, value in (('LORRY_AUTH', 'a:1; evil'), ('LORRY_WEB', '/x|y'), ('LORRY_AUTH', 'nohost'),
                            ('LORRY_SERVER_NAME', 'a\nb'), ('LORRY_TRUSTED_PROXIES', '$x'), ('LORRY_AUTH', ' ')):
            done = render({name: value})
            self.assertEqual(done.returncode, 2, (name, value))
            self.assertIn(name, done.stderr)
            self.assertEqual(done.stdout, '')


class Routes(unittest.TestCase):
    """Four servers, each standing for one service: the access log tells who was asked."""

    def test_every_route_goes_to_the_service_that_owns_it(self):
        servers = {name: Server(*lorry.UNLIMITED) for name in SERVICES}
        try:
            ports = {name: server.port for name, server in servers.items()}
            with Nginx({name: [server] for name, server in servers.items()}) as nginx:
                self.assertEqual(nginx.test().returncode, 0)
                self.assertEqual(list(misrouted(nginx, ports)), [])
                self.other_ways(nginx, ports)
                # The check itself is checked: with two services exchanged it must complain of their routes.
                exchanged = {**ports, 'driver': ports['booking'], 'booking': ports['driver']}
                found = list(misrouted(nginx, exchanged))
                self.assertTrue(any('GET /v1/bookings/{id}/dispatch is of driver' in f for f in found), found)
                self.assertTrue(any('POST /v1/quotes is of booking' in f for f in found), found)
        finally:
            for server in servers.values():
                server.close()

    def other_ways(self, nginx, ports):
        """What is no route, but looks like one."""
        for i, (path, service) in enumerate([
                ('/v1/bookings/x/dispatch?a=b', 'driver'), ('/v1/bookings/x/y/dispatch', 'booking'),
                ('/v1/driverless', 'booking'), ('/v1/men', 'booking'), ('/v1/drivers/x/trail?from=1', 'driver'),
                ('/v1//me', 'auth'), ('/v1/x/../me', 'auth')]):
            with Connection(nginx) as c:
                c.request('GET', path, None, [('X-Request-Id', f'way-{i}')])
            self.assertEqual(nginx.logged(f'way-{i}')['upstream'], f'127.0.0.1:{ports[service]}', path)


def setUpModule():
    """One server and one Nginx for most tests."""
    OneServer.server = Server('--driver-approval', 'auto', *lorry.UNLIMITED)
    OneServer.nginx = Nginx({'all': [OneServer.server]})
    assets = OneServer.nginx.web / 'assets'
    assets.mkdir(parents=True)
    (OneServer.nginx.web / 'index.html').write_text('<!doctype html><title>Lorry</title>\n')
    (OneServer.nginx.web / 'drive.html').write_text('<!doctype html><title>Drive</title>\n')
    (assets / 'app-1a2b3c.js').write_text('export const much = 1;\n' * 500)


def tearDownModule():
    OneServer.nginx.close()
    OneServer.server.close()


class OneServer(unittest.TestCase):
    def get(self, path, headers=(), method='GET', body=None):
        with Connection(self.nginx) as c:
            c.send(lorry.request_bytes(method, path, body, headers))
            return c.answer(method)

    def test_a_booking_from_price_to_delivery_and_its_events(self):
        """The whole way as without a proxy, two WebSockets among it."""
        staff = self.server.staff('admin')
        customer, driver = Api(self.nginx), Api(self.nginx)
        for api, role in ((customer, 'customer'), (driver, 'driver')):
            api.signed_in(api.post('/v1/auth/register', {'email': f'{role}@way.test', 'password': lorry.PASSWORD, 'role': role,
                                                         'name': 'Asha Rao', 'phone': '+46701234567'}, expect=201).json)
        driver.put('/v1/driver', {'vehicle': {'class': 'van', 'plate': 'ABC123', 'capacity_kg': 800}}, expect=200)
        driver.post('/v1/driver/duty', {'duty': 'on'}, expect=200)
        driver.fix(lorry.CENTRE)
        with WebSocket(self.nginx, customer.token) as watching, WebSocket(self.nginx, driver.token) as driving:
            booking = customer.book(key='way-1')
            driving.expect('offer.made')
            driver.accept(booking['id'])
            driver.deliver(booking['id'])
            watching.expect('booking.updated', lambda m: m['data']['state'] == 'delivered')
        a = customer.get(f'/v1/bookings/{booking["id"]}', expect=200)
        self.assertRegex(a.header('etag'), r'^"\d+"$')  # strong: nothing on the way has packed it
        Api(self.nginx, staff.token).get(f'/v1/bookings/{booking["id"]}/dispatch', expect=200)

    def test_http_leads_to_https(self):
        c = http.client.HTTPConnection('127.0.0.1', self.nginx.http_port, timeout=20)
        c.request('GET', '/v1/me?x=1', headers={'Host': 'lorry.test'})
        a = c.getresponse()
        self.assertEqual((a.status, a.headers['location']), (308, f'https://lorry.test:{self.nginx.port}/v1/me?x=1'))

    def test_tls_is_modern(self):
        def version(only):
            context = ssl.create_default_context(cafile=self.nginx.folder / 'cert.pem')
            context.set_ciphers('ALL:@SECLEVEL=0')
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', DeprecationWarning)  # the old ones are asked for on purpose
                context.minimum_version = context.maximum_version = only
            with self.tls(context) as s:
                return s.version()
        self.assertEqual(version(ssl.TLSVersion.TLSv1_3), 'TLSv1.3')
        self.assertEqual(version(ssl.TLSVersion.TLSv1_2), 'TLSv1.2')
        for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            self.assertRaises(OSError, version, old)

    def tls(self, context):
        return context.wrap_socket(socket.create_connection(('127.0.0.1', self.nginx.port), 20), server_hostname='lorry.test')

    def any_name(self):
        context = ssl.create_default_context(cafile=self.nginx.folder / 'cert.pem')
        context.check_hostname = False  # http.client asks for 127.0.0.1
        return context

    def test_http2(self):
        context = ssl.create_default_context(cafile=self.nginx.folder / 'cert.pem')
        context.set_alpn_protocols(['h2', 'http/1.1'])
        with self.tls(context) as s:
            self.assertEqual(s.selected_alpn_protocol(), 'h2')

    def test_metrics_are_not_public(self):
        for path in ('/metrics', '/metrics?x', '//metrics', '/v1/../metrics', '/%6detrics'):
            a = self.get(path)
            self.assertEqual((a.status, a.type), (404, 'not-found'), path)

    def test_what_nginx_refuses_is_a_problem_document(self):
        for status, kind, send in (
                (413, 'payload-too-large', lambda: self.get('/v1/quotes', method='POST', body=b'x' * ((1 << 20) + 1))),
                (414, 'uri-too-long', lambda: self.get('/v1/me?' + 'x' * 17000)),
                (431, 'headers-too-large', lambda: self.get('/v1/me', [('X-Much', 'x' * 17000)])),
                (400, 'malformed-request', lambda: self.get('/v1/me', [('Content-Length', 'x')])),
                (405, 'method-not-allowed', lambda: self.get('/index.html', method='POST', body={}))):
            a = lorry.check_answer(send())
            self.assertEqual((a.status, a.type), (status, kind))
            self.assertEqual(a.header('content-type'), 'application/problem+json')

    def test_a_body_of_one_mib_comes_through(self):
        a = self.get('/v1/auth/login', method='POST', body=b'{"x":"' + b'y' * ((1 << 20) - 8) + b'"}')
        self.assertEqual(a.status, 422)

    def test_web_app(self):
        c = http.client.HTTPSConnection('127.0.0.1', self.nginx.port, timeout=20, context=self.any_name())
        c.request('GET', '/assets/app-1a2b3c.js', headers={'Accept-Encoding': 'gzip'})
        a = c.getresponse()
        self.assertEqual((a.status, a.headers['content-encoding']), (200, 'gzip'))
        self.assertEqual(a.headers['content-type'], 'application/javascript; charset=utf-8')
        self.assertIn('immutable', a.headers['cache-control'])
        self.assertIn(b'much', gzip.decompress(a.read()))
        c.close()
        for path in ('/', '/index.html', '/bookings/bkg_1'):
            a = self.get(path)
            self.assertEqual((a.status, a.header('cache-control')), (200, 'no-cache'), path)
            self.assertIn(b'<title>Lorry', a.body)
        for name in ('strict-transport-security', 'x-content-type-options', 'x-frame-options', 'referrer-policy'):
            self.assertIsNotNone(a.header(name), name)
        for path, page in (('/drive/jobs', b'<title>Drive'), ('/drive', b'<title>Drive'), ('/driver', b'<title>Lorry')):
            self.assertIn(page, self.get(path).body, path)
        self.assertEqual(self.get('/track/abc').header('x-robots-tag'), 'noindex, nofollow')
        self.assertIsNone(self.get('/book').header('x-robots-tag'))
        a = self.get('/assets/not-there.js')
        self.assertEqual((a.status, a.type), (404, 'not-found'))


class PassedWeb(unittest.TestCase):
    def test_the_web_app_may_come_from_lorry(self):
        with tempfile.TemporaryDirectory() as web:
            (Path(web) / 'index.html').write_text('<!doctype html><title>From Lorry</title>\n')
            with Server('--web', web) as server, Nginx({'all': [server]}, LORRY_WEB=None) as nginx, Connection(nginx) as c:
                for path in ('/', '/bookings/bkg_1'):
                    c.send(lorry.request_bytes('GET', path, None, [('Accept', 'text/html')]))
                    a = c.answer()
                    self.assertEqual(a.status, 200, a)
                    self.assertIn(b'From Lorry', a.body)
            with Connection(OneServer.nginx) as c: # where Nginx serves it, a page may do no more
                c.send(lorry.request_bytes('GET', '/', None, [('Accept', 'text/html')]))
                by_nginx = c.answer()
            for name in ('content-security-policy', 'permissions-policy'):
                self.assertEqual(by_nginx.header(name), a.header(name), name)


class Reload(unittest.TestCase):
    def test_reload_loses_no_request_and_no_socket(self):
        """Requests go on and on while Nginx takes its configuration anew, five times."""
        with Nginx({'all': [OneServer.server]}) as nginx:
            self.reload_five_times(nginx, OneServer.server.register())

    def reload_five_times(self, nginx, customer):
        failed, count, stop = [], [0], threading.Event()

        def ask():
            api = Api(nginx)
            while not stop.is_set():
                try:
                    api.get('/.well-known/jwks.json', expect=200)
                    count[0] += 1
                except Exception as wrong:  # pylint: disable=broad-except
                    failed.append(repr(wrong))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        with WebSocket(nginx, customer.token) as watching:
            watching.expect('ready')
            for thread in threads:
                thread.start()
            for _ in range(5):
                nginx.reload()
                time.sleep(0.2)
            stop.set()
            for thread in threads:
                thread.join()
            customer.book()
            watching.expect('booking.updated')  # by the old worker
        self.assertEqual(failed, [])
        self.assertGreater(count[0], 50)


class Passed(unittest.TestCase):
    """What an upstream is sent."""

    def setUp(self):
        self.witness = Witness()
        self.addCleanup(self.witness.close)

    def sent(self, nginx, headers, path='/v1/me'):
        with Connection(nginx) as c:
            c.send(lorry.request_bytes('GET', path, None, headers))
            self.assertEqual(c.answer().status, 204)
        return self.witness.requests[-1][2]

    def test_ids_traces_and_addresses(self):
        trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
        with Nginx({'all': [self.witness]}) as nginx:
            h = self.sent(nginx, [('X-Request-Id', 'mine.1'), ('traceparent', trace), ('tracestate', 'a=b'),
                                  ('X-Forwarded-For', '1.2.3.4'), ('X-Real-IP', '1.2.3.4'), ('Forwarded', 'for=1.2.3.4'),
                                  ('X-Forwarded-Proto', 'gopher'), ('Accept-Encoding', 'br'), ('Authorization', 'Bearer x'), ('If-Match', '"1"'),
                                  ('Idempotency-Key', 'k')])
            for name, value in (('x-request-id', 'mine.1'), ('traceparent', trace), ('tracestate', 'a=b'),
                                ('x-forwarded-for', '127.0.0.1'), ('x-forwarded-proto', 'https'), ('host', 'lorry.test'),
                                ('accept-encoding', 'br'), ('authorization', 'Bearer x'), ('if-match', '"1"'), ('idempotency-key', 'k')):
                self.assertEqual(h.get(name), [value], name)
            for name in ('x-real-ip', 'forwarded', 'upgrade', 'connection'):
                self.assertNotIn(name, h)
            line = nginx.logged('mine.1')
            self.assertEqual((line['traceparent'], line['status'], line['service']), (trace, 204, 'nginx'))

    def test_what_is_not_sane_is_made_anew(self):
        with Nginx({'all': [self.witness]}) as nginx:
            zeros = '00-' + '0' * 32 + '-00f067aa0ba902b7-01'
            for theirs, trace in (('not sane', 'rubbish'), ('x' * 65, zeros), ('', '')):
                h = self.sent(nginx, [('X-Request-Id', theirs), ('traceparent', trace), ('tracestate', 'a=b')])
                self.assertRegex(h['x-request-id'][0], r'^req_[0-9a-f]{32}$')
                self.assertRegex(h['traceparent'][0], r'^00-[0-9a-f]{32}-[0-9a-f]{16}-01$')
                self.assertNotIn('tracestate', h)

    def test_of_so_many_traces_so_many_are_recorded(self):
        for sample, least, most in (('0.01', 0, 2), ('50', 10, 50)):
            with Nginx({'all': [self.witness]}, LORRY_TRACE_SAMPLE=sample) as nginx:
                flags = [self.sent(nginx, [])['traceparent'][0][-2:] for _ in range(60)]
                self.assertLessEqual({*flags}, {'00', '01'})
                self.assertTrue(least <= flags.count('01') <= most, (sample, flags))

    def test_a_trusted_proxy_tells_the_address(self):
        with Nginx({'all': [self.witness]}, LORRY_TRUSTED_PROXIES='127.0.0.0/8') as nginx:
            h = self.sent(nginx, [('X-Forwarded-For', '9.9.9.9, 203.0.113.7')])
            self.assertEqual(h['x-forwarded-for'], ['203.0.113.7'])

    def test_no_address_query_or_tracking_token_is_logged(self):
        with Nginx({'all': [self.witness]}) as nginx:
            self.sent(nginx, [('X-Request-Id', 'track')], '/v1/track/SECRETSECRETSECRET?lat=57.7')
            self.assertEqual(nginx.logged('track')['path'], '/v1/track/')
            log = nginx.log_path.read_text()
            for word in ('SECRET', '57.7', '"127.0.0.1"'):
                self.assertNotIn(word, log)


class Limits(unittest.TestCase):
    def test_too_fast_is_429_with_retry_after(self):
        witness = Witness()
        self.addCleanup(witness.close)
        with Nginx({'all': [witness]}, LORRY_ADDRESS_RATE='1r/s', LORRY_ADDRESS_BURST='5') as nginx:
            answers = []
            for _ in range(12):
                with Connection(nginx) as c:
                    c.send(lorry.request_bytes('GET', '/v1/me'))
                    answers.append(c.answer())
            refused = [lorry.check_answer(a) for a in answers if a.status != 204]
            self.assertGreaterEqual(len(refused), 4)
            self.assertGreaterEqual(len(answers) - len(refused), 6)
            for a in refused:
                self.assertEqual((a.status, a.type, a.header('retry-after')), (429, 'too-many-requests', '1'))


class Upstreams(unittest.TestCase):
    def ask(self, nginx, method, path='/v1/me'):
        with Connection(nginx) as c:
            c.send(lorry.request_bytes(method, path, {} if method != 'GET' else None))
            return c.answer(method)

    def test_reads_are_tried_elsewhere_and_writes_are_sent_once(self):
        bad, good = Witness(hang_up=True), Witness()
        self.addCleanup(bad.close)
        self.addCleanup(good.close)
        with Nginx({'all': [bad]}) as nginx:
            a = lorry.check_answer(self.ask(nginx, 'POST'))
            self.assertEqual((a.status, a.type, len(bad.requests)), (502, 'bad-gateway', 1))
            nginx.configure({'all': [bad, good]})
            nginx.reload()
            for _ in range(20):
                self.assertEqual(self.ask(nginx, 'GET').status, 204)
            bad.requests.clear()
            good.requests.clear()
            nginx.reload()  # forgets who has failed
            statuses = [self.ask(nginx, 'POST').status for _ in range(12)]
            # Each POST came to one of them, once; those that were cut off are told so, and not repeated.
            self.assertEqual(len(bad.requests) + len(good.requests), 12)
            self.assertEqual(statuses.count(502), len(bad.requests))
            self.assertGreater(len(bad.requests), 0)

    def test_a_server_that_has_gone_costs_no_request(self):
        """Passive health checks with the real server: one of two is killed and comes back."""
        with Server() as one, Server() as two:
            with Nginx({'all': [one, two]}) as nginx:
                def ask_all(count):
                    for i in range(count):
                        method, path = (('GET', '/.well-known/jwks.json'), ('POST', '/v1/auth/refresh'))[i % 2]
                        self.assertIn(self.ask(nginx, method, path).status, (200, 422))

                def who():
                    return {e['upstream'].split(', ')[-1].rpartition(':')[2] for e in nginx.log()}
                ask_all(20)
                self.assertEqual(who(), {str(one.port), str(two.port)})
                one.kill()
                ask_all(40)
                one.start()
                before = len(nginx.log())

                def back():
                    ask_all(4)
                    return any(e['upstream'] == f'127.0.0.1:{one.port}' for e in nginx.log()[before:])
                until(back, 'the server that came back is asked again', 30)

    def test_a_roll_costs_no_request(self):
        """Both servers are ended by SIGTERM and started again, one after the other, twice, while reads and writes go on; the
        next one when the last one is ready, though Nginx may leave that one out still."""
        failed, asked, stop = {'GET': [], 'POST': []}, {'GET': 0, 'POST': 0}, threading.Event()

        def ask_on(nginx):
            while not stop.is_set():
                for method, path, right in (('GET', '/.well-known/jwks.json', 200), ('POST', '/v1/auth/refresh', 422)):
                    try:
                        a = self.ask(nginx, method, path)
                        wrong = None if a.status == right else repr(a)
                    except Exception as e:  # pylint: disable=broad-except
                        wrong = repr(e)
                    asked[method] += 1
                    if wrong:
                        failed[method].append(wrong)

        with Server() as one, Server() as two, Nginx({'all': [one, two]}) as nginx:
            threads = [threading.Thread(target=ask_on, args=(nginx,), daemon=True) for _ in range(4)]
            for thread in threads:
                thread.start()
            try:
                for server in (one, two, one, two):
                    self.assertEqual(server.stop(), 0)
                    server.start()
            finally:
                stop.set()
                for thread in threads:
                    thread.join(30)
        self.assertEqual(failed, {'GET': [], 'POST': []})
        self.assertGreater(min(asked.values()), 20)

    def test_nobody_there(self):
        gone = type('Gone', (), {'port': free_port()})
        with Nginx({'all': [gone]}) as nginx:
            a = lorry.check_answer(self.ask(nginx, 'GET'))
            self.assertEqual((a.status, a.type, a.header('retry-after')), (502, 'bad-gateway', '1'))


if __name__ == '__main__':
    DUMP_ROUTES = sys.argv.pop(2)
    lorry.main(at_once=3)
