/** What answers Envoys of the wiring about requests: the gate of the door for HTTP, behind gRPC. */
import type { Wiring } from '../config/schema.ts'
import type { Judge } from '../doors/envoy/door.ts'
import type { EnvoyDoor } from '../doors/envoy/schema.ts'
import type { Wire } from '../doors/envoy/wire.ts'
import { doorSchema, type DoorConfig, type HttpLimits } from '../doors/http/schema.ts'
import { assertionSigner } from './adapters.ts'
import { materialOf, type PairsOfFiles } from './envoyfiles.ts'
import { statementOf } from '../envoy/rbac.ts'
import { guardrailOf } from '../targets/istio/documents.ts'
import { askingMeshes, meshOf, resourceInMesh, resourcesByHost } from './meshes.ts'
import { httpResources, type Parts } from './parts.ts'

/** What answers Envoys about requests, where that is configured. */
export interface Checks {
  readonly wire: Wire
  readonly address: { readonly host: string; readonly port: number }
  /** Judges by the resources of another wiring from here on. */
  update(wiring: Wiring): void
}

/** @returns Undefined where nobody is to be answered. @throws OstiaryError `http/certificate`, `server/listen` */
export async function answerEnvoys(
  parts: Parts,
  config: EnvoyDoor,
  files: PairsOfFiles,
  nodeOf: (identity: string) => string | undefined,
): Promise<Checks | undefined> {
  const { checks, nodes } = config
  if (checks === undefined) return undefined
  const [{ createEnvoyDoor }, { judgeOf }] = await Promise.all([import('../doors/envoy/door.ts'), import('./checks.ts')])
  let meshes = askingMeshes(parts.wiring)
  const asked = Object.fromEntries([
    ...Object.entries(nodes).map(([name, { delegate = [] }]) => [name, new Set(delegate)] as const),
    ...meshes.map(({ node, resources }) => [node, resources] as const),
  ])
  const anyone = new Set(Object.values(asked).flatMap((names) => [...names]))
  const judgeIn = (wiring: Wiring): Judge =>
    judgeOf(
      parts,
      httpLimits(wiring),
      assertionSigner(parts.keyring, wiring),
      Object.fromEntries(Object.entries(httpResources(wiring)).filter(([name]) => anyone.has(name))),
    )
  let judge = judgeIn(parts.wiring)
  let hosts = resourcesByHost(parts.wiring)
  const wire = createEnvoyDoor({
    ...checks.listen,
    trust:
      checks.tls === undefined
        ? { loopback: true }
        : { tls: materialOf(files, CHECKS_TLS, checks.tls), nodeOf: (identity) => nodeOf(identity) ?? meshOf(meshes, identity) },
    clock: parts.clock,
    meter: parts.metrics,
    note: (event) => parts.audit.note(event),
    where: '`doors.envoy.checks.listen` of `ostiary.yaml`',
    judge: { judge: (head) => judge.judge(head), problem: (code) => judge.problem(code) },
    mayAsk: (node, resource) => (node === undefined ? anyone : asked[node]!).has(resource),
    resourceOf: (node, host) => resourceInMesh(meshes, node, host),
    resourceTold: (host) => hosts(host),
    statements: (policy) =>
      policy.startsWith('ns[')
        ? guardrailOf(
            policy,
            parts.policies.current.model.guardrails.map(({ id }) => id),
          )
        : statementOf(policy),
  })
  // Whose host it is now; what may be asked about stays as it was at the start.
  const update = (wiring: Wiring): void => {
    judge = judgeIn(wiring)
    hosts = resourcesByHost(wiring)
    meshes = askingMeshes(wiring)
  }
  const port = await wire.listen()
  return { wire, address: { host: checks.listen.host, port }, update }
}

/** Those of the gateway's own door, or what they would be. */
function httpLimits({ doors }: Wiring): HttpLimits {
  return (doors['http'] as DoorConfig | undefined)?.limits ?? doorSchema.shape.limits.parse(undefined)
}

export const CHECKS_TLS = 'doors.envoy.checks.tls'
