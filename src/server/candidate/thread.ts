/** The thread that reads, checks and compiles one configuration, and keeps and compares it where it is asked to. Ends when it is told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { DiagnosticsError, type Diagnostic } from '../../core/errors.ts'
import { PolicyVersions } from '../../audit/index.ts'
import { readSources } from '../../config/load.ts'
import { openApiFiles } from '../../config/openapi.ts'
import type { Sources } from '../../config/wiring.ts'
import { packPolicy, transferOf } from '../../policy/index.ts'
import { changeBetween, unknownChange, type Change, type Compiled } from '../compared.ts'
import { compile, type Configuration } from '../configuration.ts'
import { shareSources, sourcesOf, type Asked, type Question, type Told } from './messages.ts'

/** Findings, or resources, in a message. */
const SOME = 50

const question = workerData as Question
const port = parentPort!
type Telling = Generator<{ readonly told: Told; readonly transfer?: readonly ArrayBuffer[] }, void, undefined>

function* some<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < all.length; i += SOME) yield all.slice(i, i + SOME)
}

function read(): Sources {
  const { folder, environment, sources } = question
  if (sources === undefined) return readSources(folder, environment)
  return sources instanceof Uint8Array ? sourcesOf(sources) : sources
}

/** Everything that there is to tell, the last of which says what to make of it. */
function* telling(): Telling {
  let configuration: Configuration
  try {
    configuration = compile(question.folder, read(), question.now)
  } catch (error) {
    // The folder can't be read now, as in the middle of a deployment.
    if (error instanceof DiagnosticsError) yield* findings(error.diagnostics)
    return yield { told: { kind: 'unreadable', message: error instanceof Error ? error.message : String(error) } }
  }
  const { policy, wiring, diagnostics, sources } = configuration
  yield* findings(diagnostics)
  const documents = openApiFiles(sources)
  if (policy === undefined || wiring === undefined) return yield { told: { kind: 'refused', documents } }
  const { version } = policy
  if (version === question.running) return yield { told: { kind: 'same', version, documents } }
  const { resources, ...others } = wiring
  yield { told: { kind: 'wiring', wiring: others } }
  for (const part of some(Object.entries(resources))) yield { told: { kind: 'resources', some: part } }
  const packed = packPolicy(policy)
  yield { told: { kind: 'ready', policy: packed, sources: shareSources(sources), documents }, transfer: transferOf(packed) }
  ready = { policy, wiring, sources }
}

/** What was read, where nothing is wrong with it. */
let ready: (Compiled & { readonly sources: Sources }) | undefined

function* findings(diagnostics: readonly Diagnostic[]): Telling {
  for (const part of some(diagnostics)) yield { told: { kind: 'diagnostics', some: part } }
}

/** Answers why it could not be kept. */
function keep({ policy, sources }: NonNullable<typeof ready>): string | undefined {
  try {
    new PolicyVersions(question.versions).keep(policy.version, sources, question.now)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Whatever goes wrong here leaves open what changes. */
function compare(after: Compiled): Change {
  const unknown = (why: string): Change => unknownChange(question.running, after.policy.version, why)
  try {
    const { policy, wiring } = compile(question.folder, sourcesOf(question.before), question.now)
    if (policy === undefined || wiring === undefined) return unknown('the version in force can not be read again')
    return { ...changeBetween({ policy, wiring }, after, question.now), from: question.running }
  } catch (error) {
    return unknown(error instanceof Error ? error.message : String(error))
  }
}

const all = telling()
function tell(): void {
  const { value } = all.next()
  if (value !== undefined) port.postMessage(value.told, value.transfer ?? [])
}
port.on('message', (asked: Asked) => {
  if (asked === 'more') return tell()
  // What is ready was told before it is noted here: only then is anything else asked for.
  all.next()
  if (ready === undefined) return
  const told: Told = asked === 'keep' ? { kind: 'kept', problem: keep(ready) } : { kind: 'compared', change: compare(ready) }
  port.postMessage(told)
})
tell()
