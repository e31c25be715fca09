import type { Wiring } from '../config/schema.ts'
import type { Timer } from '../core/clock.ts'
import { OstiaryError, type Diagnostic } from '../core/errors.ts'
import { inSlices, type Gradual } from '../core/gradual.ts'
import type { Principal } from '../core/principal.ts'
import type { EnvoyDoor, EnvoyNode } from '../doors/envoy/schema.ts'
import type { TlsMaterial } from '../envoy/xds/credentials.ts'
import type { XdsServer } from '../envoy/xds/server.ts'
import type { NodeStatus } from '../envoy/xds/status.ts'
import { jwksOf } from '../identity/nativekeys.ts'
import { FormerCallers } from '../envoy/callers.ts'
import { CHECKS_CLUSTER } from '../envoy/gateway.ts'
import type { Json } from '../envoy/rbac.ts'
import type { NativeResource } from '../policy/native/native.ts'
import { callersIn, emitEnvoy, type EnvoyResource } from '../targets/envoy/emit.ts'
import type { Pieces } from '../targets/envoy/pieces.ts'
import type { NativeIssuers } from '../targets/target.ts'
import { answerEnvoys, CHECKS_TLS, type Checks } from './envoychecks.ts'
import { materialOf, PairsOfFiles } from './envoyfiles.ts'
import { linesOf } from './envoylines.ts'
import type { EnvoyRollout, EnvoyRolloutStatus } from './envoyrollout.ts'
import { planning, type Planning } from './envoyplans.ts'
import { envoyRollout, EnvoyVersions, keysFor, type EnvoyVersion } from './envoyversions.ts'
import { nativeIssuers } from './families.ts'
import type { Parts } from './parts.ts'

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
  /** The same over HTTP. */
  readonly httpChecks: { readonly host: string; readonly port: number } | undefined
  status(): readonly FedEnvoy[]
  /** How far the version that is in force has come; undefined before any was handed out. */
  rollout(): EnvoyRolloutStatus | undefined
  /**
   * Goes on with it by hand, whatever it waits or was stopped for.
   * @param everywhere Not only to the next stage
   * @throws OstiaryError `server/no-rollout`; `audit/unavailable`, and then nothing goes on
   */
  proceed(everywhere: boolean, by: Principal): Promise<EnvoyRolloutStatus>
  /** Takes on the resources of another wiring, with the policy that comes next. */
  update(wiring: Wiring): void
  close(): Promise<void>
}

/** How an Envoy stands, with what of the policy it was handed out. */
export interface FedEnvoy extends NodeStatus {
  /** Version of the policy; undefined where it was handed out nothing. */
  readonly policy: string | undefined
  /** Why it is not handed out the version that is in force. */
  readonly refused: string | undefined
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
    await Promise.all([checks?.close(), server.stop()])
    throw error
  }
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
  readonly #callers = new FormerCallers()
  readonly #checks: Checks | undefined
  readonly #issuers: NativeIssuers
  readonly #versions: EnvoyVersions
  readonly #rollout: EnvoyRollout
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
    this.#versions = new EnvoyVersions(parts)
    this.#rollout = envoyRollout(parts, config, (version, stage, why) => this.#stopped(version, stage, why))
    parts.versions.pin(() => this.#rollout.versions())
    this.#renew()
    this.#look()
    server.onStatus((status) => {
      this.#told(status)
      this.#goOn()
    })
    this.#unsubscribe = parts.policies.subscribe(() => this.#publish())
    this.#schedule()
  }

  get checks(): EnvoyFeed['checks'] {
    return this.#checks?.address
  }

  get httpChecks(): EnvoyFeed['httpChecks'] {
    return this.#checks?.http
  }

  status(): readonly FedEnvoy[] {
    const { refused } = this.#rollout
    return this.#server.status().map((one) => ({ ...one, policy: this.#rollout.versionOf(one.node), refused: refused.get(one.node) }))
  }

  rollout(): EnvoyRolloutStatus | undefined {
    return this.#rollout.status()
  }

  async proceed(everywhere: boolean, by: Principal): Promise<EnvoyRolloutStatus> {
    const { audit, clock } = this.#parts
    const before = this.#rollout.status()
    if (before === undefined || before.state === 'done') throw new OstiaryError('server/no-rollout')
    const { version, stage = '', why = '' } = before
    const details = { version, stage, why, everywhere, heldBack: before.heldBack }
    await audit.noteDurably({ kind: 'envoy-rollout-continued', time: clock.now(), principal: by, details })
    // Meanwhile another may have come into force, of which nobody spoke.
    if (this.#rollout.target !== version) throw new OstiaryError('server/no-rollout')
    this.#rollout.go(everywhere, this.#server.status())
    this.#publish()
    return this.#rollout.status()!
  }

  update(wiring: Wiring): void {
    const text = (one: Wiring): string => JSON.stringify(one.rollout ?? null)
    if (text(wiring) !== text(this.#wiring)) this.#parts.log('envoy: a change of `rollout` takes effect for Envoys only after a restart')
    this.#wiring = wiring
    this.#checks?.update(wiring)
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#timer?.cancel()
    this.#closed = true
    await Promise.all([this.#server.stop(), this.#checks?.close()])
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
        this.#goOn()
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
      if (this.#shownToAsk !== undefined && this.#shownToAsk !== shown) this.#checks?.renew(shown)
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

  /** The next stage gets what is in force once all before it have settled. */
  #goOn(): void {
    if (!this.#closed && this.#rollout.look(() => this.#server.status())) this.#publish()
  }

  #stopped(version: string, stage: string | undefined, why: string): void {
    const { audit, clock, log, metrics } = this.#parts
    log(`envoy: policy ${version.slice(0, 19)} goes no further${stage === undefined ? '' : ` than stage ${stage}`}: ${why}`)
    metrics.count('envoy_rollouts', { event: 'stopped' })
    audit.note({ kind: 'envoy-rollout-stopped', time: clock.now(), details: { version, stage: stage ?? '', why } })
  }

  /**
   * To each Envoy the version that it is to have, with the keys, certificates and revocations of now. What can't be enforced as it is
   * written is not handed out at all: the node keeps what it had.
   */
  *#published(): Gradual<void> {
    const { policies, log, identities } = this.#parts
    const now = this.#versions.remember({
      version: policies.current.version,
      policy: policies.current,
      wiring: this.#wiring,
      issuers: this.#issuers,
    })
    const keys = this.#keys()
    const revoked = identities.revocations.list().map(({ target }) => target)
    const checks = this.#checks === undefined ? undefined : CHECKS_CLUSTER
    const planned = planning(this.#parts.folder)
    yield* this.#begun(now, planned)
    // Of the same policy and wiring, each resource is made once for all nodes.
    const routes = new WeakMap<NativeResource, Json>()
    const routeOf = (resource: EnvoyResource): Json => {
      let made = resource.delegated === true ? undefined : routes.get(resource.native)
      if (made === undefined) routes.set(resource.native, (made = this.#pieces.routeOf(resource, checks)))
      return made
    }
    this.#pieces.turn()
    for (const [name, node] of Object.entries(this.#config.nodes)) {
      const version = this.#rollout.versionOf(name)
      const made = version === undefined ? undefined : this.#versions.of(version)
      if (made === undefined) continue
      try {
        const { resources, diagnostics } = yield* planned(made, name, node)
        yield
        if (diagnostics.length > 0) {
          this.#refuse(name, diagnostics)
          continue
        }
        for (const resource of resources) {
          routeOf(resource)
          yield
        }
        if (made === now) this.#said.delete(name)
        const input = {
          name,
          address: node.listen,
          resources,
          keys: keysFor(made.issuers, this.#issuers, keys),
          revoked,
          maxDuration: node.maxDuration,
          tls: this.#tls(name, node),
          logs: checks,
          checks,
          formerCallers: this.#callers.before(name, callersIn(resources)),
        }
        const snapshot = this.#pieces.snapshot(emitEnvoy(input, routeOf))
        yield
        this.#server.publish(name, snapshot)
        this.#rollout.handed(name, made.version, snapshot.version)
      } catch (error) {
        log(`envoy ${name}: nothing new was handed out: ${error instanceof Error ? error.message : String(error)}`)
      }
      yield
    }
    this.#versions.only(new Set([...this.#rollout.versions(), now.version]))
    this.#goOn()
  }

  /** A version that comes into force is looked at for every Envoy before any has it. */
  *#begun(now: EnvoyVersion, planned: Planning): Gradual<void> {
    const rollout = this.#rollout
    if (rollout.target === now.version && rollout.refused.size === 0) return
    const refused = new Map<string, string>()
    for (const [name, node] of Object.entries(this.#config.nodes)) {
      try {
        const { diagnostics } = yield* planned(now, name, node)
        if (diagnostics.length > 0) refused.set(name, this.#refuse(name, diagnostics))
      } catch (error) {
        // Whatever it is, what all of them have goes on, with its keys and revocations.
        refused.set(name, error instanceof Error ? error.message : String(error))
      }
    }
    const isSame = rollout.target === now.version && [...refused.keys()].join(' ') === [...rollout.refused.keys()].join(' ')
    if (!isSame) rollout.begin(now.version, refused)
  }

  #refuse(name: string, diagnostics: readonly Diagnostic[]): string {
    const text = diagnostics.map(({ message }) => message).join('; ')
    if (this.#said.get(name) === text) return text
    this.#said.set(name, text)
    this.#parts.log(`envoy ${name}: nothing new is handed out, and what it has stays: ${text} (see \`ostiary compile envoy\`)`)
    return text
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
