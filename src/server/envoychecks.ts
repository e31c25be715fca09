/** What answers Envoys of the wiring about requests: the gate of the door for HTTP, behind gRPC and behind HTTP. */
import type { Wiring } from '../config/schema.ts'
import type { CheckedHead } from '../doors/envoy/actions.ts'
import type { Judge } from '../doors/envoy/door.ts'
import type { EnvoyDoor } from '../doors/envoy/schema.ts'
import { DEFAULT_CHECK_LIMITS, type ChecksTrust } from '../doors/envoy/wire.ts'
import type { TlsMaterial } from '../envoy/xds/credentials.ts'
import { doorSchema, type DoorConfig } from '../doors/http/schema.ts'
import type { HttpLimits } from '../http/schema.ts'
import { assertionSigner } from './adapters.ts'
import { materialOf, type PairsOfFiles } from './envoyfiles.ts'
import { statementOf } from '../envoy/rbac.ts'
import { guardrailOf } from '../targets/istio/documents.ts'
import { askingMeshes, meshOf, resourceInMesh, resourcesByHost } from './meshes.ts'
import { httpResources, type Parts } from './parts.ts'

/** What answers Envoys about requests, where that is configured. */
export interface Checks {
  readonly address: { readonly host: string; readonly port: number }
  /** Where they ask over HTTP, if they may. */
  readonly http: { readonly host: string; readonly port: number } | undefined
  /** Judges by the resources of another wiring from here on. */
  update(wiring: Wiring): void
  /** Takes new keys, certificates and authorities. */
  renew(tls: TlsMaterial): void
  close(): Promise<void>
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
  const [{ createEnvoyDoor }, { createHttpChecks }, { judgeOf }] = await Promise.all([
    import('../doors/envoy/door.ts'),
    import('../doors/envoy/httpchecks.ts'),
    import('./checks.ts'),
  ])
  let meshes = askingMeshes(parts.wiring)
  const asked = Object.fromEntries([
    ...Object.entries(nodes).map(([name, { delegate = [] }]) => [name, new Set(delegate)] as const),
    ...meshes.map(({ node, resources }) => [node, resources] as const),
    ...Object.entries(checks.proxies).map(([name, { resources }]) => [name, new Set(resources)] as const),
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
  const proxyOf = (identity: string): string | undefined => Object.entries(checks.proxies).find(([, one]) => one.identity === identity)?.[0]
  const trust: ChecksTrust =
    checks.tls === undefined
      ? { loopback: true }
      : {
          tls: materialOf(files, CHECKS_TLS, checks.tls),
          nodeOf: (identity) => nodeOf(identity) ?? proxyOf(identity) ?? meshOf(meshes, identity),
        }
  const judging = {
    clock: parts.clock,
    meter: parts.metrics,
    judge: { judge: (head: CheckedHead) => judge.judge(head), problem: (code: Parameters<Judge['problem']>[0]) => judge.problem(code) },
    // Who came with another wiring may ask once this was started anew.
    mayAsk: (node: string | undefined, resource: string) => (node === undefined ? anyone : asked[node])?.has(resource) === true,
  }
  const wire = createEnvoyDoor({
    ...checks.listen,
    ...judging,
    trust,
    note: (event) => parts.audit.note(event),
    where: '`doors.envoy.checks.listen` of `ostiary.yaml`',
    resourceOf: (node, host) => resourceInMesh(meshes, node, host),
    resourceTold: (host) => hosts(host),
    isObserved: (resource) => parts.policies.current.model.world.resources[resource]?.observedUntil !== undefined,
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
  const { http } = checks
  const overHttp =
    http === undefined
      ? undefined
      : createHttpChecks({
          ...http.listen,
          ...judging,
          trust,
          limits: DEFAULT_CHECK_LIMITS,
          forwardedFor: http.forwardedFor,
          where: '`doors.envoy.checks.http.listen` of `ostiary.yaml`',
        })
  const close = async (): Promise<void> => {
    await Promise.all([wire.close(), overHttp?.close()])
  }
  const port = await wire.listen()
  try {
    const httpPort = await overHttp?.listen()
    return {
      address: { host: checks.listen.host, port },
      http: http === undefined || httpPort === undefined ? undefined : { host: http.listen.host, port: httpPort },
      update,
      renew(tls) {
        wire.renew(tls)
        overHttp?.renew(tls)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Those of the gateway's own door, or what they would be. */
function httpLimits({ doors }: Wiring): HttpLimits {
  return (doors['http'] as DoorConfig | undefined)?.limits ?? doorSchema.shape.limits.parse(undefined)
}

export const CHECKS_TLS = 'doors.envoy.checks.tls'
