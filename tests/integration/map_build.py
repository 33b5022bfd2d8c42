#!/usr/bin/env python3
"""`lorry map build` with Debian's tilemaker and osmium, and a server that shows what it made.

Usage: map_build.py LORRY [TEST]...     LORRY_TEST_OSM=FILE.osm.pbf: tries that extract, too
"""
import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import lorry
from lorry import Connection, Server

# A block of four streets round a pond, with a house: as XML, which osmium makes an extract of.
CORNERS = [(57.7085, 11.974), (57.7085, 11.980), (57.7125, 11.980), (57.7125, 11.974)]
POND = [(57.7095, 11.976), (57.7095, 11.978), (57.7110, 11.978), (57.7110, 11.976)]


def extract():
    points = CORNERS + POND
    nodes = ''.join(f'<node id="{i + 1}" version="1" lat="{lat}" lon="{lng}"/>' for i, (lat, lng) in enumerate(points))
    ways = ''
    for i, word in enumerate(('Norra', 'Östra', 'Södra', 'Västra')):
        ways += (f'<way id="{i + 1}" version="1"><nd ref="{i + 1}"/><nd ref="{(i + 1) % 4 + 1}"/>'
                 f'<tag k="highway" v="secondary"/><tag k="name" v="{word} gatan"/></way>')
    ways += ('<way id="9" version="1"><nd ref="5"/><nd ref="6"/><nd ref="7"/><nd ref="8"/><nd ref="5"/>'
             '<tag k="natural" v="water"/><tag k="name" v="Dammen"/></way>')
    return f'<?xml version="1.0"?><osm version="0.6" generator="test">{nodes}{ways}</osm>'


def build(*args, cwd, path=None):
    env = {**os.environ, **({'PATH': path} if path is not None else {})}
    return subprocess.run([lorry.BINARY, 'map', 'build', *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


def setUpModule():
    for program in ('tilemaker', 'osmium'):
        if shutil.which(program) is None:
            print(f'{program} is not installed')
            sys.exit(77)


class MapBuild(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        (self.dir / 'town.osm').write_text(extract())
        subprocess.run(['osmium', 'cat', '--no-progress', '-o', 'town.osm.pbf', 'town.osm'], cwd=self.dir, check=True, capture_output=True)
        (self.dir / 'town.osm').unlink()

    def names(self):
        return sorted(p.name for p in self.dir.iterdir())

    def test_an_extract_becomes_a_map_with_streets(self):
        done = build('town.osm.pbf', cwd=self.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('lorry serve --map town.mbtiles --streets town.streets.json', done.stdout)
        self.assertIn('OpenStreetMap', done.stdout)
        self.assertEqual(self.names(), ['town.mbtiles', 'town.osm.pbf', 'town.streets.json'])
        with sqlite3.connect(self.dir / 'town.mbtiles') as db:
            z, x, row, tile = db.execute('select * from tiles order by zoom_level desc, length(tile_data) desc limit 1').fetchone()
            self.assertIn('OpenStreetMap', db.execute("select value from metadata where name = 'attribution'").fetchone()[0])
        with Server('--map', self.dir / 'town.mbtiles', '--streets', self.dir / 'town.streets.json') as server:
            with Connection(server) as c:
                answer = c.request('GET', '/v1/map').json
                self.assertIn('© OpenStreetMap', answer['attribution'])
                self.assertEqual(answer['maxzoom'], 14)
                a = c.request('GET', answer['tiles'].replace('{z}', str(z)).replace('{x}', str(x)).replace('{y}', str((1 << z) - 1 - row)))
                self.assertEqual((a.status, dict((k.lower(), v) for k, v in a.headers).get('content-encoding')), (200, 'gzip'))
                self.assertEqual(a.body, tile)
                self.assertIn(b'water', gzip.decompress(a.body))
            customer = server.register('customer')
            places = lorry.until(lambda: customer.get('/v1/places?q=V%C3%A4str').json.get('items'), 'the names are ready')
            self.assertEqual(places[0]['label'], 'Västra gatan')

    def test_what_is_no_extract_changes_nothing(self):
        whole = (self.dir / 'town.osm.pbf').read_bytes()
        (self.dir / 'town.mbtiles').write_text('what was there')
        hostile = {
            'empty': b'', 'text': b'<osm/>' * 100, 'half': whole[:len(whole) // 2], 'head': whole[:20],
            'long': b'\xff\xff\xff\x7f\x0a\x09OSMHeader' + b'x' * 1000,
            'flipped': whole[:60] + bytes(255 - b for b in whole[60:]),
        }
        for name, content in hostile.items():
            (self.dir / 'town.osm.pbf').write_bytes(content)
            done = build('town.osm.pbf', cwd=self.dir)
            self.assertEqual(done.returncode, 1, name)
            self.assertRegex(done.stderr, r'(?m)^lorry: .*town\.osm\.pbf', name)
            self.assertEqual(self.names(), ['town.mbtiles', 'town.osm.pbf'], name)
            self.assertEqual((self.dir / 'town.mbtiles').read_text(), 'what was there', name)

    def test_what_is_missing_is_named(self):
        for args, word in (((), 'say which extract'), (('nothing.osm.pbf',), 'no file to read'), (('.',), 'no file to read'),
                           (('--output', 'no/such/folder.mbtiles', 'town.osm.pbf'), 'cannot write')):
            done = build(*args, cwd=self.dir)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stderr)
        done = build('town.osm.pbf', cwd=self.dir, path='/nowhere')
        self.assertEqual(done.returncode, 1)
        self.assertIn('apt-get install tilemaker osmium-tool', done.stderr)
        self.assertEqual(self.names(), ['town.osm.pbf'])

    def test_a_server_refuses_what_is_no_map(self):
        (self.dir / 'bad.mbtiles').write_text('no database')
        done = subprocess.run([lorry.BINARY, 'serve', '--data', self.dir / 'data', '--listen', '127.0.0.1:0', '--map', self.dir / 'bad.mbtiles'],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn('the map cannot be used', done.stderr)

    @unittest.skipUnless(os.environ.get('LORRY_TEST_OSM'), 'LORRY_TEST_OSM names no extract')
    def test_a_real_extract(self):
        done = build('--output', 'real.mbtiles', os.environ['LORRY_TEST_OSM'], cwd=self.dir)
        self.assertEqual(done.returncode, 0, done.stderr)
        print(done.stdout)


if __name__ == '__main__':
    lorry.main()
