/** A real cluster behind the door for clusters: the gateway in process, with people whose tokens are signed here. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startGateway, type Gateway } from '../../../src/server/start.ts'
import { startCluster, type Cluster, type ClusterOptions, type Ran, type RunOptions } from '../../../src/testing/cluster.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'
import { signToken, testKey, times, type JsonObject, type TestKey } from '../../../src/testing/tokens.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const ISSUER = 'https://people.example.com'
const AUDIENCE = 'clusters'
/** Of the gateway in the cluster. */
const GATEWAY_TOKEN = 'gateway-token-of-the-test-bed'

/** What the gateway may do in the cluster: become whoever has one of these groups, and nothing else. */
function manifests(roles: readonly string[]): string {
  const groups = roles.map((role) => `ostiary:${role}`)
  const everything = [...groups, 'system:authenticated']
  return [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'ostiary-gateway' },
      rules: [
        { apiGroups: [''], resources: ['users', 'serviceaccounts'], verbs: ['impersonate'] },
        { apiGroups: [''], resources: ['groups'], verbs: ['impersonate'], resourceNames: everything },
        { apiGroups: ['authentication.k8s.io'], resources: ['userextras/*', 'uids'], verbs: ['impersonate'] },
        { apiGroups: ['authentication.k8s.io'], resources: EXTRAS.map((key) => `userextras/${key}`), verbs: ['impersonate'] },
      ],
    },
    binding('ostiary-gateway', 'ostiary-gateway', 'User', 'gateway'),
    // The policy alone decides: in the cluster, whoever comes by way of the gateway may do everything.
    binding('ostiary-admitted', 'cluster-admin', 'Group', 'ostiary:authenticated'),
  ]
    .map((one) => stringify(one))
    .join('---\n')
}

const EXTRAS = ['issuer', 'subject', 'display', 'token-id', 'client', 'actor', 'impersonated-by', 'decision'].map(
  (key) => `ostiary.dev/${key}`,
)

function binding(name: string, role: string, kind: string, who: string): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind, name: who }],
  }
}

export interface KubernetesWorld {
  readonly cluster: Cluster
  readonly gateway: Gateway
  /** `https://127.0.0.1:<port>/clusters/bed`. */
  readonly server: string
  readonly authority: Pair
  readonly lines: readonly string[]
  /** A kubeconfig of somebody with these roles; its path. */
  person(name: string, roles: readonly string[], more?: JsonObject): string
  tokenOf(name: string, roles: readonly string[], more?: JsonObject): string
  /** Runs kubectl by way of the gateway. */
  kubectl(kubeconfig: string, args: readonly string[], options?: RunOptions): Promise<Ran>
  /** Brings another policy into force. */
  policy(policy: object): Promise<void>
  /** What was recorded, newest last. */
  stop(): Promise<void>
}

export interface WorldOptions extends ClusterOptions {
  readonly policy: { readonly roles?: object; readonly rules: readonly object[]; readonly guardrails?: readonly object[] }
  /** Names of roles, each held by whoever has it in the claim `groups`. */
  readonly roles: readonly string[]
  /** Over the resource. */
  readonly resource?: object
  /** Over the wiring. */
  readonly wiring?: object
  /** What people's tokens are signed with, for a cluster that verifies them itself. */
  readonly key?: TestKey
}

export async function startKubernetesWorld(options: WorldOptions): Promise<KubernetesWorld> {
  const { policy, roles, resource = {}, wiring = {}, key = testKey('people', 'ES256'), ...more } = options
  const cluster = await startCluster({ ...more, users: [{ name: 'gateway', token: GATEWAY_TOKEN }, ...(more.users ?? [])] })
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-kubernetes-'))
  const lines: string[] = []
  let gateway: Gateway | undefined
  const stop = async (): Promise<void> => {
    await gateway?.stop(100)
    await cluster.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const applied = await cluster.kubectl(['apply', '-f', '-'], { input: manifests([...roles, 'everyone', 'authenticated']) })
    if (applied.code !== 0) throw new Error(applied.stderr)
    const authority = await testAuthority('the gateway')
    const leaf = await certifiedBy(authority, {
      subject: 'CN=gateway',
      names: [
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ],
      usages: [SERVER_AUTH],
    })
    mkdirSync(join(folder, 'policy'))
    const file = (name: string, text: string): void => writeFileSync(join(folder, name), text)
    file('door.crt', leaf.cert)
    file('door.key', leaf.key)
    file('gateway-ca.crt', authority.cert)
    file('cluster-ca.crt', cluster.ca)
    file('gateway.token', GATEWAY_TOKEN)
    file('people.jwks', JSON.stringify({ keys: [key.jwk] }))
    const write = ({ roles: more = {}, ...rest }: WorldOptions['policy']): void =>
      file(
        'policy/policy.yaml',
        stringify(
          {
            apiVersion: 'ostiary.dev/v1',
            roles: {
              ...Object.fromEntries(roles.map((role) => [role, { bind: [{ issuer: 'people', claim: 'groups', any: [role] }] }])),
              admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
              ...more,
            },
            ...rest,
            rules: [
              ...rest.rules,
              { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
              { id: 'list-clusters', role: 'authenticated', resource: 'ostiary', actions: ['GET /api/clusters'] },
            ],
          },
          { aliasDuplicateObjects: false },
        ),
      )
    write(policy)
    file(
      'ostiary.yaml',
      stringify({
        apiVersion: 'ostiary.dev/v1',
        name: 'bed',
        issuers: {
          people: {
            kind: 'jwt',
            issuer: ISSUER,
            audiences: [AUDIENCE],
            keys: [{ file: 'people.jwks' }],
            claims: { groups: 'list', sid: 'string' },
            principal: 'human',
          },
        },
        resources: {
          bed: {
            protocol: 'kubernetes',
            server: cluster.server,
            ca: 'cluster-ca.crt',
            mode: 'impersonate',
            credential: { token: { file: 'gateway.token' } },
            ...resource,
          },
        },
        doors: { kubernetes: { listen: [{ address: '127.0.0.1:0', tls: { cert: 'door.crt', key: 'door.key' } }], ca: 'gateway-ca.crt' } },
        admin: { listen: '127.0.0.1:0' },
        ...wiring,
      }),
    )
    const started = (gateway = await startGateway({ folder, watch: false, log: (line) => lines.push(line) }))
    const server = `https://127.0.0.1:${started.doors[0]!.port}/clusters/bed`
    const tokenOf = (name: string, groups: readonly string[], claims: JsonObject = {}): string =>
      signToken(key, { iss: ISSUER, sub: name, aud: AUDIENCE, ...times(Date.now()), groups: [...groups], ...claims })
    return {
      cluster,
      gateway: started,
      server,
      authority,
      lines,
      tokenOf,
      person: (name, groups, claims) =>
        cluster.kubeconfig(`${name}-${groups.join('-')}`, { token: tokenOf(name, groups, claims) }, { server, ca: authority.cert }),
      kubectl: (kubeconfig, args, run) => cluster.kubectl(args, { ...run, kubeconfig }),
      async policy(next) {
        write(next as WorldOptions['policy'])
        const { accepted } = await started.reload()
        if (!accepted) throw new Error(`the policy was refused: ${lines.slice(-5).join('\n')}`)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
