"""Proof of delivery over HTTP: what a booking asks for, who is shown the PIN, what is refused, who sees the pictures."""
import json
import os
import re
import struct
import tempfile
import unittest
import zlib

import lorry
from lorry import Server

APPROVE = ('--driver-approval', 'auto', *lorry.UNLIMITED)
PNG = [('Content-Type', 'image/png')]


def png(shade):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>2I5B', 1, 1, 8, 0, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(bytes([0, shade]))) + chunk(b'IEND', b''))


class Proof(unittest.TestCase):
    def arrived(self, server, proof, stop=1):
        """A customer, his driver at STOP, the booking's path."""
        customer, driver = server.register(), server.driver()
        quote = customer.quote()
        booking = customer.post('/v1/bookings', {'quote_id': quote['id'], 'stops': [{}, {'proof': proof}] if proof else []},
                                expect=201).json
        driver.offer(booking['id'])
        driver.accept(booking['id'])
        driver.status(booking['id'], *('arrived_pickup', 'picked_up', 'arrived_dropoff')[:1 + 2 * stop])
        return customer, driver, f'/v1/bookings/{booking["id"]}', booking

    def test_all_kinds(self):
        with Server(*APPROVE) as server:
            customer, driver, at, booking = self.arrived(server, ['pin', 'photo', 'signature', 'name'])
            missing = driver.problem(409, 'proof-missing', 'POST', f'{at}/status', {'status': 'delivered', 'stop': 1}).json
            self.assertEqual(missing['missing'], ['pin', 'photo', 'signature', 'name'])
            pins = customer.get(f'{at}/pins', expect=200).json['items']
            self.assertEqual([p['stop'] for p in pins], [1])
            pin, link = pins[0]['pin'], pins[0]['tracking_token']
            driver.problem(403, 'forbidden', 'GET', f'{at}/pins')
            server.register().problem(404, 'not-found', 'GET', f'{at}/pins')
            # What the driver sees has no PIN in it, the link of the booking neither; the stop's own has.
            anybody = server.api()
            self.assertNotIn('"pin":"', str(driver.get(at, expect=200).body))
            self.assertNotIn('"pin":"', str(anybody.get(f'/v1/track/{booking["tracking_token"]}', expect=200).body))
            self.assertEqual(anybody.get(f'/v1/track/{link}', expect=200).json['stops'][1]['proof']['pin'], pin)
            photo, signature = (driver.post('/v1/files', png(n), headers=PNG, expect=201).json for n in (1, 2))
            customer.problem(404, 'not-found', 'GET', f'/v1/files/{photo["id"]}')
            theirs = customer.post('/v1/files', png(3), headers=PNG, expect=201).json
            for body, pointer in (({'stop': 1}, ''), ({'stop': 1, 'pin': '12a4'}, '/pin'), ({'stop': 1, 'pin': '123'}, '/pin'),
                                  ({'pin': pin}, '/stop'), ({'stop': 21, 'pin': pin}, '/stop'), ({'stop': 1, 'name': ''}, '/name'),
                                  ({'stop': 1, 'photo_id': 'fil_1'}, '/photo_id'),
                                  ({'stop': 1, 'photo_id': theirs['id']}, '/photo_id'),
                                  ({'stop': 1, 'signature_id': 'fil_01M850A1E7QCRB3XG104WRR17N'}, '/signature_id')):
                with self.subTest(body):
                    a = driver.problem(422, 'invalid-request', 'POST', f'{at}/proof', body).json
                    self.assertEqual([e['pointer'] for e in a['errors']], [pointer])
            given = {'stop': 1, 'photo_id': photo['id'], 'signature_id': signature['id'], 'name': 'Bo Ek', 'pin': pin}
            view = driver.post(f'{at}/proof', given, key='p-1', expect=200).json
            again = driver.post(f'{at}/proof', given, key='p-1', expect=200)
            self.assertEqual((again.json['version'], again.header('idempotency-replayed')), (view['version'], 'true'))
            proof = view['stops'][1]['proof']
            self.assertEqual((proof['missing'], proof['given']['name'], proof['given']['pin']), ([], 'Bo Ek', True))
            self.assertEqual(proof['given']['photo'], {'id': photo['id'], 'sha256': photo['sha256']})
            self.assertEqual(customer.get(f'/v1/files/{photo["id"]}', expect=200).body, png(1))
            server.register().problem(404, 'not-found', 'GET', f'/v1/files/{photo["id"]}')
            picture = f'/v1/track/{link}/files/{photo["id"]}'
            anybody.problem(404, 'not-found', 'GET', picture)  # not before it is done
            self.assertIsNone(anybody.get(f'/v1/track/{link}', expect=200).json['stops'][1]['proof']['given'])
            driver.status(booking['id'], 'delivered')
            self.assertEqual(anybody.get(picture, expect=200).body, png(1))
            anybody.problem(404, 'not-found', 'GET', f'/v1/track/{link}/files/{theirs["id"]}')
            self.assertEqual(anybody.get(f'/v1/track/{link}', expect=200).json['stops'][1]['proof']['given']['name'], 'Bo Ek')
            entry = next(e for e in customer.get(f'{at}/timeline', expect=200).json['items'] if e['type'] == 'booking.proof_given')
            self.assertEqual((entry['data']['stop'], entry['data']['proof']['photo']['sha256']), (1, photo['sha256']))

    def test_custody(self):
        """The bundle is downloaded, checked by the command, and no byte of it can be another."""
        with Server(*APPROVE) as server, tempfile.TemporaryDirectory() as folder:
            def kept(name, data):
                path = os.path.join(folder, name)
                with open(path, 'wb') as file:
                    file.write(data)
                return path

            customer, driver, at, booking = self.arrived(server, ['photo', 'name'])
            photo = driver.post('/v1/files', png(7), headers=PNG, expect=201).json
            driver.post(f'{at}/proof', {'stop': 1, 'photo_id': photo['id'], 'name': 'Bo "Å" Ek'}, expect=200)
            driver.status(booking['id'], 'delivered')
            driver.problem(403, 'forbidden', 'GET', f'{at}/custody')
            server.register().problem(404, 'not-found', 'GET', f'{at}/custody')
            customer.problem(404, 'not-found', 'GET', '/v1/bookings/bkg_1/custody')
            server.api().problem(401, 'unauthenticated', 'GET', f'{at}/custody')
            keys = kept('jwks.json', server.api().get('/.well-known/jwks.json', expect=200).body)
            answer = customer.get(f'{at}/custody', expect=200)
            self.assertIn(f'lorry-{booking["code"]}.custody.jsonl', answer.header('content-disposition'))
            bundle, path = answer.body, kept('bundle', answer.body)
            lines = [json.loads(line) for line in bundle.splitlines()]
            timeline = customer.get(f'{at}/timeline', expect=200).json['items']
            self.assertEqual([(e['seq'], e['at'], e['type']) for e in timeline],
                             [tuple(line['entry'][k] for k in ('seq', 'at', 'type')) for line in lines if 'entry' in line])
            staff = kept('staff', server.staff('dispatcher').get(f'{at}/custody', expect=200).body)
            taken = kept('taken', customer.get(f'/v1/files/{photo["id"]}', expect=200).body)
            pictures = os.path.join(folder, 'pictures')
            os.mkdir(pictures)
            for n, name in enumerate(sorted(set(re.findall(rb'"(fil_[0-9A-Z]+)"', bundle)))):
                with open(os.path.join(pictures, str(n)), 'wb') as f:
                    f.write(customer.get(f'/v1/files/{name.decode()}', expect=200).body)
            if not lorry.CLUSTERED:
                server.kill()  # nobody is asked
            for args, words in (((path, '--keys', keys), 'among those given'), ((path,), 'not looked at'),
                                ((staff, '--keys', keys), 'among those given'), ((path, taken, '--keys', keys), 'unchanged'),
                                ((path, '--files', pictures), 'pictures that the bundle names')):
                done = lorry.run('verify', *args)
                self.assertEqual((done.returncode, done.stderr), (0, ''), args)
                self.assertIn(words, done.stdout)
            for change, words in self.changes(bundle):
                done = lorry.run('verify', kept('changed', change), '--keys', keys)
                self.assertEqual(done.returncode, 1, words)
                self.assertIn(words, done.stderr)
            strangers = kept('other.json', json.dumps({'keys': []}).encode())
            for args, words in (((path, '--keys', strangers), 'not among the platform'), ((path, '--keys', path), 'no JWKS'),
                                ((path, kept('other.png', png(8))), 'NOT a picture'), ((folder,), 'cannot read'),
                                ((os.path.join(folder, 'none'),), 'cannot read'), ((kept('empty', b''),), 'no signature')):
                done = lorry.run('verify', *args)
                self.assertEqual(done.returncode, 1, words)
                self.assertIn(words, done.stderr)
            with open(os.path.join(pictures, '0'), 'ab') as f:
                f.write(b'x')
            for args, words in (((path, '--files', pictures), 'NOT in'), ((path, '--files', path), 'cannot read')):
                done = lorry.run('verify', *args)
                self.assertEqual(done.returncode, 1, words)
                self.assertIn(words, done.stderr)
            self.assertEqual(lorry.run('verify').returncode, 2)

    @staticmethod
    def changes(bundle):
        """A byte here and there, and what is said of it; then whole lines."""
        for i in range(0, len(bundle), max(1, len(bundle) // 100)):
            yield bundle[:i] + bytes([bundle[i] ^ 1]) + bundle[i + 1:], 'NOT as it was signed'
        lines = bundle.splitlines(keepends=True)
        yield b''.join(lines[:3] + lines[4:]), 'entry 3 is missing'
        yield b''.join([*lines[:3], lines[4], lines[3], *lines[5:]]), 'wrong place'
        yield b''.join(lines[:-1]), 'cut off'
        yield bundle.replace(b'Bo ', b'Al '), 'what is sealed in it'
        yield bundle.replace(b'"seq":4,"at":"2', b'"seq":4,"at":"3'), 'entry 4 (booking.progressed, 3'
        yield bundle + b'{}\n', 'behind the signature'

    def test_wrong_pins(self):
        with Server(*APPROVE) as server:
            customer, driver, at, _ = self.arrived(server, ['pin'])
            pin = customer.get(f'{at}/pins', expect=200).json['items'][0]['pin']
            wrong = '0000' if pin != '0000' else '0001'
            for _ in range(5):
                driver.problem(422, 'invalid-request', 'POST', f'{at}/proof', {'stop': 1, 'pin': wrong})
            a = driver.problem(429, 'too-many-requests', 'POST', f'{at}/proof', {'stop': 1, 'pin': pin})
            self.assertTrue(200 < int(a.header('retry-after')) <= 301)
            types = [e['type'] for e in customer.get(f'{at}/timeline', expect=200).json['items']]
            self.assertEqual(types.count('booking.pin_refused'), 5)

    def test_policy_of_the_house(self):
        with Server(*APPROVE, '--proof', 'name') as server:
            _, driver, at, booking = self.arrived(server, None)
            self.assertNotIn('proof', booking['stops'][0])
            self.assertEqual(booking['stops'][1]['proof']['required'], ['name'])
            driver.problem(409, 'proof-missing', 'POST', f'{at}/status', {'status': 'delivered', 'stop': 1})
            driver.post(f'{at}/proof', {'stop': 1, 'name': 'Bo'}, expect=200)
            driver.status(booking['id'], 'delivered')
            customer, _, _, booking = self.arrived(server, ['none'])
            self.assertNotIn('proof', booking['stops'][1])
            for proof in ([], ['fingerprint'], ['none', 'pin'], 'pin', ['pin'] * 5):
                with self.subTest(proof):
                    customer.problem(422, 'invalid-request', 'POST', '/v1/bookings',
                                     {'quote_id': customer.quote()['id'], 'stops': [{}, {'proof': proof}]})


if __name__ == '__main__':
    lorry.main(at_once=3)
