import type { Wiring } from '../config/schema.ts'
import type { Timer } from '../core/clock.ts'
import type { Diagnostic } from '../core/errors.ts'
import { inSlices, type Gradual } from '../core/gradual.ts'
import type { Judge } from '../doors/envoy/door.ts'
import type { EnvoyDoor, EnvoyNode } from '../doors/envoy/schema.ts'
import type { Wire } from '../doors/envoy/wire.ts'
import { doorSchema, type DoorConfig, type HttpLimits } from '../doors/http/schema.ts'
import type { TlsMaterial } from '../envoy/xds/credentials.ts'
import type { XdsServer } from '../envoy/xds/server.ts'
import type { NodeStatus } from '../envoy/xds/status.ts'
import { jwksOf } from '../identity/nativekeys.ts'
import { CHECKS_CLUSTER } from '../envoy/gateway.ts'
import type { Json } from '../envoy/rbac.ts'
import type { NativeResource } from '../policy/native/native.ts'
import { emitEnvoy, type EnvoyResource } from '../targets/envoy/emit.ts'
import type { Pieces } from '../targets/envoy/pieces.ts'
import { askingMeshes, meshOf, resourceInMesh } from './meshes.ts'
import { carriedBy, planNode } from '../targets/envoy/nodes.ts'
import { nativeOf, speaksHttp } from '../targets/wired.ts'
import type { NativeIssuers } from '../targets/target.ts'
import { assertionSigner } from './adapters.ts'
import { PairsOfFiles, type PairFiles } from './envoyfiles.ts'
import { nativeIssuers } from './families.ts'
import { httpResources, type Parts } from './parts.ts'

/** How long handing out may hold up decisions at a time, in milliseconds; one resource is not interrupted. */
const SLICE_MS = 5
/** How often keys, certificates and revocations are looked at for a change, in milliseconds: twice in the second that a revocation may take. */
const LOOK_MS = 500

/** Feeds the Envoys of the wiring: each gets the policy of its resources, the keys of their issuers and what was revoked, anew whenever these change. */
export interface EnvoyFeed {
  /** Where Envoys are to ask. */
  readonly address: { readonly host: string; readonly port: number }
  /** Where they ask about requests, if they may. */
  readonly checks: { readonly host: string; readonly port: number } | undefined
  status(): readonly NodeStatus[]
  /** Takes on the resources of another wiring, with the policy that comes next. */
  update(wiring: Wiring): void
  close(): Promise<void>
}

/** @returns Undefined where no Envoy is wired. @throws OstiaryError `server/listen`, `http/certificate` */
export async function feedEnvoys(parts: Parts): Promise<EnvoyFeed | undefined> {
  const config = parts.wiring.doors['envoy'] as EnvoyDoor | undefined
  if (config === undefined) return undefined
  // Nobody else needs gRPC and Envoy's messages.
  const [{ XdsServer: Server }, { Pieces: NodePieces }] = await Promise.all([
    import('../envoy/xds/server.ts'),
    import('../targets/envoy/pieces.ts'),
  ])
  const byIdentity = new Map(
    Object.entries(config.nodes).flatMap(([name, { identity }]) => (identity === undefined ? [] : [[identity, name]])),
  )
  const nodeOf = (identity: string): string | undefined => byIdentity.get(identity)
  const files = new PairsOfFiles(parts.folder, (line) => parts.log(`envoy: ${line}`))
  const trust = config.tls === undefined ? ({ loopback: true } as const) : { tls: materialOf(files, 'doors.envoy.tls', config.tls), nodeOf }
  const checks = await answerEnvoys(parts, config, files, nodeOf)
  const server = new Server({
    ...config.listen,
    trust,
    clock: parts.clock,
    where: '`doors.envoy.listen` of `ostiary.yaml`',
    onFault: (error) => parts.log(`envoy: ${error instanceof Error ? error.message : String(error)}`),
  })
  try {
    const port = await server.start()
    return new Feed({ parts, config, server, port, files, pieces: new NodePieces(), checks })
  } catch (error) {
    await Promise.all([checks?.wire.close(), server.stop()])
    throw error
  }
}

/** What answers Envoys about requests, where that is configured. */
interface Checks {
  readonly wire: Wire
  readonly address: { readonly host: string; readonly port: number }
  /** Judges by the resources of another wiring from here on. */
  update(wiring: Wiring): void
}

async function answerEnvoys(
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
  })
  // Whose host it is now; what may be asked about stays as it was at the start.
  const update = (wiring: Wiring): void => {
    judge = judgeIn(wiring)
    meshes = askingMeshes(wiring)
  }
  const port = await wire.listen()
  return { wire, address: { host: checks.listen.host, port }, update }
}

/** Those of the gateway's own door, or what they would be. */
function httpLimits({ doors }: Wiring): HttpLimits {
  return (doors['http'] as DoorConfig | undefined)?.limits ?? doorSchema.shape.limits.parse(undefined)
}

const CHECKS_TLS = 'doors.envoy.checks.tls'

function materialOf(files: PairsOfFiles, what: string, pair: PairFiles & { readonly clientCa: string }): TlsMaterial {
  return files.pair(what, pair) as TlsMaterial
}

interface FeedParts {
  readonly parts: Parts
  readonly config: EnvoyDoor
  readonly server: XdsServer
  readonly port: number
  readonly files: PairsOfFiles
  readonly pieces: Pieces
  readonly checks: Checks | undefined
}

class Feed implements EnvoyFeed {
  readonly address: EnvoyFeed['address']
  readonly #parts: Parts
  readonly #config: EnvoyDoor
  readonly #server: XdsServer
  readonly #files: PairsOfFiles
  readonly #pieces: Pieces
  readonly #checks: Checks | undefined
  readonly #issuers: NativeIssuers
  readonly #unsubscribe: () => void
  /** What each node's refusal was said to be, so that it is said once. */
  readonly #said = new Map<string, string>()
  #wiring: Wiring
  #timer: Timer | undefined
  /** Whether something is being handed out, and whether something changed since that began. */
  #publishing = false
  #again = false
  #closed = false
  /** Keys, certificates and revocations as they were handed out. */
  #seen = ''
  /** What this gateway shows to Envoys. */
  #shown: TlsMaterial | undefined
  #shownToAsk: TlsMaterial | undefined

  constructor({ parts, config, server, port, files, pieces, checks }: FeedParts) {
    this.#parts = parts
    this.#config = config
    this.#server = server
    this.#files = files
    this.address = { host: config.listen.host, port }
    this.#pieces = pieces
    this.#checks = checks
    this.#wiring = parts.wiring
    this.#issuers = nativeIssuers(parts.wiring)
    this.#renew()
    this.#look()
    server.onStatus((status) => this.#told(status))
    this.#unsubscribe = parts.policies.subscribe(() => this.#publish())
    this.#schedule()
  }

  get checks(): EnvoyFeed['checks'] {
    return this.#checks?.address
  }

  status(): readonly NodeStatus[] {
    return this.#server.status()
  }

  update(wiring: Wiring): void {
    this.#wiring = wiring
    this.#checks?.update(wiring)
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#timer?.cancel()
    this.#closed = true
    await Promise.all([this.#server.stop(), this.#checks?.wire.close()])
  }

  /** Keys come from elsewhere, certificates from files, and revocations from anybody: whether they changed is looked at. */
  #look(): void {
    const seen = JSON.stringify([
      [...this.#keys()],
      Object.entries(this.#config.nodes).map(([name, node]) => this.#tls(name, node)),
      this.#parts.identities.revocations.generation,
    ])
    if (seen === this.#seen) return
    this.#seen = seen
    this.#publish()
  }

  #schedule(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      try {
        this.#renew()
        this.#look()
      } catch (error) {
        this.#parts.log(`envoy: nothing new was handed out: ${error instanceof Error ? error.message : String(error)}`)
      }
      this.#schedule()
    })
  }

  /** Envoys connect anew where what this gateway shows, or whom it believes, has changed. */
  #renew(): void {
    const { tls, checks } = this.#config
    if (tls !== undefined) {
      const shown = materialOf(this.#files, 'doors.envoy.tls', tls)
      if (this.#shown !== undefined && this.#shown !== shown) this.#server.renew(shown)
      this.#shown = shown
    }
    if (checks?.tls !== undefined) {
      const shown = materialOf(this.#files, CHECKS_TLS, checks.tls)
      if (this.#shownToAsk !== undefined && this.#shownToAsk !== shown) this.#checks?.wire.renew(shown)
      this.#shownToAsk = shown
    }
  }

  #keys(): ReadonlyMap<string, string> {
    const forms = [...this.#issuers.values()].flatMap((one) => ('refused' in one ? [] : one))
    return new Map(
      forms.map(({ name, form, iss, algorithms }) => {
        const issuer = this.#parts.identities.issuers.find((one) => one.name === name)
        return [form, jwksOf(issuer?.publicKeys?.(iss) ?? [], algorithms)]
      }),
    )
  }

  #tls(name: string, { tls }: EnvoyNode): { readonly cert: string; readonly key: string } | undefined {
    return tls === undefined ? undefined : this.#files.pair(`doors.envoy.nodes.${name}.tls`, tls)
  }

  /** In slices, so that decisions go on. What changes meanwhile is handed out next: however often that is, each run comes to its end. */
  #publish(): void {
    this.#again = true
    if (this.#publishing) return
    this.#publishing = true
    const pause = (): Promise<void> => new Promise((resume) => setImmediate(resume))
    const runs = async (): Promise<void> => {
      while (this.#again && !this.#closed) {
        this.#again = false
        try {
          await inSlices(this.#untilClosed(), pause, SLICE_MS, () => performance.now())
        } catch (error) {
          this.#parts.log(`envoy: nothing new was handed out: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
      this.#publishing = false
    }
    void runs()
  }

  *#untilClosed(): Gradual<void> {
    for (const step of this.#published()) {
      if (this.#closed) return
      yield step
    }
  }

  /** What can't be enforced as it is written is not handed out at all: the node keeps what it had. */
  *#published(): Gradual<void> {
    const { policies, log, identities, folder } = this.#parts
    const [wiring, policy, issuers] = [this.#wiring, policies.current, this.#issuers]
    const keys = this.#keys()
    const revoked = identities.revocations.list().map(({ target }) => target)
    const checks = this.#checks === undefined ? undefined : CHECKS_CLUSTER
    const native = once((resource: string) => nativeOf(resource, { wiring, policy, issuers }))
    // Of the same policy and wiring, each resource is made once for all nodes.
    const routes = new WeakMap<NativeResource, Json>()
    const routeOf = (resource: EnvoyResource): Json => {
      let made = resource.delegated === true ? undefined : routes.get(resource.native)
      if (made === undefined) routes.set(resource.native, (made = this.#pieces.routeOf(resource, checks)))
      return made
    }
    this.#pieces.turn()
    for (const [name, node] of Object.entries(this.#config.nodes)) {
      for (const resource of carriedBy(node, wiring)) {
        if (speaksHttp(wiring, resource)) native(resource)
        yield
      }
      try {
        const { resources, diagnostics } = planNode({ name, node, wiring, policy, issuers, folder, native })
        yield
        if (diagnostics.length > 0) {
          this.#refuse(name, diagnostics)
          continue
        }
        for (const resource of resources) {
          routeOf(resource)
          yield
        }
        this.#said.delete(name)
        const input = {
          name,
          address: node.listen,
          resources,
          keys,
          revoked,
          maxDuration: node.maxDuration,
          tls: this.#tls(name, node),
          logs: checks,
          checks,
        }
        const snapshot = this.#pieces.snapshot(emitEnvoy(input, routeOf))
        yield
        this.#server.publish(name, snapshot)
      } catch (error) {
        log(`envoy ${name}: nothing new was handed out: ${error instanceof Error ? error.message : String(error)}`)
      }
      yield
    }
  }

  #refuse(name: string, diagnostics: readonly Diagnostic[]): void {
    const text = diagnostics.map(({ message }) => message).join('; ')
    if (this.#said.get(name) === text) return
    this.#said.set(name, text)
    this.#parts.log(`envoy ${name}: nothing new is handed out, and what it has stays: ${text} (see \`ostiary compile envoy\`)`)
  }

  #told(status: NodeStatus): void {
    for (const line of linesOf(status)) {
      const key = `${status.node} ${line.kind}`
      if (this.#said.get(key) === line.text) continue
      this.#said.set(key, line.text)
      this.#parts.log(`envoy ${status.node}: ${line.text}`)
    }
  }
}

/** What an operator wants to read of a node, each kind of line whenever it changes. */
function linesOf({
  kinds,
  connectedSince,
  disconnectedAt,
  desired,
  acknowledged,
}: NodeStatus): readonly { readonly kind: string; readonly text: string }[] {
  const rejected = Object.entries(kinds).flatMap(([kind, { rejection }]) =>
    rejection === undefined ? [] : [{ kind, message: rejection.message }],
  )
  if (rejected.length > 0)
    return rejected.map(({ kind, message }) => ({ kind, text: `it rejects its ${kind} configuration, and keeps what it had: ${message}` }))
  if (connectedSince === undefined) return disconnectedAt === undefined ? [] : [{ kind: 'state', text: 'is not connected any more' }]
  return desired !== undefined && desired === acknowledged
    ? [{ kind: 'state', text: `enforces what it should, version ${desired.slice(0, 19)}` }]
    : []
}

/** The same answer to the same question. */
function once<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, { readonly made: T }>()
  return (name) => {
    let found = known.get(name)
    if (found === undefined) known.set(name, (found = { made: make(name) }))
    return found.made
  }
}
