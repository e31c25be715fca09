import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { KubernetesAction } from '../../../core/action.ts'
import { isProblem } from '../text.ts'
import {
  actionOf,
  coversAsSaid,
  holdsComparison,
  holdsIndex,
  holdsTotal,
  meetsNothing,
  refusesActions,
  refusesPatterns,
} from '../../../testing/actionlaws.ts'
import { kubernetes } from './index.ts'

const act = (text: string): KubernetesAction => actionOf(kubernetes, text)

coversAsSaid(kubernetes, [
  ['get pods', 'get pods web-1 -n shop', true, true],
  ['get pods', 'get pods web-1 -n other', true, true],
  ['get pods', 'list pods -n shop', false, false],
  ['get,list pods -n shop', 'list pods -n shop', true, true],
  ['get,list pods -n shop', 'list pods -n shop2', false, false],
  // Across all namespaces is not inside one, and not outside it either.
  ['list pods -n shop', 'list pods -A', false, true],
  ['list pods -n *', 'list pods -A', false, true],
  ['list pods', 'list pods -A', true, true],
  ['* * -n shop', 'list nodes', false, false],
  ['list * -n *', 'list nodes', false, false],
  ['list *', 'list nodes', true, true],
  ['get pods web-*', 'get pods web-1 -n shop', true, true],
  ['get pods web-*', 'get pods db-1 -n shop', false, false],
  ['get pods web-*,api', 'get pods api -n shop', true, true],
  ['list secrets db', 'list secrets -n shop', false, true],
  ['delete pods web-1', 'deletecollection pods -n shop', false, false],
  ['deletecollection pods web-1', 'deletecollection pods -n shop', false, true],
  ['create pods web-1', 'create pods -n shop', false, true],
  ['get pods -n team-*', 'get pods x -n team-a', true, true],
  // A resource is not its subresources.
  ['get pods', 'get pods/log web-1 -n shop', false, false],
  ['get pods/log', 'get pods/log web-1 -n shop', true, true],
  ['get pods/*', 'get pods/log web-1 -n shop', true, true],
  ['get pods/*', 'get pods web-1 -n shop', false, false],
  ['get *', 'get pods/log web-1 -n shop', true, true],
  ['patch deployments.apps/scale', 'patch deployments.apps/scale web -n shop', true, true],
  ['patch */scale', 'patch deployments.apps/scale web -n shop', true, true],
  ['get *.apps', 'get deployments.apps web -n shop', true, true],
  ['get *.apps', 'get pods web -n shop', false, false],
  ['get *.core', 'get pods web -n shop', true, true],
  ['get *.core', 'get deployments.apps web -n shop', false, false],
  ['get widgets.*', 'get widgets.example.com w -n shop', true, true],
  // What gives a way in, or credentials, a rule has to name. A guardrail need not.
  ['* *', 'create pods/exec web-1 -n shop', false, true],
  ['* pods/*', 'create pods/exec web-1 -n shop', false, true],
  ['create pods', 'create pods/exec web-1 -n shop', false, false],
  ['create pods/exec', 'create pods/exec web-1 -n shop', true, true],
  ['* pods/exec', 'create pods/exec web-1 -n shop', true, true],
  ['create */exec', 'create pods/exec web-1 -n shop', true, true],
  ['* *', 'create pods/attach web-1 -n shop', false, true],
  ['* *', 'create pods/portforward web-1 -n shop', false, true],
  ['* *', 'create pods/proxy web-1 -n shop', false, true],
  ['* *', 'create services/proxy web-1 -n shop', false, true],
  ['* *', 'create nodes/proxy n1', false, true],
  ['* *', 'patch pods/ephemeralcontainers web-1 -n shop', false, true],
  ['* *', 'create serviceaccounts/token builder -n shop', false, true],
  ['* *', 'update certificatesigningrequests.certificates.k8s.io/approval one', false, true],
  ['* *', 'impersonate users alice@example.com', false, true],
  ['* *', 'escalate roles.rbac.authorization.k8s.io admin -n shop', false, true],
  ['* *', 'bind clusterroles.rbac.authorization.k8s.io admin', false, true],
  ['impersonate users', 'impersonate users alice@example.com', true, true],
  ['escalate *', 'escalate roles.rbac.authorization.k8s.io admin -n shop', true, true],
  // What is proxied is the same at whatever port, however it is spelled: a guardrail about it is about all of them.
  ['create services/proxy web', 'create services/proxy web -n shop', true, true],
  ['create services/proxy web', 'create services/proxy web:80 -n shop', false, true],
  ['create services/proxy web', 'create services/proxy https:web:443 -n shop', false, true],
  ['create services/proxy web', 'create services/proxy :web: -n shop', false, true],
  ['create services/proxy web', 'create services/proxy web2:80 -n shop', false, false],
  ['create */proxy db,web-*', 'create pods/proxy http:web-1:80 -n shop', false, true],
  ['create services/proxy web:80', 'create services/proxy web:80 -n shop', true, true],
  ['* * n1', 'create nodes/proxy https:n1:10250', false, true],
  ['get pods web', 'get pods web:80 -n shop', false, false],
  // By WebSocket it comes as `get`.
  ['create pods/exec', 'get pods/exec web-1 -n shop', true, true],
  ['get *', 'get pods/exec web-1 -n shop', false, false],
  // A namespace is in itself.
  ['* * -n prod', 'delete namespaces prod', true, true],
  ['* * -n prod', 'list namespaces', false, false],
  ['get /healthz', 'get /healthz', true, true],
  ['get /healthz', 'head /healthz', true, true],
  ['get /healthz', 'get /healthz/etcd', false, false],
  ['get /apis/**', 'get /apis/apps/v1', true, true],
  ['get /apis/**', 'get /apis', false, false],
  ['* /**', 'post /x', true, true],
  ['* *', 'get /healthz', false, false],
  ['* /**', 'get pods web-1 -n shop', false, false],
])

refusesPatterns(kubernetes, [
  ['get', /verbs and a resource/],
  ['GET pods', /not one of verbs/, /`get`/],
  ['raed pods', /not one of verbs/, /there are|did you mean/],
  ['get,,list pods', /empty place/],
  ['get,get pods', /twice/],
  ['get, list pods', /empty place/],
  ['get pod', /no `pod` in the core group/, /`pods`/],
  ['get po', /core group/, /`pods`/],
  ['get deployments', /core group/, /`deployments.apps`/],
  ['get widgets', /core group/, /`widgets.example.com`/],
  ['get Pods', /not the name of a resource/, /`pods`/],
  ['get pod*', /not the name/, /a name or `\*`/],
  ['get deployments.v1.apps', /version/, /`deployments.apps`/],
  ['get deployments.apps/', /not a resource/],
  ['get pods/log/x', /not a resource/],
  ['get pods/Exec', /not a subresource/],
  ['get pods/exec', /always `create`/, /`create pods\/exec`/],
  ['get,create pods/exec', /always `create`/],
  ['list pods -A', /says nothing/, /leave it out/],
  ['list pods -n', /`-n` and a namespace/],
  ['list pods shop web', /`-n` and a namespace/],
  ['list pods -n shop web', /`-n` and a namespace/],
  ['list pods --namespace shop', /not read/, /`-n`/],
  ['list pods -n Shop', /not a namespace/],
  ['get pods we/b', /not a name/],
  ['get pods a*b*c*d*e*f*g*h*i*j', /stars/],
  ['get /a//b', /canonical/],
  ['get /a/../b', /canonical/],
  ['get /a%2fb', /plain characters/],
  ['get /**/a', /only comes last/],
  ['list /a', /not one of verbs of paths/],
  ['get /a b', /nothing comes after/],
])

refusesActions(kubernetes, [
  ['get pods', /in namespaces/, /`-A`/],
  ['get pods -n shop', /about one/, /`list`/],
  ['delete pods -n shop', /about one/, /`deletecollection`/],
  ['get pods web-* -n shop', /concrete/],
  ['get,list pods web -n shop', /concrete/],
  ['list nodes -n shop', /no namespace/],
  ['delete namespaces a -n b', /in itself/],
  ['fetch pods web -n shop', /not one of the verbs/],
  ['list pods -n shop -A', /`-A`/],
])

test('an action that has no canonical form is met by nothing, not by a guardrail for everything either', () => {
  const good = act('get pods web-1 -n shop')
  const bad: readonly Partial<KubernetesAction>[] = [
    { verb: 'GET' },
    { verb: '*' },
    { resource: 'Pods' },
    { resource: '' },
    { subresource: 'exec' },
    { namespace: 'a/b' },
    { namespace: 'a\n' },
    { name: '*' },
    { name: '..' },
    { name: '' },
    { name: 'a b' },
    { group: 'Apps' },
    { path: '/x' },
    { name: 'wеb' }, // a Cyrillic letter
  ]
  meetsNothing(kubernetes, ['* *'], good, bad)
})

test('what properties leave open can not be told', () => {
  assert.deepEqual(kubernetes.readParts('list', { resource: 'pods' }), act('list pods -A'))
  assert.deepEqual(kubernetes.readParts('get', { resource: 'nodes', name: 'n1' }), act('get nodes n1'))
  assert.deepEqual(
    kubernetes.readParts('get', { resource: 'pods', subresource: 'exec', namespace: 'shop', name: 'web-1' }),
    act('create pods/exec web-1 -n shop'),
  )
  assert.deepEqual(kubernetes.readParts('get', { path: '/healthz' }), act('get /healthz'))
  assert.ok(isProblem(kubernetes.readParts('get', { resource: 'pods', nmae: 'x' })))
  assert.ok(isProblem(kubernetes.readParts('get', { resource: 7 })))
})

test('comparison is sound, and complete on a small alphabet', () => {
  const wheres = ['', ' -n a', ' -n a*', ' -n *']
  const whats = ['pods', '*', 'pods/log', 'pods/exec', 'pods/*', '*/log', '*.core', '*.apps', 'deployments.apps']
  const texts = [
    ...['list', 'create', '*', 'list,create'].flatMap((verbs) =>
      whats.flatMap((what) => (what.endsWith('exec') && verbs.startsWith('list') ? [] : wheres.map((where) => `${verbs} ${what}${where}`))),
    ),
    'list pods x*',
    '* * x',
    'impersonate *',
    'get /a',
    'get /a/**',
    '* /*',
    '* /**',
  ]
  const actions = [
    ...['list', 'create', 'watch', 'impersonate', 'bind'].flatMap((verb) =>
      (
        [
          ['', 'pods'],
          ['', 'services'],
          ['apps', 'deployments'],
          ['apps', 'pods'],
          ['x.io', 'zs'],
        ] as const
      ).flatMap(([group, resource]) =>
        ['', 'log', 'status', 'exec', 'token'].flatMap((subresource) =>
          ['', '*', 'a', 'ab', 'b'].flatMap((namespace) =>
            ['*', 'x', 'xy', 'y'].map(
              (name) => ({ protocol: 'kubernetes', verb, group, resource, subresource, namespace, name, path: '' }) as const,
            ),
          ),
        ),
      ),
    ),
    ...['get', 'post'].flatMap((verb) => ['/', '/a', '/b', '/a/', '/a/b', '/b/c', '/a/b/c'].map((path) => act(`${verb} ${path}`))),
  ]
  holdsComparison(kubernetes, texts, actions)
})

const words = (...all: string[]) => fc.constantFrom(...all)
const patternText = fc.oneof(
  fc
    .tuple(
      words('get', 'list', '*', 'get,list', 'create', 'impersonate,create'),
      words('pods', '*', 'pods/log', 'pods/*', '*/exec', '*.apps', 'deployments.apps', 'secrets', 'widgets.*'),
      words('', ' web', ' web-*', ' *'),
      words('', '', ' -n a', ' -n a*,b', ' -n *'),
    )
    .map((parts) => `${parts[0]} ${parts.slice(1).join('')}`),
  fc.tuple(words('get', '*', 'post'), words('/', '/a', '/a/**', '/*', '/a*/b')).map((parts) => parts.join(' ')),
)
const anyAction: fc.Arbitrary<KubernetesAction> = fc.record({
  protocol: fc.constant('kubernetes' as const),
  verb: words('get', 'list', 'create', 'delete', 'impersonate', 'GET'),
  group: words('', '', 'apps', 'x.io'),
  resource: words('pods', 'pods', 'secrets', 'deployments', 'widgets', 'namespaces', '*'),
  subresource: words('', '', 'log', 'exec'),
  namespace: words('', 'a', 'ab', 'b', '*', 'B'),
  name: words('*', 'web', 'web-1', 'x', '..', ''),
  path: words('', '', '', '', '/a'),
})

test('the index agrees with the plain definition', () =>
  holdsIndex(kubernetes, patternText, fc.oneof(anyAction, words('get /a', 'get /a/b', 'post /').map(act))))

test('any text is a pattern or a problem, and an action that is read can be written and read again', () =>
  holdsTotal(
    kubernetes,
    fc.oneof(patternText, words('get pods web -n a', 'list pods -A', 'create pods -n b', 'get namespaces a', 'list widgets.x.io')),
  ))

test('a list of namespaces is about each that a pattern names, and nothing else is about more than it says', () => {
  const partly = (text: string, asked: string): boolean => {
    const { pattern } = kubernetes.parse(text, 'takes')
    const action = kubernetes.read(asked)
    assert.ok(pattern !== undefined && !('problem' in action), `${text} | ${asked}`)
    return kubernetes.partly!(pattern, action)
  }
  const all = 'list,get * -n team-a'
  const cases: readonly (readonly [pattern: string, action: string, is: boolean])[] = [
    ['list namespaces -n team-a', 'list namespaces', true],
    [all, 'list namespaces', true],
    [all, 'list namespaces.apps', false],
    [all, 'list nodes', false],
    [all, 'get namespaces team-a', true],
    [all, 'get namespaces team-b', false],
    [all, 'list pods -A', true],
    [all, 'list pods -n team-b', false],
    ['list pods -n team-a', 'list namespaces', false],
  ]
  for (const [text, asked, is] of cases) assert.equal(partly(text, asked), is, `${text} | ${asked}`)
})
