#!/usr/bin/env python3
"""What the command writes about itself: manual pages that mandoc has no complaint about, and that name every command, flag
and setting; completion that bash does well.

Usage: test_command.py LORRY [TEST]...
"""
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import proxy  # noqa: F401  (finds the integration tests' module)
import lorry


def run(*arguments):
    done = lorry.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands():
    return re.findall(r'^  ([a-z-]+(?: [a-z-]+)?)  ', run('help'), re.M)


def flags(command):
    """The flags that the help of a command lists."""
    return set(re.findall(r'^  (--[a-z-]+)', run('help', *command.split()), re.M))


class Manual(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix='lorry-man-')
        self.addCleanup(self.folder.cleanup)
        self.pages = {'lorry.1': run('man'), 'lorry.conf.5': run('man', 'lorry.conf')}
        for command in commands():
            self.pages[f'lorry-{command.replace(" ", "-")}.1'] = run('man', *command.split())
        for name, text in self.pages.items():
            (Path(self.folder.name) / name).write_text(text)

    def lint(self, *names):
        """mandoc's complaints, without those of references to pages that are here."""
        done = subprocess.run(['mandoc', '-T', 'lint', '-W', 'all', *names], cwd=self.folder.name, capture_output=True, text=True,
                              check=False, timeout=60)
        for line in (done.stdout + done.stderr).splitlines():
            found = re.search(r'referenced manual not found: Xr (\S+) (\d)', line)
            if re.search(r'mandoc: outdated mandoc.db lacks', line):
                continue # Lorry's package is installed here; what the pages refer to is looked up there, too
            if not found or f'{found[1]}.{found[2]}' not in self.pages:
                yield line

    def test_mandoc_has_no_complaint(self):
        self.assertGreater(len(self.pages), 12)
        self.assertEqual(list(self.lint(*self.pages)), [])
        (Path(self.folder.name) / 'bad.1').write_text(self.pages['lorry.1'].replace('.El\n', '').replace('.Xr lorry-serve', '.Xr x'))
        self.assertNotEqual(list(self.lint('bad.1')), [])

    def test_every_command_and_flag_is_there(self):
        for command in commands():
            self.assertIn(f'.It Xr lorry-{command.replace(" ", "-")} 1', self.pages['lorry.1'])
            page = self.pages[f'lorry-{command.replace(" ", "-")}.1']
            self.assertEqual(set(re.findall(r'^\.It Fl Fl ([a-z-]+)', page, re.M)), {f[2:] for f in flags(command)}, command)

    def test_every_setting_is_in_the_page_of_the_file(self):
        keys = {s['key'] for s in json.loads(run('config', '--json'))['settings']}
        written = set(re.findall(r'^\.It Ic (\w+) No =', self.pages['lorry.conf.5'], re.M))
        self.assertEqual({k for k in keys - {'json'} if not {k, k + '_file'} & written}, set())  # a secret stands in a file
        self.assertIn('password_file', written)

    def test_what_there_is_no_page_of(self):
        self.assertEqual(lorry.run('man', 'rain').returncode, 2)


class Health(unittest.TestCase):
    def test_it_tells_who_is_ready(self):
        with lorry.Server() as server:
            def ask(*more):
                done = lorry.run('health', '--listen', f'127.0.0.1:{server.port}', *more)
                return done.returncode, (done.stdout + done.stderr).strip()
            self.assertEqual(ask(), (0, 'ready'))
            # As a container asks: by the address that is listened on.
            self.assertEqual(lorry.run('health', env={'LORRY_LISTEN': f'0.0.0.0:{server.port}'}).returncode, 0)
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                status, said = ask('--health-timeout-s', '1')
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            self.assertEqual(status, 1)
            self.assertIn('timed out', said)
            self.assertEqual(server.stop(), 0)
            status, said = ask()
            self.assertEqual(status, 1)
            self.assertIn('refused', said)


class Completion(unittest.TestCase):

    def complete(self, line):
        """What bash offers for the last word of LINE."""
        words = line.split(' ')
        script = f'{run("completion")}\nCOMP_WORDS=({" ".join(map(quoted, words))}); COMP_CWORD={len(words) - 1}\n_lorry\n'
        script += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
        done = subprocess.run(['bash', '-u', '-c', script], capture_output=True, text=True, check=False, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return set(done.stdout.split())

    def test_commands(self):
        self.assertEqual(self.complete('lorry se'), {'serve'})
        self.assertEqual(self.complete('lorry '), {c.split()[0] for c in commands()})
        self.assertEqual(self.complete('lorry user '), {'add', 'list', 'set-role', 'disable', 'reset-second-factor'})
        self.assertEqual(self.complete('lorry help user a'), {'add'})
        self.assertEqual(self.complete('lorry rain '), set())

    def test_flags_of_every_command(self):
        for command in commands():
            offered = self.complete(f'lorry {command} --')
            self.assertEqual(flags(command) - offered, set(), command)
            self.assertEqual({f for f in offered if not f.startswith('--no-')} - flags(command) - {'--config', '--help'} -
                             {f'--{f[5:]}' for f in flags(command) if f.startswith('--no-')}, set(), command)

    def test_values(self):
        self.assertEqual(self.complete('lorry serve --driver-approval '), {'manual', 'auto'})
        self.assertEqual(self.complete('lorry serve --driver-approval = a'), {'auto'})
        self.assertEqual(self.complete('lorry user add --role d'), {'driver', 'dispatcher'})
        self.assertEqual(self.complete('lorry serve --data '), set())  # bash itself completes files
        self.assertEqual(self.complete('lorry serve --demo --log-level w'), {'warn'})


def quoted(word):
    return f"'{word}'"


if __name__ == '__main__':
    lorry.main(at_once=2)
