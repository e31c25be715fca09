/**
 * A stand-in for AWS STS, for tests: it verifies Signature Version 4 with the real algorithm, written for itself from AWS's
 * description of it, so that it can't agree with the gateway on a mistake. And it misbehaves when told to.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Who an access key belongs to, and how a `GetCallerIdentity` of it is answered. */
export interface StandInKey {
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly arn: string
  readonly userId: string
  readonly account: string
}

/** How the stand-in misbehaves. A response body takes the place of the right one; `hang` never answers. */
export type Misbehaviour = 'hang' | 'drop' | { readonly status: number; readonly body: string; readonly headers?: Record<string, string> }

export interface StandInSts {
  readonly origin: string
  readonly keys: Map<string, StandInKey>
  /** Requests as they came, newest last. */
  readonly requests: { readonly url: string; readonly headers: Readonly<Record<string, unknown>> }[]
  misbehave: Misbehaviour | undefined
  /** The answers of hanging requests. */
  close(): Promise<void>
}

const XMLNS = 'https://sts.amazonaws.com/doc/2011-06-15/'
const FIFTEEN_MINUTES = 900_000

/** Starts it on a free port of loopback. `now` is in milliseconds since the epoch. */
export async function startStandInSts(now: () => number): Promise<StandInSts> {
  const sts = {
    origin: '',
    keys: new Map<string, StandInKey>(),
    requests: [] as StandInSts['requests'],
    misbehave: undefined as Misbehaviour | undefined,
    close: async (): Promise<void> => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = createServer((request, response) => {
    sts.requests.push({ url: request.url ?? '', headers: request.headers })
    if (sts.misbehave === 'hang') return
    if (sts.misbehave === 'drop') return void request.socket.destroy()
    if (sts.misbehave === undefined) return answer(request, response, sts.keys, now())
    response.writeHead(sts.misbehave.status, { 'content-type': 'text/xml', ...sts.misbehave.headers }).end(sts.misbehave.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  sts.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return sts
}

/** The answer that STS gives, as its API reference prints it. */
export function callerXml({ arn, userId, account }: Pick<StandInKey, 'arn' | 'userId' | 'account'>): string {
  return `<GetCallerIdentityResponse xmlns="${XMLNS}">
  <GetCallerIdentityResult>
    <Arn>${arn}</Arn>
    <UserId>${userId}</UserId>
    <Account>${account}</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
`
}

export function errorXml(code: string, message: string): string {
  return `<ErrorResponse xmlns="${XMLNS}">
  <Error>
    <Type>Sender</Type>
    <Code>${code}</Code>
    <Message>${message}</Message>
  </Error>
  <RequestId>fedcba98-89ab-cdef-0123-456789abcdef</RequestId>
</ErrorResponse>
`
}

function answer(request: IncomingMessage, response: ServerResponse, keys: ReadonlyMap<string, StandInKey>, now: number): void {
  const say = (status: number, body: string): void => void response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
  const [path = '', search = ''] = (request.url ?? '').split('?')
  const query = search.split('&').map((part) => part.split('=').map(decodeURIComponent) as [string, string])
  const value = (name: string): string => query.find(([one]) => one === name)?.[1] ?? ''
  if (value('X-Amz-Signature') === '') return say(403, errorXml('MissingAuthenticationToken', 'Request is missing Authentication Token'))
  const [keyId = '', ...scope] = value('X-Amz-Credential').split('/')
  const key = keys.get(keyId)
  if (key === undefined || value('X-Amz-Security-Token') !== (key.sessionToken ?? ''))
    return say(403, errorXml('InvalidClientTokenId', 'The security token included in the request is invalid.'))
  const host = request.headers.host ?? ''
  const region = /^sts\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/.exec(host)?.[1] ?? (host === 'sts.amazonaws.com' ? 'us-east-1' : '')
  const at = value('X-Amz-Date')
  if (scope.join('/') !== `${at.slice(0, 8)}/${region}/sts/aws4_request`)
    return say(403, errorXml('SignatureDoesNotMatch', 'Credential should be scoped to a valid region.'))
  const signed = Date.parse(at.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (signed + FIFTEEN_MINUTES < now)
    return say(403, errorXml('SignatureDoesNotMatch', `Signature expired: ${at} is now earlier than the allowed window`))
  // The canonical request: method, path, query, headers, names of the signed headers, hash of the (empty) body.
  const canonicalQuery = query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, text]) => `${quoted(name)}=${quoted(text)}`)
    .toSorted()
    .join('&')
  const headerNames = value('X-Amz-SignedHeaders')
  const headers = headerNames
    .split(';')
    .map((name) => `${name}:${String(request.headers[name]).trim().replaceAll(/ +/g, ' ')}\n`)
    .join('')
  const canonical = [request.method, path, canonicalQuery, headers, headerNames, sha256('')].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', at, scope.join('/'), sha256(canonical)].join('\n')
  const signingKey = scope.reduce<Buffer>((sofar, part) => hmac(sofar, part), Buffer.from(`AWS4${key.secretAccessKey}`))
  const expected = hmac(signingKey, toSign)
  const given = Buffer.from(value('X-Amz-Signature'), 'hex')
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return say(403, errorXml('SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided.'))
  if (value('Action') !== 'GetCallerIdentity') return say(403, errorXml('AccessDenied', `not authorized to perform ${value('Action')}`))
  say(200, callerXml(key))
}

/** Percent-encodes each byte but for letters, digits and `-._~`. */
function quoted(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte)
      return /[A-Za-z0-9._~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest()
}
