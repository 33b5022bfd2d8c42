#!/usr/bin/env python3
"""deploy/kubernetes: both overlays built by kustomize; every object held against the types of the Kubernetes API, strictly, by
TypeScript; and the rules that this project keeps, each of which is shown to bite.

Usage: test_kubernetes.py LORRY [TEST]...
"""
import copy
import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

import tools
from proxy import ROOT, lorry
from lorry import Connection, Server

FOLDER = ROOT / 'deploy/kubernetes'
OVERLAYS = ('single', 'scaled')
SERVICES = ('auth', 'booking', 'driver', 'notification')
DRAIN_S = 12
# Made by the operator, as docs/operations.md says.
SECRETS = {'lorry-tls', 'lorry-servers'}


def run(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=300, **more)


def kustomize(overlay):
    done = run(tools.kubectl(), 'kustomize', FOLDER / 'overlays' / overlay)
    assert done.returncode == 0, done.stderr
    assert done.stderr == '', done.stderr
    return list(yaml.safe_load_all(done.stdout))


# ---- types ----

def module(thing):
    """Where kubernetes-models keeps the type of an object: "v1/Service", "apps/v1/Deployment"."""
    return f'{thing["apiVersion"]}/{thing["kind"]}'


def type_faults(things):
    """What the TypeScript compiler says of the objects as literals of the API's types: a member too many, one that is
    missing, one of another type."""
    with tempfile.TemporaryDirectory(dir=tools.FOLDER, prefix='types-') as folder:
        lines = []
        for i, thing in enumerate(things):
            lines.append(f'import type {{ I{thing["kind"]} as T{i} }} from "kubernetes-models/{module(thing)}";')
            lines.append(f'export const o{i}: T{i} = {json.dumps(thing)};')
        (Path(folder) / 'objects.ts').write_text('\n'.join(lines) + '\n')
        done = run('node', tools.MODULES / 'typescript/bin/tsc', '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022',
                   '--module', 'esnext', '--moduleResolution', 'bundler', 'objects.ts', cwd=folder)
        return [line for line in done.stdout.splitlines() if 'error TS' in line] or \
            ([done.stdout + done.stderr] if done.returncode else [])


# ---- rules ----

class Objects:
    def __init__(self, things):
        self.things = things

    def of(self, *kinds):
        return [t for t in self.things if t['kind'] in kinds]

    def workloads(self):
        return self.of('Deployment', 'StatefulSet')

    def names(self, kind):
        return {t['metadata']['name'] for t in self.of(kind)}

    def selected(self, selector):
        """The workloads whose pods a selector finds."""
        return [w for w in self.workloads()
                if selector and selector.items() <= w['spec']['template']['metadata']['labels'].items()]


def container_faults(name, pod, container):
    context = {**pod.get('securityContext', {}), **container.get('securityContext', {})}
    rules = {
        'may run as root': context.get('runAsNonRoot') is True and context.get('runAsUser', 0) > 0,
        'may gain privileges': context.get('allowPrivilegeEscalation') is False,
        'has capabilities': context.get('capabilities') == {'drop': ['ALL']},
        'has no seccomp profile': context.get('seccompProfile') == {'type': 'RuntimeDefault'},
        'has a root that can be written': context.get('readOnlyRootFilesystem') is True,
        'has an image without a fixed version': re.search(r':\d+(\.\d+)+$', container['image']),
        'asks for no memory or processor': {'cpu', 'memory'} <= set(container['resources'].get('requests', {})),
        'may take all memory': 'memory' in container['resources'].get('limits', {}),
    }
    yield from (f'{name} {fault}' for fault, kept in rules.items() if not kept)
    ports = {p['name'] for p in container['ports']}
    for kind in ('startupProbe', 'readinessProbe', 'livenessProbe'):
        probe = container.get(kind, {})
        how = probe.get('httpGet') or probe.get('tcpSocket')
        if not how or how['port'] not in ports:
            yield f'{name} has no {kind} of a port of its own'
        elif container['name'] == 'lorry' and how['path'] != ('/healthz' if kind == 'livenessProbe' else '/readyz'):
            yield f'{name}: its {kind} asks {how["path"]}'
    mounted = {m['name'] for m in container.get('volumeMounts', ())}
    if mounted - {v['name'] for v in pod.get('volumes', ())} - set(pod.get('claims', ())):
        yield f'{name} mounts a volume that there is not'


def workload_faults(objects, workload):
    name, pod = workload['metadata']['name'], copy.deepcopy(workload['spec']['template']['spec'])
    pod['claims'] = [c['metadata']['name'] for c in workload['spec'].get('volumeClaimTemplates', ())]
    for container in pod['containers']:
        yield from container_faults(name, pod, container)
        stop = json.dumps(container.get('lifecycle', {}).get('preStop', {}))
        sleep = sum(int(s) for s in re.findall(r'sleep\D+(\d+)', stop))
        if not sleep or pod['terminationGracePeriodSeconds'] <= DRAIN_S + sleep:
            yield f'{name} is ended before its drain is over'
        for source in container.get('envFrom', ()):
            if source['configMapRef']['name'] not in objects.names('ConfigMap'):
                yield f'{name}: there is no ConfigMap {source["configMapRef"]["name"]}'
    for volume in pod.get('volumes', ()):
        if 'configMap' in volume and volume['configMap']['name'] not in objects.names('ConfigMap'):
            yield f'{name}: there is no ConfigMap {volume["configMap"]["name"]}'
        if 'secret' in volume and volume['secret']['secretName'] not in SECRETS:
            yield f'{name}: nobody has heard of Secret {volume["secret"]["secretName"]}'
    if pod.get('automountServiceAccountToken') is not False or pod.get('serviceAccountName') not in objects.names('ServiceAccount'):
        yield f'{name} has a token of Kubernetes, or no account of its own'
    if not workload['spec']['selector']['matchLabels'].items() <= workload['spec']['template']['metadata']['labels'].items():
        yield f'{name} does not select its own pods'
    if workload['kind'] == 'Deployment':
        spread = pod.get('topologySpreadConstraints', ())
        if not any(s['topologyKey'] == 'kubernetes.io/hostname' and
                   objects.selected(s['labelSelector']['matchLabels']) == [workload] for s in spread):
            yield f'{name} may have all its pods on one node'
        if not any(objects.selected(b['spec']['selector']['matchLabels']) == [workload] for b in objects.of('PodDisruptionBudget')):
            yield f'{name} has no PodDisruptionBudget of its own'
        if not any(h['spec']['scaleTargetRef']['name'] == name for h in objects.of('HorizontalPodAutoscaler')):
            yield f'{name} has no HorizontalPodAutoscaler'
        if workload['spec']['strategy']['rollingUpdate']['maxUnavailable'] != 0:
            yield f'{name} has fewer pods while it is rolled'


def faults(things):
    objects = Objects(things)
    for workload in objects.workloads():
        yield from workload_faults(objects, workload)
    for thing in things:
        if thing['kind'] not in ('Namespace',) and thing['metadata'].get('namespace') != 'lorry':
            yield f'{module(thing)} {thing["metadata"]["name"]} is not in the namespace'
    for service in objects.of('Service'):
        found = objects.selected(service['spec']['selector'])
        ports = {p['name'] for w in found for c in w['spec']['template']['spec']['containers'] for p in c['ports']}
        if len(found) != 1 or not {p['targetPort'] for p in service['spec']['ports']} <= ports:
            yield f'Service {service["metadata"]["name"]} leads to {len(found)} workloads, or to a port that is not there'
    for scaler in objects.of('HorizontalPodAutoscaler'):
        target = scaler['spec']['scaleTargetRef']
        if target['name'] not in objects.names(target['kind']) or scaler['spec']['minReplicas'] < 2:
            yield f'HorizontalPodAutoscaler {scaler["metadata"]["name"]} scales nothing, or down to one'
    policies = objects.of('NetworkPolicy')
    if not any(p['spec'] == {'podSelector': {}, 'policyTypes': ['Ingress', 'Egress']} for p in policies):
        yield 'everybody may talk to everybody'
    for policy in policies:
        labels = policy['spec']['podSelector'].get('matchLabels')
        if labels and not objects.selected(labels):
            yield f'NetworkPolicy {policy["metadata"]["name"]} is for nobody'
    space = objects.of('Namespace')[0]['metadata']['labels']
    if space.get('pod-security.kubernetes.io/enforce') != 'restricted':
        yield 'the namespace takes pods that are not restricted'


def find(things, kind, name):
    return next(t for t in things if t['kind'] == kind and t['metadata']['name'] == name)


def pod_of(things, name, kind='Deployment'):
    return find(things, kind, name)['spec']['template']['spec']


class Overlays(unittest.TestCase):
    def test_kustomize_builds_them(self):
        for overlay in OVERLAYS:
            things = kustomize(overlay)
            ids = [(t['kind'], t['metadata']['name']) for t in things]
            self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual({t['metadata']['name'] for t in Objects(kustomize('scaled')).of('Deployment')}, {*SERVICES, 'nginx'})
        self.assertEqual({t['metadata']['name'] for t in Objects(kustomize('single')).workloads()}, {'lorry', 'nginx'})

    def test_every_object_has_the_types_of_the_api(self):
        tools.need('typescript/bin/tsc', 'kubernetes-models/apps')
        things = [t for overlay in OVERLAYS for t in kustomize(overlay)]
        bad = [copy.deepcopy(find(things, 'Deployment', 'auth')) for _ in range(4)]
        bad[0]['spec']['template']['spec']['containers'][0]['readynessProbe'] = {}
        bad[1]['spec']['replicas'] = '2'
        del bad[2]['spec']['selector']
        bad[3]['spec']['template']['spec']['securityContext']['seccompProfile']['typ'] = 'RuntimeDefault'
        found = type_faults(things + bad)
        # One run of the compiler for all: it takes seconds. A literal is on the second line of each pair.
        lines = {int(re.match(r'objects\.ts\((\d+)', fault)[1]) for fault in found if fault.startswith('objects.ts(')}
        wanted = {2 * (len(things) + i) + 2 for i in range(len(bad))}
        self.assertEqual(lines, wanted, '\n'.join(found))

    def test_they_keep_the_rules(self):
        for overlay in OVERLAYS:
            self.assertEqual(list(faults(kustomize(overlay))), [], overlay)

    def test_each_rule_bites(self):
        def change_pod(name, change):
            return lambda things: change(pod_of(things, name))
        whole = kustomize('scaled')
        for change, fault in (
                (change_pod('auth', lambda p: p['securityContext'].update(runAsUser=0)), 'run as root'),
                (change_pod('auth', lambda p: p['containers'][0]['securityContext'].pop('capabilities')), 'capabilities'),
                (change_pod('auth', lambda p: p['containers'][0]['securityContext'].pop('readOnlyRootFilesystem')), 'written'),
                (change_pod('auth', lambda p: p['securityContext'].pop('seccompProfile')), 'seccomp'),
                (change_pod('auth', lambda p: p['containers'][0].pop('readinessProbe')), 'readinessProbe'),
                (change_pod('auth', lambda p: p['containers'][0]['livenessProbe']['httpGet'].update(path='/readyz')), 'asks /readyz'),
                (change_pod('auth', lambda p: p.update(terminationGracePeriodSeconds=15)), 'drain'),
                (change_pod('auth', lambda p: p['containers'][0].update(image='lorry:latest')), 'fixed version'),
                (change_pod('auth', lambda p: p['containers'][0]['resources'].pop('limits')), 'all memory'),
                (change_pod('auth', lambda p: p['volumes'].pop()), 'volume that there is not'),
                (change_pod('auth', lambda p: p['volumes'][0]['secret'].update(secretName='x')), 'Secret x'),
                (change_pod('auth', lambda p: p.pop('topologySpreadConstraints')), 'one node'),
                (lambda t: t.remove(find(t, 'PodDisruptionBudget', 'auth')), 'PodDisruptionBudget'),
                (lambda t: t.remove(find(t, 'HorizontalPodAutoscaler', 'auth')), 'no HorizontalPodAutoscaler'),
                (lambda t: find(t, 'HorizontalPodAutoscaler', 'auth')['spec'].update(minReplicas=1), 'down to one'),
                (lambda t: find(t, 'Service', 'auth')['spec']['selector'].update(x='y'), 'leads to 0'),
                (lambda t: find(t, 'Service', 'auth')['spec']['ports'][0].update(targetPort='web'), 'port that is not there'),
                (lambda t: t.remove(find(t, 'NetworkPolicy', 'default-deny')), 'everybody'),
                (lambda t: find(t, 'NetworkPolicy', 'nginx')['spec']['podSelector']['matchLabels'].update(x='y'), 'for nobody'),
                (lambda t: find(t, 'Service', 'auth')['metadata'].pop('namespace'), 'not in the namespace')):
            things = copy.deepcopy(whole)
            change(things)
            found = list(faults(things))
            self.assertTrue(any(fault in f for f in found), f'{fault}: {found}')

    def test_each_service_is_told_which_it_is(self):
        things = kustomize('scaled')
        nginx = {e['name']: e['value'] for e in pod_of(things, 'nginx')['containers'][0]['env']}
        for name in SERVICES:
            deployment = find(things, 'Deployment', name)
            labels = deployment['spec']['template']['metadata']['labels']
            self.assertEqual(labels['app.kubernetes.io/component'], name)
            env = {e['name']: e for e in deployment['spec']['template']['spec']['containers'][0]['env']}
            self.assertEqual(env['LORRY_SERVICE']['valueFrom']['fieldRef']['fieldPath'],
                             "metadata.labels['app.kubernetes.io/component']")
            self.assertEqual(nginx[f'LORRY_{name.upper()}'], f'{name}:8080')
            self.assertIn(name, Objects(things).names('Service'))
        webhooks = find(things, 'NetworkPolicy', 'webhooks')['spec']
        self.assertEqual(webhooks['podSelector']['matchLabels']['app.kubernetes.io/component'], 'notification')

    def test_the_operators_secrets_are_told(self):
        text = (ROOT / 'docs/operations.md').read_text()
        for secret in SECRETS:
            self.assertTrue(secret in text, secret)


class Metrics(unittest.TestCase):
    def test_scaling_is_by_metrics_that_there_are(self):
        """What an autoscaler asks for is served by the adapter, from a series that the real server has."""
        with Server() as server, Connection(server) as c:
            exposed = set(re.findall(r'^# TYPE (\S+)', c.request('GET', '/metrics').body.decode(), re.M))
        served = {rule['name']['matches'] for rule in self.adapter()}
        for rule in self.adapter():
            self.assertIn(rule['seriesQuery'].partition('{')[0], exposed)
        asked = {m['pods']['metric']['name'] for h in Objects(kustomize('scaled')).of('HorizontalPodAutoscaler')
                 for m in h['spec']['metrics'] if m['type'] == 'Pods'}
        self.assertEqual(asked, served)
        self.assertIn('lorry_sockets_open', asked)

    def adapter(self):
        return yaml.safe_load((FOLDER / 'monitoring/prometheus-adapter.yaml').read_text())['rules']

    def test_prometheus_takes_queries_and_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            def check(*arguments):
                done = run('promtool', 'check', *arguments, cwd=folder)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            rules = []
            for i, rule in enumerate(self.adapter()):
                text = rule['metricsQuery']
                for old, new in (('<<.Series>>', rule['name']['matches']), ('<<.LabelMatchers>>', 'namespace="lorry",pod=~"a|b"'),
                                 ('<<.GroupBy>>', 'pod')):
                    self.assertIn(old, text)
                    text = text.replace(old, new)
                rules.append({'record': f'r:{i}', 'expr': text})
            (Path(folder) / 'rules.yml').write_text(yaml.safe_dump({'groups': [{'name': 'g', 'rules': rules}]}))
            check('rules', 'rules.yml')
            config = yaml.safe_load((FOLDER / 'monitoring/prometheus.yaml').read_text())
            for scrape in config['scrape_configs']:  # Debian's Prometheus is built without this way of finding targets
                self.assertEqual(scrape.pop('kubernetes_sd_configs'), [{'role': 'pod', 'namespaces': {'names': ['lorry']}}])
            (Path(folder) / 'prometheus.yml').write_text(yaml.safe_dump(config))
            check('config', '--syntax-only', 'prometheus.yml')


if __name__ == '__main__':
    lorry.main(at_once=2)
