/** People who may do some things in a real cluster, by way of the door, with the real kubectl. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { verifyRecordings } from '../../../src/audit/recordings/index.ts'
import { haveCluster, type Ran } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { DISCOVERY, STREAMS } from './kubernetespolicy.ts'
import { startKubernetesWorld, type KubernetesWorld } from './kubernetesworld.ts'

const here = haveCluster()

/** What three people may do, and what comes of it: `yes`, or what the refusal says. */
const CASES: readonly (readonly [who: 'rita' | 'dora' | 'ada' | 'nora', args: string, outcome: 'yes' | RegExp])[] = [
  ['rita', 'get pods -n shop', 'yes'],
  ['rita', 'get pod hello -n shop -o yaml', 'yes'],
  ['rita', 'get pods -n other', /cannot list resource "pods" in API group "" in the namespace "other": rules? .*`operator`/],
  ['rita', 'get pods -A -o name', 'yes'],
  ['rita', 'get nodes', 'yes'],
  ['rita', 'get secrets -n shop', /secrets is forbidden: .*guardrail `no-secrets` forbids it/],
  ['rita', 'get secret keys -n shop', /guardrail `no-secrets` forbids it/],
  ['rita', 'delete pod hello -n shop', /pods "hello" is forbidden: User "ostiary:people:rita" cannot delete/],
  ['rita', 'logs hello -n shop', 'yes'],
  ['rita', 'exec hello -n shop -- true', /cannot create resource "pods\/exec"/],
  ['rita', 'get --raw /metrics', /cannot get path "\/metrics"/],
  ['rita', 'get pods -n shop --as=olga', /users "olga" is forbidden: .*cannot impersonate resource "users"/],
  ['dora', 'exec hello -n shop -- true', 'yes'],
  ['dora', 'exec other -n other -- true', /cannot get resource "pods" in API group "" in the namespace "other"/],
  ['dora', 'label pod hello -n shop tier=front --overwrite', 'yes'],
  ['dora', 'label pod other -n other tier=front', /is forbidden/],
  ['dora', 'create configmap new -n shop', 'yes'],
  ['dora', 'apply --server-side -f - -n shop', /cannot create resource "services"/],
  ['dora', 'delete pods --all -n shop', /cannot delete resource "pods"|cannot deletecollection|is forbidden/],
  ['dora', 'create token default -n shop', /cannot create resource "serviceaccounts\/token"/],
  ['ada', 'get roles -A', 'yes'],
  ['ada', 'get pods -A', /cannot list resource "pods" in API group "" in all namespaces|cannot list resource "pods"/],
  ['ada', 'get events -n shop', 'yes'],
  ['nora', 'get pods -n shop', /which you do not hold; ask in #platform \(decision [0-9a-z]+\)/],
  ['nora', 'auth whoami', 'yes'],
]

const POLICY = {
  rules: [
    DISCOVERY,
    {
      id: 'look',
      role: ['reader', 'developer'],
      resource: 'bed',
      actions: ['get,list,watch * -n shop', 'get,list nodes', 'get namespaces'],
    },
    {
      id: 'work',
      role: 'developer',
      resource: 'bed',
      actions: [
        'create,update,patch configmaps -n shop',
        'patch pods -n shop',
        'patch services -n shop',
        'create pods/exec -n shop',
        'create pods/portforward -n shop',
      ],
    },
    { id: 'audit', role: 'auditor', resource: 'bed', actions: ['get,list *.rbac.authorization.k8s.io', 'list,get events -n shop'] },
    { id: 'operate', role: 'operator', resource: 'bed', actions: ['* *', ...STREAMS] },
  ],
  guardrails: [{ id: 'no-secrets', resource: 'bed', deny: ['* secrets'], allBut: ['operator'] }],
}

describe('people who may do some things', { skip: here === true ? false : here }, () => {
  let world: KubernetesWorld
  const people = new Map<string, string>()
  before(async () => {
    world = await startKubernetesWorld({
      kubelet: true,
      roles: ['reader', 'developer', 'operator', 'auditor'],
      resource: { help: 'ask in #platform', lists: 'filter', sessions: { record: 'output' } },
      policy: POLICY,
    })
    const { cluster } = world
    for (const namespace of ['shop', 'other']) await made(cluster.kubectl(['create', 'namespace', namespace]))
    await made(cluster.kubectl(['create', 'secret', 'generic', 'keys', '-n', 'shop', '--from-literal=password=hunter2']))
    for (const [name, namespace] of [
      ['hello', 'shop'],
      ['other', 'other'],
    ] as const) {
      await made(
        cluster.kubectl([
          'run',
          name,
          '-n',
          namespace,
          '--image=example.test/x:1',
          '--command',
          '--',
          'sh',
          '-c',
          'echo one; exec sleep 600',
        ]),
      )
      await made(cluster.kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '-n', namespace, '--timeout=30s']))
    }
    people.set('rita', world.person('rita', ['reader']))
    people.set('dora', world.person('dora', ['developer']))
    people.set('ada', world.person('ada', ['auditor']))
    people.set('nora', world.person('nora', []))
  })
  after(() => world?.stop())

  async function made(run: Promise<Ran>): Promise<Ran> {
    const ran = await run
    assert.equal(ran.code, 0, ran.stderr)
    return ran
  }

  for (const [who, args, outcome] of CASES)
    test(`${who}: kubectl ${args}`, async () => {
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } })
      const { code, stdout, stderr } = await world.kubectl(people.get(who)!, args.split(' '), { input })
      if (outcome === 'yes') assert.equal(code, 0, stderr)
      else {
        assert.notEqual(code, 0, stdout)
        assert.match(stderr, outcome)
      }
    })

  test('sees of all namespaces what is in those that are open, and not how much else there is', async () => {
    const { stdout } = await made(
      world.kubectl(people.get('rita')!, ['get', 'pods', '-A', '--chunk-size=1', '-o', 'jsonpath={.items[*].metadata.name}']),
    )
    assert.equal(stdout, 'hello')
    const table = await made(world.kubectl(people.get('rita')!, ['get', 'pods', '-A']))
    assert.match(table.stdout, /shop +hello/)
    assert.doesNotMatch(table.stdout, /other/)
    const raw = await made(world.kubectl(people.get('rita')!, ['get', '--raw', '/api/v1/pods?limit=1']))
    assert.doesNotMatch(raw.stdout, /remainingItemCount|"continue":"./)
    const names = await made(world.kubectl(people.get('rita')!, ['get', 'namespaces', '-o', 'name']))
    assert.equal(names.stdout, 'namespace/shop\n')
  })

  test('is told by can-i what comes of it', async () => {
    for (const [args, yes] of [
      ['get pods -n shop', true],
      ['list pods -n other', false],
      ['get secrets -n shop', false],
      ['create pods --subresource=exec -n shop', false],
      ['list nodes', true],
      ['* *', false],
    ] as const) {
      const { stdout } = await world.kubectl(people.get('rita')!, ['auth', 'can-i', ...args.split(' ')])
      assert.match(stdout, yes ? /^yes/ : /^no/, args)
    }
    const exec = await world.kubectl(people.get('dora')!, ['auth', 'can-i', 'create', 'pods', '--subresource=exec', '-n', 'shop'])
    assert.match(exec.stdout, /^yes/)
  })

  test('leaves a recording of what a container said, which the record vouches for', async () => {
    const said = await made(world.kubectl(people.get('dora')!, ['exec', 'hello', '-n', 'shop', '--', 'sh', '-c', 'echo told; exit 0']))
    assert.equal(said.stdout, 'told\n')
    const found = await eventually('the recording is there', async () => {
      for (const file of globSync('recordings/**/*.cast', { cwd: world.gateway.dataDir })) {
        const text = readFileSync(join(world.gateway.dataDir, file), 'utf8')
        if (text.includes('told')) return text
      }
      return undefined
    })
    const [header, ...events] = found
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    assert.equal((header as { version: number }).version, 2)
    assert.ok(events.some((event) => JSON.stringify(event).includes('told\\n')))
    const states: string[] = []
    for await (const { state } of verifyRecordings(world.gateway.dataDir)) states.push(state)
    assert.ok(states.includes('whole'), states.join(' '))
  })

  for (const [over, env] of [
    ['WebSocket', {}],
    ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }],
  ] as const)
    test(`loses a shell over ${over} within a second of a change of policy, and is told why`, async () => {
      const { cluster } = world
      const child = spawn(
        cluster.binary,
        ['kubectl', 'exec', '-n', 'shop', 'hello', '--', 'sh', '-c', 'while :; do echo tick; sleep 0.1; done'],
        {
          env: cluster.environment({ KUBECONFIG: people.get('dora')!, ...env }),
        },
      )
      let [out, err, ended] = ['', '', 0]
      child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
      const code = new Promise((resolve) => child.on('close', (status) => ((ended = performance.now()), resolve(status))))
      await eventually('it ticks', async () => out.includes('tick') || undefined)
      try {
        await world.policy({ rules: [DISCOVERY] })
        const changed = performance.now()
        assert.notEqual(await code, 0)
        assert.ok(ended - changed < 3_000, `${ended - changed} ms`)
        assert.match(err, /the policy has changed, and allows this no more/)
      } finally {
        child.kill()
        await world.policy(POLICY)
      }
    })

  test('loses a watch within a second, with a Status', async () => {
    const { cluster } = world
    const child = spawn(cluster.binary, ['kubectl', 'get', '--raw', '/api/v1/namespaces/shop/pods?watch=true'], {
      env: cluster.environment({ KUBECONFIG: people.get('rita')! }),
    })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    const code = new Promise((resolve) => child.on('close', resolve))
    await eventually('it watches', async () => out.includes('"ADDED"') || undefined)
    try {
      await world.policy({ rules: [DISCOVERY] })
      await code
    } finally {
      child.kill()
      await world.policy(POLICY)
    }
    assert.match(out.trim().split('\n').at(-1)!, /^\{"type":"ERROR","object":\{"kind":"Status".*"code":403\}\}$/)
  })
})
