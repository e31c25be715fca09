/**
 * Between policy and bytes. An engine reads requests, asks the gate what to do with each head, and does it. There is one
 * built on Node's own servers and undici (`wire.ts`); another may stand beside it, and both must behave the same.
 */
import type { PresentedCertificate } from '../core/credential.ts'
import type { EndCause } from '../core/passage.ts'
import type { Admitted } from '../core/pipeline.ts'
import type { BodyFraming } from './canonical.ts'
import type { Masker } from './mask.ts'

/** A request's head exactly as it was read. Strings hold one byte per character (latin1). */
export interface RawRequest {
  readonly version: '1.0' | '1.1' | '2' | 'other'
  readonly method: string
  /** The request target, or `:path`. */
  readonly target: string
  /** Names and values alternating, in order, duplicates included; no pseudo-fields. */
  readonly rawHeaders: readonly string[]
  /** `:authority`, `:scheme` and `:protocol` of HTTP/2. */
  readonly authority: string | undefined
  readonly scheme: string | undefined
  readonly protocol: string | undefined
  /** HTTP/2: the head was also the end. */
  readonly endStream: boolean
  /** Whether it came over TLS, and the name that the client asked for there. */
  readonly secure: boolean
  readonly serverName: string | undefined
  /** The certificate that the client proved on it, if any; asked for only where it matters. */
  readonly certificate?: (() => PresentedCertificate | undefined) | undefined
  /** Address of the other end of the connection. */
  readonly peer: string
  /** Port of this end of it. */
  readonly localPort: number
}

/** Names and values alternating. */
export type Fields = readonly string[]

/** A response of the gateway itself. `Content-Length` and the date are the engine's to write. */
export interface Answer {
  readonly kind: 'answer'
  readonly status: number
  readonly fields: Fields
  readonly body: string
  /** Close the connection after it (HTTP/1.1). */
  readonly close?: boolean
}

/** A request as it goes to an upstream: everything in it comes from the canonical request that was decided. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query, or `*`. */
  readonly target: string
  readonly host: string
  /** Everything but host, framing and connection. */
  readonly fields: Fields
  readonly body: BodyFraming
  readonly expectsContinue: boolean
  readonly announcesTrailers: boolean
  readonly acceptsTrailers: boolean
}

/** Where a resource is, and how to speak with it. One object per configuration of a resource; engines key their pools by it. */
export interface UpstreamTarget {
  readonly resource: string
  readonly secure: boolean
  readonly hostname: string
  readonly port: number
  /** A Unix socket to connect to instead of host and port. */
  readonly socketPath: string | undefined
  /** PEM of the authorities to believe instead of the system's. */
  readonly ca: string | undefined
  readonly serverName: string
  /** The certificate that the gateway itself shows there, PEM. */
  readonly client?: { readonly cert: string; readonly key: string } | undefined
  /** Speak HTTP/2: over TLS if the server agrees, in clear text at once. */
  readonly http2: boolean
  /** Fields of one name have to arrive as the lines that they are: over HTTP/2, too. */
  readonly separateFields?: boolean
  readonly connections: number
  /** Requests that may wait for a connection. */
  readonly pending: number
  /** Milliseconds. */
  readonly connectTimeout: number
  readonly headersTimeout: number
  readonly idleTimeout: number
}

/** Protocols that a connection may be switched to. */
export type UpgradeProtocol = 'websocket' | 'spdy/3.1'

/** How a response is masked: its body is collected, changed as a whole, and kept back where it can't be. */
export interface ResponseMask {
  readonly masker: Masker
  /** Bytes of a body at most; a longer one is kept back. */
  readonly limit: number
}

export type Failure =
  | 'unmaskable'
  | 'upstream-failed'
  | 'upstream-timeout'
  | 'upstream-busy'
  | 'body-too-large'
  | 'access-ended'
  /** It did not take the gateway's own credential. */
  | 'upstream-refused'
  | 'upgrade'

/** What is done to a response on its way to the caller. A throw keeps back what is still to come. */
export interface ResponseFilter {
  /** In place of the fields that the upstream sent. */
  readonly fields: Fields
  /** What to send for these bytes, which may be nothing yet. */
  data(chunk: Buffer): Buffer
  /** What is left to send at the end. */
  end(): Buffer
  /** Last words of a response whose access has ended; undefined where it stands so that there can be none, and it is broken off. */
  lastWords(cause: EndCause | 'timed-out'): Buffer | undefined
}

/** Reads along on a connection that was switched to another protocol. What it throws ends the connection. */
export interface StreamTap {
  fromClient(chunk: Buffer): void
  fromServer(chunk: Buffer): void
  /**
   * Bytes for the caller that end it as its protocol does. Where it stands in the middle of something, they are not all (`done`), and what
   * the upstream sends next is handed in: nothing else of it is passed on any more.
   */
  closing(cause: EndCause | 'timed-out', chunk?: Buffer): { readonly bytes: Buffer; readonly done: boolean }
  /** It is over; called once. */
  over(): void
}

/** A request that was let through. The engine completes `passage` exactly once, however it ends. */
export interface Forward {
  readonly kind: 'forward'
  readonly passage: Admitted
  readonly request: UpstreamRequest
  readonly target: UpstreamTarget
  readonly upgrade: UpgradeProtocol | undefined
  /** Bytes of request body; 0 is without limit. */
  readonly bodyLimit: number
  /** Milliseconds from admission after which the exchange is ended. */
  readonly maxDuration: number
  /** Undefined where nothing of the response is masked. */
  readonly mask: ResponseMask | undefined
  /** Whether a status says that the upstream refused the gateway itself, so that its answer is nobody's to see. */
  refuses?(status: number): boolean
  /** How a response is changed as it passes; undefined for one that isn't. Asked once, with the upstream's own status and fields. */
  filter?(status: number, fields: Fields): ResponseFilter | undefined
  /** Who reads along once the upstream has agreed to the switch. @param end Ends the connection for a cause of the reader's */
  tap?(fields: Fields, end: () => void): StreamTap | undefined
  /** The fields of a response to the client, from those that the upstream sent. */
  respond(status: number, fields: Fields): string[]
  /** What is answered in place of the upstream. */
  failure(failure: Failure): Answer
}

/** A request to the gateway itself that comes with a body. It has no upgrade. */
export interface OwnRequest {
  readonly kind: 'own'
  /** Bytes of body at most. */
  readonly limit: number
  readonly expectsContinue: boolean
  /** Called once, with the whole body. */
  readonly answer: (body: Buffer) => Answer | Promise<Answer>
  /** Called once in place of `answer`, where the body doesn't come, or not whole. @param answered What the caller got; undefined where it is gone */
  readonly abandoned?: (answered: Answer | undefined) => void
}

export type Plan = Answer | Forward | OwnRequest

/** Policy's side. Never throws and never rejects. */
export interface Gate {
  /** Protocols that it may let connections be switched to. */
  readonly upgrades: ReadonlySet<UpgradeProtocol>
  admit(raw: RawRequest): Plan | Promise<Plan>
  /** The answer to what could not even be read as a request. */
  unreadable(code: 'http/malformed' | 'http/fields-too-large' | 'http/request-timeout' | 'http/method' | 'http/expectation'): Answer
}

export interface BoundAddress {
  readonly host: string
  readonly port: number
  readonly secure: boolean
}

export interface Engine {
  /** @throws OstiaryError `http/listen`, `http/certificate` */
  listen(): Promise<readonly BoundAddress[]>
  /** Keeps connections only to these upstreams. */
  keep(targets: ReadonlySet<UpstreamTarget>): void
  /** Stops accepting, lets what is open finish until `deadline` milliseconds have passed, then ends it. */
  drain(deadline: number): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
  readonly open: { readonly connections: number; readonly exchanges: number }
}
