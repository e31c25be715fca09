/** Signature Version 4, the caller's side. */
import { createHash, createHmac } from 'node:crypto'
import { ACTION, ALGORITHM, AUDIENCE_HEADER, encode, MAX_EXPIRES, SIGNED_HEADERS, tokenOf, VERSION } from '../../identity/aws/presigned.ts'
import { endpointOf } from '../../identity/aws/regions.ts'

/** Credentials of an AWS principal. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
}

/** What Signature Version 4 signs. Header names are in lower case and sorted; query values are not yet encoded. */
export interface Signable {
  readonly method: string
  /** Encoded. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** Hex of the SHA-256 of the body, or `UNSIGNED-PAYLOAD`. */
  readonly payload: string
  /** `20260101T120000Z` */
  readonly date: string
  readonly region: string
  readonly service: string
}

/** SHA-256 of nothing. */
export const EMPTY_PAYLOAD = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** The signature, in hex. */
export function signatureOf(secretAccessKey: string, request: Signable): string {
  const { method, path, query, headers, payload, date, region, service } = request
  const names = Object.keys(headers)
  const lines = names.map((name) => `${name}:${headers[name]!.trim().replaceAll(/ {2,}/g, ' ')}\n`).join('')
  const canonical = [method, path, queryOf(query), lines, names.join(';'), payload].join('\n')
  const scope = [date.slice(0, 8), region, service, 'aws4_request']
  const hash = createHash('sha256').update(canonical).digest('hex')
  const key = scope.reduce<string | Buffer>(
    (derived, part) => createHmac('sha256', derived).update(part).digest(),
    `AWS4${secretAccessKey}`,
  )
  return createHmac('sha256', key)
    .update([ALGORITHM, date, scope.join('/'), hash].join('\n'))
    .digest('hex')
}

/** A query as it is signed and sent: encoded, and sorted by name. */
export function queryOf(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

export interface Presigning {
  readonly credentials: AwsCredentials
  /** Region whose STS is to be asked, or `global`. */
  readonly region: string
  readonly audience: string
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Seconds. */
  readonly expires?: number
}

/** A bearer token for the gateway of `audience`: a presigned `GetCallerIdentity`. Asks nobody. */
export function presignToken({ credentials, region, audience, now, expires = MAX_EXPIRES }: Presigning): string {
  const { host, region: signed } = endpointOf(region)
  const date = new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')
  const query = {
    Action: ACTION,
    Version: VERSION,
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': `${credentials.accessKeyId}/${date.slice(0, 8)}/${signed}/sts/aws4_request`,
    'X-Amz-Date': date,
    'X-Amz-Expires': String(expires),
    'X-Amz-SignedHeaders': SIGNED_HEADERS,
    ...(credentials.sessionToken === undefined ? {} : { 'X-Amz-Security-Token': credentials.sessionToken }),
  }
  const headers = { host, [AUDIENCE_HEADER]: audience }
  const request = { method: 'GET', path: '/', query, headers, payload: EMPTY_PAYLOAD, date, region: signed, service: 'sts' }
  const signature = signatureOf(credentials.secretAccessKey, request)
  return tokenOf(`https://${host}/?${queryOf({ ...query, 'X-Amz-Signature': signature })}`)
}
