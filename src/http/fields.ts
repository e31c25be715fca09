/** One pass over the raw field lines: what goes on as it is, what the gateway reads, and what is wrong with them. */
import type { Code } from '../core/errors.ts'
import type { RawRequest } from './engine.ts'
import { nameInfo } from './names.ts'
import { isUtf8 } from './target.ts'

/** The few fields that the gateway itself reads. Undefined where the request hasn't the field. */
export interface ReadFields {
  readonly accept: string | undefined
  readonly origin: string | undefined
  readonly 'sec-fetch-mode': string | undefined
  readonly 'sec-fetch-site': string | undefined
  readonly 'sec-fetch-dest': string | undefined
  readonly 'access-control-request-method': string | undefined
  readonly 'sec-websocket-key': string | undefined
  readonly 'sec-websocket-version': string | undefined
  readonly 'x-requested-with': string | undefined
  /** The one field of the gateway's own name that callers may send. It goes no further. */
  readonly 'ostiary-justification': string | undefined
}

export interface CanonicalLimits {
  /** Bytes of the request target. */
  readonly url: number
  /** Bytes of all fields together, names, values and separators. */
  readonly fields: number
  readonly fieldCount: number
  /** Whether a connection may be switched to SPDY/3.1, which no browser speaks any more. Default: no. */
  readonly spdy?: boolean
}

/** Fields that a message may carry once (RFC 9110 §5.3); a second one is where two readers part ways. */
const ONCE = new Set([
  'host',
  'content-type',
  'content-length',
  'transfer-encoding',
  'expect',
  'origin',
  'user-agent',
  'referer',
  'from',
  'max-forwards',
  'sec-websocket-key',
  'sec-websocket-version',
  'access-control-request-method',
  'access-control-request-headers',
])

const READ: ReadonlySet<string> = new Set<keyof ReadFields>([
  'accept',
  'origin',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-dest',
  'access-control-request-method',
  'sec-websocket-key',
  'sec-websocket-version',
  'x-requested-with',
])

const VISIBLE_ASCII = /^[\t\x20-\x7e]*$/
const LATIN1 = /^[\t\x20-\x7e\x80-\xff]*$/

function isValue(value: string): boolean {
  if (VISIBLE_ASCII.test(value)) return true
  return LATIN1.test(value) && isUtf8(Buffer.from(value, 'latin1'))
}

/** What the field lines of a request say. `problem` is the first thing that is wrong with them. */
export interface Scan {
  problem: Code | undefined
  readonly fields: string[]
  readonly host: string[]
  readonly contentLength: string[]
  readonly transferEncoding: string[]
  readonly connection: string[]
  readonly upgrade: string[]
  readonly te: string[]
  trailer: boolean
  expect: string | undefined
  readonly authorization: string[]
  readonly dpop: string[]
  readonly cookie: string[]
  readonly forwardedFor: string[]
  readonly forwardedProto: string[]
  readonly traceparent: string[]
  readonly tracestate: string[]
  readonly read: { -readonly [K in keyof ReadFields]: string | undefined }
}

export function scanFields(raw: RawRequest, limits: CanonicalLimits): Scan {
  const scan: Scan = {
    problem: undefined,
    fields: [],
    host: [],
    contentLength: [],
    transferEncoding: [],
    connection: [],
    upgrade: [],
    te: [],
    trailer: false,
    expect: undefined,
    authorization: [],
    dpop: [],
    cookie: [],
    forwardedFor: [],
    forwardedProto: [],
    traceparent: [],
    tracestate: [],
    read: {
      accept: undefined,
      origin: undefined,
      'sec-fetch-mode': undefined,
      'sec-fetch-site': undefined,
      'sec-fetch-dest': undefined,
      'access-control-request-method': undefined,
      'sec-websocket-key': undefined,
      'sec-websocket-version': undefined,
      'x-requested-with': undefined,
      'ostiary-justification': undefined,
    },
  }
  const { rawHeaders } = raw
  const problem = (code: Code): void => void (scan.problem ??= code)
  if (rawHeaders.length / 2 > limits.fieldCount) problem('http/fields-too-large')
  let size = 0
  let seen: Set<string> | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    const value = rawHeaders[i + 1]!
    size += name.length + value.length + 4
    if (size > limits.fields) {
      problem('http/fields-too-large')
      break
    }
    const { lower, kind } = nameInfo(name)
    if (!isValue(value)) problem('http/field-value')
    if (ONCE.has(lower)) {
      seen ??= new Set()
      if (seen.has(lower))
        problem(
          lower === 'host'
            ? 'http/host-duplicate'
            : lower === 'content-length' || lower === 'transfer-encoding'
              ? 'http/framing'
              : 'http/field-duplicate',
        )
      seen.add(lower)
    }
    switch (kind) {
      case 'invalid':
        problem('http/field-name')
        break
      case 'underscore':
        problem('http/field-underscore')
        break
      case 'reserved':
        if (lower === 'ostiary-justification') read(scan, lower, value)
        break
      case 'hop-by-hop':
      case 'own':
        take(scan, lower, value)
        break
      case 'end-to-end':
        scan.fields.push(name, value)
        if (READ.has(lower)) read(scan, lower as keyof ReadFields, value)
        break
    }
  }
  if (raw.version !== '2' && scan.cookie.length > 1) problem('http/field-duplicate')
  return scan
}

function read(scan: Scan, name: keyof ReadFields, value: string): void {
  const before = scan.read[name]
  scan.read[name] = before === undefined ? value : `${before}, ${value}`
}

function take(scan: Scan, lower: string, value: string): void {
  switch (lower) {
    case 'host':
      scan.host.push(value)
      break
    case 'content-length':
      scan.contentLength.push(value)
      break
    case 'transfer-encoding':
      scan.transferEncoding.push(value)
      break
    case 'connection':
      scan.connection.push(value)
      break
    case 'upgrade':
      scan.upgrade.push(value)
      break
    case 'te':
      scan.te.push(value)
      break
    case 'trailer':
      scan.trailer = true
      break
    case 'expect':
      scan.expect = value
      break
    case 'authorization':
      scan.authorization.push(value)
      break
    case 'dpop':
      scan.dpop.push(value)
      break
    case 'cookie':
      scan.cookie.push(value)
      break
    case 'x-forwarded-for':
      scan.forwardedFor.push(value)
      break
    case 'x-forwarded-proto':
      scan.forwardedProto.push(value)
      break
    case 'traceparent':
      scan.traceparent.push(value)
      break
    case 'tracestate':
      scan.tracestate.push(value)
      break
    default: // The other hop-by-hop fields say nothing that the gateway acts on.
  }
}

/** The members of a list of tokens, in lower case. */
export function tokens(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
}

/** Removes the fields that `Connection` declares to be of this connection only. */
export function withoutListed(fields: readonly string[], connection: readonly string[]): readonly string[] {
  const listed = new Set(connection.flatMap(tokens))
  listed.delete('close')
  listed.delete('keep-alive')
  listed.delete('upgrade')
  if (listed.size === 0) return fields
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) if (!listed.has(fields[i]!.toLowerCase())) kept.push(fields[i]!, fields[i + 1]!)
  return kept
}
