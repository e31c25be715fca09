import { hkdfSync } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { systemClock, systemEntropy, type Clock, type Entropy } from '../core/clock.ts'
import { DiagnosticsError, OstiaryError } from '../core/errors.ts'
import { idMaker } from '../core/id.ts'
import { Pipeline } from '../core/pipeline.ts'
import { readSources } from '../config/load.ts'
import type { Wiring } from '../config/schema.ts'
import type { Sources } from '../config/wiring.ts'
import { openAuditLog, PolicyVersions } from '../audit/index.ts'
import { Recordings } from '../audit/recordings/index.ts'
import { createHttpDoor, type HttpDoor } from '../doors/http/door.ts'
import type { BoundAddress } from '../http/engine.ts'
import type { DoorConfig } from '../doors/http/schema.ts'
import { createKubernetesDoor, type KubernetesDoor } from '../doors/kubernetes/door.ts'
import type { KubernetesDoorConfig } from '../doors/kubernetes/schema.ts'
import { createIdentity, openRevocations, type SignInEvent } from '../identity/index.ts'
import { openKeyring } from '../secrets/keyring.ts'
import { memoryLimiter } from '../store/memory-limits.ts'
import { openSqliteActivations } from '../store/sqlite-activations.ts'
import { openSqliteRevocations } from '../store/sqlite-revocations.ts'
import { openActivations } from './activations.ts'
import { startAdmin, type Admin } from './admin/start.ts'
import { assertionSigner } from './adapters.ts'
import { candidateLimits, type CandidateLimits } from './candidate/candidate.ts'
import { packSources } from './candidate/messages.ts'
import { readFirst } from './candidate/first.ts'
import type { Configuration } from './configuration.ts'
import { Ending } from './ending.ts'
import { feedEnvoys, type EnvoyFeed } from './envoy.ts'
import { beginWith } from './held.ts'
import { createMetrics } from './metrics.ts'
import { clusterResources, httpResources, withoutDoor, type Parts } from './parts.ts'
import { PolicyHolder } from './policies.ts'
import { Reloader } from './reload.ts'

export interface StartOptions {
  /** Configuration folder. */
  readonly folder: string
  readonly environment?: string | undefined
  /** In place of reading the folder: what the demo lays over it. */
  readonly read?: (() => Sources) | undefined
  /** In place of the configured data directory. */
  readonly dataDir?: string | undefined
  /** Take on changes of the folder as they happen. Default: true. */
  readonly watch?: boolean
  /** What reading a changed folder may cost at most. Default: five minutes, and half of the memory that this process may have. */
  readonly reloadLimits?: CandidateLimits
  readonly clock?: Clock
  readonly entropy?: Entropy
  /** One line for the operator. */
  readonly log?: (line: string) => void
}

/** A running gateway. */
export interface Gateway {
  readonly name: string
  readonly dataDir: string
  /** Addresses of the doors, in the order of the configuration. */
  readonly doors: readonly BoundAddress[]
  readonly admin: Admin
  /** What feeds Envoys, where any are wired. */
  readonly envoys: EnvoyFeed | undefined
  readonly policyVersion: string
  reload(): Promise<{ readonly accepted: boolean }>
  /** Lets what is open finish for `deadline` milliseconds, then ends everything. */
  stop(deadline: number): Promise<void>
}

/**
 * Puts the gateway together and starts it: every listener is bound and the record is open when the promise resolves.
 * @throws DiagnosticsError where the configuration is wrong and no earlier version of it can run instead
 * @throws OstiaryError `server/data-dir`, `http/listen`, `audit/…`, `store/…`
 */
export async function startGateway(options: StartOptions): Promise<Gateway> {
  const { clock = systemClock, entropy = systemEntropy, log = () => undefined } = options
  const folder = resolve(options.folder)
  const read = options.read ?? (() => readSources(folder, options.environment))
  const limits = options.reloadLimits ?? candidateLimits()
  const compiled = (sources: Sources): Promise<Configuration> => readFirst(folder, sources, clock, limits)
  const first = await compiled(read())
  const dataDir = dataDirectory(folder, options.dataDir ?? first.wiring?.dataDir)
  const versions = new PolicyVersions(join(dataDir, 'policies'))
  const beginning =
    first.policy === undefined
      ? { running: await lastGood(first, versions, compiled, log) }
      : await beginWith(first, versions, clock, limits, compiled)
  const { running } = beginning
  const wiring = running.wiring!
  const policy = running.policy!

  const closers: (() => Promise<void> | void)[] = []
  const undo = async (): Promise<void> => {
    for (const close of closers.toReversed()) await close()
  }
  try {
    const metrics = createMetrics()
    const newId = idMaker(clock, entropy)
    const keyring = openKeyring({ dir: join(dataDir, 'keys'), clock, entropy })
    const policies = new PolicyHolder(policy)
    const audit = await openAuditLog({
      dir: join(dataDir, 'audit'),
      clock,
      signer: keyring.checkpoint,
      options: wiring.audit,
      anchors: anchorsOf(wiring, folder),
      meter: metrics,
      onDegraded: log,
    })
    closers.push(() => audit.close())
    const revocationsFile = join(dataDir, 'revocations.db')
    const revocationStore = openSqliteRevocations(revocationsFile)
    const revocations = await openRevocations({ store: revocationStore, clock, meter: metrics, log }, revocationsFile)
    closers.push(() => revocations.close())
    const identities = createIdentity({
      wiring,
      deps: {
        clock,
        entropy,
        meter: metrics,
        dataDir,
        folder,
        log,
        sealing: () => keyring.sealing(),
        revocations,
        onSignIn: (event) => audit.note({ kind: event.kind, time: clock.now(), details: signInDetails(event) }),
        onProviderEnd: (end) => ending.told(end).then(() => pipeline.open.sweep()),
      },
    })
    closers.push(() => identities.close())
    const activationsFile = join(dataDir, 'activations.db')
    const activations = await openActivations(
      {
        store: openSqliteActivations(activationsFile),
        clock,
        newId,
        meter: metrics,
        log,
        audit,
        policies,
        atMost: () => reloader.wiring.activations.atMost,
        onEnd: () => pipeline.open.redecide(),
      },
      activationsFile,
    )
    closers.push(() => activations.close())
    const pipeline = new Pipeline({
      clock,
      newId,
      authenticator: identities.authenticator,
      policies,
      grants: activations,
      recorder: audit,
      limiter: memoryLimiter(),
    })
    closers.push(() => pipeline.open.close())
    const ending = new Ending({ clock, newId, audit, identities })
    revocations.onChange(() => pipeline.open.sweep())
    const parts: Parts = {
      folder,
      wiring,
      dataDir,
      clock,
      entropy,
      newId,
      log,
      metrics,
      keyring,
      audit,
      versions,
      identities,
      policies,
      activations,
      pipeline,
    }

    const door = httpDoor(parts)
    if (door !== undefined) closers.push(() => door.close())
    const recordings = new Recordings({
      dir: join(dataDir, 'recordings'),
      clock,
      keepFor: wiring.audit.keepFor,
      keepAtMost: wiring.audit.keepAtMost,
      announce: (event) => audit.noteDurably(event),
      meter: metrics,
    })
    closers.push(() => recordings.close())
    const clusters = kubernetesDoor(parts, recordings)
    if (clusters !== undefined) closers.push(() => clusters.close())
    const envoys = await feedEnvoys(parts)
    if (envoys !== undefined) closers.push(() => envoys.close())
    const reloader = new Reloader({
      parts,
      environment: options.environment,
      read: options.read,
      running: { wiring, sources: packSources(running.sources) },
      beginning,
      diagnostics: running.diagnostics,
      known: first.sources,
      door,
      clusters,
      envoys,
      watch: options.watch !== false,
      limits: options.reloadLimits,
    })
    closers.push(() => reloader.close())
    const clusterAddresses = clusters === undefined ? [] : await clusters.listen()
    const addresses = [...(door === undefined ? [] : await door.listen()), ...clusterAddresses]
    const admin = await startAdmin(parts, reloader, { doors: addresses, clusters: clusterAddresses[0], envoys })
    closers.push(() => admin.close())

    versions.keep(policy.version, running.sources, clock.now())
    audit.note({
      kind: 'started',
      time: clock.now(),
      details: { name: wiring.name, policyVersion: policy.version, doors: addresses.map(({ host, port }) => `${host}:${port}`) },
    })
    for (const line of withoutDoor(wiring)) log(line)
    reloader.begin()
    if (first.policy === undefined) reloader.refused(first.diagnostics)
    return {
      name: wiring.name,
      dataDir,
      doors: addresses,
      admin,
      envoys,
      get policyVersion() {
        return policies.current.version
      },
      reload: () => reloader.reload(),
      async stop(deadline) {
        admin.draining()
        await Promise.all([door?.drain(deadline), clusters?.drain(deadline), admin.drain(deadline)])
        pipeline.open.endAll('shut-down')
        audit.note({ kind: 'stopped', time: clock.now(), details: { name: wiring.name } })
        await undo()
      },
    }
  } catch (error) {
    await undo()
    throw error
  }
}

function kubernetesDoor(parts: Parts, recordings: Recordings): KubernetesDoor | undefined {
  const config = parts.wiring.doors['kubernetes'] as KubernetesDoorConfig | undefined
  if (config === undefined) return undefined
  return createKubernetesDoor({
    config,
    resources: clusterResources(parts.wiring),
    pipeline: parts.pipeline,
    certificates: byCertificate(parts),
    maskKey: maskKeyOf(parts),
    exchanger: parts.identities.exchanger,
    authorize: {
      policies: parts.policies,
      grants: parts.activations,
      revoked: (identity) => parts.identities.revocations.hits(identity),
      recorder: parts.audit,
      newId: parts.newId,
    },
    recordings,
    note: (event) => parts.audit.note(event),
    clock: parts.clock,
    entropy: parts.entropy,
    meter: parts.metrics,
    log: parts.log,
    folder: parts.folder,
  })
}

function byCertificate({ identities }: Parts): boolean {
  return identities.issuers.some((issuer) => issuer.verifyCertificate !== undefined)
}

/** Hashes of one value stay the same for as long as the key of sessions does. */
function maskKeyOf({ keyring }: Parts): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', keyring.sessionKey.reveal(), '', 'ostiary hashes of masked fields', 32))
}

function httpDoor(parts: Parts): HttpDoor | undefined {
  const config = parts.wiring.doors['http'] as DoorConfig | undefined
  if (config === undefined) return undefined
  return createHttpDoor({
    config,
    resources: httpResources(parts.wiring),
    pipeline: parts.pipeline,
    signIn: parts.identities.signIn,
    logout: parts.identities.logout,
    events: parts.identities.events,
    certificates: byCertificate(parts),
    assertions: assertionSigner(parts.keyring, parts.wiring),
    maskKey: maskKeyOf(parts),
    clock: parts.clock,
    entropy: parts.entropy,
    newId: parts.newId,
    meter: parts.metrics,
    log: parts.log,
    folder: parts.folder,
  })
}

/** What happened to somebody's session, for the record. */
function signInDetails(event: SignInEvent): Readonly<Record<string, string>> {
  const { kind: _, identity, ...how } = event
  const who = identity === undefined ? {} : { issuer: identity.issuer, subject: identity.subject }
  const session = identity?.evidence.sessionId
  return { ...how, ...who, ...(session === undefined ? {} : { session }) }
}

function anchorsOf(wiring: Wiring, folder: string): readonly string[] {
  return wiring.audit.anchors.map(({ file }) => (isAbsolute(file) ? file : join(folder, file)))
}

/** Where the gateway keeps what it keeps, made if it is missing. */
function dataDirectory(folder: string, configured: string | undefined): string {
  const dir = resolve(folder, configured ?? 'data')
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    mkdirSync(join(dir, 'policies'), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new OstiaryError('server/data-dir', { dir, cause: whyNotWritable(dir) ?? (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
  return dir
}

/** Making folders below a read-only one fails with ENOENT, which says nothing. */
function whyNotWritable(dir: string): string | undefined {
  try {
    accessSync(dir, constants.W_OK)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
}

/** A configuration that is wrong at start: the last version that was in force runs on, and says so loudly. */
async function lastGood(
  broken: Configuration,
  versions: PolicyVersions,
  compiled: (sources: Sources) => Promise<Configuration>,
  log: (line: string) => void,
): Promise<Configuration> {
  const errors = broken.diagnostics.filter(({ severity }) => severity === 'error')
  const kept = versions.last()
  if (kept === undefined) throw new DiagnosticsError(errors)
  const configuration = await compiled(kept.sources)
  if (configuration.policy === undefined || configuration.wiring === undefined) throw new DiagnosticsError(errors)
  log(
    `the configuration is refused (${errors.length} errors, see \`ostiary check\`); the last good version ${configuration.policy.version.slice(0, 19)} runs on`,
  )
  return configuration
}
