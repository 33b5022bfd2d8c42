#!/usr/bin/env python3
"""deploy/prometheus and deploy/grafana: promtool on the files and on the real /metrics; a real Prometheus that asks a real
demo city, where every query of the dashboard and of the rules must have data.

Usage: test_monitoring.py LORRY [TEST]...
"""
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from proxy import ROOT, free_port, lorry
import clustered
from collector import Collector
from lorry import Server, until

FOLDER = ROOT / 'deploy/prometheus'
DASHBOARD = ROOT / 'deploy/grafana/dashboards/lorry.json'
# Metrics of what stands beside the processes: only a cluster has them.
SCALED = re.compile(r'\blorry_(bus|cache|signals|otlp|store_(?!errors))')
OPTIONAL = {  # … and these only one that has a read replica, or sends mail
    'lorry_store_replica_lag_seconds', 'lorry_delivery_queue_age_seconds'}
METRIC = re.compile(r'\b((?:lorry|process)_[a-z_]+|up)\b(?!\s*[:(])')
SCRAPE_S = 1


def promtool(*arguments, stdin=None, cwd=FOLDER):
    return subprocess.run(['promtool', *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def rules():
    groups = yaml.safe_load((FOLDER / 'lorry.rules.yml').read_text())['groups']
    return [rule for group in groups for rule in group['rules']]


def dashboard():
    return json.loads(DASHBOARD.read_text())


def queries():
    """(title of the panel, query) with the variables as Grafana would fill them in for all services."""
    for panel in dashboard()['panels']:
        for target in panel.get('targets', ()):
            text = target['expr']
            for variable, value in (('$__rate_interval', f'{SCRAPE_S * 4}s'), ('$service', '.*'), ('$instance', '.*')):
                text = text.replace(variable, value)
            assert '$' not in text, f'{panel["title"]}: a variable that is not known: {text}'
            yield panel['title'], text


def metrics_in(text):
    """The metrics that a query reads; label names and what is recorded are none."""
    text = re.sub(r'"[^"]*"', '', re.sub(r'\b(by|without)\s*\([^)]*\)', '', text))
    return set(METRIC.findall(text))


class Prometheus:
    """The files of deploy/prometheus with other targets and a shorter interval. TARGETS: (port, service)."""

    def __init__(self, targets):
        self.folder = Path(tempfile.mkdtemp(prefix='lorry-prometheus-'))
        self.port = free_port()
        for name in ('prometheus.yml', 'lorry.rules.yml'):
            shutil.copy(FOLDER / name, self.folder)
        config = yaml.safe_load((self.folder / 'prometheus.yml').read_text())
        config['global'] = {'scrape_interval': f'{SCRAPE_S}s', 'evaluation_interval': f'{SCRAPE_S}s'}
        config['scrape_configs'] = [c for c in config['scrape_configs'] if c['job_name'] == 'lorry']
        (self.folder / 'prometheus.yml').write_text(yaml.safe_dump(config))
        shape, = yaml.safe_load((FOLDER / 'targets.yml').read_text())
        (self.folder / 'targets.yml').write_text(yaml.safe_dump(
            [{**shape, 'targets': [f'127.0.0.1:{port}'], 'labels': {'service': service}} for port, service in targets]))
        with open(self.folder / 'log', 'wb') as log:
            self.process = subprocess.Popen(
                ['prometheus', f'--config.file={self.folder}/prometheus.yml', f'--storage.tsdb.path={self.folder}/data',
                 f'--web.listen-address=127.0.0.1:{self.port}', '--log.level=warn'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=lambda: lorry.die_with_parent({}))

    def __enter__(self):
        until(self.ready, 'Prometheus is ready', 60)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path, **query):
        url = f'http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}'
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read()

    def ready(self):
        assert self.process.poll() is None, (self.folder / 'log').read_text()
        try:
            return self.get('/-/ready') is not None
        except OSError:
            return False

    def api(self, path, **query):
        answer = json.loads(self.get(f'/api/v1/{path}', **query))
        assert answer['status'] == 'success', answer
        return answer['data']

    def values(self, query):
        """The finite values that a query has now."""
        data = self.api('query', query=query)
        samples = [data] if data['resultType'] == 'scalar' else data['result']
        return [v for v in (float(s['value'][1]) for s in samples) if math.isfinite(v)]


class Files(unittest.TestCase):
    def check(self, *arguments):
        done = promtool(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_promtool_takes_the_configuration(self):
        self.check('check', 'config', 'prometheus.yml')
        self.check('check', 'rules', '--lint=all', '--lint-fatal', 'lorry.rules.yml')

    def test_alerts_fire_when_they_should(self):
        self.check('test', 'rules', 'lorry.rules.test.yml')

    def test_every_alert_is_tested_and_says_what_to_do(self):
        alerts = {rule['alert']: rule for rule in rules() if 'alert' in rule}
        self.assertGreater(len(alerts), 15)
        fires = {case['alertname'] for test in yaml.safe_load((FOLDER / 'lorry.rules.test.yml').read_text())['tests']
                 for case in test.get('alert_rule_test', ()) if case.get('exp_alerts')}
        self.assertEqual(set(alerts), fires)
        for name, rule in alerts.items():
            self.assertIn(rule['labels']['severity'], ('page', 'ticket'), name)
            self.assertGreater(len(rule['annotations']['description']), 40, name)

    def test_the_manual_tells_what_to_do_at_every_alert(self):
        manual = (ROOT / 'docs/operations.md').read_text()
        told = re.findall(r'^\| `(Lorry\w+)`', manual, re.M)
        self.assertEqual(sorted(told), sorted(rule['alert'] for rule in rules() if 'alert' in rule))

    def test_dashboard_is_whole(self):
        doc = dashboard()
        self.assertEqual(len({p['id'] for p in doc['panels']}), len(doc['panels']))
        taken = set()
        for panel in doc['panels']:
            g = panel['gridPos']
            self.assertLessEqual(g['x'] + g['w'], 24, panel['title'])
            cells = {(x, y) for x in range(g['x'], g['x'] + g['w']) for y in range(g['y'], g['y'] + g['h'])}
            self.assertFalse(cells & taken, f'{panel["title"]} lies over another panel')
            taken |= cells
            if panel['type'] != 'row':
                self.assertTrue(panel['description'] and panel['targets'], panel['title'])
        for path in (ROOT / 'deploy/grafana/provisioning').rglob('*.yaml'):
            self.assertEqual(yaml.safe_load(path.read_text())['apiVersion'], 1)


class Asked(unittest.TestCase):
    """A Prometheus that asks real processes every second."""

    def have_data(self, prometheus, wanted, timeout_s=30):
        """Every query gives a number."""
        left, end = wanted, time.monotonic() + timeout_s * lorry.SLOW
        while left and time.monotonic() < end:  # rates want two scrapes
            left = [(title, q) for title, q in left if not prometheus.values(q)]
            time.sleep(0.5 if left else 0)
        self.assertEqual(left, [], 'queries without data')

    def metrics(self, port):
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=20) as answer:
            text = answer.read().decode()
        done = promtool('check', 'metrics', stdin=text)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ''))
        return set(re.findall(r'^# TYPE (\S+)', text, re.M))

    def names(self, known):
        """Every metric that a rule, a panel or a rule's test names is one that Lorry exposes."""
        known = known | {'up'} | {f'{n}{end}' for n in known for end in ('_bucket', '_sum', '_count')} | OPTIONAL
        texts = [r['expr'] for r in rules()] + [q for _, q in queries()]
        texts += [s['series'] for test in yaml.safe_load((FOLDER / 'lorry.rules.test.yml').read_text())['tests']
                  for s in test['input_series']]
        used = set().union(*map(metrics_in, texts))
        self.assertEqual(used - known, set())
        self.assertGreater(len(used), 60)

    def rules_are_well(self, prometheus):
        states = {rule['name']: rule for group in prometheus.api('rules')['groups'] for rule in group['rules']}
        self.assertEqual(len(states), len(rules()))
        for name, rule in states.items():
            self.assertEqual(rule['health'], 'ok', name)
            if rule['type'] == 'alerting':
                self.assertNotEqual(rule['state'], 'firing', f'{name} fires where all is well')


class City(Asked):
    """A demo city that lives fast, in one process."""

    def test_every_query_has_data(self):
        with Server('--demo', '--demo-speed', '20', '--demo-bookings-per-hour', '2000', '--demo-drivers', '20') as server:
            with Prometheus([(server.port, 'all')]) as prometheus:
                self.metrics(server.port)
                wanted = [(title, q) for title, q in queries() if not SCALED.search(q)]
                wanted += [(r['record'], r['record']) for r in rules() if 'record' in r]
                self.assertGreater(len(wanted), 40)
                until(lambda: all(prometheus.values(q) for q in ('lorry_booking_assigned_after_seconds_count > 0',
                                                                 'lorry_booking_events_total{type="booking.expired"} >= 0')),
                      'a booking has found its driver', 40 * lorry.SLOW)
                self.have_data(prometheus, wanted)
                self.assertEqual(prometheus.values('lorry_rain_total{job="lorry"}'), [])  # as a query without data looks
                self.rules_are_well(prometheus)

    def test_promtool_would_say_it(self):
        done = promtool('check', 'metrics', stdin='lorry_rain 1\n')
        self.assertNotEqual(done.stdout + done.stderr, '')


class Cluster(Asked):
    """Two processes of each service with PostgreSQL, RabbitMQ, Redis and a collector of traces."""

    def test_every_query_has_data(self):
        collector = Collector()
        self.addCleanup(collector.close)
        with clustered.server_class(Server)('--otlp', collector.url, '--driver-approval', 'auto') as server:
            ports = {name: server.cluster.port(name) for name in server.cluster.lorry_names()}
            with Prometheus([(port, name[:-1]) for name, port in ports.items()]) as prometheus:
                self.names(set().union(*map(self.metrics, ports.values())))
                wanted = [(title, q) for title, q in queries() if SCALED.search(q)]
                self.assertGreater(len(wanted), 25)
                driver, customer = server.driver(), server.register()
                time.sleep(0.2)  # the replicas hear of him
                driver.accept(customer.book()['id'])
                self.have_data(prometheus, wanted, 60)
                self.assertGreater(prometheus.values('sum(lorry_bus_delivered_total)')[0], 0)
                until(lambda: prometheus.values('sum(lorry_otlp_spans_sent_total) > 0'), 'traces are sent', 60 * lorry.SLOW)
                self.rules_are_well(prometheus)
        self.assertEqual(collector.faults, [])


if __name__ == '__main__':
    lorry.main(at_once=2)
