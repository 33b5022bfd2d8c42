#!/usr/bin/env python3
"""Holds api/openapi.yaml against the route tables, the tables that decode bodies and the table of problems, both
ways, and api/asyncapi.yaml against the frames that the socket takes; and, so that it is known to find what is off,
plants differences in copies and looks for the complaints.

Usage: test_openapi.py DUMP_ROUTES [TEST]...
"""
import copy
import json
import subprocess
import sys
import unittest
from pathlib import Path

import surface

ROOT = Path(__file__).resolve().parent.parent.parent


def setUpModule():
    global doc, messages, tables, names
    messages = surface.load(ROOT / 'api/asyncapi.yaml')
    doc = surface.load(ROOT / 'api/openapi.yaml')
    tables = json.loads(subprocess.run([DUMP], capture_output=True, check=True).stdout)
    names = surface.parameters_of_sources(ROOT / 'src/services')


class Agreement(unittest.TestCase):
    def test_document_and_tables_say_the_same(self):
        complaints = list(surface.check_all(doc, tables, names))
        self.assertEqual(complaints, [], 'api/openapi.yaml:\n  ' + '\n  '.join(complaints))
        self.assertGreater(len(surface.operations(doc)), 30)

    def test_messages(self):
        complaints = list(surface.check_messages(messages, doc, ROOT / 'src/services'))
        self.assertEqual(complaints, [], 'api/asyncapi.yaml:\n  ' + '\n  '.join(complaints))

    def test_strict_readers_take_them(self):
        # libyaml, which surface.load() uses, lets pass what others refuse, PyYAML's own reader among them.
        for name, read in (('openapi', doc), ('asyncapi', messages)):
            with self.subTest(name):
                text = (ROOT / f'api/{name}.yaml').read_text(encoding='utf-8')
                self.assertEqual(surface.yaml.load(text, surface.yaml.SafeLoader), read)


# ---- planted differences: a change, and parts of the complaint that must come ----

def op(d, method, path):
    return d['paths'][path][method]


def schema(d, name):
    return d['components']['schemas'][name]


def route(t, operation):
    return next(r for r in t['routes'] if r['operation'] == operation)


IN_DOCUMENT = {
    'a route that is not documented': (
        lambda d: d['paths'].pop('/v1/fleet'), 'GET /v1/fleet: a route of driver'),
    'an operation without a route': (
        lambda d: d['paths']['/v1/audit'].update(delete=copy.deepcopy(op(d, 'get', '/v1/audit'))), 'DELETE /v1/audit: documented'),
    'another operationId': (
        lambda d: op(d, 'get', '/v1/me').update(operationId='me'), 'GET /v1/me: operationId is me'),
    'an operationId that comes twice': (
        lambda d: op(d, 'get', '/v1/me').update(operationId='getFleet'), 'is that of'),
    'a role too many': (
        lambda d: op(d, 'post', '/v1/bookings')['x-roles'].insert(1, 'driver'), 'POST /v1/bookings: x-roles are'),
    'a role too few': (
        lambda d: op(d, 'get', '/v1/fleet').update({'x-roles': ['admin']}), 'GET /v1/fleet: x-roles are'),
    'a public route that asks for a token': (
        lambda d: op(d, 'get', '/healthz').pop('security'), 'GET /healthz: security'),
    'a route that is public by mistake': (
        lambda d: op(d, 'get', '/v1/users').update(security=[]), 'GET /v1/users: security'),
    'no Idempotency-Key': (
        lambda d: op(d, 'post', '/v1/quotes').pop('parameters'), 'POST /v1/quotes: Idempotency-Key'),
    'an Idempotency-Key that is not honoured': (
        lambda d: op(d, 'post', '/v1/driver/locations').update(parameters=[{'$ref': '#/components/parameters/IdempotencyKey'}]),
        'POST /v1/driver/locations: Idempotency-Key'),
    'an If-Match that is not honoured': (
        lambda d: op(d, 'post', '/v1/quotes')['parameters'].append({'$ref': '#/components/parameters/IfMatch'}),
        'POST /v1/quotes: If-Match'),
    'no 412': (
        lambda d: op(d, 'patch', '/v1/me')['responses'].pop('412'), 'PATCH /v1/me: answer 412'),
    'no 403': (
        lambda d: op(d, 'get', '/v1/fleet')['responses'].pop('403'), 'GET /v1/fleet: answer 403'),
    'no default': (
        lambda d: op(d, 'get', '/v1/fleet')['responses'].pop('default'), 'GET /v1/fleet: no default'),
    'a path parameter of another name': (
        lambda d: op(d, 'get', '/v1/track/{token}')['parameters'][0].update(name='id'), 'GET /v1/track/{token}: path parameters'),
    'a body of another schema': (
        lambda d: op(d, 'post', '/v1/auth/login')['requestBody']['content']['application/json'].update(
            schema={'$ref': '#/components/schemas/RegisterRequest'}), 'POST /v1/auth/login: the body is'),
    'a body that is required by mistake': (
        lambda d: op(d, 'post', '/v1/bookings/{id}/cancel')['requestBody'].update(required=True), 'cancel: requestBody.required'),
    'a field that the table has not': (
        lambda d: schema(d, 'QuoteRequest')['properties'].update(colour={'type': 'string'}), 'QuoteRequest/properties/colour'),
    'a field that is missing': (
        lambda d: schema(d, 'FixInput')['properties'].pop('speed_mps'), 'FixInput/properties/speed_mps'),
    'a field that is required by mistake': (
        lambda d: schema(d, 'QuoteRequest')['required'].append('vehicle'), 'QuoteRequest/required'),
    'another limit': (
        lambda d: schema(d, 'RegisterRequest')['properties']['password'].update(minLength=6),
        'RegisterRequest/properties/password/minLength'),
    'another limit behind a reference': (
        lambda d: schema(d, 'Latitude').update(maximum=85), 'FixInput/properties/lat/maximum'),
    'more items': (
        lambda d: schema(d, 'LocationsInput')['properties']['fixes'].update(maxItems=5000), 'LocationsInput/properties/fixes/maxItems'),
    'a word too many in an enum': (
        lambda d: schema(d, 'Vehicle')['enum'].append('plane'), 'QuoteRequest/properties/vehicle/enum'),
    'another kind': (
        lambda d: schema(d, 'RatingRequest')['properties']['stars'].update(type='number'), 'RatingRequest/properties/stars/type'),
    'a problem that is not documented': (
        lambda d: (d['components']['examples'].pop('no-vehicle'),
                   op(d, 'post', '/v1/driver/duty')['responses']['409']['content'][surface.PROBLEM]['examples'].pop('no-vehicle')),
        '/components/examples/no-vehicle: a problem'),
    'a problem that there is not': (
        lambda d: d['components']['examples'].update({'rainy': {'value': {'type': '/problems/rainy'}}}),
        '/components/examples/rainy: documented'),
    'another status of a problem': (
        lambda d: d['components']['examples']['quote-used']['value'].update(status=410), 'quote-used/value/status'),
    'a problem under a status that is not its own': (
        lambda d: op(d, 'post', '/v1/driver/duty')['responses'].update({'404': op(d, 'post', '/v1/driver/duty')['responses']['409']}),
        'POST /v1/driver/duty: answer 404 shows'),
    'a reference that leads nowhere': (
        lambda d: op(d, 'get', '/v1/me')['responses']['200']['content']['application/json'].update(
            schema={'$ref': '#/components/schemas/Nobody'}), 'leads nowhere: #/components/schemas/Nobody'),
    'a schema that nothing refers to': (
        lambda d: d['components']['schemas'].update(Lonely={'type': 'string'}), 'Lonely: nothing refers to it'),
    'an example without a member': (
        lambda d: d['components']['examples']['user']['value'].pop('email'), "'email' is a required property"),
    'an example with a bad id': (
        lambda d: d['components']['examples']['user']['value'].update(id='usr_1'), 'does not match'),
    'an example with a bad time': (
        lambda d: d['components']['examples']['user']['value'].update(created_at='yesterday'), "'yesterday' is not a 'date-time'"),
    'an example of a parameter out of its range': (
        lambda d: op(d, 'get', '/v1/drivers/nearby')['parameters'][0].update(example=91), 'parameters/0/example/: 91'),
    'an answer without an example': (
        lambda d: op(d, 'get', '/v1/tariffs')['responses']['200']['content']['application/json'].pop('example'), 'has no example'),
    'a query parameter that nobody reads': (
        lambda d: op(d, 'get', '/v1/fleet')['parameters'][0].update(name='box'), 'parameter box is documented'),
    'a query parameter that is not documented': (
        lambda d: op(d, 'get', '/v1/fleet').pop('parameters'), 'parameter bbox: is read'),
    'a schema that is none': (
        lambda d: schema(d, 'Amount').update(type='money'), '/components/schemas/Amount: is no JSON Schema'),
}
IN_TABLES = {
    'a new route': (
        lambda t: t['routes'].append({**route(t, 'getMe'), 'path': '/v1/you'}), 'GET /v1/you: a route of auth'),
    'a route that is gone': (
        lambda t: t['routes'].remove(route(t, 'getMe')), 'GET /v1/me: documented, but no route'),
    'a route with other roles': (
        lambda t: route(t, 'listUsers').update(roles=['dispatcher', 'admin']), 'GET /v1/users: x-roles'),
    'a route that has become public': (
        lambda t: route(t, 'listUsers').update(roles=[]), 'GET /v1/users: security'),
    'a route with a new flag': (
        lambda t: route(t, 'acceptOffer').update(if_match=True), 'accept: If-Match'),
    'a route with a body': (
        lambda t: route(t, 'getMe').update(body='MePatch'), 'GET /v1/me: the body is None'),
    'a route without its body': (
        lambda t: route(t, 'login').update(body=None), 'POST /v1/auth/login: has a body'),
    'a new field': (
        lambda t: t['schemas']['QuoteStop']['properties'].update(floor={'type': 'integer'}), 'QuoteStop/properties/floor'),
    'a new schema': (
        lambda t: t['schemas'].update(Parcel=t['schemas']['Contact']), '/components/schemas/Parcel: the schema of a body'),
    'a new problem': (
        lambda t: t['problems'].append({'slug': 'rain', 'status': 409, 'title': 'Rain'}), '/components/examples/rain: a problem'),
    'a problem with another title': (
        lambda t: t['problems'][0].update(title='Nonsense'), 'invalid-request/value/title'),
}

IN_MESSAGES = {
    'a frame that is not taken': (
        lambda m: (m['components']['messages'].update(hello=message(m, 'ping', 'hello')),
                   m['channels']['socket']['messages'].update(hello={'$ref': '#/components/messages/hello'}),
                   m['operations']['fromClient']['messages'].append({'$ref': '#/channels/socket/messages/hello'})),
        'hello is documented and not taken'),
    'a frame that is not documented': (
        lambda m: m['operations']['fromClient']['messages'].pop(), 'ping is taken and not documented'),
    'a reference that leads nowhere': (
        lambda m: m['components']['messages']['position']['payload'].update({'$ref': 'openapi.yaml#/components/schemas/No'}),
        '$ref leads nowhere'),
    'an example that does not fit': (
        lambda m: m['components']['messages']['ready']['examples'][0]['payload'].pop('seq'), "'seq' is a required"),
    'a message without an example': (
        lambda m: m['components']['messages']['ready'].pop('examples'), 'ready: has no example'),
}


def message(m, like, name):
    copied = copy.deepcopy(m['components']['messages'][like])
    copied['payload']['properties']['type']['const'] = name
    copied['examples'][0]['payload']['type'] = name
    return copied


class Planted(unittest.TestCase):
    def finds(self, document, dumped, phrase):
        complaints = []
        for complaint in surface.check_all(document, dumped, names):
            complaints.append(complaint)
            if phrase in complaint:
                return
        self.fail(f'wanted {phrase!r}, got {complaints}')

    def test_in_the_document(self):
        for what, (plant, phrase) in IN_DOCUMENT.items():
            with self.subTest(what):
                changed = copy.deepcopy(doc)
                plant(changed)
                self.finds(changed, tables, phrase)

    def test_in_the_tables(self):
        for what, (plant, phrase) in IN_TABLES.items():
            with self.subTest(what):
                changed = copy.deepcopy(tables)
                plant(changed)
                self.finds(doc, changed, phrase)

    def test_in_the_messages(self):
        for what, (plant, phrase) in IN_MESSAGES.items():
            with self.subTest(what):
                changed = copy.deepcopy(messages)
                plant(changed)
                complaints = list(surface.check_messages(changed, doc, ROOT / 'src/services'))
                self.assertTrue(any(phrase in c for c in complaints), f'wanted {phrase!r}, got {complaints}')

    def test_a_key_that_comes_twice(self):
        with self.assertRaises(surface.yaml.YAMLError):
            surface.yaml.load('{a: 1, a: 2}', surface.UniqueKeys)


if __name__ == '__main__':
    DUMP = sys.argv.pop(1)
    unittest.main()
