"""`lorry backup` and `lorry restore`: of a server at work, and everything that can be wrong with a back-up."""
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import unittest

import lorry
from lorry import run

APPROVE = ('--driver-approval', 'auto', *lorry.UNLIMITED)


def tables(path):
    """The rows of each table of a database, from the file itself."""
    db = sqlite3.connect(f'file:{path}?immutable=1', uri=True)
    names = [n for n, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
    counts = {n: db.execute(f'SELECT count(*) FROM "{n}"').fetchone()[0] for n in sorted(names)}
    db.close()
    return counts


def tree(folder):
    """Every file below FOLDER with its checksum."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, 'rb') as file:
                found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


def simulate(server, seconds, seed=5, tag='a'):
    """A city at work; its process."""
    return subprocess.Popen(
        [lorry.BINARY, 'simulate', f'http://127.0.0.1:{server.port}', '--drivers', '12', '--bookings-per-hour', '120', '--speed', '500',
         '--for', str(seconds), '--settle', '60', '--json', '--seed', str(seed), '--tag', tag],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=lorry.environment(), text=True,
        preexec_fn=lambda: lorry.die_with_parent({}))


SHARED = tempfile.mkdtemp(prefix='lorry-backup-')  # a small data folder and its back-up, which nobody changes


def setUpModule():
    data = os.path.join(SHARED, 'data')
    for n in range(3):
        run('user', 'add', '--role', 'admin', '--email', f'a{n}@example.com', '--name', 'A', '--data', data, stdin=lorry.PASSWORD)
    with open(os.path.join(data, 'proof.jpg'), 'wb') as file:
        file.write(bytes(range(256)) * 40)
    assert run('backup', os.path.join(SHARED, 'backup'), '--data', data).returncode == 0


def tearDownModule():
    shutil.rmtree(SHARED)


PDF = b'%PDF-1.7\n1 0 obj <<>> endobj\nstartxref\n9\n%%EOF\n'


class Folder(unittest.TestCase):
    """A folder for what a test makes."""

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix='lorry-backup-')
        self.addCleanup(shutil.rmtree, self.top, True)

    def path(self, *names):
        return os.path.join(self.top, *names)

    def done(self, *args, code=0, words=(), **more):
        result = run(*args, **more)
        self.assertEqual(result.returncode, code, f'{args}\n{result.stdout}{result.stderr}')
        for word in words:
            self.assertIn(word, result.stdout + result.stderr, args)
        return result


class AtWork(Folder):
    def test_a_backup_under_load_is_of_one_moment(self):
        with lorry.Server(*APPROVE) as server:
            people = simulate(server, 5)
            lorry.until(lambda: tables_live(server.data).get('bookings', 0) >= 10, 'the city is at work')
            for n in range(4):
                self.done('backup', self.path(f'b{n}'), '--data', server.data, words=('verified',))
            summary = json.loads(people.communicate(timeout=120 * lorry.SLOW)[0].splitlines()[-1])
            self.assertEqual((people.returncode, summary['violations']), (0, 0))
            self.done('backup', self.path('last'), '--data', server.data)
            self.assertEqual(server.stop(), 0)
            for n in range(4):
                self.is_a_moment_of(server.data, self.path(f'b{n}'))
            self.same_bookings(server.data, self.path('last'))

    def is_a_moment_of(self, data, backup):
        """Nothing in the copy is newer than what came of it, and what belongs together is there together."""
        copy = sqlite3.connect(f'file:{backup}/lorry.db?immutable=1', uri=True)
        live = sqlite3.connect(f'file:{data}/lorry.db', uri=True)
        now = dict(live.execute('SELECT id, version FROM bookings'))
        rows = copy.execute('SELECT id, version, state FROM bookings').fetchall()
        self.assertGreater(len(rows), 0)
        inbox = copy.execute('SELECT count(*) FROM inbox').fetchone()[0]
        for booking, version, state in rows:
            self.assertLessEqual(version, now[booking])
            customer = json.loads(state)['customer_id']
            self.assertTrue(copy.execute('SELECT 1 FROM accounts WHERE id = ?', (customer,)).fetchone(), 'he was there before it')
        # An event is in the outbox, or taken in: never neither.
        self.assertGreater(inbox + copy.execute('SELECT count(*) FROM outbox').fetchone()[0], 0)
        copy.close()
        live.close()

    def same_bookings(self, data, backup):
        """On the copy a server goes on: the same bookings, the same logins."""
        copy = self.path('copy')
        self.done('restore', backup, '--data', copy, words=('restored from',))
        with lorry.Server(*APPROVE, data=data) as one, lorry.Server(*APPROVE, data=copy) as other:
            one.user('add', '--role', 'admin', '--email', 'boss@example.com', '--name', 'B', stdin=lorry.PASSWORD)
            other.user('add', '--role', 'admin', '--email', 'boss@example.com', '--name', 'B', stdin=lorry.PASSWORD)
            here, there = (s.login('boss@example.com').pages('/v1/bookings', 200) for s in (one, other))
            self.assertGreater(len(here), 0)
            self.assertEqual(here, there)

    def test_uploaded_files_come_along(self):
        for place in ([], ['--files', f'file:{self.path("elsewhere")}']):
            with self.subTest(place):
                shutil.rmtree(self.path('b'), True)
                shutil.rmtree(self.path('copy'), True)
                with lorry.Server(*APPROVE, *place) as server:
                    customer = server.register(email='asha@example.com')
                    made = customer.post('/v1/files', PDF, headers=[('Content-Type', 'application/pdf')], expect=201).json
                    self.done('backup', self.path('b'), '--data', server.data, *place)
                self.done('restore', self.path('b'), '--data', self.path('copy'))
                with lorry.Server(*APPROVE, data=self.path('copy')) as copy:
                    back = copy.login('asha@example.com').get(f'/v1/files/{made["id"]}', expect=200)
                    self.assertEqual(back.body, PDF)

    def test_an_open_offer_and_a_login_go_on_on_the_copy(self):
        with lorry.Server(*APPROVE, '--offer-timeout-s', 30) as server:
            customer = server.register(email='asha@example.com')
            driver = server.driver(email='ola@example.com')
            booking = customer.book()
            driver.offer(booking['id'])
            self.done('backup', self.path('b'), '--data', server.data)
        self.done('restore', self.path('b'), '--data', self.path('copy'))
        with lorry.Server(*APPROVE, '--offer-timeout-s', 30, data=self.path('copy')) as copy:
            driver = copy.login('ola@example.com')
            customer = copy.login('asha@example.com')
            self.assertEqual(driver.accept(booking['id'])['state'], 'assigned')
            driver.deliver(booking['id'])
            lorry.until(lambda: customer.booking(booking['id'])['state'] == 'delivered', 'the booking goes on')

    def test_the_files_beside_the_database_come_along(self):
        with lorry.Server(*APPROVE) as server:
            for name in ('proofs/ab/one.jpg', 'two', 'streets.graph', 'half.tmp'):
                os.makedirs(os.path.dirname(os.path.join(server.data, name)) or server.data, exist_ok=True)
                with open(os.path.join(server.data, name), 'w', encoding='ascii') as file:
                    file.write(name)
            self.done('backup', self.path('b'), '--data', server.data)
        self.assertEqual(set(tree(self.path('b'))), {'SHA256SUMS', 'manifest.json', 'lorry.db', 'files/proofs/ab/one.jpg', 'files/two'})
        sums = subprocess.run(['sha256sum', '--quiet', '-c', 'SHA256SUMS'], cwd=self.path('b'), check=False)
        self.assertEqual(sums.returncode, 0)
        self.done('restore', self.path('b'), '--data', self.path('copy'))
        self.assertEqual(set(tree(self.path('copy'))), {'lorry.db', 'proofs/ab/one.jpg', 'two'})


def tables_live(data):
    try:
        db = sqlite3.connect(f'file:{data}/lorry.db?mode=ro', uri=True, timeout=5)
        count = db.execute('SELECT count(*) FROM bookings').fetchone()[0]
        db.close()
        return {'bookings': count}
    except sqlite3.OperationalError:
        return {}


class Wrong(Folder):
    """Each case: a word on what is wrong, status 1, and nothing left where there was nothing."""

    def setUp(self):
        super().setUp()
        self.data, self.backup = os.path.join(SHARED, 'data'), os.path.join(SHARED, 'backup')

    def refused(self, backup, *words):
        self.done('restore', backup, '--data', self.path('new'), code=1, words=words)
        self.assertFalse(os.path.exists(self.path('new')))

    def copy(self):
        where = tempfile.mkdtemp(dir=self.top)
        shutil.copytree(self.backup, where, dirs_exist_ok=True)
        return where

    def test_a_flipped_byte_anywhere(self):
        rng = random.Random(20261129)
        for name in tree(self.backup):
            for _ in range(4):
                where = self.copy()
                with open(os.path.join(where, name), 'r+b') as file:
                    content = bytearray(file.read())
                    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
                    file.seek(0)
                    file.write(content)
                self.refused(where)

    def test_a_file_cut_off_or_missing_or_one_too_many(self):
        for name in tree(self.backup):
            where = self.copy()
            os.truncate(os.path.join(where, name), os.path.getsize(os.path.join(where, name)) // 2)
            self.refused(where)
            where = self.copy()
            os.remove(os.path.join(where, name))
            self.refused(where, name)
        where = self.copy()
        os.makedirs(os.path.join(where, 'files'), exist_ok=True)
        with open(os.path.join(where, 'files/more'), 'w', encoding='ascii'):
            pass
        self.refused(where, 'other files')

    def sign(self, where):
        """New checksums for what a test has changed."""
        sums = tree(where)
        with open(os.path.join(where, 'SHA256SUMS'), 'w', encoding='ascii') as file:
            file.writelines(f'{sums[name]}  {name}\n' for name in sums if name != 'SHA256SUMS')

    def edit(self, where, **members):
        with open(os.path.join(where, 'manifest.json'), 'r+', encoding='utf-8') as file:
            manifest = {**json.load(file), **members}
            file.seek(0)
            file.truncate()
            json.dump(manifest, file)
        self.sign(where)

    def test_a_newer_one(self):
        where = self.copy()
        self.edit(where, lorry_backup=2)
        self.refused(where, 'newer Lorry', 'format 2')
        for sql, word in (('INSERT INTO schema_version VALUES(99, 0, "x")', 'newer Lorry'),
                          ('CREATE TABLE hovercrafts(id TEXT); INSERT INTO hovercrafts VALUES(1)', 'hovercrafts')):
            where = self.copy()
            db = sqlite3.connect(os.path.join(where, 'lorry.db'))
            db.executescript(sql)
            db.close()
            self.edit(where, tables=tables(os.path.join(where, 'lorry.db')))
            self.refused(where, word)

    def test_other_counts_than_the_database_has(self):
        where = self.copy()
        self.edit(where, tables={**tables(os.path.join(where, 'lorry.db')), 'accounts': 2})
        self.refused(where, 'something else than its manifest')

    def test_no_backup_at_all(self):
        self.refused(self.path('nowhere'), 'no manifest.json')
        os.mkdir(self.path('empty'))
        self.refused(self.path('empty'), 'no manifest.json')

    def test_a_folder_that_is_not_empty(self):
        for name in ('lorry.db', 'anything'):
            os.makedirs(self.path('full'), exist_ok=True)
            with open(self.path('full', name), 'w', encoding='ascii') as file:
                file.write('mine')
            before = tree(self.path('full'))
            self.done('restore', self.backup, '--data', self.path('full'), code=1, words=('not empty',))
            self.assertEqual(tree(self.path('full')), before)
            os.remove(self.path('full', name))
        self.done('restore', self.backup, '--data', self.path('full'))  # empty by now

    def test_what_is_there_is_never_overwritten(self):
        before = tree(self.backup)
        self.done('backup', self.backup, '--data', self.data, code=1, words=('there already',))
        self.assertEqual(tree(self.backup), before)
        self.done('backup', os.path.join(self.data, 'b'), '--data', self.data, code=1, words=('lies in the data folder',))

    def test_words_that_are_missing_or_too_many(self):
        self.done('backup', '--data', self.data, code=2, words=('--into',))
        self.done('backup', self.path('a'), '--into', self.top, '--data', self.data, code=2)
        self.done('restore', '--data', self.path('new'), code=2)
        self.done('backup', self.path('a'), '--store', 'postgres://localhost/x', code=2, words=('lorry export',))
        self.done('backup', self.path('a'), '--data', self.path('nothing'), code=1, words=('no database',))
        self.assertEqual(os.listdir(self.top), [])

    def test_no_room(self):
        def little_room():
            lorry.die_with_parent({resource.RLIMIT_FSIZE: 100_000})

        for args in (['backup', self.path('b'), '--data', self.data], ['restore', self.backup, '--data', self.path('new')]):
            done = subprocess.run([lorry.BINARY, *args], env=lorry.environment(), capture_output=True, text=True, check=False,
                                  preexec_fn=little_room)
            self.assertEqual(done.returncode, 1, done)
            self.assertRegex(done.stderr, 'full|File too large|disk I/O error')
            self.assertEqual(os.listdir(self.top), [])

    def test_cut_off_in_the_middle(self):
        """SIGKILL at any moment leaves nothing with the name of a back-up, and the next one goes through."""
        for n in range(8):
            to = self.path(f'b{n}')
            child = subprocess.Popen([lorry.BINARY, 'backup', to, '--data', self.data], env=lorry.environment(), stdout=subprocess.DEVNULL)
            timer = threading.Timer(0.004 * n, child.send_signal, (signal.SIGKILL,))
            timer.start()
            child.wait()
            timer.cancel()
            if os.path.exists(to):
                self.done('restore', to, '--data', self.path(f'r{n}'))
            else:
                self.done('backup', to, '--data', self.data)
                self.assertFalse(os.path.exists(to + '.partial'))


class Kept(Folder):
    def test_into_a_folder_that_keeps_some(self):
        data = self.path('data')
        run('user', 'add', '--role', 'admin', '--email', 'a@example.com', '--name', 'A', '--data', data, stdin=lorry.PASSWORD)
        for year in (2021, 2022, 2023):
            os.makedirs(self.path('kept', f'lorry-{year}0101T000000Z'))
        os.makedirs(self.path('kept', 'mine'))
        self.done('backup', '--into', self.path('kept'), '--keep', 2, '--data', data, words=('2 older ones',))
        names = sorted(os.listdir(self.path('kept')))
        self.assertEqual(len(names), 3)
        self.assertIn('mine', names)
        self.assertIn('lorry-20230101T000000Z', names)
        newest = next(n for n in names if n not in ('mine', 'lorry-20230101T000000Z'))
        self.done('restore', self.path('kept', newest), '--data', self.path('copy'))


if __name__ == '__main__':
    lorry.main(at_once=3)
