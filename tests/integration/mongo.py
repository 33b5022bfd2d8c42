"""A MongoDB server for the integration tests, the first there is of: the one that LORRY_TEST_MONGODB_URI names, a mongod
on PATH, a stand-in from Maven (tests/contract/mongo). The last two are the test's own, on 127.0.0.1, and end with it."""
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

import cluster  # scripts/cluster.py

START_PATIENCE_S = 60


class Missing(Exception):
    """There is no such server here; the text says why."""


def stand_in():
    """How the stand-in is started, but for its port and folder."""
    script, folder = os.environ.get('LORRY_TEST_MONGO_STAND_IN'), os.environ.get('LORRY_TEST_MONGO_DIR')
    if not script or not folder:
        raise Missing('no LORRY_TEST_MONGODB_URI, no mongod on PATH')
    made = subprocess.run([script, folder], capture_output=True, text=True)
    if made.returncode != 0:
        raise Missing(f'no LORRY_TEST_MONGODB_URI, no mongod on PATH, {made.stdout.strip()}')
    return ['java', '-Xmx512m', '-XX:TieredStopAtLevel=1', '-cp', f'{folder}:{folder}/lib/*', 'StandIn']


class Server:
    """Raises Missing. The databases it has named are dropped by close()."""

    def __init__(self):
        self.process, self.names = None, []
        self.given = os.environ.get('LORRY_TEST_MONGODB_URI')
        self.folder = tempfile.mkdtemp(prefix='lorry-mongo-')
        if self.given:
            self.what = 'the server that LORRY_TEST_MONGODB_URI names'
            return
        port = cluster.free_port()
        mongod = shutil.which('mongod')
        self.what = 'mongod on PATH' if mongod else 'mongo-java-server, a stand-in'
        argv = ([mongod, '--dbpath', self.folder, '--port', str(port), '--bind_ip', '127.0.0.1', '--nounixsocket'] if mongod
                else [*stand_in(), str(port), self.folder + '/data'])
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=cluster.die_with_parent)
        self.base = f'mongodb://127.0.0.1:{port}/'
        until = time.monotonic() + START_PATIENCE_S
        while not cluster.answers(port):
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f'{self.what} does not start')
            time.sleep(0.05)

    def uri(self, number):
        """Of a database of its own."""
        name = f'lorry_test_{os.getpid()}_{number}'
        self.names.append(name)
        parts = urllib.parse.urlsplit(self.given or self.base)
        query = parts.query
        if parts.username and 'authSource=' not in query:  # what the path said of it must not be lost with the path
            query += ('&' if query else '') + 'authSource=' + (parts.path.strip('/') or 'admin')
        return parts._replace(path='/' + name, query=query).geturl()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.process:
            self.process.kill()
            self.process.wait()
        else:
            try:
                import pymongo  # Debian's python3-pymongo
            except ImportError:
                print(f'without python3-pymongo these databases stay: {", ".join(self.names)}', flush=True)
                return
            with pymongo.MongoClient(self.given) as client:
                for name in self.names:
                    client.drop_database(name)
