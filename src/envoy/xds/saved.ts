import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { OstiaryError } from '../../core/errors.ts'
import { resourceOf, SCHEMAS, snapshotFrom, type Snapshot, type SnapshotOptions } from './snapshot.ts'
import { KINDS, type Kind, type Resource } from './types.ts'

/** A snapshot as it can be kept: JSON with the exact bytes, so that after a restart nothing is sent again to a node that has it. */
export interface SavedSnapshot {
  readonly version: string
  readonly given: readonly string[]
  readonly resources: readonly { readonly kind: Kind; readonly name: string; readonly version: string; readonly bytes: string }[]
}

export function toJson({ version, given, resources }: Snapshot): SavedSnapshot {
  const all = KINDS.flatMap((kind) => [...resources[kind].values()])
  return {
    version,
    given,
    resources: all.map(({ kind, name, version, bytes }) => ({ kind, name, version, bytes: Buffer.from(bytes).toString('base64') })),
  }
}

/**
 * Back from {@link toJson}. Everything is read and checked anew: a file that was damaged or touched is refused whole.
 * @throws OstiaryError `xds/saved`, or as `snapshotOf` does
 */
export function fromJson(saved: unknown, options: Omit<SnapshotOptions, 'given'> = {}): Snapshot {
  const { version, given, resources } = (typeof saved === 'object' && saved !== null ? saved : {}) as Partial<SavedSnapshot>
  if (typeof version !== 'string' || !Array.isArray(given) || !given.every((name) => typeof name === 'string') || !Array.isArray(resources))
    throw problem('it is not one')
  const snapshot = snapshotFrom(resources.map(read), { ...options, given })
  if (snapshot.version !== version) throw problem('its version is not that of its content')
  return snapshot
}

function read(one: unknown): Resource {
  const { kind, name, version, bytes } = (typeof one === 'object' && one !== null ? one : {}) as Record<string, unknown>
  if (!KINDS.includes(kind as Kind) || typeof bytes !== 'string') throw problem('a resource in it is not one')
  const exact = new Uint8Array(Buffer.from(bytes, 'base64'))
  let resource: Resource
  try {
    resource = resourceOf(kind as Kind, fromBinary(SCHEMAS[kind as Kind] as DescMessage, exact) as MessageShape<(typeof SCHEMAS)[Kind]>)
  } catch (error) {
    throw problem(`the ${String(kind)} \`${String(name)}\` can not be read`, error)
  }
  if (resource.name !== name || resource.version !== version || !Buffer.from(exact).equals(resource.bytes))
    throw problem(`the ${String(kind)} \`${String(name)}\` is not what was saved`)
  return resource
}

function problem(text: string, cause?: unknown): OstiaryError {
  return new OstiaryError('xds/saved', { problem: text }, { cause })
}
