/** What suites ask a real API server, and servers on loopback that it asks in turn. */
import assert from 'node:assert/strict'
import { createServer, request, type Agent, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { kubectlIn, type Kubectl } from '../../../src/server/kubectl.ts'
import type { RbacRequest } from '../../../src/targets/kubernetes/evaluate.ts'
import type { Cluster } from '../../../src/testing/cluster.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'
import type { JsonObject } from '../../../src/testing/tokens.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** The administrator's, as the gateway uses it. */
export function kubectlOf({ binary, adminKubeconfig, folder }: Cluster): Kubectl {
  return kubectlIn('bed', ['env', `HOME=${folder}/home`, binary, 'kubectl', '--kubeconfig', adminKubeconfig])
}

/** Whether the API server would allow it. */
export async function reviewed(cluster: Cluster, agent: Agent, { user, groups, verb, ...of }: RbacRequest): Promise<boolean> {
  const attributes =
    of.path === undefined
      ? {
          resourceAttributes: {
            verb,
            group: of.apiGroup,
            resource: of.resource,
            subresource: of.subresource,
            namespace: of.namespace,
            name: of.name,
          },
        }
      : { nonResourceAttributes: { verb, path: of.path } }
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user, groups, ...attributes } }
  const { status, body } = await call(
    cluster,
    cluster.adminToken,
    'POST',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    review,
    agent,
  )
  assert.equal(status, 201, JSON.stringify(body))
  return (body as { readonly status: { readonly allowed: boolean } }).status.allowed
}

export function call(
  { server, ca }: Cluster,
  token: string,
  method: string,
  path: string,
  body?: object,
  agent?: Agent,
): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const asking = request(
      `${server}${path}`,
      { ca, method, headers, ...(agent === undefined ? { agent: false } : { agent }) },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(parts).toString()) }))
      },
    )
    asking.on('error', reject)
    asking.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

export interface Issuer {
  readonly server: Server
  readonly url: string
  readonly ca: string
}

/** Discovery and keys over TLS, as an API server asks for them. */
export async function startIssuer(jwk: JsonObject): Promise<Issuer> {
  const authority = await testAuthority('issuer')
  const server = await serving(authority, (path) =>
    path === '/keys' ? { keys: [jwk] } : { issuer: url, jwks_uri: `${url}/keys`, id_token_signing_alg_values_supported: ['ES256'] },
  )
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { server, url, ca: authority.cert }
}

export async function serving(authority: Pair, answer: (path: string, body: unknown) => object | Promise<object>): Promise<Server> {
  const { cert, key } = await certifiedBy(authority, {
    subject: 'CN=loopback',
    names: [{ type: 'ip', value: '127.0.0.1' }],
    usages: [SERVER_AUTH],
  })
  const server = createServer({ cert, key }, (asked, response) => {
    const parts: Buffer[] = []
    asked.on('data', (part: Buffer) => parts.push(part))
    asked.on('end', () => {
      const text = Buffer.concat(parts).toString()
      response.setHeader('content-type', 'application/json')
      Promise.resolve(text === '' ? undefined : (JSON.parse(text) as unknown))
        .then((body) => answer(asked.url!, body))
        .then(
          (said) => response.end(JSON.stringify(said)),
          () => response.writeHead(500).end(),
        )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}
