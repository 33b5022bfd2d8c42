"""What goes wrong around a server: a full disk, a store that somebody else has locked, a second server on the folder, a
port that is taken, SIGTERM in the middle of work, folders that are not ours, settings that are wrong, and `lorry user`
beside a running server. Nothing acknowledged is lost, and every refusal says what is wrong."""
import base64
import concurrent.futures
import contextlib
import ctypes
import datetime
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import tempfile
import threading
import time
import unittest
import uuid

import lorry
from lorry import PASSWORD, UNLIMITED, Connection, Refused, Server, WebSocket, check_answer, request_bytes, rfc3339, until


class Writer:
    """Somebody who writes all there is to write, and knows what was acknowledged."""

    def __init__(self, server):
        self.customer, self.driver = server.register(), server.register('driver')
        self.driver.get('/v1/driver', expect=200)
        self.driver_id = 'drv' + self.driver.user['id'][3:]
        self.bookings, self.fixes, self.refused = [], [], 0
        self.at = time.time() - 3000

    def quote(self):
        return self.customer.post('/v1/quotes', {'stops': [{'lat': 57.7, 'lng': 11.9}, {'lat': 57.71, 'lng': 11.9}], 'vehicle': 'van'})

    def once(self):
        """One of each write. True if all were acknowledged; else the refusals were what they should be."""
        quote = self.quote()
        fine = self.fine(quote, 201)
        if fine:
            booking = self.customer.post('/v1/bookings', {'quote_id': quote.json['quotes'][0]['id'], 'notes': 'n' * 900},
                                         key=str(uuid.uuid4()))
            if self.fine(booking, 201):
                self.bookings.append(booking.json)
            else:
                fine = False
        times = [rfc3339(self.at + i / 100) for i in range(50)]
        self.at += 1
        stored = self.driver.post('/v1/driver/locations', {'fixes': [{'at': t, 'lat': 57.7, 'lng': 11.9} for t in times]})
        if self.fine(stored, 200):
            self.fixes += times
        else:
            fine = False
        return fine

    def fine(self, answer, status):
        if answer.status == status:
            return True
        assert answer.status == 503 and answer.type in ('store-unavailable', 'overloaded'), answer
        self.refused += 1
        return False

    def all_there(self, test, dispatcher):
        there = {b['id']: b for b in self.customer.pages('/v1/bookings', 200)}
        for booking in self.bookings:
            test.assertEqual(there[booking['id']]['code'], booking['code'])
        path = f'/v1/drivers/{self.driver_id}/trail?from={rfc3339(time.time() - 7200)}'
        stored, cursor = [], ''
        while cursor is not None:
            page = dispatcher.get(path + (f'&cursor={cursor}' if cursor else ''), expect=200).json
            stored, cursor = stored + [f['at'] for f in page['fixes']], page['next_cursor']
        test.assertEqual(len(stored), len(set(stored)))
        normal = lambda t: t.rstrip('Z').rstrip('0').rstrip('.') if '.' in t else t.rstrip('Z')
        test.assertEqual({normal(t) for t in self.fixes} - {normal(t) for t in stored}, set())


class FullDisk(unittest.TestCase):
    def goes_through_it(self, server, fill, make_room):
        dispatcher = server.staff('dispatcher')
        writer = Writer(server)
        for _ in range(5):
            self.assertTrue(writer.once())
        driver = writer.driver
        with WebSocket(server, driver.token) as ws:
            ws.expect('ready')
            fill()
            until(lambda: not writer.once() and writer.refused > 3, 'writes are refused', 30 * lorry.SLOW, 0.01)
            a = writer.customer.post('/v1/auth/login', {'email': writer.customer.user['email'], 'password': PASSWORD})
            self.assertEqual((a.status, a.type), (503, 'store-unavailable'))
            ws.send({'type': 'location', 'id': 5, 'fixes': [{'at': rfc3339(time.time()), 'lat': 1, 'lng': 1}]})
            message = ws.receive()
            self.assertEqual((message['type'], message['status']), ('error', 503), message)
            # What only reads goes on, and tells the truth.
            writer.all_there(self, dispatcher)
            self.assertEqual(server.api().get('/readyz').status, 200)
            self.assertEqual(dispatcher.get('/v1/bookings?state=active').status, 200)
            make_room()
            until(writer.once, 'writes are taken again', 15 * lorry.SLOW, 0.1)
            ws.send({'type': 'location', 'id': 6, 'fixes': [{'at': rfc3339(time.time()), 'lat': 1, 'lng': 1}]})
            ws.expect('ack')
        for _ in range(5):
            self.assertTrue(writer.once())
        writer.all_there(self, dispatcher)
        server.login(writer.customer.user['email'])
        # And on: what waits for its time (here the end of each search) comes to pass.
        until(lambda: not dispatcher.pages('/v1/bookings?state=active', 200), 'the searches end', 20 * lorry.SLOW)
        self.assertEqual(server.stop(), 0)
        server.start()
        dispatcher.close(), writer.customer.close()
        writer.all_there(self, dispatcher)
        with contextlib.closing(sqlite3.connect(f'file:{server.data}/lorry.db?mode=ro', uri=True)) as db:
            self.assertEqual(db.execute('PRAGMA integrity_check').fetchall(), [('ok',)])

    def test_files_may_not_grow(self):
        """RLIMIT_FSIZE: no file may grow any more. The server must not die of SIGXFSZ either."""
        with Server(*UNLIMITED, '--search-timeout-s', 5, '--offer-timeout-s', 2, '--log-level', 'off') as server:
            hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]

            def limit(size):
                resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))

            self.goes_through_it(server, lambda: limit(16 * 1024), lambda: limit(hard))

    def test_a_file_system_without_space(self):
        """A tmpfs of 8 MB in a mount namespace of our own, filled to the last byte."""
        libc = ctypes.CDLL(None, use_errno=True)
        where = tempfile.mkdtemp(prefix='lorry-full-')
        self.addCleanup(shutil.rmtree, where, ignore_errors=True)
        if libc.unshare(0x00020000) != 0 or libc.mount(b'none', b'/', None, 0x44000, None) != 0 or \
                libc.mount(b'tmpfs', where.encode(), b'tmpfs', 0, b'size=8m') != 0:
            self.skipTest(f'no tmpfs without being root: {os.strerror(ctypes.get_errno())}')
        self.addCleanup(libc.umount2, where.encode(), 2)
        ballast = os.path.join(where, 'ballast')

        def fill():
            with open(ballast, 'wb', buffering=0) as file:
                for size in (1 << 16, 1):
                    try:
                        while True:
                            file.write(b'x' * size)
                    except OSError:
                        pass

        with Server(*UNLIMITED, '--search-timeout-s', 5, '--offer-timeout-s', 2, '--log-level', 'off', data=os.path.join(where, 'data'), start=False) as server:
            os.mkdir(server.data)
            server.start()
            self.goes_through_it(server, fill, lambda: os.unlink(ballast))


class BusyStore(unittest.TestCase):
    def test_another_process_holds_the_lock(self):
        with Server('--search-timeout-s', 60) as server:
            dispatcher = server.staff('dispatcher')
            writer = Writer(server)
            self.assertTrue(writer.once())
            other = sqlite3.connect(os.path.join(server.data, 'lorry.db'), isolation_level=None)
            other.execute('BEGIN IMMEDIATE')
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                begun = time.monotonic()
                posts = [pool.submit(server.api(writer.customer.token).post, '/v1/quotes',
                                     {'stops': [{'lat': 57.7, 'lng': 11.9}, {'lat': 57.71, 'lng': 11.9}], 'vehicle': 'van'}) for _ in range(3)]
                while time.monotonic() < begun + 3:
                    asked = time.monotonic()
                    self.assertEqual(dispatcher.get('/v1/bookings').status, 200)
                    self.assertLess(time.monotonic() - asked, 0.5 * lorry.SLOW, 'reads do not wait')
                    time.sleep(0.05)
                self.assertFalse(any(p.done() and p.result().status == 201 for p in posts), 'acknowledged while nobody could write')
                other.execute('ROLLBACK')
                for post in posts:
                    answer = post.result()
                    self.assertTrue(answer.status == 201 or (answer.status == 503 and answer.type == 'store-unavailable'), answer)
            until(writer.once, 'writes are taken again', 10 * lorry.SLOW)
            for _ in range(5):
                self.assertTrue(writer.once())
            writer.all_there(self, dispatcher)
            other.close()


class OneServer(unittest.TestCase):
    def test_a_second_on_the_folder_is_refused_with_the_pid(self):
        with Server() as server:
            second = lorry.run('serve', '--data', server.data, '--listen', '127.0.0.1:0')
            self.assertEqual(second.returncode, 1)
            self.assertIn(f'process {server.process.pid}', second.stderr)
            self.assertIn(server.data, second.stderr)
            server.register()
            server.kill()
            server.start()  # the lock died with the process

    def test_a_taken_port_is_refused(self):
        with Server() as server, tempfile.TemporaryDirectory() as data:
            second = lorry.run('serve', '--data', data, '--listen', f'127.0.0.1:{server.port}')
            self.assertEqual(second.returncode, 1)
            self.assertIn(str(server.port), second.stderr)
            self.assertIn('in use', second.stderr)
            server.register()
        with socket.socket() as taken, tempfile.TemporaryDirectory() as data:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            second = lorry.run('serve', '--data', data, '--listen', f'127.0.0.1:{taken.getsockname()[1]}')
            self.assertEqual(second.returncode, 1, 'SO_REUSEPORT or not')


class Draining(unittest.TestCase):
    def test_sigterm_finishes_what_is_in_flight(self):
        with Server() as server:
            customer = server.register()
            login = json.dumps({'email': customer.user['email'], 'password': PASSWORD}).encode()
            half = request_bytes('POST', '/v1/auth/login', login, [('Connection', 'keep-alive')])
            posting, asking, idle = Connection(server), Connection(server), Connection(server)
            self.assertEqual(idle.request('GET', '/readyz').status, 200)
            posting.send(half[:-10])
            asking.send(b'GET /readyz HTTP/1.1\r\nHost: x\r\n')
            ws = WebSocket(server, customer.token)
            ws.expect('ready')
            time.sleep(0.2)
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            ws.expect_closed(1001)
            ws.close()
            self.assertTrue(idle.closed(), 'an idle connection is closed')
            until(lambda: self.refused(server), 'no new connections')
            asking.send(b'\r\n')
            answer = asking.answer()
            self.assertEqual((answer.status, answer.json), (503, {'status': 'draining'}))
            posting.send(half[-10:])
            answer = check_answer(posting.answer('POST'))
            self.assertEqual((answer.status, answer.header('connection')), (200, 'close'))
            self.assertTrue(posting.closed())
            self.assertEqual(server.process.wait(10 * lorry.SLOW), 0)
            self.assertLess(time.monotonic() - begun, 5 * lorry.SLOW)
            server.start()
            self.assertEqual(server.api(answer.json['access_token']).get('/v1/me').status, 200)

    def test_those_who_do_not_finish_are_cut(self):
        with Server() as server:
            stuck = Connection(server)
            stuck.send(b'POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
            silent = WebSocket(server, server.register().token)
            time.sleep(0.2)
            begun = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - begun, 15 * lorry.SLOW)
            stuck.close(), silent.close()

    def test_sigint_too(self):
        with Server() as server:
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.process.wait(10 * lorry.SLOW), 0)

    def test_under_load_nothing_acknowledged_is_lost(self):
        with Server(*UNLIMITED) as server:
            dispatcher = server.staff('dispatcher')
            writers = [Writer(server) for _ in range(6)]
            surprises = []

            def work(writer):
                try:
                    while True:
                        writer.once()
                except OSError:
                    pass  # the connection is gone: it was not acknowledged
                except Exception as e:  # pylint: disable=broad-except
                    surprises.append(e)

            threads = [threading.Thread(target=work, args=(w,)) for w in writers]
            for thread in threads:
                thread.start()
            time.sleep(1)
            self.assertEqual(server.stop(), 0)
            for thread in threads:
                thread.join(30)
            self.assertEqual(surprises, [])
            server.start()
            dispatcher.close()
            for writer in writers:
                writer.customer.close()
                self.assertGreater(len(writer.bookings), 0)
                writer.all_there(self, dispatcher)

    @staticmethod
    def refused(server):
        try:
            socket.create_connection(('127.0.0.1', server.port), 5).close()
            return False
        except ConnectionRefusedError:
            return True


class OtherFolders(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp(prefix='lorry-test-')
        self.addCleanup(shutil.rmtree, self.data, ignore_errors=True)
        self.db = os.path.join(self.data, 'lorry.db')

    def refused(self, *words):
        """Refused with these words, twice the same; and the file is as it was."""
        with open(self.db, 'rb') as file:
            before = file.read()
        for _ in range(2):
            for args in (('serve', '--listen', '127.0.0.1:0'), ('user', 'list')):
                done = lorry.run(*args, '--data', self.data)
                self.assertEqual(done.returncode, 1, done)
                self.assertEqual(done.stdout, '')
                for word in words:
                    self.assertIn(word, done.stderr)
        with open(self.db, 'rb') as file:
            self.assertEqual(file.read(), before)

    def test_written_by_a_newer_lorry(self):
        with Server(data=self.data) as server:
            server.register()
            self.assertEqual(server.stop(), 0)
        with contextlib.closing(sqlite3.connect(self.db, isolation_level=None)) as db:
            db.execute("INSERT INTO schema_version VALUES(999, 0, 'lorry 9.9')")
        self.refused('newer', '999')

    def test_garbage(self):
        with open(self.db, 'wb') as file:
            file.write(b'this is not a database at all, it is a diary. ' * 400)
        self.refused('lorry.db', 'not a database')

    def test_another_programs_database(self):
        with contextlib.closing(sqlite3.connect(self.db, isolation_level=None)) as db:
            db.execute('CREATE TABLE recipes(name TEXT)')
        self.refused("another program's")

    def test_a_damaged_database(self):
        with Server(data=self.data) as server:
            for _ in range(3):
                server.register()
            self.assertEqual(server.stop(), 0)
        size = os.path.getsize(self.db)
        with open(self.db, 'r+b') as file:
            file.seek(100)
            file.write(b'\xee' * (size - 100))
        done = lorry.run('serve', '--data', self.data, '--listen', '127.0.0.1:0')
        self.assertEqual(done.returncode, 1)
        self.assertIn('damaged', done.stderr)

    def test_a_file_where_a_folder_should_be(self):
        path = os.path.join(self.data, 'file')
        with open(path, 'w', encoding='ascii'):
            pass
        done = lorry.run('serve', '--data', path, '--listen', '127.0.0.1:0')
        self.assertEqual(done.returncode, 1)
        self.assertIn(path, done.stderr)


class WrongSettings(unittest.TestCase):
    def refused(self, args, *words, env=None, status=2):
        with tempfile.TemporaryDirectory() as data:
            done = lorry.run('serve', '--data', data, '--listen', '127.0.0.1:0', *args, env=env)
            self.assertEqual((done.returncode, done.stdout), (status, ''), done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
            if status == 2:
                self.assertEqual(os.listdir(data), [], 'nothing is begun')

    def test_values(self):
        self.refused(['--workers', '1000'], 'workers', '1000', '256')
        self.refused(['--workers', 'many'], 'workers', 'many')
        self.refused(['--listen', 'nowhere'], 'listen', 'nowhere', '127.0.0.1:8080')
        self.refused(['--listen', '127.0.0.1:70000'], 'listen', '70000')
        self.refused(['--driver-approval', 'maybe'], 'driver_approval', 'maybe', 'manual', 'auto')
        self.refused(['--offer-timeout-s', '0'], 'offer_timeout_s', '0')
        self.refused(['--offer-timeout-s', '20x'], 'offer_timeout_s', '20x')
        self.refused(['--offer-timeout-s'], 'offer-timeout-s', 'needs a value')
        self.refused([], 'trip_max_km', 'far', env={'LORRY_TRIP_MAX_KM': 'far'})
        self.refused(['--search-radius-m', '9000', '--search-radius-max-m', '8000'], 'search_radius_max_m', '9000')
        self.refused(['--search-timeout-s', '10', '--offer-timeout-s', '20'], 'search_timeout_s', '20')
        self.refused(['--workers', '1000', '--offer-wave', '11'], 'workers', 'offer_wave')

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            missing = os.path.join(folder, 'missing.json')
            for key in ('tariffs', 'area', 'streets', 'config'):
                done = lorry.run('serve', '--data', os.path.join(folder, 'data'), '--listen', '127.0.0.1:0', f'--{key}', missing)
                self.assertIn(done.returncode, (1, 2), key)
                self.assertIn(missing, done.stderr, key)
            wrong = os.path.join(folder, 'wrong.json')
            for text in ('', '{', '[]', '{"type":"Point"}', '{"van":{"base":"a lot"}}'):
                with open(wrong, 'w', encoding='utf-8') as file:
                    file.write(text)
                for key in ('tariffs', 'area', 'streets'):
                    done = lorry.run('serve', '--data', os.path.join(folder, 'data'), '--listen', '127.0.0.1:0', f'--{key}', wrong)
                    self.assertIn(done.returncode, (1, 2), (key, text))
                    self.assertIn('wrong.json', done.stderr, (key, text))
                    if key != 'streets': # which has words of its own
                        self.assertIn(f'the {key} cannot be used: {wrong}: ', done.stderr, (key, text))
                    self.assertNotIn('  ', done.stderr, (key, text))
            with open(wrong, 'w', encoding='utf-8') as file:
                file.write('workers = 2\nwrokers = 3\nworkers 4\n')
            done = lorry.run('serve', '--config', wrong)
            self.assertEqual(done.returncode, 2)
            for word in ('wrokers', 'workers', ':2', ':3'):
                self.assertIn(word, done.stderr)


class UsersBesideAServer(unittest.TestCase):
    def test_what_lorry_user_does_takes_effect(self):
        with Server() as server:
            self.assertTrue(any('lorry user add --role admin' in line for line in server.said), 'says how to make the first admin')
            made = server.user('add', '--role', 'admin', '--email', 'boss@example.com', '--name', 'The Boss', stdin=PASSWORD + '\n')
            self.assertRegex(made.stdout, r'^usr_\w{26}  admin  boss@example\.com\n$')
            boss = server.login('boss@example.com')
            boss.get('/v1/users', expect=200)
            taken = server.user('add', '--role', 'driver', '--email', 'Boss@Example.com', '--name', 'Two', stdin=PASSWORD, expect=1)
            self.assertIn('this e-mail already', taken.stderr)
            for args, stdin, word in ((('--role', 'driver', '--email', 'nobody', '--name', 'N'), PASSWORD, 'e-mail'),
                                      (('--role', 'driver', '--email', 'n@example.com', '--name', 'N'), 'short', 'password'),
                                      (('--role', 'king', '--email', 'n@example.com', '--name', 'N'), PASSWORD, 'king'),
                                      (('--role', 'driver', '--name', 'N'), PASSWORD, '--email'),
                                      (('--role', 'driver', '--email', 'n@example.com', '--name', 'N'), '', 'password')):
                done = server.user('add', *args, stdin=stdin, expect=None)
                self.assertIn(done.returncode, (1, 2), args)
                self.assertIn(word, done.stderr.lower(), args)

            customer = server.register(email='asha@example.com')
            listed = server.user('list').stdout
            self.assertEqual([line.split()[1] for line in listed.splitlines()].count('admin'), 1)
            rows = [json.loads(line) for line in server.user('list', '--json').stdout.splitlines()]
            self.assertEqual({r['email'] for r in rows}, {'boss@example.com', 'asha@example.com'})
            self.assertEqual(len(server.user('list', '--role', 'customer').stdout.splitlines()), 1)

            server.user('set-role', '--email', 'asha@example.com', '--role', 'dispatcher')
            server.login('asha@example.com').get('/v1/fleet', expect=200)
            until(lambda: customer.get('/v1/me').status == 401, 'the token with the old role ends')

            asha = server.login('asha@example.com')
            server.user('disable', '--email', 'asha@example.com')
            self.assertIn(server.api().post('/v1/auth/login', {'email': 'asha@example.com', 'password': PASSWORD}).status, (401, 403))
            until(lambda: asha.get('/v1/me').status == 401, 'the disabled account\'s token ends')
            server.user('disable', '--undo', '--email', 'asha@example.com')
            server.login('asha@example.com').get('/v1/me', expect=200)

            self.assertNotEqual(server.user('disable', '--email', 'boss@example.com', expect=None).returncode, 0, 'the last admin stays')
            missing = server.user('disable', '--email', 'ghost@example.com', expect=1)
            self.assertIn('ghost@example.com', missing.stderr)

    def test_keys(self):
        """A rotation beside a server: tokens are signed by another key soon, and those of before are still good."""
        def keys(*args):
            done = lorry.run('keys', *args, '--data', server.data)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        def published():
            return {key['kid'] for key in server.api().get('/.well-known/jwks.json', expect=200).json['keys']}

        with Server() as server:
            old = server.register()
            first, following = (json.loads(line) for line in keys('list', '--json').splitlines())
            self.assertEqual([(k['use'], k['until'] is None) for k in (first, following)], [('signs', False), ('next', True)])
            self.assertEqual(published(), {first['kid'], following['kid']})
            self.assertNotRegex(keys('list', '--json') + keys('list'), r'"d"|"seed"|[A-Za-z0-9_-]{40}')
            rotated = keys('rotate', '--access-ttl-s', '100').splitlines()
            self.assertEqual([line.split()[:2] for line in rotated[:2]], [[first['kid'], 'retired'], [following['kid'], 'signs']])
            self.assertEqual(len(rotated), 3)
            retired = json.loads(keys('list', '--json').splitlines()[0])
            until(lambda: len(published()) == 3, 'the server has heard of it', 30 * lorry.SLOW)
            fresh = server.login(old.user['email'])
            head = json.loads(base64.urlsafe_b64decode(fresh.token.split('.')[0] + '=='))
            self.assertEqual(head['kid'], following['kid'])
            for api in (old, fresh):
                api.get('/v1/me', expect=200)
            lasts = datetime.datetime.fromisoformat(retired['until'].replace('Z', '+00:00')).timestamp() - time.time()
            self.assertTrue(60 < lasts < 300, f'by the TTL that was told: {lasts} s')
        with tempfile.TemporaryDirectory() as empty:
            done = lorry.run('keys', 'list', '--data', os.path.join(empty, 'typo'))
            self.assertEqual(done.returncode, 1)
            self.assertIn('no folder', done.stderr)

    def test_a_password_file(self):
        with Server() as server, tempfile.NamedTemporaryFile('w') as file:
            file.write('from a file 77\n')
            file.flush()
            server.user('add', '--role', 'dispatcher', '--email', 'd@example.com', '--name', 'D', '--password-file', file.name)
            server.login('d@example.com', 'from a file 77').get('/v1/fleet', expect=200)

    def test_without_a_server(self):
        with tempfile.TemporaryDirectory() as data:
            done = lorry.run('user', 'add', '--role', 'admin', '--email', 'a@example.com', '--name', 'A', '--data', data, stdin=PASSWORD)
            self.assertEqual(done.returncode, 0, done.stderr)
            with Server(data=data) as server:
                self.assertFalse(any('lorry user add' in line for line in server.said))
                server.login('a@example.com').get('/v1/users', expect=200)


class Expiring(unittest.TestCase):
    def test_a_token_and_its_socket_run_out(self):
        with Server('--access-ttl-s', 10) as server:
            customer = server.register()
            with WebSocket(server, customer.token) as ws, WebSocket(server, customer.token) as kept:
                for each in (ws, kept):
                    each.expect('ready')
                begun = time.monotonic()
                time.sleep(5)
                kept.send({'type': 'auth', 'token': server.login(customer.user['email']).token})
                kept.expect('renewed')
                ws.expect_closed(1008, 60)
                self.assertGreater(time.monotonic() - begun, 9)
                self.assertEqual(kept.drain(0.2), [], 'the renewed one stays')
                kept.expect_closed(1008, 60)
                self.assertGreater(time.monotonic() - begun, 14)
                with self.assertRaises(Refused) as refused:
                    until(lambda: WebSocket(server, customer.token).close(), 'the token is refused', 60, 1)
                self.assertEqual(refused.exception.answer.status, 401)


if __name__ == '__main__':
    lorry.main(at_once=4)
