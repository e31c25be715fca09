/** An aggregated API of the test bed: metrics of pods, made up, served from the process of the test behind a pod of the stand-in kubelet. */
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Cluster } from '../../../src/testing/cluster.ts'
import { certifiedBy, testAuthority } from '../../../src/testing/pki.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const GROUP = 'metrics.k8s.io'
const PREFIX = `/apis/${GROUP}/v1beta1`

export interface AggregatedApi {
  /** Who asked for what, as the API server said. */
  readonly asked: readonly { readonly user: string; readonly groups: string; readonly path: string; readonly by: string }[]
  stop(): Promise<void>
}

/** Serves `metrics.k8s.io` in the namespace `default` of a cluster that has a kubelet and controllers, and waits until it is available. */
export async function startMetrics(cluster: Cluster): Promise<AggregatedApi> {
  const asked: { user: string; groups: string; path: string; by: string }[] = []
  const authority = await testAuthority('metrics')
  const names = [{ type: 'dns', value: 'metrics.default.svc' }] as const
  const { cert, key } = await certifiedBy(authority, { subject: 'CN=metrics', names, usages: [SERVER_AUTH] })
  const tls = { cert, key, ca: cluster.pki.frontProxies.cert, requestCert: true, rejectUnauthorized: true }
  const server = createServer(tls, (request, answer) => {
    const { 'x-remote-user': user = '', 'x-remote-group': groups = '' } = request.headers
    const [path = ''] = (request.url ?? '').split('?')
    asked.push({
      user: String(user),
      groups: String(groups),
      path,
      by: (request.socket as TLSSocket).getPeerCertificate().subject.CN as string,
    })
    const found = answerTo(path)
    answer.statusCode = found === undefined ? 404 : 200
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify(found ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const api: AggregatedApi = { asked, stop: () => stop(server) }
  try {
    await announce(cluster, (server.address() as AddressInfo).port, authority.cert)
  } catch (error) {
    await api.stop()
    throw error
  }
  return api
}

function answerTo(path: string): object | undefined {
  if (path === PREFIX) {
    const resource = { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] }
    return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${GROUP}/v1beta1`, resources: [resource] }
  }
  const [, namespace] = new RegExp(`^${PREFIX}/namespaces/([^/]+)/pods$`, 'u').exec(path) ?? []
  if (namespace === undefined) return undefined
  const item = {
    metadata: { name: 'busy', namespace },
    timestamp: '2026-01-01T00:00:00Z',
    window: '10s',
    containers: [{ name: 'main', usage: { cpu: '250m', memory: '64Mi' } }],
  }
  return { kind: 'PodMetricsList', apiVersion: `${GROUP}/v1beta1`, metadata: {}, items: [item] }
}

async function announce(cluster: Cluster, port: number, ca: string): Promise<void> {
  const metadata = { name: 'metrics', labels: { app: 'metrics' }, annotations: { 'standin.ostiary.dev/port-443': String(port) } }
  const items = [
    { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'main', image: 'example.test/metrics:1' }] } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'metrics' }, spec: { selector: { app: 'metrics' }, ports: [{ port: 443 }] } },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `v1beta1.${GROUP}` },
      spec: {
        group: GROUP,
        version: 'v1beta1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        caBundle: Buffer.from(ca).toString('base64'),
        service: { name: 'metrics', namespace: 'default' },
      },
    },
  ]
  for (const [args, input] of [
    [['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items })],
    [['wait', '--for=condition=Available', `apiservice/v1beta1.${GROUP}`, '--timeout=60s'], ''],
  ] as const) {
    const { code, stderr } = await cluster.kubectl(args, { input })
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  }
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
