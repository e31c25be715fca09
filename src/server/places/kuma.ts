/** A mesh of Kuma: its documents are kept by a control plane, which also tells what each dataplane is made to do. */
import { OstiaryError } from '../../core/errors.ts'
import { openOutbound } from '../../identity/outbound.ts'
import { resolveSecret } from '../../secrets/references.ts'
import { KumaClient } from '../../targets/kuma/client.ts'
import { checkVersion, look, prune, putAll, type Looked } from '../../targets/kuma/push.ts'
import type { KumaTarget } from '../../targets/kuma/schema.ts'
import { tryOut, type TriedDataplane } from '../../targets/kuma/shadow.ts'
import type { Place, PlaceParts, Stand } from './place.ts'

/** With all that a control plane tells, for whoever shows it. */
export interface KumaPlace extends Place {
  /** @throws OstiaryError `target/control-plane`, `target/control-plane-version` */
  version(): Promise<string>
  looked(): Promise<Looked>
  /** Writes the documents, and removes nothing. @returns Warnings */
  put(): Promise<readonly string[]>
  /** A dry run: what would become of each dataplane. Nothing is enforced, and nothing stays. @param settled See `tryOut` */
  tryOut(settled: (tried: readonly TriedDataplane[]) => Promise<boolean>): Promise<readonly TriedDataplane[]>
  prune(): Promise<readonly string[]>
  /** Whether it takes policies from anybody who reaches it. */
  answersAnybody(): Promise<boolean>
}

/** @throws OstiaryError `target/no-control-plane` */
export function openKuma({ place, target, config, documents, wiring, folder, clock, signal }: PlaceParts<KumaTarget>): Promise<KumaPlace> {
  const { controlPlane, mode, mesh } = config
  if (controlPlane === undefined) throw new OstiaryError('target/no-control-plane', { name: place })
  const outbound = openOutbound({ ...wiring.outbound, ...(controlPlane.ca === undefined ? {} : { ca: controlPlane.ca }) }, folder)
  const token = controlPlane.token === undefined ? undefined : resolveSecret(controlPlane.token, folder)
  const client = new KumaClient({ url: controlPlane.url, mesh, token, fetch: endedBy(outbound.fetch, signal), clock })
  const input = { name: target, gateway: wiring.name, config, documents }
  const version = (): Promise<string> => checkVersion(client, { ...input, name: place })
  const pruneStale = async (): Promise<readonly string[]> => {
    const { stale, tried } = await look(client, input)
    await prune(client, [...stale, ...tried])
    return [...stale, ...tried].map(({ kind, name }) => `${kind} ${name}`)
  }
  return Promise.resolve({
    version,
    looked: () => look(client, input),
    put: () => putAll(client, input),
    tryOut: (settled) => tryOut(client, input, settled),
    prune: pruneStale,
    answersAnybody: () => client.answersAnybody(),
    look: async () => {
      await version()
      return standOf(await look(client, input), mode)
    },
    // On Kubernetes its API takes no documents.
    ...(mode === 'kubernetes'
      ? {}
      : {
          apply: async (prunes: boolean) => {
            await version()
            await putAll(client, input)
            return prunes ? pruneStale() : []
          },
        }),
    close: () => outbound.close(),
  })
}

function standOf({ documents, stale, dataplanes, rejected, warnings }: Looked, mode: KumaTarget['mode']): Stand {
  const revisions = [...new Set(documents.map(({ revision }) => revision))]
  return {
    revision: revisions.length === 1 ? revisions[0] : undefined,
    differences: [
      ...documents
        .filter((one) => one.missing || one.differences.length > 0)
        .map(({ kind, name, missing, differences }) => `${kind} ${name}: ${missing ? 'missing' : differences.join('; ')}`),
      ...(mode === 'kubernetes' ? ['its documents are in Kubernetes, where nobody looked: `kubectl diff` compares them'] : []),
    ],
    leftOver: stale.map(({ kind, name }) => `${kind} ${name}: no part of this any more, and still in force (\`--prune\` removes it)`),
    enforced: {
      count: dataplanes.filter(({ problems }) => problems.length === 0).length,
      of: dataplanes.length,
      what: dataplanes.length === 1 ? 'dataplane' : 'dataplanes',
    },
    problems: dataplanes
      .filter(({ problems }) => problems.length > 0)
      .map(({ dataplane, problems }) => `dataplane ${dataplane}: NOT ENFORCED: ${problems.join('; ')}`),
    rejections: [],
    rejected,
    warnings,
  }
}

function endedBy(fetch: typeof globalThis.fetch, signal: AbortSignal | undefined): typeof globalThis.fetch {
  if (signal === undefined) return fetch
  return (input, init) => fetch(input, { ...init, signal: init?.signal == null ? signal : AbortSignal.any([init.signal, signal]) })
}
