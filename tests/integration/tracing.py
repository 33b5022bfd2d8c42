"""Traces: from the door to the notification socket one chain, in one process and across processes behind Nginx; what is
sampled; and that a collector that is away, slow or unwilling costs nobody anything."""
import json
import os
import re
import tempfile
import time
import unittest

import lorry
from collector import CONSUMER, INTERNAL, PRODUCER, SERVER, Collector
from lorry import CLUSTERED, Server, WebSocket, everybody_knows, run, until

ALONE = unittest.skipIf(CLUSTERED, 'of one process')
TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
SPAN = '00f067aa0ba902b7'


def traceparent(trace=TRACE, flags='01'):
    return ('traceparent', f'00-{trace}-{SPAN}-{flags}')


def figure(server, name):
    """The sum of a metric's samples; None: there is none."""
    text = server.api().get('/metrics', expect=200).body.decode()
    found = re.findall(rf'^{name}(?:{{[^}}]*}})? (\S+)$', text, re.M)
    return sum(map(float, found)) if found else None


def chain(spans, span):
    """SPAN and those above it, as far as they are known."""
    by_id = {s.id: s for s in spans}
    out = [span]
    while out[-1].parent in by_id:
        out.append(by_id[out[-1].parent])
        assert len(out) <= len(spans), 'a ring'
    return out


class OneTrace(unittest.TestCase):
    def setUp(self):
        self.collector = Collector()
        self.addCleanup(self.collector.close)
        self.server = Server('--otlp', self.collector.url, '--driver-approval', 'auto')
        self.addCleanup(self.server.close)

    def settled(self, trace, *names):
        """Its spans, once those of NAMES are among them and each has its parent."""
        def look():
            spans = self.collector.of(trace)
            known = {s.id for s in spans}
            whole = sum(s.parent not in known for s in spans) == 1
            return spans if whole and {*names} <= {s.name for s in spans} else None
        try:
            return until(look, 'the spans are there')
        except AssertionError:
            for span in self.collector.of(trace):
                print(span)
            raise

    def test_from_the_door_to_the_socket(self):
        driver, customer = self.server.driver(), self.server.register()
        everybody_knows()
        with WebSocket(self.server, customer.token) as c, WebSocket(self.server, driver.token) as d:
            c.expect('ready'), d.expect('ready')
            quote = customer.quote()
            # No traceparent is sent: behind Nginx the trace begins there, else in the process.
            answer = customer.post('/v1/bookings', {'quote_id': quote['id'], 'payment': 'cash'}, expect=201)
            told = c.expect('booking.updated')
            offer = d.expect('offer.made')
        trace = told['trace_id']
        self.assertRegex(trace, r'^[0-9a-f]{32}$')
        self.assertEqual(offer['trace_id'], trace)
        again = customer.get('/v1/notifications', expect=200).json['items'][0]
        self.assertEqual(again, told)

        spans = self.settled(trace, 'POST /v1/bookings', 'push booking.updated', 'push offer.made')
        self.assertEqual(self.collector.faults, [])
        root = next(s for s in spans if s.name == 'POST /v1/bookings')
        if CLUSTERED:
            line = self.nginx_line(answer.header('x-request-id'))
            self.assertEqual(line['traceparent'].split('-')[1], trace)
            self.assertEqual(root.parent, line['traceparent'].split('-')[2])
            services = {'lorry-booking', 'lorry-driver', 'lorry-notification'}
        else:
            self.assertIsNone(root.parent)
            services = {'lorry'}
        self.assertEqual({s.service for s in spans}, services)
        for name in ('push booking.updated', 'push offer.made'):
            push = next(s for s in spans if s.name == name)
            way = chain(spans, push)
            self.assertIs(way[-1], root, f'{name}: {way}')
            kinds = [s.kind for s in way]
            # push ← entry ← process ← publish ← (command ← process ← publish)* ← command ← request
            self.assertEqual(kinds[:4] + kinds[-2:], [PRODUCER, INTERNAL, CONSUMER, PRODUCER, INTERNAL, SERVER], way)
            if CLUSTERED:
                self.assertEqual((way[0].service, way[-1].service), ('lorry-notification', 'lorry-booking'))
        offered = [s.service for s in chain(spans, next(s for s in spans if s.name == 'push offer.made'))]
        if CLUSTERED:
            self.assertIn('lorry-driver', offered)
        self.assertEqual(root.attributes['http.response.status_code'], 201)
        self.assertEqual(root.attributes['lorry.request_id'], answer.header('x-request-id'))
        # What was refused for a moment (a commit that met another's) has been given again, and went well.
        well = {s.name for s in spans if not s.failed}
        self.assertEqual([s for s in spans if s.failed and s.name not in well], [])

    def nginx_line(self, request_id):
        log = self.server.cluster.path('nginx', 'access.log')

        def look():
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            return next((line for line in lines if line['request_id'] == request_id), None)
        return until(look, f'Nginx has logged {request_id}')

    def test_a_trace_that_comes_is_gone_on_with(self):
        customer = self.server.register()
        customer.get('/v1/bookings/bkg_01ARZ3NDEKTSV4RRFFQ69G5FAV', headers=[traceparent()], expect=404)
        span, = self.settled(TRACE, 'GET /v1/bookings/{id}')
        self.assertEqual((span.parent, span.kind, span.failed), (SPAN, SERVER, False))  # a client's fault is no error
        self.assertEqual(span.attributes['http.response.status_code'], 404)
        self.assertEqual(span.attributes['http.route'], '/v1/bookings/{id}')
        self.assertEqual(span.attributes['http.request.method'], 'GET')

    def test_what_is_not_sampled_is_not_sent(self):
        customer = self.server.register()
        other = TRACE[::-1]
        customer.get('/v1/me', headers=[traceparent(other, '00')], expect=200)
        customer.get('/v1/me', headers=[traceparent()], expect=200)
        self.settled(TRACE, 'GET /v1/me')
        self.assertEqual(self.collector.of(other), [])


@ALONE
class OneProcess(unittest.TestCase):
    def serve(self, *flags, **more):
        server = Server(*flags, **more)
        self.addCleanup(server.close)
        return server

    def collect(self, port=0):
        collector = Collector(port)
        self.addCleanup(collector.close)
        return collector

    def test_off_it_costs_nothing(self):
        server = self.serve()
        server.register()
        self.assertIsNone(figure(server, 'lorry_otlp_spans_total'))
        with open(f'/proc/{server.process.pid}/maps', encoding='ascii') as maps:
            self.assertNotIn('curl', maps.read())

    def test_bad_settings_are_refused(self):
        for flags, word in ((('--otlp', 'ftp://127.0.0.1'), 'otlp'), (('--otlp-sample', '1.5'), 'otlp_sample'),
                            (('--otlp-sample', 'nan'), 'otlp_sample'), (('--otlp', 'http://127.0.0.1:99999'), 'collector')):
            with tempfile.TemporaryDirectory(prefix='lorry-test-') as data:
                done = run('serve', '--data', data, '--listen', '127.0.0.1:0', *flags)
            self.assertNotEqual(done.returncode, 0, flags)
            self.assertIn(word, done.stderr, flags)

    def test_head_sampling(self):
        collector = self.collect()
        server = self.serve('--otlp', collector.url + '/', '--otlp-sample', '0.5')
        api = server.register()
        for _ in range(200):
            api.get('/v1/me', expect=200)
        until(lambda: figure(server, 'lorry_otlp_spans_sent_total') == figure(server, 'lorry_otlp_spans_total'), 'all are taken')
        mine = [s for s in collector.spans if s.name == 'GET /v1/me']
        self.assertTrue(50 < len(mine) < 150, len(mine))
        self.assertEqual(len({s.trace for s in mine}), len(mine))
        # What only asks how the process is begins no trace.
        self.assertFalse([s for s in collector.spans if 'metrics' in s.name or 'readyz' in s.name])

    def test_a_collector_that_comes_late(self):
        collector = self.collect()
        port = collector.port
        collector.close()
        server = self.serve('--otlp', collector.url)
        api = server.register()
        begun = time.monotonic()
        for _ in range(50):
            api.get('/v1/me', expect=200)
        self.assertLess(time.monotonic() - begun, 5 * lorry.SLOW)
        until(lambda: figure(server, 'lorry_otlp_failures_total'), 'it has tried')
        self.assertIn('is away', server.log())
        collector = self.collect(port)
        until(lambda: len([s for s in collector.spans if s.name == 'GET /v1/me']) == 50, 'nothing was lost')
        self.assertEqual(figure(server, 'lorry_otlp_spans_dropped_total'), 0)
        until(lambda: 'takes spans again' in server.log(), 'it is said')
        self.assertEqual(server.log().count('is away'), 1)

    def test_one_that_wants_them_later(self):
        collector = self.collect()
        collector.answer, collector.retry_after = 503, 1
        server = self.serve('--otlp', collector.url)
        server.register().get('/v1/me', headers=[traceparent()], expect=200)
        until(lambda: collector.requests, 'it was asked')
        collector.answer = 200
        until(lambda: collector.of(TRACE), 'it is asked again')
        self.assertEqual(figure(server, 'lorry_otlp_spans_dropped_total'), 0)

    def test_one_that_refuses(self):
        collector = self.collect()
        collector.answer = 400
        server = self.serve('--otlp', collector.url)
        server.register()
        until(lambda: figure(server, 'lorry_otlp_spans_dropped_total'), 'they are given up')
        self.assertEqual(figure(server, 'lorry_otlp_spans_sent_total'), 0)
        self.assertIn('answers 400', server.log())

    def test_one_that_hangs_holds_up_nobody(self):
        collector = self.collect()
        collector.answer = 'hang'
        server = self.serve('--otlp', collector.url, '--writes-per-minute-max', '0')
        api = server.register()
        until(lambda: collector.requests, 'it hangs')
        begun = time.monotonic()
        while not figure(server, 'lorry_otlp_spans_dropped_total'):  # the buffer is full, and nothing waits for it
            for _ in range(200):
                api.get('/v1/me', expect=200)
            self.assertLess(time.monotonic() - begun, 60 * lorry.SLOW)
        self.assertLessEqual(figure(server, 'lorry_otlp_spans_waiting'), 4096)
        begun = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begun, 8 * lorry.SLOW)

    def test_the_last_ones_are_sent_before_it_leaves(self):
        collector = self.collect()
        server = self.serve('--otlp', collector.url)
        server.register().get('/v1/me', headers=[traceparent()], expect=200)
        self.assertEqual(server.stop(), 0)
        self.assertEqual([s.name for s in collector.of(TRACE)], ['GET /v1/me'])

    def test_a_wake_up_is_a_trace_of_its_own(self):
        collector = self.collect()
        server = self.serve('--otlp', collector.url, '--driver-approval', 'auto', '--offer-timeout-s', '1')
        driver, customer = server.driver(), server.register()
        with WebSocket(server, driver.token) as d:
            d.expect('ready')
            customer.book()
            made, closed = d.expect('offer.made'), d.expect('offer.closed')
        self.assertNotEqual(made['trace_id'], closed['trace_id'])
        spans = until(lambda: {s.name: s for s in collector.of(closed['trace_id'])}
                      if any(s.name == 'push offer.closed' for s in collector.spans) else None, 'its spans')
        root = next(s for s in spans.values() if s.parent not in {o.id for o in spans.values()})
        self.assertEqual(root.kind, INTERNAL)

    def test_lines_of_the_log_and_addresses_name_no_secret(self):
        collector = self.collect()
        server = self.serve('--otlp', collector.url)
        booking = server.register().book()
        server.api().get(f'/v1/track/{booking["tracking_token"]}', headers=[traceparent()], expect=200)
        span, = until(lambda: collector.of(TRACE), 'its span')
        self.assertEqual(span.attributes['http.route'], '/v1/track/{token}')
        self.assertNotIn(booking['tracking_token'], json.dumps(span.attributes))


if __name__ == '__main__':
    lorry.main(at_once=2 if CLUSTERED else max(2, os.cpu_count() or 1))
