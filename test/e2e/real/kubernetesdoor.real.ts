/** The door for clusters in front of a real API server, with the real kubectl: what comes through it, and what does not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { after, before, describe, test } from 'node:test'
import { haveCluster, run } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { useHelm, useJavaScript } from './kubernetesclients.ts'
import { runScript } from './kubernetesrun.ts'
import { script } from './kubernetesscript.ts'
import { DISCOVERY, STREAMS } from './kubernetespolicy.ts'
import { startKubernetesWorld, type KubernetesWorld } from './kubernetesworld.ts'

const here = haveCluster()

const EVERYTHING = {
  rules: [
    DISCOVERY,
    {
      id: 'operate',
      role: 'operator',
      resource: 'bed',
      actions: [
        '* *',
        ...STREAMS,
        'create serviceaccounts/token',
        'get /healthz',
        'get /readyz',
        'get /livez',
        'get /metrics',
        'get /logs/**',
        'escalate *',
        'bind *',
        'impersonate serviceaccounts',
        'create pods/ephemeralcontainers',
        'patch pods/ephemeralcontainers',
        'create nodes/proxy',
      ],
    },
  ],
}

describe('kubectl by way of the door', { skip: here === true ? false : here }, () => {
  let world: KubernetesWorld
  before(async () => {
    world = await startKubernetesWorld({
      controllers: true,
      kubelet: true,
      roles: ['reader', 'developer', 'operator', 'auditor'],
      resource: { help: 'ask in #platform' },
      policy: EVERYTHING,
    })
  })
  after(() => world?.stop())

  test('says the same as straight at the API server, command by command', async () => {
    const { cluster } = world
    const program: [string, string] = [cluster.binary, 'kubectl']
    const operator = world.person('olga', ['operator'])
    for (const namespace of ['bedone', 'bedtwo']) {
      const made = await cluster.kubectl(['create', 'namespace', namespace])
      assert.equal(made.code, 0, made.stderr)
    }
    const straight = await runScript({ program, env: cluster.environment() }, 'bedone')
    const through = await runScript(
      { program, env: cluster.environment({ KUBECONFIG: operator, KUBECACHEDIR: `${cluster.folder}/cache-door` }) },
      'bedtwo',
    )
    assert.ok(straight.length > 60, `${straight.length} commands`)
    assert.equal(straight.length, script.length + 1)
    // Whom the cluster takes somebody for is all that differs.
    const same = through.map((one) => ({ ...one, stdout: one.stdout.replaceAll('ostiary:people:olga', 'admin') }))
    const differing = straight.flatMap((one, index) =>
      isDeepStrictEqual(one, same[index]) ? [] : [{ straight: one, through: same[index] }],
    )
    assert.deepEqual(differing, [])
  })

  test('is what the contexts lead to that `ostiary kubeconfig` writes', async () => {
    const { cluster, gateway } = world
    const kubeconfig = `${cluster.folder}/written.kubeconfig`
    const env = cluster.environment({ KUBECONFIG: kubeconfig, OSTIARY_TOKEN: world.tokenOf('olga', ['operator']) })
    const program = fileURLToPath(new URL('../../../bin/ostiary.js', import.meta.url))
    const written = await run(process.execPath, [program, 'kubeconfig', '--admin', gateway.admin.url, '--set-current'], {
      env,
      cwd: cluster.folder,
    })
    assert.equal(written.code, 0, written.stderr)
    assert.doesNotMatch(readFileSync(kubeconfig, 'utf8'), /eyJ|PRIVATE KEY/)
    const who = await run(cluster.binary, ['kubectl', 'auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'], {
      env,
      cwd: cluster.folder,
    })
    assert.equal(who.stdout, 'ostiary:people:olga', who.stderr)
  })

  test('and so do Helm and the JavaScript client', { timeout: 900_000 }, async () => {
    const { cluster } = world
    const kubeconfig = world.person('olga', ['operator'])
    const setting = {
      kubeconfig,
      folder: cluster.folder,
      env: cluster.environment({ KUBECONFIG: kubeconfig, KUBECACHEDIR: `${cluster.folder}/cache-door` }),
    }
    await useHelm(setting)
    const ran = await world.kubectl(kubeconfig, ['run', 'told', '--image=example.test/told:1'])
    assert.equal(ran.code, 0, ran.stderr)
    await world.kubectl(kubeconfig, ['wait', '--for=condition=Ready', 'pod/told', '--timeout=30s'])
    await useJavaScript(setting, 'told')
  })

  test('custom resources are in namespaces or in none as the cluster says', async () => {
    const operator = world.person('olga', ['operator'])
    const definition = (plural: string, kind: string, scope: string): string =>
      JSON.stringify({
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: { name: `${plural}.example.com` },
        spec: {
          group: 'example.com',
          scope,
          names: { plural, singular: kind.toLowerCase(), kind },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
            },
          ],
        },
      })
    for (const [plural, kind, scope] of [
      ['widgets', 'Widget', 'Namespaced'],
      ['planets', 'Planet', 'Cluster'],
    ] as const) {
      const made = await world.kubectl(operator, ['apply', '-f', '-'], { input: definition(plural, kind, scope) })
      assert.equal(made.code, 0, made.stderr)
    }
    await world.kubectl(operator, [
      'wait',
      '--for=condition=Established',
      'crd/widgets.example.com',
      'crd/planets.example.com',
      '--timeout=30s',
    ])
    // A guardrail for one namespace meets what is about all of them, and not what is in none.
    await world.policy({ ...EVERYTHING, guardrails: [{ id: 'closed', resource: 'bed', deny: ['* * -n closed'], for: ['everyone'] }] })
    const planets = await eventually('planets can be listed', async () => {
      const ran = await world.kubectl(operator, ['get', 'planets.example.com', '-o', 'name'])
      return ran.code === 0 ? ran : undefined
    })
    assert.equal(planets.stdout, '')
    const widgets = await world.kubectl(operator, ['get', 'widgets.example.com', '-A'])
    assert.match(widgets.stderr, /guardrail `closed` forbids it/)
    await world.policy(EVERYTHING)
  })

  test('what is masked stays so in whatever form it is asked for, and what is proxied has one name', async () => {
    const { cluster } = world
    const operator = world.person('olga', ['operator'])
    await cluster.kubectl(['create', 'secret', 'generic', 'kept', '--from-literal=password=hunter2'])
    await world.policy({
      rules: [...EVERYTHING.rules, { id: 'in', role: 'operator', resource: 'bed', actions: ['create services/proxy'] }],
      guardrails: [
        {
          id: 'values',
          resource: 'bed',
          for: ['everyone'],
          actions: ['get,list secrets'],
          mask: { '$.data': 'drop', '$.items[*].data': 'drop' },
        },
        { id: 'vault', resource: 'bed', for: ['everyone'], deny: ['create services/proxy vault'] },
      ],
    })
    const listed = await world.kubectl(operator, ['get', 'secret', 'kept'])
    assert.match(listed.stdout, /^NAME +AGE\nkept +\S+\n$/, listed.stderr)
    const session = connect(new URL(world.server).origin, { ca: world.authority.cert })
    const authorization = `Bearer ${world.tokenOf('olga', ['operator'])}`
    const ask = async (path: string): Promise<string> => {
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
      const stream = session.request({ ':path': `/clusters/bed/api/v1/namespaces/default/${path}`, authorization, accept })
      let text = ''
      for await (const chunk of stream.setEncoding('utf8')) text += chunk as string
      return text
    }
    try {
      for (const path of ['secrets/kept?includeObject=Object', 'secrets?includeObject=Object']) {
        const text = await ask(path)
        assert.match(text, /"name":\s*"kept"/)
        assert.doesNotMatch(text, /aHVudGVyMg|"Table"/)
      }
      for (const name of ['vault', 'vault:80', 'https:vault:443', ':vault:'])
        assert.match(await ask(`services/${name}/proxy/`), /guardrail `vault` forbids it/)
      assert.match(await ask('services/other:80/proxy/'), /services \\"other\\" not found/)
    } finally {
      session.destroy()
      await world.policy(EVERYTHING)
    }
  })

  test('many watches at once pass each event at once, and end together when access is revoked', async () => {
    const { cluster } = world
    const token = world.tokenOf('wanda', ['operator'])
    const session = connect(new URL(world.server).origin, { ca: world.authority.cert })
    const watches = Array.from({ length: 60 }, () => {
      const stream = session.request({
        ':path': '/clusters/bed/api/v1/namespaces/default/configmaps?watch=true&labelSelector=seen',
        authorization: `Bearer ${token}`,
      })
      const one = { text: '', status: 0, ended: false }
      stream.on('response', (headers) => (one.status = Number(headers[':status'])))
      stream.setEncoding('utf8').on('data', (chunk: string) => (one.text += chunk))
      stream.on('end', () => (one.ended = true)).on('error', () => undefined)
      return one
    })
    try {
      await eventually('all watch', async () => watches.every(({ status }) => status === 200) || undefined)
      await cluster.kubectl(['create', 'configmap', 'seen'])
      await cluster.kubectl(['label', 'configmap', 'seen', 'seen=yes'])
      await eventually('all have seen it', async () => watches.every(({ text }) => text.includes('"ADDED"')) || undefined)
      await world.policy({ rules: [DISCOVERY] })
      const from = performance.now()
      await eventually('all have ended', async () => watches.every(({ ended }) => ended) || undefined)
      // A second, and what a busy machine adds.
      assert.ok(performance.now() - from < 3_000)
      for (const { text } of watches) assert.match(text.trim().split('\n').at(-1)!, /^\{"type":"ERROR"/)
    } finally {
      session.destroy()
      await world.policy(EVERYTHING)
    }
  })
})
