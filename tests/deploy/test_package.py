#!/usr/bin/env python3
"""deploy/systemd and deploy/debian: systemd's own tools on the units; the Debian package built, held against lintian,
unpacked, and what is in it started.

Usage: test_package.py LORRY [TEST]...
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from proxy import ROOT, lorry
from lorry import Server

UNITS = ('lorry.service', 'lorry@.service')
BACKUP = ('lorry-backup.service', 'lorry-backup.timer')
# Debian no longer asks for init.d scripts; the build's flags are the project's own.
NOT_OURS = 'package-supports-alternative-init-but-no-init.d-script,hardening-no-fortify-functions,unused-override'


def run(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=300, **more)


def unit_lines(name):
    """The settings of a unit, without comments."""
    text = (ROOT / 'deploy/systemd' / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith('#')]


class Units(unittest.TestCase):
    def test_systemd_understands_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in UNITS:
                text = (ROOT / 'deploy/systemd' / name).read_text().replace('/usr/bin/lorry', lorry.BINARY)
                path = Path(folder) / name.replace('@', '@auth')
                path.write_text(text)
                done = run('systemd-analyze', 'verify', '--man=no', '--recursive-errors=no', path)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ''), name)
                path.write_text(text.replace('Restart=on-failure', 'Restart=on-rain'))
                done = run('systemd-analyze', 'verify', '--man=no', '--recursive-errors=no', path)
                self.assertIn('on-rain', done.stdout + done.stderr)

    def test_they_may_do_little(self):
        for name in UNITS:
            done = run('systemd-analyze', 'security', '--offline=true', '--threshold=30', '--no-pager',
                       ROOT / 'deploy/systemd' / name)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            score = re.search(r'Overall exposure level for \S+: ([\d.]+)', done.stdout)
            self.assertLessEqual(float(score[1]), 3.0)
            lorry.say(f'{name}: exposure {score[1]}')

    def test_one_service_may_do_what_all_may(self):
        """The two units differ in what they start, and in nothing else."""
        differ = set(unit_lines(UNITS[0])) ^ set(unit_lines(UNITS[1]))
        self.assertEqual({line.partition('=')[0] for line in differ},
                         {'Description', 'EnvironmentFile', 'ExecStartPre', 'ExecStart'})

    def test_the_backup_by_night(self):
        """systemd takes the pair as it stands, and the service may do as little as the others."""
        with tempfile.TemporaryDirectory() as folder:
            for name in BACKUP:
                (Path(folder) / name).write_text((ROOT / 'deploy/systemd' / name).read_text().replace('/usr/bin/lorry', lorry.BINARY))
            done = run('systemd-analyze', 'verify', '--man=no', '--recursive-errors=no', *(Path(folder) / name for name in BACKUP))
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ''))
        done = run('systemd-analyze', 'security', '--offline=true', '--threshold=30', '--no-pager', ROOT / 'deploy/systemd' / BACKUP[0])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        command = next(line for line in unit_lines(BACKUP[0]) if line.startswith('ExecStart='))
        with tempfile.TemporaryDirectory() as folder:
            conf = Path(folder) / 'lorry.conf'
            conf.write_text(f'data = {folder}/data\n')
            words = command.partition('=')[2].replace('/usr/bin/lorry', lorry.BINARY).replace('/etc/lorry/lorry.conf', str(conf))
            words = words.replace('/var/lib/lorry-backups', f'{folder}/kept').split()
            lorry.run('user', 'add', '--role', 'admin', '--email', 'a@example.com', '--name', 'A', '--data', f'{folder}/data',
                      stdin=lorry.PASSWORD)
            done = run(*words, env=lorry.environment())
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len(list(Path(folder, 'kept').iterdir())), 1)

    def test_they_wait_longer_than_a_drain(self):
        for name in UNITS:
            stop = next(line for line in unit_lines(name) if line.startswith('TimeoutStopSec='))
            self.assertGreaterEqual(int(stop.partition('=')[2].rstrip('s')), 20)


class Package(unittest.TestCase):
    @classmethod
    def build(cls, folder):
        done = run(ROOT / 'deploy/debian/build.sh', lorry.BINARY, folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return Path(done.stdout.strip())

    def test_it_is_built_and_has_no_fault(self):
        with tempfile.TemporaryDirectory(prefix='lorry-deb-') as folder:
            package = self.build(folder)
            self.lint(package)
            root = Path(folder) / 'root'
            control = Path(folder) / 'control'
            for how, where in (('-x', root), ('-e', control)):
                self.assertEqual(run('dpkg-deb', how, package, where).returncode, 0)
            self.contents(root, control)
            self.user(root)
            self.start(root)

    def lint(self, package):
        as_root = ['--allow-root'] if os.geteuid() == 0 else []
        done = run('lintian', *as_root, '--fail-on', 'error,warning,info', '--display-info', '--suppress-tags', NOT_OURS, package)
        self.assertEqual((done.returncode, done.stdout), (0, ''), done.stderr)

    def contents(self, root, control):
        for path in ('usr/bin/lorry', 'usr/lib/lorry/lorry-amqp.so', 'usr/lib/lorry/lorry-mongo.so', 'usr/lib/lorry/lorry-otlp.so',
                     'usr/lib/lorry/lorry-postgres.so', 'usr/lib/lorry/lorry-redis.so', 'etc/lorry/lorry.conf', 'lib/systemd/system/lorry.service',
                     'lib/systemd/system/lorry@.service', 'lib/systemd/system/lorry-backup.service', 'lib/systemd/system/lorry-backup.timer',
                     'usr/share/man/man1/lorry-backup.1.gz', 'usr/lib/sysusers.d/lorry.conf', 'usr/share/man/man1/lorry-serve.1.gz',
                     'usr/share/man/man5/lorry.conf.5.gz', 'usr/share/bash-completion/completions/lorry',
                     'usr/share/lorry/nginx/render.sh', 'usr/share/doc/lorry/examples/prometheus/lorry.rules.yml'):
            self.assertTrue((root / path).is_file(), path)
        self.assertTrue(os.access(root / 'usr/share/lorry/nginx/render.sh', os.X_OK))
        self.assertEqual((control / 'conffiles').read_text().split(), ['/etc/lorry/lorry.conf'])
        fields = dict(line.split(': ', 1) for line in (control / 'control').read_text().splitlines() if ': ' in line)
        for library in ('libc6', 'libuv1', 'libsqlite3-0'):
            self.assertIn(library, fields['Depends'])
        for library in ('libpq5', 'libmongoc-1.0-0', 'librabbitmq4', 'libhiredis0.14', 'libcurl3-gnutls'):  # of who uses that server
            self.assertIn(library, fields['Recommends'])
            self.assertNotIn(library, fields['Depends'])
        for script, text in (('postinst', 'systemd-sysusers'), ('postinst', "enable 'lorry.service'"), ('prerm', 'stop')):
            self.assertIn(text, (control / script).read_text())

    def user(self, root):
        """The account that the service runs as, made as the package makes it, but in the folder."""
        done = run('systemd-sysusers', f'--root={root}', 'lorry.conf')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex((root / 'etc/passwd').read_text(), r'^lorry:x:\d+:\d+:Lorry:/var/lib/lorry:/usr/sbin/nologin\n')

    def start(self, root):
        """The packed binary takes the packed settings, and serves."""
        binary, conf = root / 'usr/bin/lorry', root / 'etc/lorry/lorry.conf'
        done = run(binary, 'config', '--config', conf, env=lorry.environment())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('/var/lib/lorry', done.stdout)
        done = run(binary, 'user', 'list', '--store', 'postgres://127.0.0.1:1/lorry', env=lorry.environment())
        self.assertIn('cannot use PostgreSQL', done.stderr)  # said by the packed module
        whole, lorry.BINARY = lorry.BINARY, str(binary)
        try:
            with Server('--config', conf) as server:  # its data folder and port are flags, and win
                self.assertEqual(server.stop(), 0)
        finally:
            lorry.BINARY = whole


if __name__ == '__main__':
    lorry.main()
