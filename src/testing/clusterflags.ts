/** Options of the parts of a cluster of the test bed. */
import { join } from 'node:path'
import { ADVERTISED_IP, NODE_IP } from './clusterfiles.ts'

/** Options by name, without the two dashes. */
export type Flags = Readonly<Record<string, string>>

export function flagsOf(flags: Flags): readonly string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}

export function etcdFlags(folder: string, client: string, peer: string): Flags {
  return {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'log-level': 'warn',
    // It is thrown away in the end: nothing has to reach a disk.
    'unsafe-no-fsync': 'true',
  }
}

/** What every API server of the test bed has. */
export function apiServerFlags(folder: string, etcd: string, port: number): Flags {
  return {
    'etcd-servers': etcd,
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'advertise-address': ADVERTISED_IP,
    'endpoint-reconciler-type': 'none',
    'service-cluster-ip-range': '10.96.0.0/16',
    'allow-privileged': 'true',
    profiling: 'false',
    'tls-cert-file': join(folder, 'server.crt'),
    'tls-private-key-file': join(folder, 'server.key'),
    'client-ca-file': join(folder, 'clients.crt'),
    'token-auth-file': join(folder, 'tokens.csv'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': join(folder, 'service-accounts.crt'),
    'service-account-signing-key-file': join(folder, 'service-accounts.key'),
    'kubelet-certificate-authority': join(folder, 'ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP',
    'kubelet-client-certificate': join(folder, 'kubelet-client.crt'),
    'kubelet-client-key': join(folder, 'kubelet-client.key'),
    'egress-selector-config-file': join(folder, 'egress.json'),
    'requestheader-client-ca-file': join(folder, 'front-proxies.crt'),
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-allowed-names': 'aggregator',
    'proxy-client-cert-file': join(folder, 'aggregator.crt'),
    'proxy-client-key-file': join(folder, 'aggregator.key'),
    // Nothing here routes the addresses of services: an aggregated API is asked at a pod of its service.
    'enable-aggregator-routing': 'true',
  }
}

/** The controllers that what people do with kubectl needs; none that would move pods away from a node without heartbeats. */
const CONTROLLERS =
  'deployment replicaset statefulset daemonset job cronjob endpoints endpointslice namespace garbage-collector ' +
  'clusterrole-aggregation serviceaccount serviceaccount-token root-ca-certificate-publisher'

export function controllerFlags(folder: string, kubeconfig: string): Flags {
  return {
    kubeconfig,
    controllers: CONTROLLERS.split(' ')
      .map((name) => `${name}-controller`)
      .join(','),
    'leader-elect': 'false',
    'service-account-private-key-file': join(folder, 'service-accounts.key'),
    'root-ca-file': join(folder, 'ca.crt'),
    'bind-address': '127.0.0.1',
    'secure-port': '0',
    'kube-api-qps': '200',
    'kube-api-burst': '400',
  }
}

export function standInFlags(folder: string, kubeconfig: string): Flags {
  return {
    kubeconfig,
    'node-ip': NODE_IP,
    folder: join(folder, 'pods'),
    tunnel: join(folder, 'tunnel'),
    cert: join(folder, 'kubelet.crt'),
    key: join(folder, 'kubelet.key'),
    'client-ca': join(folder, 'clients.crt'),
  }
}
