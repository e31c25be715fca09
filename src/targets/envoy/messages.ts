/** What was emitted, as messages. Loading this file loads Envoy's messages. */
import type { JsonValue } from '@bufbuild/protobuf'
import { fromReadable } from '../../envoy/any.ts'
import { SCHEMAS, snapshotOf, type Snapshot } from '../../envoy/xds/snapshot.ts'
import { CHECKS_CLUSTER } from './bootstrap.ts'
import type { EnvoyConfiguration } from './emit.ts'

/**
 * A consistent snapshot of what one Envoy is to get.
 * @throws OstiaryError `xds/…`
 */
export function toSnapshot({ clusters, listeners, routes, extensions, secrets }: EnvoyConfiguration): Snapshot {
  const as = <K extends keyof typeof SCHEMAS>(kind: K, all: readonly unknown[]) =>
    all.map((one) => fromReadable(SCHEMAS[kind], one as JsonValue))
  const messages = {
    cluster: as('cluster', clusters) as never,
    listener: as('listener', listeners) as never,
    route: as('route', routes) as never,
    extension: as('extension', extensions) as never,
    secret: as('secret', secrets) as never,
  }
  return snapshotOf(messages, { given: [CHECKS_CLUSTER] })
}
