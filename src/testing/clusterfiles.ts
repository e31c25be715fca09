/** Certificates and files that a cluster of the test bed is started with. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certifiedBy, testAuthority, type Pair } from './pki.ts'

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

/** Addresses of the cluster that only its own tunnel knows: the API server refuses to connect to nodes and pods on loopback. */
export const NODE_IP = '10.240.0.1'
export const ADVERTISED_IP = '10.240.0.2'

/** A caller with a static token. */
export interface ClusterUser {
  readonly name: string
  readonly token: string
  readonly groups?: readonly string[]
}

export interface ClusterPki {
  readonly authority: Pair
  readonly clients: Pair
  readonly frontProxies: Pair
}

/** Writes `<name>.crt` and `<name>.key`. */
export function writePair(folder: string, name: string, pair: Pair): void {
  writeFileSync(join(folder, `${name}.crt`), pair.cert)
  writeFileSync(join(folder, `${name}.key`), pair.key, { mode: 0o600 })
}

/** Everything that is signed: who serves, who calls, and with what key service accounts are vouched for. */
export async function writePki(folder: string): Promise<ClusterPki> {
  const authority = await testAuthority('test bed cluster')
  const clients = await testAuthority('test bed clients')
  const frontProxies = await testAuthority('test bed front proxies')
  const ip = (value: string): { readonly type: 'ip'; readonly value: string } => ({ type: 'ip', value })
  const serving = await certifiedBy(authority, {
    subject: 'CN=kube-apiserver',
    names: [{ type: 'dns', value: 'localhost' }, ip('127.0.0.1')],
    usages: [SERVER_AUTH],
  })
  const kubelet = await certifiedBy(authority, { subject: 'CN=kubelet', names: [ip(NODE_IP)], usages: [SERVER_AUTH] })
  const calling = await certifiedBy(clients, { subject: 'CN=kube-apiserver-kubelet-client', usages: [CLIENT_AUTH] })
  const aggregator = await certifiedBy(frontProxies, { subject: 'CN=aggregator', usages: [CLIENT_AUTH] })
  writePair(folder, 'ca', authority)
  writePair(folder, 'clients', clients)
  writePair(folder, 'front-proxies', frontProxies)
  writePair(folder, 'server', serving)
  writePair(folder, 'kubelet', kubelet)
  writePair(folder, 'kubelet-client', calling)
  writePair(folder, 'aggregator', aggregator)
  writePair(folder, 'service-accounts', await testAuthority('service accounts'))
  return { authority, clients, frontProxies }
}

/** The API server's file of static tokens. */
export function tokenFile(users: readonly ClusterUser[]): string {
  return users.map(({ name, token, groups = [] }) => `${token},${name},${name},"${groups.join(',')}"\n`).join('')
}

/** A kubeconfig for one caller of one server; also how an API server is told of a webhook. */
export function kubeconfigOf(server: string, ca: string, user: Readonly<Record<string, unknown>>, namespace = 'default'): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'bed', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'caller', user }],
    contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'caller', namespace } }],
    'current-context': 'bed',
  }
}

/** Connections to nodes and pods go through the stand-in kubelet's tunnel, and no others do. */
export function egressOf(tunnel: string): string {
  return JSON.stringify({
    apiVersion: 'apiserver.k8s.io/v1beta1',
    kind: 'EgressSelectorConfiguration',
    egressSelections: [
      { name: 'cluster', connection: { proxyProtocol: 'HTTPConnect', transport: { uds: { udsName: tunnel } } } },
      { name: 'controlplane', connection: { proxyProtocol: 'Direct' } },
      { name: 'etcd', connection: { proxyProtocol: 'Direct' } },
    ],
  })
}
