#!/usr/bin/env python3
"""Where scripts/cluster.py keeps what it starts: in build/, or below /var/tmp where PostgreSQL's user cannot go there;
and that it does not take what listens on its ports for its own."""

import os
import socket
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cluster  # noqa: E402


class Home(unittest.TestCase):
    def setUp(self):
        top = tempfile.TemporaryDirectory(prefix='lorry-home-')
        self.addCleanup(top.cleanup)
        self.addCleanup(setattr, cluster, 'ROOT', cluster.ROOT)
        self.top, cluster.ROOT = Path(top.name), Path(top.name) / 'clone'
        cluster.ROOT.mkdir()

    def test_in_the_clone(self):
        self.top.chmod(0o755)
        self.assertEqual(cluster.home('cluster'), cluster.ROOT / 'build/cluster')
        self.assertFalse(cluster.ROOT.joinpath('build').exists(), 'nothing is made that is not needed')

    @unittest.skipUnless(os.getuid() == 0, 'only root cannot run PostgreSQL itself')
    def test_in_a_clone_of_roots_own(self):
        self.top.chmod(0o700)  # as /root
        self.assertFalse(cluster.home('cluster', make=False).is_symlink())
        folder = cluster.home('cluster')
        self.addCleanup(folder.resolve().rmdir)
        self.assertEqual(folder, cluster.ROOT / 'build/cluster')
        self.assertTrue(cluster.enterable(folder.resolve()))
        self.assertEqual(cluster.home('cluster').resolve(), folder.resolve(), 'the next start finds the same')


class Ports(unittest.TestCase):
    def test_of_another_program(self):
        with socket.socket() as other, tempfile.TemporaryDirectory() as folder:
            other.bind(('127.0.0.1', 0))
            other.listen()
            port = other.getsockname()[1]
            with self.assertRaisesRegex(cluster.ClusterError, f'port {port} is taken'):
                cluster.Cluster(folder, ports=port).port('postgres')
            before = cluster.Cluster(folder, lorry=sys.executable)
            before.ports['postgres'] = port
            before.save()
            again = cluster.Cluster(folder, lorry=sys.executable)
            again.check_installed = lambda: None
            with self.assertRaisesRegex(cluster.ClusterError, f'port {port}, where it was, is taken'):
                again.start()


if __name__ == '__main__':
    unittest.main()
