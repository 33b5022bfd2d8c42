"""Webhooks against real receivers: who hears of what, how it is signed (verified by the npm library standardwebhooks, too),
what is tried again, and where nothing is ever sent."""
import base64
import email
import email.policy
import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import lorry
from lorry import Server, until

# Where scripts/get-deploy-tools.sh puts what tests take from npm.
MODULES = os.path.join(os.path.dirname(os.path.abspath(lorry.BINARY)), '..', 'build', 'deploy-tools', 'node_modules')
VERIFY = '''
const { Webhook } = require('standardwebhooks')
let text = ''
process.stdin.on('data', d => text += d).on('end', () => {
  const out = JSON.parse(text).map(m => { try { new Webhook(m.secret).verify(m.body, m.headers); return true } catch (e) { return String(e) } })
  console.log(JSON.stringify(out))
})'''


class Receiver:
    """An HTTP server that keeps what it is sent. ANSWER(path) says what it answers: a status, or (status, headers, body)."""

    def __init__(self, answer=lambda path: 204):
        self.got = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length'])).decode()
                outer.got.append({'path': self.path, 'body': body, 'at': time.time(),
                                  'headers': {k.lower(): v for k, v in self.headers.items()}})
                said = answer(self.path)
                status, headers, text = said if isinstance(said, tuple) else (said, {}, '')
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header('Content-Length', str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text.encode())
                except OSError:
                    self.close_connection = True  # it was too long for whoever asked

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Quiet(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path='/hook'):
        return f'http://127.0.0.1:{self.server.server_port}{path}'

    def of(self, path='/hook', kind=None):
        return [m for m in self.got if m['path'] == path and (kind is None or json.loads(m['body'])['type'] == kind)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def signatures(message, secret):
    """Whether each of the message's signatures is made with SECRET, by the specification's words."""
    h = message['headers']
    text = f'{h["webhook-id"]}.{h["webhook-timestamp"]}.{message["body"]}'.encode()
    right = base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix('whsec_')), text, hashlib.sha256)).decode()
    return [s == f'v1,{right}' for s in h['webhook-signature'].split(' ')]


def book(api):
    quote = api.post('/v1/quotes', {'stops': [{'lat': 57.7089, 'lng': 11.9746}, {'lat': 57.6969, 'lng': 11.9865}]}, expect=201).json
    return api.post('/v1/bookings', {'quote_id': quote['quotes'][0]['id']}, expect=201).json


def setUpModule():
    global server, admin, receiver
    server = Server('--webhook-allow-private', *lorry.UNLIMITED)
    admin = server.staff('admin')
    receiver = Receiver()


def tearDownModule():
    try:
        assert server.alive(), server.log()[-3000:]
        assert server.stop() == 0, server.log()[-3000:]
    finally:
        server.close()
        receiver.close()


class Webhooks(unittest.TestCase):
    def hook(self, api, url=None, **more):
        made = api.post('/v1/webhooks', {'url': url or receiver.url(), **more}, expect=201).json
        self.addCleanup(lambda: api.call('DELETE', f'/v1/webhooks/{made["id"]}'))
        return made

    def test_made_changed_removed(self):
        api = server.register()
        made = self.hook(api, description='till the shop', events=['booking.delivered'])
        self.assertRegex(made['secret'], r'^whsec_[A-Za-z0-9+/]{43}=$')
        self.assertEqual((made['all'], made['status'], made['events']), (False, 'enabled', ['booking.delivered']))
        path = f'/v1/webhooks/{made["id"]}'
        seen = api.get(path, expect=200).json
        self.assertNotIn('secret', seen)  # shown once
        self.assertEqual(seen, {k: v for k, v in made.items() if k != 'secret'})
        self.assertEqual(api.get('/v1/webhooks', expect=200).json['items'], [seen])
        changed = api.call('PATCH', path, {'status': 'disabled', 'events': ['booking.failed']}, expect=200, if_match='"1"').json
        self.assertEqual((changed['status'], changed['events'], changed['version']), ('disabled', ['booking.failed'], 2))
        api.call('PATCH', path, {'status': 'enabled'}, expect=412, if_match='"1"')
        # Nobody else's, not even an admin's.
        for other in (server.register(), admin):
            for method, tail, body in (('GET', '', None), ('PATCH', '', {}), ('DELETE', '', None), ('POST', '/secret', None),
                                       ('POST', '/test', None), ('GET', '/deliveries', None)):
                other.call(method, path + tail, body, expect=404)
        server.register('driver').call('GET', '/v1/webhooks', expect=403)
        api.call('DELETE', path, expect=204)
        api.get(path, expect=404)

    def test_bad_input(self):
        api = server.register()
        for url in ('ftp://a.b', 'https://', 'https:///x', 'https://u:p@host/', 'https://ho st/', 'https://host/"', 'x' * 20,
                    'https://host\\@other/', 'https://[::1', 'javascript://x'):
            said = api.call('POST', '/v1/webhooks', {'url': url}, expect=422).json
            self.assertEqual([e['pointer'] for e in said['errors']], ['/url'], url)
        for body, pointer in (({}, '/url'), ({'url': 5}, '/url'), ({'url': 'https://' + 'a' * 1000}, '/url'),
                              ({'url': 'https://a.b', 'events': ['booking.nonsense']}, '/events/0'),
                              ({'url': 'https://a.b', 'events': 'x'}, '/events'),
                              ({'url': 'https://a.b', 'events': ['booking.failed'] * 33}, '/events'),
                              ({'url': 'https://a.b', 'event': ['booking.failed']}, '/event'),
                              ({'url': 'https://a.b', 'description': 'a\nb'}, '/description')):
            said = api.call('POST', '/v1/webhooks', body, expect=422).json
            self.assertEqual([e['pointer'] for e in said['errors']], [pointer], body)
        for _ in range(20):
            self.hook(api)
        self.assertEqual(api.call('POST', '/v1/webhooks', {'url': 'https://a.b'}, expect=409).json['type'],
                         '/problems/too-many-webhooks')

    def test_who_hears_of_what_and_how_it_is_signed(self):
        one, two = server.register(), server.register()
        mine = self.hook(one, receiver.url('/mine'))
        self.hook(one, receiver.url('/filtered'), events=['booking.cancelled'])
        every = self.hook(admin, receiver.url('/all'), events=['booking.requested', 'booking.cancelled'])
        self.assertTrue(every['all'])
        booked, other = book(one), book(two)
        one.post(f'/v1/bookings/{booked["id"]}/cancel', {}, expect=200)
        until(lambda: receiver.of('/filtered') and receiver.of('/mine', 'booking.cancelled')
              and len(receiver.of('/all')) >= 3, 'everybody was told')
        self.assertEqual(len(receiver.of('/filtered')), 1)
        about = {json.loads(m['body'])['data']['booking_id'] for m in receiver.of('/mine')}
        self.assertEqual(about, {booked['id']})
        self.assertIn(other['id'], {json.loads(m['body'])['data']['booking_id'] for m in receiver.of('/all')})
        for path, secret in (('/mine', mine['secret']), ('/all', every['secret'])):
            for message in receiver.of(path):
                self.assertEqual(signatures(message, secret), [True])
                self.assertLess(abs(int(message['headers']['webhook-timestamp']) - time.time()), 60)
                self.assertEqual(message['headers']['content-type'], 'application/json')
                body = json.loads(message['body'])
                self.assertEqual(body['data']['booking']['id'], body['data']['booking_id'])
        ids = [m['headers']['webhook-id'] for m in receiver.got]
        self.assertEqual(len(ids), len(set(ids)))
        self.verified_by_the_library([(m, mine['secret'], True) for m in receiver.of('/mine')]
                                     + [(m, every['secret'], False) for m in receiver.of('/mine')])
        log = one.get(f'/v1/webhooks/{mine["id"]}/deliveries', expect=200).json['items']
        self.assertEqual({d['state'] for d in log}, {'sent'})
        self.assertEqual({d['log'][0]['status'] for d in log}, {204})

    def verified_by_the_library(self, messages):
        if not shutil.which('node') or not os.path.isdir(os.path.join(MODULES, 'standardwebhooks')):
            lorry.say('npm\'s standardwebhooks is not at hand (scripts/get-deploy-tools.sh fetches it): not verified by it')
            return
        asked = [{'secret': secret, 'headers': m['headers'], 'body': m['body']} for m, secret, _ in messages]
        done = subprocess.run(['node', '-e', VERIFY], input=json.dumps(asked), env={**os.environ, 'NODE_PATH': MODULES},
                              capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual([answer is True for answer in json.loads(done.stdout)], [right for *_, right in messages], done.stdout)
        lorry.say(f'standardwebhooks has verified {len(asked)} messages')

    def test_old_secret_is_good_for_a_day(self):
        api = server.register()
        made = self.hook(api, receiver.url('/rotated'))
        fresh = api.post(f'/v1/webhooks/{made["id"]}/secret', expect=200).json
        self.assertNotEqual(fresh['secret'], made['secret'])
        api.post(f'/v1/webhooks/{made["id"]}/test', expect=202)
        until(lambda: receiver.of('/rotated', 'webhook.test'), 'the test event comes')
        message = receiver.of('/rotated')[0]
        self.assertEqual(signatures(message, fresh['secret']), [True, False])
        self.assertEqual(signatures(message, made['secret']), [False, True])
        self.verified_by_the_library([(message, fresh['secret'], True), (message, made['secret'], True)])

    def test_tried_again_and_by_hand(self):
        answers = [(503, {}, 'busy\x01'), 200, 200]
        there = Receiver(lambda _: answers.pop(0))
        self.addCleanup(there.close)
        api = server.register()
        made = self.hook(api, there.url())
        sent = api.post(f'/v1/webhooks/{made["id"]}/test', expect=202).json
        until(lambda: len(there.got) == 2, 'it is tried again after some 5 s', 30 * lorry.SLOW)
        first, second = there.got
        self.assertEqual(first['headers']['webhook-id'], second['headers']['webhook-id'])
        self.assertEqual(first['body'], second['body'])
        self.assertGreater(second['at'] - first['at'], 3)
        self.assertEqual(signatures(second, made['secret']), [True])

        def delivery():
            return api.get(f'/v1/webhooks/{made["id"]}/deliveries', expect=200).json['items'][0]
        until(lambda: delivery()['state'] == 'sent', 'the log says so')
        self.assertEqual([(t['status'], t.get('excerpt')) for t in delivery()['log']], [(503, 'busy?'), (200, None)])
        server.register().call('POST', f'/v1/deliveries/{sent["id"]}/retry', expect=404)
        api.call('POST', f'/v1/deliveries/{sent["id"]}/retry', expect=202)
        until(lambda: len(there.got) == 3, 'it comes once more, by hand')
        self.assertEqual(there.got[2]['headers']['webhook-id'], sent['id'])
        self.assertTrue([d for d in admin.get('/v1/deliveries?state=sent', expect=200).json['items'] if d['id'] == sent['id']])
        admin.call('GET', '/v1/deliveries?state=nonsense', expect=422)
        api.call('GET', '/v1/deliveries', expect=403)

    def test_redirects_are_not_followed_and_long_answers_not_read(self):
        other = Receiver()
        there = Receiver(lambda path: (302, {'Location': other.url()}, '') if path == '/away' else (200, {}, 'x' * 3_000_000))
        self.addCleanup(there.close)
        self.addCleanup(other.close)
        api = server.register()
        away, long = self.hook(api, there.url('/away')), self.hook(api, there.url('/long'))
        for made in (away, long):
            api.post(f'/v1/webhooks/{made["id"]}/test', expect=202)

        def tries(made):
            return api.get(f'/v1/webhooks/{made["id"]}/deliveries', expect=200).json['items'][0]['log']
        until(lambda: tries(away) and tries(long), 'both were tried')
        self.assertEqual(tries(away)[0]['status'], 302)
        self.assertEqual(other.got, [])
        self.assertEqual((tries(long)[0]['status'], len(tries(long)[0]['excerpt'])), (200, 500))

    def test_a_slow_one_holds_up_nobody(self):
        gate = threading.Event()
        slow, quick = Receiver(lambda _: 204 if gate.wait(30) else 204), Receiver()
        self.addCleanup(slow.close)
        self.addCleanup(quick.close)
        self.addCleanup(gate.set)
        api = server.register()
        made = self.hook(api, slow.url())
        self.hook(api, quick.url())
        for _ in range(8):
            book(api)
        until(lambda: len({json.loads(m['body'])['data']['booking_id'] for m in quick.of()}) == 8, 'the quick one has heard of all')
        self.assertLessEqual(len(slow.got), 4)  # at once
        gate.set()
        until(lambda: len({json.loads(m['body'])['data']['booking_id'] for m in slow.got}) == 8, 'so has the slow one, later',
              60 * lorry.SLOW)
        self.assertEqual(api.get(f'/v1/webhooks/{made["id"]}', expect=200).json['status'], 'enabled')

    def test_gone_is_disabled_and_told(self):
        there = Receiver(lambda _: 410)
        self.addCleanup(there.close)
        api = server.register()
        made = self.hook(api, there.url())
        book(api)
        until(lambda: api.get(f'/v1/webhooks/{made["id"]}', expect=200).json['status'] == 'disabled', 'it is disabled')
        told = until(lambda: [n for n in api.get('/v1/notifications', expect=200).json['items']
                              if n['type'] == 'webhook.disabled'], 'its owner is told')
        self.assertEqual([n['data'] for n in told], [{'id': made['id'], 'url': there.url(), 'reason': 'gone'}])


class People(unittest.TestCase):
    """E-mail and text messages of a whole way: an account, its choice, a booking."""

    def test_mail_and_message(self):
        gateway = Receiver()
        self.addCleanup(gateway.close)
        secret = 'whsec_' + base64.b64encode(b'x' * 32).decode()
        with tempfile.TemporaryDirectory() as folder, Server(
                '--mail', f'file:{folder}', '--mail-from', 'Lorry <lorry@example.com>', '--message-url', gateway.url('/sms'),
                env={'LORRY_MESSAGE_SECRET': secret}) as there:  # a private address: the operator's own
            api = there.register(phone='+46701234567')
            api.call('PUT', '/v1/notifications/preferences', {'language': 'sv', 'email': ['requested', 'cancelled'], 'message': ['cancelled']},
                     expect=200)
            booked = book(api)
            api.post(f'/v1/bookings/{booked["id"]}/cancel', {}, expect=200)

            def letters():
                found = {}
                for name in os.listdir(folder):
                    if name.endswith('.eml'):
                        with open(os.path.join(folder, name), 'rb') as file:
                            found[name] = email.message_from_binary_file(file, policy=email.policy.default)
                return {name: m for name, m in found.items() if booked['code'] in m['Subject']}  # not that of the registration
            until(lambda: len(letters()) == 2, 'both mails are there')
            parsed = letters().values()
            self.assertEqual({m['Subject'] for m in parsed},
                             {f'Bokning {booked["code"]} är gjord', f'Bokning {booked["code"]} är avbokad'})
            for name, m in letters().items():
                self.assertEqual(m['Message-ID'], f'<{name.removesuffix(".eml")}@example.com>')
                self.assertIn('Hej Asha Rao,', m.get_body(('plain',)).get_content())
                self.assertIn('<html lang="sv" dir="ltr">', m.get_body(('html',)).get_content())
            until(lambda: gateway.of('/sms'), 'the message, too')
            told = json.loads(gateway.got[0]['body'])
            self.assertEqual((told['type'], told['data']['to'], told['data']['kind'], told['data']['language'], told['data']['text']),
                             ('message', '+46701234567', 'booking_cancelled', 'sv', f'Bokning {booked["code"]} är avbokad'))
            self.assertEqual(signatures(gateway.got[0], secret), [True])
            self.assertEqual(len(gateway.got), 1)


def leads_inside(name):
    try:
        return all(not ipaddress.ip_address(a[4][0]).is_global for a in socket.getaddrinfo(name, 1))
    except OSError:
        return False


class NameServer:
    """One that takes questions and says nothing, and a program that runs `lorry` where it is the only one."""

    ALONE = '#!/bin/sh\nexec unshare -m sh -c \'mount --bind "$0" /etc/resolv.conf && exec "$@"\' %s %s "$@"\n'

    def __init__(self, folder):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.0.53', 53))
        conf, self.lorry = os.path.join(folder, 'resolv.conf'), os.path.join(folder, 'lorry')
        with open(conf, 'w', encoding='ascii') as f:
            f.write('nameserver 127.0.0.53\noptions timeout:30 attempts:1\n')
        with open(self.lorry, 'w', encoding='ascii') as f:
            f.write(self.ALONE % (conf, os.path.abspath(lorry.BINARY)))
        os.chmod(self.lorry, 0o755)
        subprocess.run(['unshare', '-m', 'mount', '--bind', conf, '/etc/resolv.conf'], check=True, capture_output=True)


class Names(unittest.TestCase):
    def test_a_name_server_that_says_nothing_holds_up_nobody(self):
        folder = tempfile.mkdtemp(prefix='lorry-names-')
        self.addCleanup(shutil.rmtree, folder)
        try:
            names = NameServer(folder)
        except (OSError, subprocess.CalledProcessError) as e:
            self.skipTest(f'a name server of one\'s own needs root: {e}')
        self.addCleanup(names.sock.close)
        with Server('--webhook-allow-private', start=False) as server_there:
            server_there.binary = names.lorry
            server_there.start()
            api = server_there.register()
            lost, found = (api.post('/v1/webhooks', {'url': url}, expect=201).json['id']
                           for url in ('https://lost.example/', receiver.url('/found')))
            begun = time.monotonic()
            api.post(f'/v1/webhooks/{lost}/test', expect=202)
            names.sock.settimeout(lorry.WAIT_S)
            names.sock.recv(512)  # it is asked
            until(lambda: api.get(f'/v1/webhooks/{lost}/deliveries', expect=200).json['items'][0]['log'], 'it is given up', 60)
            api.post(f'/v1/webhooks/{found}/test', expect=202)
            until(lambda: receiver.of('/found'), 'another one is sent')
            self.assertLess(time.monotonic() - begun, 25)  # the resolver itself waits for 30


class Inside(unittest.TestCase):
    """Without --webhook-allow-private nothing is ever sent to this machine or its network, however it is called."""

    def test_refused(self):
        there = Receiver()
        self.addCleanup(there.close)
        port = there.server.server_port
        with Server() as guarded:
            api = guarded.register()
            for host in ('127.0.0.1', 'localhost', 'LOCALHOST', '[::1]', '10.1.2.3', '192.168.0.1', '169.254.169.254', '0.0.0.0',
                         '[::ffff:127.0.0.1]', '[fe80::1]', '[fd00::1]'):
                api.call('POST', '/v1/webhooks', {'url': f'https://{host}:{port}/'}, expect=422)
            api.call('POST', '/v1/webhooks', {'url': f'http://example.com:{port}/'}, expect=422)
            # What only shows when it is connected to: odd notations, and names that lead inside.
            inside = [name for name in ('ip6-localhost', socket.gethostname()) if leads_inside(name)]
            hooks = [api.post('/v1/webhooks', {'url': f'https://{host}:{port}/'}, expect=201).json
                     for host in ('2130706433', '0177.0.0.1', '0x7f.1', '127.1', '0', *inside)]
            for made in hooks:
                api.post(f'/v1/webhooks/{made["id"]}/test', expect=202)

            def log(made):
                return api.get(f'/v1/webhooks/{made["id"]}/deliveries', expect=200).json['items'][0]['log']
            for made in hooks:
                until(lambda made=made: log(made), made['url'])
                self.assertEqual(log(made)[0]['detail'], 'the receiver\'s address is not a public one', made['url'])
            self.assertEqual(there.got, [])


if __name__ == '__main__':
    lorry.main()
