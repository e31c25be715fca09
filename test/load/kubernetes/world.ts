/** A real API server, and in front of it the gateway and `kubectl proxy`, each a process of its own on the processor that is measured. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startCluster, type Cluster } from '../../../src/testing/cluster.ts'
import { signToken, testKey, times } from '../../../src/testing/tokens.ts'
import { freePort, PROXY_CPU, start, untilListening, type Running } from '../processes.ts'

const ROOT = join(import.meta.dirname, '../../..')
const ISSUER = 'https://people.example.com'
const GATEWAY_TOKEN = 'gateway-token-of-the-bench'
const PERSON_TOKEN = 'person-token-of-the-bench'
/** Whoever has it may do everything in the cluster: straight, by `kubectl proxy`, and by the gateway. */
const GROUP = 'ostiary:authenticated'

/** What is asked, and how one asks there. */
export interface Way {
  readonly name: 'straight' | 'kubectl proxy' | 'the gateway'
  /** Before the path. */
  readonly base: string
  readonly ca: string | undefined
  readonly token: string | undefined
  readonly process: Running | undefined
}

export interface World {
  readonly cluster: Cluster
  readonly straight: Way
  readonly proxy: Way
  readonly gateway: Way
  stop(): Promise<void>
}

export async function startWorld(folder: string): Promise<World> {
  const cluster = await startCluster({
    users: [
      { name: 'gateway', token: GATEWAY_TOKEN },
      { name: 'person', token: PERSON_TOKEN, groups: [GROUP] },
    ],
  })
  const parts: Running[] = []
  const stop = async (): Promise<void> => {
    for (const part of parts) await part.stop()
    await cluster.stop()
  }
  try {
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: manifests() })
    if (applied.code !== 0) throw new Error(applied.stderr)
    const [port, admin, proxyPort] = [await freePort(), await freePort(), await freePort()]
    const token = configure(folder, cluster, port, admin)
    const command = { file: process.execPath, args: [join(ROOT, 'bin/ostiary.js'), 'up', '--config', folder] }
    const gateway = start(command, PROXY_CPU, folder, 'gateway')
    parts.push(gateway)
    const kubeconfig = cluster.kubeconfig('person', { token: PERSON_TOKEN })
    const env = cluster.environment({ KUBECONFIG: kubeconfig })
    const proxy = start({ file: cluster.binary, args: ['kubectl', 'proxy', `--port=${proxyPort}`], env }, PROXY_CPU, folder, 'proxy')
    parts.push(proxy)
    await untilListening(port, gateway, 'the gateway')
    await untilListening(proxyPort, proxy, 'kubectl proxy')
    return {
      cluster,
      straight: { name: 'straight', base: cluster.server, ca: cluster.ca, token: PERSON_TOKEN, process: undefined },
      proxy: { name: 'kubectl proxy', base: `http://127.0.0.1:${proxyPort}`, ca: undefined, token: undefined, process: proxy },
      gateway: { name: 'the gateway', base: `http://127.0.0.1:${port}/clusters/bed`, ca: undefined, token, process: gateway },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Writes what the gateway runs by, and answers a person's token. */
function configure(folder: string, cluster: Cluster, port: number, admin: number): string {
  const key = testKey('people', 'ES256')
  const file = (name: string, content: string | object): void =>
    writeFileSync(join(folder, name), typeof content === 'string' ? content : stringify(content, { aliasDuplicateObjects: false }))
  mkdirSync(join(folder, 'policy'), { recursive: true })
  file('cluster-ca.crt', cluster.ca)
  file('gateway.token', GATEWAY_TOKEN)
  file('people.jwks', JSON.stringify({ keys: [key.jwk] }))
  file('ostiary.yaml', {
    apiVersion: 'ostiary.dev/v1',
    name: 'load',
    issuers: {
      people: {
        kind: 'jwt',
        issuer: ISSUER,
        audiences: ['clusters'],
        keys: [{ file: 'people.jwks' }],
        claims: { groups: 'list' },
        principal: 'human',
      },
    },
    resources: {
      bed: {
        protocol: 'kubernetes',
        server: cluster.server,
        ca: 'cluster-ca.crt',
        credential: { token: { file: 'gateway.token' } },
      },
    },
    doors: { kubernetes: { listen: [{ address: `127.0.0.1:${port}` }] } },
    admin: { listen: `127.0.0.1:${admin}` },
  })
  const teams = Array.from({ length: 20 }, (_, i) => `team-${i}`)
  file('policy/policy.yaml', {
    apiVersion: 'ostiary.dev/v1',
    roles: Object.fromEntries([...teams, 'admin'].map((role) => [role, { bind: [{ issuer: 'people', claim: 'groups', any: [role] }] }])),
    rules: [
      ...teams.map((team) => ({
        id: team,
        role: team,
        resource: 'bed',
        actions: [`get,list,watch * -n ${team}`, `get,list,watch configmaps -n bench-*`],
      })),
      { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    ],
    guardrails: [{ id: 'no-secrets', resource: 'bed', deny: ['* secrets'], allBut: ['admin'] }],
  })
  return signToken(key, { iss: ISSUER, sub: 'person', aud: 'clusters', ...times(Date.now()), groups: ['team-3', 'team-7'] })
}

function manifests(): string {
  const api = 'rbac.authorization.k8s.io'
  const bound = (name: string, role: string, kind: string, who: string): object => ({
    apiVersion: `${api}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: api, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: api, kind, name: who }],
  })
  return [
    {
      apiVersion: `${api}/v1`,
      kind: 'ClusterRole',
      metadata: { name: 'impersonates' },
      rules: [{ apiGroups: ['', 'authentication.k8s.io'], resources: ['*'], verbs: ['impersonate'] }],
    },
    bound('gateway', 'impersonates', 'User', 'gateway'),
    bound('person', 'cluster-admin', 'Group', GROUP),
    ...['bench-idle', 'bench-proxy', 'bench-gateway'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  ]
    .map((one) => stringify(one))
    .join('---\n')
}
