"""The command as people meet it: help for each command, where each setting came from, unknown words, the version."""
import datetime
import json
import math
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import lorry
from lorry import run

COMMANDS = ('serve', 'simulate', 'check', 'bench', 'user add', 'user list', 'user set-role', 'user disable', 'user reset-second-factor', 'keys list', 'keys rotate', 'backup', 'restore', 'export', 'import', 'verify', 'map build', 'dead-letters list',
            'dead-letters show', 'dead-letters replay', 'dead-letters drop', 'config', 'version', 'help')


class Help(unittest.TestCase):
    def test_of_everything(self):
        for args in ((), ('help',), ('--help',), ('-h',)):
            done = run(*args)
            self.assertEqual((done.returncode, done.stderr), (0, ''), args)
            for command in COMMANDS:
                self.assertRegex(done.stdout, rf'(?m)^  {command} +\w')

    def test_of_each_command(self):
        for command in COMMANDS:
            done = run('help', *command.split())
            self.assertEqual((done.returncode, done.stderr), (0, ''), command)
            self.assertIn(f'lorry {command}: ', done.stdout)
            self.assertIn(f'Usage: lorry {command}', done.stdout)
            self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100, command)
            if command not in ('version', 'help'):
                self.assertEqual(run(*command.split(), '--help').stdout, done.stdout)

    def test_every_flag_is_told_with_its_default(self):
        text = run('help', 'serve').stdout
        for setting in settings():
            flag = '--' + setting['key'].replace('_', '-')
            if setting['key'] == 'json':
                continue
            self.assertRegex(text, rf'(?m)^  {flag}(-file)?( |$)')  # a secret stands in a file
            if setting['value'] not in (None, False):
                told = re.search(rf'(?ms)^  {flag} .*?(?=^  --|^\S|\Z)', text)[0]
                self.assertIn(f'default {setting["value"]})', re.sub(r'\s+', ' ', told))

    def test_of_a_group(self):
        for group, commands in (('user', ('add', 'list', 'set-role', 'disable')), ('keys', ('list', 'rotate')), ('map', ('build',)),
                                ('dead-letters', ('list', 'show', 'replay', 'drop'))):
            done = run('help', group)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(run(group).returncode, 2)
            for command in commands:
                self.assertIn(f'lorry {group} {command} ', done.stdout)
                self.assertIn(f'lorry {group} {command} ', run(group).stderr)


def settings(*args, env=None):
    done = run('config', '--json', *args, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)['settings']


def setting(key, *args, env=None):
    return next((s['value'], s['source']) for s in settings(*args, env=env) if s['key'] == key)


class Settings(unittest.TestCase):
    def test_a_flag_wins_over_the_environment_and_that_over_the_file(self):
        with tempfile.NamedTemporaryFile('w', suffix='.conf') as file:
            file.write('# Lorry\nworkers = 3\nlog_level = warn\nsearch_timeout_s = 15m\n')
            file.flush()
            flag, env, config = ('--workers', '5'), {'LORRY_WORKERS': '4'}, ('--config', file.name)
            self.assertEqual(setting('workers'), (0, 'default'))
            self.assertEqual(setting('workers', *config), (3, 'file'))
            self.assertEqual(setting('workers', env={'LORRY_CONFIG': file.name}), (3, 'file'))
            self.assertEqual(setting('workers', *config, env=env), (4, 'environment'))
            self.assertEqual(setting('workers', *config, *flag, env=env), (5, 'flag'))
            self.assertEqual(setting('workers', '--workers=6', env=env), (6, 'flag'))
            self.assertEqual(setting('search_timeout_s', *config), (900, 'file'))
            self.assertEqual(setting('log_level', *config), ('warn', 'file'))
            table = run('config', *config, *flag, env={'LORRY_LOG_LEVEL': 'error'}).stdout
            for line in (r'workers +5 +flag --workers', r'log_level +error +.*LORRY_LOG_LEVEL', rf'search_timeout_s +900 +.*{re.escape(file.name)}:4',
                         r'listen +127\.0\.0\.1:8080 +default'):
                self.assertRegex(table, rf'(?m)^{line}$')

    def test_the_folder_too_comes_from_the_environment(self):
        with tempfile.TemporaryDirectory() as data:
            self.assertEqual(run('user', 'list', env={'LORRY_DATA': data}).returncode, 0)
            self.assertTrue(os.path.exists(os.path.join(data, 'lorry.db')))

    def test_switches(self):
        self.assertEqual(setting('demo', '--demo'), (True, 'flag'))
        self.assertEqual(setting('demo', '--no-demo', env={'LORRY_DEMO': 'true'}), (False, 'flag'))
        self.assertEqual(setting('demo', env={'LORRY_DEMO': 'true'}), (True, 'environment'))

    def test_what_is_wrong_is_refused_with_all_there_is(self):
        done = run('config', '--workers', '999', '--log-level', 'loud', env={'LORRY_QUOTE_TTL_S': 'soon', 'LORRY_OFFER_WAVE': '11'})
        self.assertEqual((done.returncode, done.stdout), (2, ''))
        for word in ('999', 'loud', 'debug, info, warn, error', 'soon', 'LORRY_QUOTE_TTL_S', '11', 'LORRY_OFFER_WAVE'):
            self.assertIn(word, done.stderr)
        nasty = run('config', '--issuer', 'x\x1b[31m \x07' + 'y' * 500)
        self.assertEqual(nasty.returncode, 2)
        self.assertNotIn('\x1b', nasty.stderr)

    def test_secrets_are_no_flags(self):
        done = run('user', 'add', '--password', 'x')
        self.assertEqual(done.returncode, 2)
        self.assertIn('--password-file', done.stderr)


class UnknownWords(unittest.TestCase):
    def refused(self, *args, words, env=None):
        done = run(*args, env=env)
        self.assertEqual((done.returncode, done.stdout), (2, ''), args)
        for word in words:
            self.assertIn(word, done.stderr, args)

    def test_commands(self):
        self.refused('sevre', words=('"sevre"', 'did you mean "serve"?'))
        self.refused('simulat', words=('did you mean "simulate"?',))
        self.refused('help', 'cofnig', words=('did you mean "config"?',))
        self.refused('quux', words=('"quux"', 'lorry help'))
        self.refused('user', 'ad', words=('user add',))

    def test_flags(self):
        self.refused('serve', '--wrokers', '2', words=('"--wrokers"', 'did you mean --workers?'))
        self.refused('serve', '--driver-aproval', 'auto', words=('did you mean --driver-approval?',))
        self.refused('serve', '--drivers', '4', words=('belongs to "lorry simulate"',))
        self.refused('serve', '-p', '80', words=('"-p"', 'two dashes'))
        self.refused('serve', 'now', words=('"now"', 'one argument too many'))
        self.refused('config', '--data', words=('--data needs a value',))

    def test_variables_and_lines_of_a_file(self):
        done = run('config', env={'LORRY_WROKERS': '2'})
        self.assertIn('LORRY_WROKERS', done.stderr)
        self.assertIn('LORRY_WORKERS', done.stderr)
        with tempfile.NamedTemporaryFile('w', suffix='.conf') as file:
            file.write('workers = 2\nlog_levle = warn\n')
            file.flush()
            self.refused('config', '--config', file.name, words=(f'{file.name}:2', 'log_levle', 'log_level'))


class Modules(unittest.TestCase):
    """The drivers of servers are files beside the program, loaded when they are asked for."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='lorry-alone-')
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.built = Path(lorry.BINARY).resolve()
        shutil.copy(self.built, self.folder / 'lorry')

    def users(self, *args):
        return subprocess.run([self.folder / 'lorry', 'user', 'list', '--data', self.folder / 'data', *args], capture_output=True,
                              text=True, check=False, timeout=30, env=lorry.environment())

    def postgres(self, content):
        (self.folder / 'lorry-postgres.so').write_bytes(content)
        done = self.users('--store', 'postgres://127.0.0.1:1/lorry')
        self.assertEqual((done.returncode, done.stdout, done.stderr.count('\n')), (1, '', 1), done.stderr)
        return done.stderr

    def test_the_program_is_one_file(self):
        with lorry.Server(start=False) as server:
            server.binary = str(self.folder / 'lorry')
            server.start()
            maps = Path(f'/proc/{server.process.pid}/maps').read_text()
            self.assertEqual(server.stop(), 0)
        for library in ('libpq', 'libmongoc', 'librabbitmq', 'libhiredis'):
            self.assertNotIn(library, maps)

    def test_a_module_that_is_not_there(self):
        for flags, file in ((('--store', 'postgres://x'), 'postgres'), (('--store', 'mongodb://x'), 'mongo')):
            done = self.users(*flags)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, rf"^lorry: lorry-{file}\.so is missing: .*Debian's package lorry brings it\n$")
        done = subprocess.run([self.folder / 'lorry', 'dead-letters', 'list', '--bus', 'amqp://x'], capture_output=True, text=True,
                              check=False, timeout=30, env=lorry.environment())
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'^lorry: lorry-amqp\.so is missing: ')

    def test_a_module_that_does_not_fit(self):
        module = (self.built.parent / 'lorry-postgres.so').read_bytes()
        self.assertIn('cannot use PostgreSQL', self.postgres(module))
        build = re.search(rb'\d+\.\d+\.\d+-[0-9a-f]{16}', module)[0]
        other = build[:-16] + b'0' * 16
        self.assertRegex(self.postgres(module.replace(build, other)), rf'of another build \({other.decode()}\).*package lorry$')
        self.assertRegex(self.postgres(module.replace(b'libpq.so', b'libpx.so')), r"libpx\.so.*Debian's package libpq5$")
        self.assertRegex(self.postgres(b'no library'), r'cannot load lorry-postgres\.so: .*file too short')


class Version(unittest.TestCase):
    def test_version(self):
        for args in (('version',), ('--version',)):
            done = run(*args)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r'^lorry \d+\.\d+\.\d+\n')

    def test_a_full_device_is_noticed(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('there is no /dev/full')
        with open('/dev/full', 'w', encoding='ascii') as full:
            for args in (['help', 'serve'], ['help'], ['config'], ['version']):
                done = lorry.subprocess.run([lorry.BINARY, *args], stdout=full, env=lorry.environment(), check=False)
                self.assertNotEqual(done.returncode, 0, args)


class Simulating(unittest.TestCase):
    def test_no_server_there(self):
        done = run('simulate', 'http://127.0.0.1:1', '--for', '1', timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn('http://127.0.0.1:1', done.stderr)

    def test_a_short_city(self):
        with lorry.Server('--driver-approval', 'auto') as server:
            done = run('simulate', f'http://127.0.0.1:{server.port}', '--drivers', 8, '--bookings-per-hour', 60, '--speed', 500, '--for', 3,
                       '--settle', 60, '--json', '--seed', 7, timeout=100)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            summary = lines[-1]
            self.assertEqual(summary['type'], 'summary')
            self.assertEqual((summary['violations'], summary['unfinished'], summary['fixes_sent']), (0, 0, summary['fixes_acknowledged']))
            self.assertGreater(summary['delivered'], 0)
            self.assertEqual(summary['requested'], summary['delivered'] + summary['cancelled'] + summary['expired'] + summary['failed'])

    def test_with_an_admin_who_approves(self):
        with lorry.Server() as server, tempfile.NamedTemporaryFile('w') as password:
            password.write(lorry.PASSWORD)
            password.flush()
            server.user('add', '--role', 'admin', '--email', 'boss@example.com', '--name', 'B', stdin=lorry.PASSWORD)
            done = run('simulate', f'http://127.0.0.1:{server.port}', '--drivers', 4, '--bookings-per-hour', 60, '--speed', 500, '--for', 3,
                       '--settle', 60, '--json', '--admin', 'boss@example.com', '--admin-password-file', password.name, timeout=100)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
            self.assertGreater(json.loads(done.stdout.splitlines()[-1])['delivered'], 0)


def metres(a, b):
    north, east = b['lat'] - a['lat'], (b['lng'] - a['lng']) * math.cos(math.radians(a['lat']))
    return math.hypot(north, east) * 111_195


def seconds(a, b):
    return (datetime.datetime.fromisoformat(b['at']) - datetime.datetime.fromisoformat(a['at'])).total_seconds()


class Demo(unittest.TestCase):
    def the_demo_has_a_history(self, server, password):
        """Whoever signs in as the customer finds bookings; days and hours are the city's."""
        customer = server.login('customer@demo.example', password)
        lorry.until(lambda: len(customer.get('/v1/bookings', expect=200).json['items']) >= 2, 'the customer books', 60)
        admin = server.login('admin@demo.example', password)
        self.assertEqual(admin.get('/v1/tariffs', expect=200).json['timezone'], 'Europe/Stockholm')

    def test_the_demo_city_lives_and_leaves(self):
        """`lorry serve --demo`: says who may sign in, bookings come, SIGINT leaves with 0; and again on the same folder."""
        with lorry.Server('--demo', '--demo-drivers', 6, '--demo-bookings-per-hour', 20000) as server:
            lorry.until(lambda: any('admin' in line for line in server.said), 'the logins are told')
            text = ''.join(server.said)
            found = re.search(r'dispatcher +(\S+@\S+)', text)
            self.assertTrue(found, text)
            password = re.search(r'(?i)password\S* +(\S+)', text)
            self.assertTrue(password, text)
            dispatcher = server.login(found[1].rstrip(','), password[1].rstrip('.,'))
            lorry.until(lambda: len(dispatcher.get('/v1/bookings?limit=5', expect=200).json['items']) >= 2, 'bookings come', 60)
            self.the_demo_has_a_history(server, password[1].rstrip('.,'))

            def seen():
                staff = server.login(found[1].rstrip(','), password[1].rstrip('.,'))
                drivers = staff.get('/v1/drivers?limit=50', expect=200).json['items']
                return {d['id']: d['position'] for d in drivers if d['position']}

            before = seen()
            self.assertGreater(len(before), 0)
            for _ in range(2):
                server.process.send_signal(lorry.signal.SIGINT)
                self.assertEqual(server.process.wait(30 * lorry.SLOW), 0)
                server.start()
            lorry.until(lambda: all(seen().get(i, p)['at'] > p['at'] for i, p in before.items()), 'they report again', every_s=0.5)
            for driver, now in seen().items():
                self.assertLess(metres(before.get(driver, now), now), 300 + 100 * seconds(before.get(driver, now), now),
                                'a driver goes on from where he was')


if __name__ == '__main__':
    lorry.main(at_once=3)
