/** Sessions in containers: what is kept of them, and how they end whose access has ended. */
import { recordedEvent, type Recording, type Recordings } from '../../audit/recordings/index.ts'
import { redactionOf, type Redaction } from '../../audit/redaction/index.ts'
import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { Admitted } from '../../core/pipeline.ts'
import type { GatewayEvent } from '../../core/record.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import type { Fields, StreamTap } from '../../http/engine.ts'
import type { ClusterRequest, Stream } from '../../kubernetes/request.ts'
import { agreedProtocol, StreamSession, type SessionEvent } from '../../kubernetes/streams/session.ts'
import type { Cluster } from './clusters.ts'
import { endedStatus } from './ended.ts'
import { fieldOf } from './headers.ts'
import type { KubernetesResource } from './schema.ts'

export interface SessionParts {
  readonly log: (message: string) => void
  readonly clock: Clock
  readonly meter: Meter
  /** Where recordings are written; undefined where there is no place for any. */
  readonly recordings: Recordings | undefined
  /** Tells the record what happened in a session. */
  readonly note: (event: GatewayEvent) => void
}

/** Words of a command that stand in the record, and characters of each. */
const MAX_WORDS = 64
const MAX_WORD = 1024

/** What is asked to run, as the query has it (`v1.PodExecOptions`). */
interface Asked {
  readonly command: readonly string[]
  readonly container: string
  readonly terminal: boolean
  readonly input: boolean
}

type Tap = (fields: Fields, end: () => void) => StreamTap | undefined

/** Reads along on a session from the moment that the cluster has agreed to it. A session that has to be recorded and can't be is not let through. */
export function tapOf(
  kind: Stream,
  request: CanonicalRequest,
  read: ClusterRequest,
  passage: Admitted,
  cluster: Cluster,
  parts: SessionParts,
): Tap {
  const asked = askedIn(request.query)
  const { record, limit, redact } = cluster.config.sessions
  const redaction = redactionFor(redact)
  const recorded = record !== 'off' && kind !== 'portforward'
  return (fields, end) => {
    const protocol = agreedProtocol({
      upgrade: fieldOf(fields, 'upgrade'),
      subprotocol: fieldOf(fields, 'sec-websocket-protocol'),
      extensions: fieldOf(fields, 'sec-websocket-extensions'),
      streamVersion: fieldOf(fields, 'x-stream-protocol-version'),
    })
    if (protocol === undefined) {
      if (recorded) throw new OstiaryError('kubernetes/recording')
      return undefined
    }
    const refused = (why: string): void => {
      parts.log(`session ${passage.id} of cluster \`${cluster.name}\` is ended: ${why}`)
      parts.meter.count('kubernetes_sessions_unrecorded')
      end()
    }
    const recording = recorded ? open(kind, asked, read, passage, parts, { input: record === 'all', limit, redaction }, refused) : undefined
    // Not before: a session that can't be recorded doesn't begin.
    parts.note({ kind: 'session-begun', time: parts.clock.now(), details: begun(kind, passage, read, asked, redaction) })
    return new Tapped(new Listener(kind, passage, recording, parts, refused), protocol, kind)
  }
}

function open(
  kind: Stream,
  asked: Asked,
  { action }: ClusterRequest,
  { id, principal, exchange }: Admitted,
  { recordings }: SessionParts,
  { input, limit, redaction }: { readonly input: boolean; readonly limit: number; readonly redaction: Redaction },
  refused: (why: string) => void,
): Recording {
  if (recordings === undefined) throw new OstiaryError('kubernetes/recording')
  const header = {
    id,
    resource: exchange.resource,
    principal: `${principal.issuer}/${principal.subject}`,
    operation: kind,
    place: [action.namespace, action.name, asked.container].filter((part) => part !== '').join('/'),
    command: kind === 'exec' ? asked.command : undefined,
    terminal: asked.terminal,
    input,
  }
  return recordings.open(header, limit, (error) => refused(error.message), redaction)
}

/** Takes what a session turns out to carry. */
class Listener {
  readonly #kind: Stream
  readonly #passage: Admitted
  readonly #recording: Recording | undefined
  readonly #parts: SessionParts
  readonly #refused: (why: string) => void
  #exit: number | undefined

  constructor(kind: Stream, passage: Admitted, recording: Recording | undefined, parts: SessionParts, refused: (why: string) => void) {
    this.#kind = kind
    this.#passage = passage
    this.#recording = recording
    this.#parts = parts
    this.#refused = refused
  }

  take(event: SessionEvent): void {
    this.#recording?.take(event)
    if (event.kind === 'exit') this.#exit = event.exit.code
    else if (event.kind === 'port-opened' || event.kind === 'port-closed') this.#port(event)
    else if (event.kind === 'undecodable' && this.#recording !== undefined) this.#refused(event.why)
  }

  #port(event: Extract<SessionEvent, { kind: 'port-opened' | 'port-closed' }>): void {
    if (event.kind === 'port-opened') return
    const { port, bytesIn, bytesOut, error } = event
    const details = { decision: this.#passage.id, port, bytesIn, bytesOut, ...(error === undefined ? {} : { error }) }
    this.#parts.note({ kind: 'port-forwarded', time: this.#parts.clock.now(), details })
  }

  mark(text: string): void {
    this.#recording?.mark(text)
  }

  over(): void {
    if (this.#recording !== undefined) void this.#finish(this.#recording)
    else if (this.#kind !== 'portforward') this.#ended()
  }

  #ended(): void {
    const { clock, note } = this.#parts
    const details = { decision: this.#passage.id, ...(this.#exit === undefined ? {} : { exit: this.#exit }) }
    note({ kind: 'session-ended', time: clock.now(), details })
  }

  async #finish(recording: Recording): Promise<void> {
    const { clock, note, log } = this.#parts
    try {
      note(recordedEvent(await recording.finish(), clock.now()))
    } catch (error) {
      log(`recording of session ${this.#passage.id}: ${(error as Error).message}`)
      // Nobody vouches for the recording; that the session is over is in the record all the same.
      this.#ended()
    }
  }
}

class Tapped implements StreamTap {
  readonly #session: StreamSession
  readonly #listener: Listener

  constructor(listener: Listener, protocol: NonNullable<ReturnType<typeof agreedProtocol>>, kind: Stream) {
    this.#listener = listener
    this.#session = new StreamSession({ protocol, kind, sink: (event) => listener.take(event) })
  }

  fromClient(chunk: Buffer): void {
    this.#session.fromClient(chunk)
  }

  fromServer(chunk: Buffer): void {
    this.#session.fromServer(chunk)
  }

  closing(cause: Parameters<StreamTap['closing']>[0], chunk?: Buffer): { readonly bytes: Buffer; readonly done: boolean } {
    const status = endedStatus(cause)
    if (chunk === undefined) this.#listener.mark(status.message)
    const { bytes, done } = this.#session.closing(status, chunk)
    return { bytes: Buffer.from(bytes), done }
  }

  over(): void {
    this.#session.ended()
    this.#listener.over()
  }
}

const redactions = new WeakMap<KubernetesResource['sessions']['redact'], Redaction>()

/** Patterns are compiled once for each configuration. */
function redactionFor(config: KubernetesResource['sessions']['redact']): Redaction {
  const known = redactions.get(config) ?? redactionOf(config)
  redactions.set(config, known)
  return known
}

function begun(
  kind: Stream,
  { id, principal }: Admitted,
  { action }: ClusterRequest,
  { command, container, terminal, input }: Asked,
  redaction: Redaction,
) {
  return {
    decision: id,
    principal: `${principal.issuer}/${principal.subject}`,
    operation: kind,
    pod: `${action.namespace}/${action.name}`,
    ...(container === '' ? {} : { container }),
    ...(kind === 'exec'
      ? {
          command: redaction
            .command(command)
            .slice(0, MAX_WORDS)
            .map((word) => word.slice(0, MAX_WORD)),
        }
      : {}),
    ...(kind === 'portforward' ? {} : { terminal, input }),
  }
}

function askedIn(query: string): Asked {
  const parameters = new URLSearchParams(query.slice(1))
  // As API servers read it: whatever isn't said to be false.
  const is = (name: string): boolean => !/^(?:false|0)$/i.test(parameters.get(name) ?? 'false')
  return {
    command: parameters.getAll('command'),
    container: parameters.get('container') ?? '',
    terminal: is('tty'),
    input: is('stdin'),
  }
}
