/** Sign-in logs of Entra ID as they are exported, joined to decisions by the token that both name. */
import { z } from 'zod'
import { member, parsed } from './logs.ts'

const TEXT_LIMIT = 512
const LIST_LIMIT = 1_000_000
const DEPTH_LIMIT = 3

const text = z
  .string()
  .transform((value) => value.slice(0, TEXT_LIMIT))
  .nullish()
  .catch(undefined)

const schema = z.object({
  id: z.string().min(1).max(256),
  uniqueTokenIdentifier: z.string().min(1).max(256),
  createdDateTime: z.iso.datetime({ offset: true }),
  userPrincipalName: text,
  userId: text,
  servicePrincipalId: text,
  appDisplayName: text,
  ipAddress: text,
  conditionalAccessStatus: text,
  status: z
    .object({ errorCode: z.int().nullish().catch(undefined) })
    .nullish()
    .catch(undefined),
})

/** A sign-in that a token was issued by. Every text in it is foreign. */
export interface SignIn {
  readonly id: string
  /** As tokens have it in `uti`. */
  readonly tokenId: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** User principal name, or id of the service principal. For people to read. */
  readonly who: string
  readonly application: string
  readonly ip: string
  /** `success`, `failure`, `notApplied`, … */
  readonly conditionalAccess: string
  /** 0 for success; undefined where it isn't said. */
  readonly error: number | undefined
}

/**
 * The sign-ins of a document that is parsed already: an array as the portal exports it, `value` as Graph answers, `records` of a diagnostic
 * log with the sign-in in `properties`, or one of them. Total.
 */
export function signInsIn(value: unknown): { readonly signIns: readonly SignIn[]; readonly others: number } {
  const signIns: SignIn[] = []
  let others = 0
  const take = (one: unknown, depth: number): void => {
    if (signIns.length >= LIST_LIMIT || depth > DEPTH_LIMIT) {
      others++
      return
    }
    const list = Array.isArray(one) ? one : (member(one, 'value') ?? member(one, 'records'))
    if (Array.isArray(list)) {
      for (const inner of list as readonly unknown[]) take(inner, depth + 1)
      return
    }
    const properties = member(one, 'properties')
    const signIn = signInOf(properties === undefined ? one : typeof properties === 'string' ? parsed(properties) : properties)
    if (signIn === undefined) others++
    else signIns.push(signIn)
  }
  take(value, 0)
  return { signIns, others }
}

function signInOf(value: unknown): SignIn | undefined {
  const read = schema.safeParse(value)
  if (!read.success) return undefined
  const { id, uniqueTokenIdentifier, createdDateTime, userPrincipalName, userId, servicePrincipalId, appDisplayName } = read.data
  const { ipAddress, conditionalAccessStatus, status } = read.data
  return {
    id,
    tokenId: tokenIdOf(uniqueTokenIdentifier),
    time: Date.parse(createdDateTime),
    who: userPrincipalName ?? userId ?? servicePrincipalId ?? '',
    application: appDisplayName ?? '',
    ip: ipAddress ?? '',
    conditionalAccess: conditionalAccessStatus ?? '',
    error: status?.errorCode ?? undefined,
  }
}

/** Tokens have it in base64url; logs were seen with either alphabet, and padded. */
export function tokenIdOf(identifier: string): string {
  return identifier.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** What was decided with one token. */
export interface TokenUse {
  readonly tokenId: string
  readonly issuer: string
  readonly subject: string
  readonly display: string | undefined
  readonly decisions: number
  /** Addresses that it came from. */
  readonly ips: readonly string[]
  /** Milliseconds since the epoch. */
  readonly first: number
  readonly last: number
}

/**
 * - `joined`: the token came from this sign-in.
 * - `moved`: it did, and was presented from an address that the sign-in hadn't.
 * - `failed`: the sign-in failed, by what the log says, and the token was used all the same.
 * - `unknown`: the log knows no sign-in of this token: it is not complete, or of another time.
 */
export interface SignInFinding {
  readonly kind: 'joined' | 'moved' | 'failed' | 'unknown'
  readonly use: TokenUse
  readonly signIn: SignIn | undefined
}

/** What is to be said of each token. Where a log names one more than once, the first sign-in in time counts. */
export function joinSignIns(signIns: Iterable<SignIn>, uses: Iterable<TokenUse>): readonly SignInFinding[] {
  const byToken = new Map<string, SignIn>()
  for (const one of signIns) {
    const known = byToken.get(one.tokenId)
    if (known === undefined || one.time < known.time) byToken.set(one.tokenId, one)
  }
  return [...uses].map((use) => {
    const signIn = byToken.get(tokenIdOf(use.tokenId))
    if (signIn === undefined) return { kind: 'unknown', use, signIn }
    if (signIn.error !== undefined && signIn.error !== 0) return { kind: 'failed', use, signIn }
    const moved = signIn.ip !== '' && use.ips.some((ip) => ip !== signIn.ip)
    return { kind: moved ? 'moved' : 'joined', use, signIn }
  })
}
