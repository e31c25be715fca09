/** The clusters that this gateway has a door for, as `ostiary kubeconfig` writes them down. */
import { resolve } from 'node:path'
import type { Wiring } from '../config/schema.ts'
import type { KubernetesDoorConfig } from '../doors/kubernetes/schema.ts'
import type { BoundAddress } from '../http/engine.ts'
import type { ListedCluster } from '../kubernetes/directory.ts'
import { readCertificates } from '../secrets/pem.ts'
import { clusterResources } from './parts.ts'

export interface DoorAddress {
  /** Where the door for clusters listens, the first address of it; undefined where there is none. */
  readonly bound: BoundAddress | undefined
  readonly folder: string
}

/** Sorted by name. Without a door, or behind one that speaks no TLS, there is nothing that could be written down. */
export function listedClusters(
  { doors, resources }: Pick<Wiring, 'doors' | 'resources'>,
  { bound, folder }: DoorAddress,
): readonly ListedCluster[] {
  const door = doors['kubernetes'] as KubernetesDoorConfig | undefined
  if (door === undefined) return []
  const origin = door.publicUrl ?? (bound?.secure === true ? originOf(bound) : undefined)
  if (origin === undefined) return []
  const ca = door.ca === undefined ? undefined : read(resolve(folder, door.ca))
  return Object.entries(clusterResources({ resources }))
    .filter(([, { server }]) => server !== undefined)
    .map(([name, { mode, audience, namespace }]) => ({
      name,
      server: `${origin}/clusters/${name}`,
      mode,
      ...(ca === undefined ? {} : { ca }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(mode === 'pass-through' ? { audience: audience! } : {}),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** An address that everybody is listened on stands for this machine. */
function originOf({ host, port }: BoundAddress): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `https://${name}:${port}`
}

/** Certificates alone, whatever else is in the file. Clients believe the system's authorities where this can't be read. */
function read(file: string): string | undefined {
  try {
    const blocks = readCertificates(file).match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g)
    return blocks === null ? undefined : `${blocks.join('\n')}\n`
  } catch {
    return undefined
  }
}
