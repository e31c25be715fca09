/** Every place of a configuration, to be looked at or brought something: clusters and meshes of `targets`, and Envoys of a running gateway. */
import type { Command } from 'commander'
import { stagesOf, type Stage } from '../config/rollout.ts'
import { targetOf } from '../config/places.ts'
import { systemClock } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import type { EnvoyDoor } from '../doors/envoy/schema.ts'
import type { Member } from '../server/places/status.ts'
import { adminClient, adminUrl } from './admin.ts'
import { noNode } from './commands/envoy.ts'
import { isRefusedWhole, openTargets, type Opened } from './targets.ts'

export interface FleetOptions {
  readonly env?: string
  readonly target?: string
}

export interface Fleet {
  readonly opened: Opened
  /** Undefined where `rollout` isn't wired. */
  readonly stages: readonly Stage[] | undefined
  /** In the order of the wiring, Envoys last. */
  readonly members: readonly Member[]
}

/** @throws OstiaryError `target/no-target`; DiagnosticsError for a configuration that is wrong */
export async function openFleet(folder: string, options: FleetOptions, command: Command): Promise<Fleet> {
  const [{ placeKinds }, { envoyMembers }] = await Promise.all([import('../server/places/index.ts'), import('../server/places/envoys.ts')])
  const { target, env } = options
  const envoy = target?.startsWith('envoy/') === true ? target.slice('envoy/'.length) : undefined
  const opened = await openTargets(undefined, folder, {
    ...(env === undefined ? {} : { env }),
    ...(target === undefined ? {} : { target }),
    keys: true,
  })
  const { wiring, revision, results } = opened
  const nodes = Object.keys((wiring.doors['envoy'] as EnvoyDoor | undefined)?.nodes ?? {})
  if (envoy !== undefined && !nodes.includes(envoy)) throw noNode(envoy, nodes)
  const targets = results.map(({ name, config, documents, diagnostics, until }): Member => ({
    name,
    kind: config.kind,
    desired: revision,
    open: (signal) => {
      if (isRefusedWhole({ diagnostics }))
        throw new Error(`it can not be compiled: ${diagnostics.map(({ message }) => message).join('; ')}`)
      // A rollout may take longer than that.
      if (until !== undefined && until <= systemClock.now())
        throw new Error(`what was compiled held until ${new Date(until).toISOString()}, when an observation ended: run this again`)
      const parts = { place: name, target: targetOf(name), config: config as never, documents, wiring, folder, clock: systemClock, signal }
      return placeKinds[config.kind]!.open(parts)
    },
  }))
  const chosen = target === undefined ? nodes : nodes.filter((node) => node === envoy)
  return { opened, stages: stagesOf(wiring), members: [...targets, ...envoyMembers(chosen, revision, gatewayAsked(command))] }
}

/** One question for all Envoys at a time. */
function gatewayAsked(command: Command): (signal: AbortSignal) => Promise<unknown> {
  let asked: { readonly at: number; readonly answer: Promise<unknown> } | undefined
  return () => {
    const now = systemClock.monotonic()
    if (asked === undefined || now - asked.at > SAME_MS) {
      const answer = adminClient(command).then((client) => client.request('GET', '/api/status'))
      asked = { at: now, answer: within(answer, adminUrl(command)) }
      asked.answer.catch(() => undefined)
    }
    return asked.answer
  }
}

const SAME_MS = 500
const MAX_WAIT_MS = 30_000

/** What doesn't answer any more is not waited for without end. */
async function within(answer: Promise<unknown>, url: string): Promise<unknown> {
  answer.catch(() => undefined)
  let stop = (): void => undefined
  const late = new Promise((_, reject) => {
    const timer = systemClock.after(MAX_WAIT_MS, () =>
      reject(new OstiaryError('cli/no-gateway', { url, cause: `no answer within ${MAX_WAIT_MS / 1000} s` })),
    )
    stop = () => timer.cancel()
  })
  return Promise.race([answer, late]).finally(() => stop())
}
