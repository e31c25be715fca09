import { OstiaryError } from '../../../core/errors.ts'
import type { TokenSource } from '../../../secrets/clientauth/tokensource.ts'
import { pause, request, type Answer, type RequestDeps } from '../../../secrets/request.ts'
import { isObject, readJson, type JsonValue } from '../../jose/json.ts'
import { isGuid } from '../schema.ts'
import type { GraphLimits } from './limits.ts'

export interface GraphCall extends RequestDeps {
  /** `https://graph.microsoft.com` */
  readonly endpoint: string
  readonly tokens: TokenSource
  readonly limits: GraphLimits
  readonly kinds: 'security' | 'all'
}

/** What was asked for cannot be had. The text is for operator and explanation: nothing of the answer is in it. */
export class GraphFailure extends Error {
  /** Milliseconds for which Graph asks to be left alone. */
  readonly holdOff: number

  constructor(cause: string, holdOff = 0) {
    super(cause)
    this.holdOff = holdOff
  }
}

/** Names by group id. */
export type Groups = ReadonlyMap<string, string>

/**
 * The groups of an account, nested ones included. Asked for without an OData cast: that is answered from an index which, as its
 * documentation says, may not know of recent changes.
 * @throws GraphFailure
 */
export async function groupsOf(call: GraphCall, account: 'users' | 'servicePrincipals', object: string): Promise<Groups> {
  const { endpoint, clock, limits, kinds } = call
  const groups = new Map<string, string>()
  const until = clock.monotonic() + limits.deadline
  let url = `${endpoint}/v1.0/${account}/${object}/transitiveMemberOf?$select=id,displayName,securityEnabled&$top=999`
  for (let page = 1; ; page++) {
    const next = readPage(await getPage(call, url, until), kinds, groups)
    if (next === undefined) return groups
    if (page >= limits.maxPages) throw new GraphFailure(`more than ${limits.maxPages} pages of groups`)
    url = nextUrl(next, endpoint)
  }
}

async function getPage(call: GraphCall, url: string, until: number): Promise<Uint8Array> {
  const { endpoint, tokens, clock, limits } = call
  let renewed = false
  for (let attempt = 1; ; attempt++) {
    const left = until - clock.monotonic()
    if (left <= 0) throw new GraphFailure(`no answer within ${limits.deadline} ms`)
    const token = await tokenOf(tokens, endpoint)
    const headers = { accept: 'application/json', authorization: `Bearer ${token}` }
    const answer = await request(call, url, { headers }, { timeout: Math.min(limits.timeout, left), maxBytes: limits.maxBytes })
    if (answer.outcome === 'failed') throw new GraphFailure(answer.detail)
    if (answer.status === 200) return answer.body
    if (answer.status === 401 && !renewed) {
      renewed = true
      tokens.forget(endpoint)
      continue
    }
    const wait = retryAfter(answer, clock.now())
    if (wait === undefined) throw new GraphFailure(refusal(answer.status))
    if (wait > limits.waitAtMost || attempt >= limits.attempts)
      throw new GraphFailure(`it answered ${answer.status}`, Math.min(wait, limits.holdOffAtMost))
    await pause(clock, wait)
  }
}

async function tokenOf(tokens: TokenSource, resource: string): Promise<string> {
  try {
    return (await tokens.token(resource)).reveal()
  } catch (error) {
    if (error instanceof OstiaryError) throw new GraphFailure(error.message)
    throw error
  }
}

function refusal(status: number): string {
  switch (status) {
    case 401:
      return 'it refuses the token of the gateway (401)'
    case 403:
      return 'the gateway may not read groups (403): its client needs the application permission GroupMember.Read.All'
    case 404:
      return 'it does not know the account (404)'
    default:
      return `it answered ${status}`
  }
}

/** Milliseconds to wait before it is asked again; undefined for an answer that waiting does not change. */
function retryAfter({ status, headers }: Extract<Answer, { outcome: 'answer' }>, now: number): number | undefined {
  if (status !== 429 && status !== 503 && status !== 504) return undefined
  const told = headers.get('retry-after')?.trim() ?? ''
  if (/^[0-9]{1,6}$/.test(told)) return Number(told) * 1000
  const at = Date.parse(told)
  return Number.isNaN(at) ? 1_000 : Math.max(0, at - now)
}

/** Adds the groups of one page to `groups`; answers where the next is. */
function readPage(body: Uint8Array, kinds: GraphCall['kinds'], groups: Map<string, string>): JsonValue | undefined {
  const answer = readJson(body)
  const value = isObject(answer) ? answer['value'] : undefined
  if (!isObject(answer) || !Array.isArray(value)) throw new GraphFailure('an answer that is not understood')
  for (const one of value as readonly JsonValue[]) {
    if (!isObject(one)) throw new GraphFailure('an answer that is not understood')
    const { id, displayName, securityEnabled, '@odata.type': type } = one
    if (typeof type !== 'string' || !isGuid(id)) throw new GraphFailure('an answer that is not understood')
    if (type !== '#microsoft.graph.group') continue // directory roles and administrative units
    // Left out where the gateway may not see it: whether the group counts can't be told then.
    if (kinds === 'security' && typeof securityEnabled !== 'boolean')
      throw new GraphFailure('it does not tell which groups are security groups')
    if (kinds === 'all' || securityEnabled === true) groups.set(id.toLowerCase(), typeof displayName === 'string' ? displayName : '')
  }
  return answer['@odata.nextLink']
}

/** A next page is followed on the same server only: the token goes along. */
function nextUrl(next: JsonValue, endpoint: string): string {
  if (typeof next !== 'string' || !URL.canParse(next)) throw new GraphFailure('an answer that is not understood')
  const url = new URL(next)
  const { origin, pathname, username, password } = url
  if (origin !== new URL(endpoint).origin || !pathname.startsWith('/v1.0/') || username !== '' || password !== '')
    throw new GraphFailure('its next page is on another server')
  return url.href
}
