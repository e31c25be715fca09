/** The process that reads, checks and compiles one configuration, and keeps and compares it where it is asked to. It is ended by whoever began it. */
import { DiagnosticsError, type Diagnostic } from '../../core/errors.ts'
import { PolicyVersions } from '../../audit/index.ts'
import { readSources } from '../../config/load.ts'
import { openApiFiles } from '../../config/openapi.ts'
import type { Sources } from '../../config/wiring.ts'
import { packPolicy } from '../../policy/index.ts'
import { changeBetween, unknownChange, type Change, type Compiled } from '../compared.ts'
import { compile, type Configuration } from '../configuration.ts'
import { packSources, unpackSources, type Asked, type PackedSources, type Told } from './messages.ts'
import { octetsOf, takenApart } from './parts.ts'
import { stepBack } from './stepback.ts'

/** Findings, or resources, in a message. */
const SOME = 50

type Reading = Extract<Asked, { readonly kind: 'read' }>
type Telling = Generator<Told, void, undefined>

stepBack()

let reading: Reading
let all: Telling
/** What was read, where nothing is wrong with it. */
let ready: (Compiled & { readonly sources: Sources }) | undefined
/** Octets that have come, for what is asked next. */
let come: Uint8Array[] = []

/** All octets that have come, of which no more are needed. */
function taken(): PackedSources {
  const octets = Buffer.concat(come)
  come = []
  return octets
}

function* some<T>(whole: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < whole.length; i += SOME) yield whole.slice(i, i + SOME)
}

/** Everything that there is to tell, the last of which says what to make of it. */
function* telling({ question, given }: Reading): Telling {
  const { folder, environment, now, running } = question
  let configuration: Configuration
  try {
    configuration = compile(folder, given ? unpackSources(taken()) : readSources(folder, environment), now)
  } catch (error) {
    // The folder can't be read now, as in the middle of a deployment.
    if (error instanceof DiagnosticsError) yield* findings(error.diagnostics)
    return yield { kind: 'unreadable', message: error instanceof Error ? error.message : String(error) }
  }
  const { policy, wiring, diagnostics, sources } = configuration
  yield* findings(diagnostics)
  const documents = openApiFiles(sources)
  if (policy === undefined || wiring === undefined) return yield { kind: 'refused', documents }
  const { version } = policy
  if (version === running) return yield { kind: 'same', version, documents }
  const { resources, ...others } = wiring
  yield { kind: 'wiring', wiring: others }
  for (const part of some(Object.entries(resources))) yield { kind: 'resources', some: part }
  const { shape, arrays } = takenApart({ policy: packPolicy(policy), sources: packSources(sources) })
  yield { kind: 'policy', shape, lengths: arrays.map(({ length }) => length) }
  yield* octetsOf(arrays)
  ready = { policy, wiring, sources }
  yield { kind: 'ready', version, documents }
}

function* findings(diagnostics: readonly Diagnostic[]): Telling {
  for (const part of some(diagnostics)) yield { kind: 'diagnostics', some: part }
}

/** Answers why it could not be kept. */
function keep({ policy, sources }: NonNullable<typeof ready>): string | undefined {
  try {
    new PolicyVersions(reading.question.versions).keep(policy.version, sources, reading.question.now)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Whatever goes wrong here leaves open what changes. */
function compare(after: Compiled, with_: PackedSources): Change {
  const { folder, now, running } = reading.question
  const unknown = (why: string): Change => unknownChange(running, after.policy.version, why)
  try {
    const { policy, wiring } = compile(folder, unpackSources(with_), now)
    if (policy === undefined || wiring === undefined) return unknown('the version in force can not be read again')
    return { ...changeBetween({ policy, wiring }, after, now), from: running }
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error))
  }
}

function tell(told: Told | void): void {
  if (told !== undefined) process.send!(told)
}

process.on('message', (asked: Asked) => {
  switch (asked.kind) {
    case 'octets':
      come.push(asked.octets)
      return
    case 'read':
      reading = asked
      all = telling(asked)
      return tell(all.next().value)
    case 'more':
      return tell(all.next().value)
    case 'keep':
      if (ready !== undefined) tell({ kind: 'kept', problem: keep(ready) })
      return
    case 'compare':
      if (ready !== undefined) tell({ kind: 'compared', change: compare(ready, taken()) })
  }
})
// Whoever asked is gone, or ends this when it is time: what is being kept is kept whole.
process.on('disconnect', () => process.exit())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
