/** The thread that reads, checks and compiles one configuration, and keeps it once it is to be in force. Ends when it is told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { DiagnosticsError, type Diagnostic } from '../../core/errors.ts'
import { PolicyVersions } from '../../audit/index.ts'
import { readSources } from '../../config/load.ts'
import { openApiFiles } from '../../config/openapi.ts'
import type { Sources } from '../../config/wiring.ts'
import { packPolicy, transferOf } from '../../policy/index.ts'
import { compile, type Configuration } from '../configuration.ts'
import { shareSources, sourcesOf, type Question, type Told } from './messages.ts'

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
  // Asked for more, it is to be in force.
  yield { told: { kind: 'kept', problem: keep(version, sources) } }
}

function* findings(diagnostics: readonly Diagnostic[]): Telling {
  for (const part of some(diagnostics)) yield { told: { kind: 'diagnostics', some: part } }
}

/** Answers why it could not be kept. */
function keep(version: string, sources: Sources): string | undefined {
  try {
    new PolicyVersions(question.versions).keep(version, sources, question.now)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const all = telling()
function tell(): void {
  const { value } = all.next()
  if (value === undefined) port.close()
  else port.postMessage(value.told, value.transfer ?? [])
}
port.on('message', tell)
tell()
