"""api/openapi.yaml as the tests see it: read, followed through its references, and held against what the program's
own tables say (dump_routes.c prints them). Every complaint begins with the place in the document that it is about.
"""
import copy
import functools
import json
import re
from datetime import datetime

try:
    import jsonschema
    import yaml
except ImportError as missing:
    raise SystemExit(f'{missing}; install python3-yaml and python3-jsonschema (make deps)') from None

METHODS = ('get', 'put', 'post', 'patch', 'delete')
ROLES = ['customer', 'driver', 'dispatcher', 'admin']
TIME = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z')
PROBLEM = 'application/problem+json'
# What says something to people only, or gives a default that the service fills in itself.
WORDS = {'description', 'title', 'example', 'examples', 'default', 'deprecated'}

formats = jsonschema.FormatChecker()


@formats.checks('date-time')
def is_time(value):
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


@formats.checks('date', raises=ValueError)
def is_date(value):
    return not isinstance(value, str) or datetime.strptime(value, '%Y-%m-%d') is not None


class UniqueKeys(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
    """A key that comes twice is a mistake, not the newer value."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f'{key.value} comes twice', key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path):
    with open(path, encoding='utf-8') as file:
        return yaml.load(file, UniqueKeys)


# ---- references ----

def lookup(doc, ref):
    """What REF points at; KeyError when it points at nothing."""
    if not ref.startswith('#/'):
        raise KeyError(ref)
    node = doc
    for step in ref[2:].split('/'):
        node = node[step.replace('~1', '/').replace('~0', '~')]
    return node


def follow(doc, node):
    """NODE, or what its $ref leads to."""
    while isinstance(node, dict) and '$ref' in node:
        node = lookup(doc, node['$ref'])
    return node


def walk(node, place=''):
    """Yields (place, node) for NODE and everything in it; places are JSON pointers."""
    yield place, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from walk(child, f'{place}/{str(key).replace("~", "~0").replace("/", "~1")}')


def references(doc):
    for place, node in walk(doc):
        if isinstance(node, dict) and isinstance(node.get('$ref'), str) and not place.endswith('/value'):
            yield place, node['$ref']


def check_references(doc):
    for place, ref in references(doc):
        try:
            lookup(doc, ref)
        except (KeyError, TypeError):
            yield f'{place}: $ref leads nowhere: {ref}'


def check_unused(doc):
    used = {ref for _, ref in references(doc)}
    for kind, parts in doc['components'].items():
        for name in parts:
            if kind != 'securitySchemes' and f'#/components/{kind}/{name}' not in used:
                yield f'/components/{kind}/{name}: nothing refers to it'


# ---- operations ----

def operations(doc):
    """{(method, path): operation}, the path's own parameters among the operation's."""
    return {(method.upper(), path): item[method] for path, item in doc['paths'].items() for method in METHODS
            if method in item}


def place_of(method, path):
    return f'{method} {path}'


def parameters(doc, operation, where):
    return {p['name']: p for p in (follow(doc, p) for p in operation.get('parameters', [])) if p['in'] == where}


def problems_of(doc, operation, status):
    """The problem types that the operation documents for a status."""
    response = follow(doc, operation['responses'].get(status, {}))
    content = response.get('content', {}).get(PROBLEM, {})
    return {follow(doc, e)['value']['type'].removeprefix('/problems/') for e in content.get('examples', {}).values()}


def check_shape(doc):
    """What every operation has."""
    tags, seen = {t['name'] for t in doc['tags']}, {}
    for (method, path), op in operations(doc).items():
        at = place_of(method, path)
        for member in ('operationId', 'summary', 'tags', 'x-roles', 'responses'):
            if member not in op:
                yield f'{at}: has no {member}'
                return
        if op['operationId'] in seen:
            yield f'{at}: operationId {op["operationId"]} is that of {seen[op["operationId"]]}, too'
        seen[op['operationId']] = at
        for tag in set(op['tags']) - tags:
            yield f'{at}: tag {tag} is not declared'
        if not any(status[0] in '12' for status in op['responses']):
            yield f'{at}: no answer for when all goes well'
        if 'default' not in op['responses']:
            yield f'{at}: no default answer'
        names = [(follow(doc, p)['in'], follow(doc, p)['name']) for p in op.get('parameters', [])]
        for name in {n for n in names if names.count(n) > 1}:
            yield f'{at}: parameter {name[1]} comes twice'
        for p in (follow(doc, p) for p in op.get('parameters', [])):
            if 'schema' not in p or 'description' not in p:
                yield f'{at}: parameter {p["name"]} has no schema or no description'
        for status, response in op['responses'].items():
            if 'description' not in follow(doc, response):
                yield f'{at}: answer {status} has no description'


# ---- against the route tables ----

def check_routes(doc, tables):
    """Both ways: every route has its operation, every operation its route, and they say the same."""
    routes = {(r['method'], r['path']): r for r in tables['routes']}
    documented = operations(doc)
    for key in routes.keys() - documented.keys():
        yield f'{place_of(*key)}: a route of {routes[key]["service"]} that is not documented'
    for key in documented.keys() - routes.keys():
        yield f'{place_of(*key)}: documented, but no route'
    for key in routes.keys() & documented.keys():
        yield from (f'{place_of(*key)}: {what}' for what in check_route(doc, documented[key], routes[key]))


def check_route(doc, op, route):
    if op['operationId'] != route['operation']:
        yield f'operationId is {op["operationId"]}, in the route table {route["operation"]}'
    if op['x-roles'] != route['roles']:
        yield f'x-roles are {op["x-roles"]}, in the route table {route["roles"]}'
    if op.get('x-scope') != route['scope']:
        yield f'x-scope is {op.get("x-scope")}, in the route table {route["scope"]}'
    if (op.get('security') == []) != (route['roles'] == []):
        yield 'security must be [] exactly where the route is public'
    in_path = re.findall(r'\{(\w+)\}', route['path'])
    if sorted(in_path) != sorted(parameters(doc, op, 'path')):
        yield f'path parameters are {sorted(parameters(doc, op, "path"))}, in the path {in_path}'
    for name, p in parameters(doc, op, 'path').items():
        if p.get('required') is not True:
            yield f'path parameter {name} must be required'
    headers = parameters(doc, op, 'header')
    for header, flag in (('Idempotency-Key', 'idempotent'), ('If-Match', 'if_match')):
        if (header in headers) != route[flag]:
            yield f'{header} is {"not " if route[flag] else ""}documented, in the route table {flag} is {route[flag]}'
    yield from check_body(op, route)
    yield from check_refusals(doc, op, route)


def check_body(op, route):
    if route['body_file']:
        if not set(op.get('requestBody', {'content': {}})['content']) - {'application/json'}:  # JSON may be one of several
            yield 'the body is a file, and is not documented as one'
        return
    if route['body'] is None:
        if 'requestBody' in op:
            yield 'has a body, the route takes none'
        return
    body = op.get('requestBody', {})
    ref = body.get('content', {}).get('application/json', {}).get('schema', {}).get('$ref')
    if ref != f'#/components/schemas/{route["body"]}':
        yield f'the body is {ref}, in the route table {route["body"]}'
    if body.get('required') is route['body_optional']:
        yield f'requestBody.required is {body.get("required")}, the route\'s body may be left out: {route["body_optional"]}'


def check_refusals(doc, op, route):
    """What the runtime itself may answer on this route."""
    has_body, roles = route['body'] is not None, route['roles']
    takes_json = route['body_file'] and 'application/json' in op.get('requestBody', {}).get('content', {})
    for status, problem, wanted in (
            ('401', 'unauthenticated', roles != []), ('403', 'forbidden', roles not in ([], ROLES)),
            ('400', 'malformed-json', has_body or takes_json), ('422', 'invalid-request', has_body or route['body_file']),
            ('412', 'precondition-failed', route['if_match']),
            ('422', 'idempotency-mismatch', route['idempotent'])):
        there = problem in problems_of(doc, op, status)
        if wanted and not there:
            yield f'answer {status} does not show {problem}'
        if there and not wanted and problem not in ('unauthenticated', 'forbidden'):  # sockets check tokens; keys have scopes
            yield f'answer {status} shows {problem}, which this route never gives'


# ---- bodies ----

def plain(doc, schema, place):
    """SCHEMA without words, its references to anything but an object put in place."""
    target = follow(doc, schema)
    if '$ref' in schema and target.get('type') == 'object':
        return {'$ref': schema['$ref']}
    flat = {k: v for k, v in {**target, **{k: v for k, v in schema.items() if k != '$ref'}}.items() if k not in WORDS}
    if 'items' in flat:
        flat['items'] = plain(doc, flat['items'], place)
    return flat


def check_bodies(doc, tables):
    """Every table that decodes a body, field by field."""
    documented = doc['components']['schemas']
    for name, table in tables['schemas'].items():
        at = f'/components/schemas/{name}'
        if name not in documented:
            yield f'{at}: the schema of a body, not documented'
            continue
        there = documented[name]
        if there.get('type') != 'object':
            yield f'{at}: is not an object'
        required = sorted(there.get('required', []))
        if required != sorted(table['required']):
            yield f'{at}/required: is {required}, in the table {sorted(table["required"])}'
        ours, theirs = there.get('properties', {}), table['properties']
        for field in theirs.keys() - ours.keys():
            yield f'{at}/properties/{field}: is in the table and not documented'
        for field in ours.keys() - theirs.keys():
            yield f'{at}/properties/{field}: is documented and not in the table'
        for field in ours.keys() & theirs.keys():
            if not theirs[field]:
                continue  # read by hand
            ours_plain = plain(doc, ours[field], at)
            for word in ours_plain.keys() | theirs[field].keys():
                left, right = ours_plain.get(word), theirs[field].get(word)
                if left != right:
                    yield f'{at}/properties/{field}/{word}: is {left}, in the table {right}'


# ---- problems ----

def check_problems(doc, tables):
    """Both ways: every problem has its example, under its own name, and is an answer of something."""
    examples = {n: e['value'] for n, e in doc['components']['examples'].items()
                if isinstance(e['value'], dict) and str(e['value'].get('type', '')).startswith('/problems/')}
    table = {p['slug']: p for p in tables['problems']}
    for slug in table.keys() - examples.keys():
        yield f'/components/examples/{slug}: a problem that is not documented'
    for slug in examples.keys() - table.keys():
        yield f'/components/examples/{slug}: documented, but no problem'
    for slug in table.keys() & examples.keys():
        at, value = f'/components/examples/{slug}', examples[slug]
        for member, wanted in (('type', f'/problems/{slug}'), ('status', table[slug]['status']),
                               ('title', table[slug]['title'])):
            if value.get(member) != wanted:
                yield f'{at}/value/{member}: is {value.get(member)}, in the table {wanted}'
    for (method, path), op in operations(doc).items():
        for status in op['responses']:
            for slug in problems_of(doc, op, status):
                if slug not in table:
                    yield f'{place_of(method, path)}: answer {status} shows {slug}, which is no problem'
                elif status not in ('default', str(table[slug]['status'])):
                    yield f'{place_of(method, path)}: answer {status} shows {slug}, which is {table[slug]["status"]}'


# ---- examples ----

def validator(doc, schema):
    return jsonschema.Draft202012Validator({'components': doc['components'], **schema}, format_checker=formats)


def faults(doc, schema, value):
    """What is wrong with VALUE, one line each, or nothing."""
    for e in validator(doc, schema).iter_errors(value):
        yield f'/{"/".join(map(str, e.absolute_path))}: {e.message[:300]}'


def check_examples(doc):
    for place, node in walk(doc):
        if not isinstance(node, dict) or 'schema' not in node:
            continue
        examples = {'example': node['example']} if 'example' in node else {}
        for name, example in node.get('examples', {}).items():
            examples[f'examples/{name}'] = follow(doc, example)['value']
        for name, value in examples.items():
            for fault in faults(doc, node['schema'], value):
                yield f'{place}/{name}{fault}'
        content = place.rsplit('/', 1)[-1]
        if not examples and content in ('application~1json', 'application~1problem+json'):
            yield f'{place}: has no example'


@functools.cache
def schema_fault(text):
    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(text))
    except jsonschema.SchemaError as e:
        return e.message
    return None


def check_schemas(doc):
    for name, schema in doc['components']['schemas'].items():
        fault = schema_fault(json.dumps(schema))
        if fault is not None:
            yield f'/components/schemas/{name}: is no JSON Schema: {fault}'
            continue
        for field in set(schema.get('required', [])) - set(schema.get('properties', {})):
            yield f'/components/schemas/{name}/required: {field} is not among the properties'


# ---- query parameters, which handlers read by name ----

READS = re.compile(r'call_query(?:_\w+)?\(\s*c,\s*"(\w+)"|query_day\(c,\s*"(\w+)"')


def parameters_of_sources(src):
    """The names that the services ask for."""
    names = set()
    for path in src.rglob('*.c'):
        if path.name.startswith('test_'):
            continue
        text = path.read_text(encoding='utf-8')
        names |= {a or b for a, b in READS.findall(text)}
        if 'call_page(' in text:
            names |= {'limit', 'cursor'}
    return names


def check_parameters(doc, names):
    documented = {}
    for (method, path), op in operations(doc).items():
        for name in parameters(doc, op, 'query'):
            documented.setdefault(name, place_of(method, path))
    for name in names - documented.keys():
        yield f'parameter {name}: is read by a service and not documented'
    for name in documented.keys() - names:
        yield f'{documented[name]}: parameter {name} is documented and read by no service'


def check_all(doc, tables, names):
    """The quick checks first; what follows references and schemas only where these are sound."""
    broken = list(check_references(doc)) + list(check_schemas(doc))
    yield from broken
    if broken:
        return
    yield from check_shape(doc)
    yield from check_routes(doc, tables)
    yield from check_bodies(doc, tables)
    yield from check_problems(doc, tables)
    yield from check_parameters(doc, names)
    yield from check_unused(doc)
    yield from check_examples(doc)


# ---- the WebSocket's messages, api/asyncapi.yaml ----

def merged(messages, doc):
    """The document of the messages with the schemas that it borrows from openapi.yaml as its own."""
    text = json.dumps(messages).replace('"openapi.yaml#/', '"#/')
    whole = json.loads(text)
    for name, schema in doc['components']['schemas'].items():
        if whole['components']['schemas'].setdefault(name, schema) is not schema:
            raise ValueError(f'schema {name} stands in both documents')
    return whole


def messages_of(whole, operation):
    """{type: message} of one direction."""
    return {m['payload']['properties']['type']['const']: m
            for m in (follow(whole, m) for m in whole['operations'][operation]['messages'])}


def check_messages(messages, doc, src):
    whole = merged(messages, doc)
    broken = list(check_references(whole))
    yield from broken
    if broken:
        return
    sent = set(re.findall(r'str_is\(f->type, "([\w.]+)"\)', (src / 'notification/session.c').read_text(encoding='utf-8')))
    documented = messages_of(whole, 'fromClient').keys()
    for name in sent - documented:
        yield f'/operations/fromClient: {name} is taken and not documented'
    for name in documented - sent:
        yield f'/operations/fromClient: {name} is documented and not taken'
    directions = documented | messages_of(whole, 'fromServer').keys()
    for name in whole['components']['messages'].keys() ^ directions:
        yield f'/components/messages/{name}: goes in no direction, or under another name'
    for name in whole['components']['messages'].keys() ^ whole['channels']['socket']['messages'].keys():
        yield f'/channels/socket/messages/{name}: is not in both places'
    for name, message in whole['components']['messages'].items():
        if not message.get('examples'):
            yield f'/components/messages/{name}: has no example'
        for i, example in enumerate(message.get('examples', [])):
            for fault in faults(whole, message['payload'], example['payload']):
                yield f'/components/messages/{name}/examples/{i}/payload{fault}'


# ---- for answers of a running server ----

def strict(doc):
    """A copy in which an answer may have no member that is not documented."""
    doc = copy.deepcopy(doc)
    for _, node in walk(doc):
        if isinstance(node, dict) and isinstance(node.get('properties'), dict) and 'type' in node:
            node.setdefault('additionalProperties', False)
    return doc
