/** Versions of the policy that Envoys are handed out, each with the wiring it came with: in memory, or made again of what was kept. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { envoyName, stagesOf } from '../config/rollout.ts'
import type { Wiring } from '../config/schema.ts'
import type { EnvoyDoor } from '../doors/envoy/schema.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import type { KeySets, NativeIssuers } from '../targets/target.ts'
import { compile } from './configuration.ts'
import { readGiven, writeGiven, type Given } from './envoykept.ts'
import { EnvoyRollout, type EnvoyStage } from './envoyrollout.ts'
import { nativeIssuers } from './families.ts'
import type { Parts } from './parts.ts'

/** One version, with all that Envoys are told of it. */
export interface EnvoyVersion {
  readonly version: string
  readonly policy: CompiledPolicy
  readonly wiring: Wiring
  readonly issuers: NativeIssuers
}

export class EnvoyVersions {
  readonly #parts: Pick<Parts, 'versions' | 'folder' | 'clock' | 'log'>
  readonly #known = new Map<string, EnvoyVersion | undefined>()

  constructor(parts: Pick<Parts, 'versions' | 'folder' | 'clock' | 'log'>) {
    this.#parts = parts
  }

  /** What is in force. */
  remember(made: EnvoyVersion): EnvoyVersion {
    const known = this.#known.get(made.version)
    if (known === undefined) this.#known.set(made.version, made)
    return known ?? made
  }

  /** Undefined where it is not kept any more, or can't be read as it was: whoever had it is handed out nothing new. */
  of(version: string): EnvoyVersion | undefined {
    if (!this.#known.has(version)) this.#known.set(version, this.#restored(version))
    return this.#known.get(version)
  }

  /** Lets go of all others. */
  only(versions: ReadonlySet<string>): void {
    for (const version of this.#known.keys()) if (!versions.has(version)) this.#known.delete(version)
  }

  #restored(version: string): EnvoyVersion | undefined {
    const { versions, folder, clock, log } = this.#parts
    let why = 'it is not right any more'
    try {
      const { policy, wiring } = compile(folder, versions.read(version).sources, clock.now())
      if (policy !== undefined && wiring !== undefined) return { version, policy, wiring, issuers: nativeIssuers(wiring) }
    } catch (error) {
      why = error instanceof Error ? error.message : String(error)
    }
    log(`envoy: policy ${version.slice(0, 19)}, which Envoys of later stages have, can not be read again: nothing new goes to them: ${why}`)
    return undefined
  }
}

/**
 * Of what an earlier version took for its issuers, the keys of those that are still the same. All others have none, and say so: then nobody
 * is believed by them.
 */
export function keysFor(issuers: NativeIssuers, now: NativeIssuers, keys: KeySets): KeySets {
  if (issuers === now) return keys
  const same = formsOf(now)
  return new Map([...formsOf(issuers)].map(([form, text]) => [form, (same.get(form) === text ? keys.get(form) : undefined) ?? NO_KEYS]))
}

const NO_KEYS = '{"keys":[]}'

function formsOf(issuers: NativeIssuers): ReadonlyMap<string, string> {
  const forms = [...issuers.values()].flatMap((one) => ('refused' in one ? [] : one))
  return new Map(forms.map(({ name, form, iss, algorithms }) => [form, JSON.stringify([name, iss, algorithms])]))
}

/** In which order the Envoys of the wiring get new versions, and how far that is. What they were given is read from the data directory. */
export function envoyRollout(
  parts: Parts,
  { nodes }: EnvoyDoor,
  stopped: (version: string, stage: string | undefined, why: string) => void,
): EnvoyRollout {
  const names = Object.keys(nodes)
  const all: readonly EnvoyStage[] = (stagesOf(parts.wiring) ?? [])
    .map(({ name, settle, members }) => ({ name, settle, nodes: names.filter((node) => members.includes(envoyName(node))) }))
    .filter((stage) => stage.nodes.length > 0)
  const { clock, dataDir } = parts
  const log = (line: string): void => parts.log(`envoy: ${line}`)
  const file = join(dataDir, 'envoy-versions.json')
  if (all.length < 2) {
    // From now on nobody writes it: should there be stages again one day, it would be of long ago.
    rmSync(file, { force: true })
    const stages = [{ name: all[0]?.name ?? '', settle: 0, nodes: names }]
    return new EnvoyRollout({ clock, stages, given: new Map(), keep: () => undefined, stopped, log })
  }
  return new EnvoyRollout({
    clock,
    stages: all,
    given: givenBefore(file, names, parts),
    keep: (given) => writeGiven(file, given),
    stopped,
    log,
  })
}

/** What each Envoy has from before, as far as that is known. */
function givenBefore(file: string, names: readonly string[], { versions, policies, log }: Parts): Given {
  const read = readGiven(file)
  const everybody = (version: string): Given => new Map(names.map((name) => [name, version]))
  if (read === 'broken') {
    log(`envoy: ${file} is not what was written there: Envoys of later stages get nothing new until it is their turn`)
    return new Map()
  }
  if (read !== 'absent') return new Map([...read].filter(([name]) => names.includes(name)))
  // There were no stages: everybody has what was in force last. Where nothing ever was, there is nothing to be careful with.
  const last = versions.last()?.version ?? (versions.list().length === 0 ? policies.current.version : undefined)
  return last === undefined ? new Map() : everybody(last)
}
