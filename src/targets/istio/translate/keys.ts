/** What a rule can ask about, each by its key: one row, one small generator. */
import { cidrOf } from './networks.ts'
import {
  claimMatcher,
  headerMatcher,
  metadata,
  orValue,
  pathPermission,
  quoteMeta,
  regexMatcher,
  requestPrincipal,
  textMatcher,
} from './matchers.ts'
import type { Json } from './types.ts'

/** What a generator has to know of where the rule stands. */
export interface Surroundings {
  /** Of the policy. */
  readonly namespace: string
  /** On a TCP chain there is no request. */
  readonly isTcp: boolean
  /** Where the peer's name is: in its certificate, or in what the tunnel of the ambient mesh left. */
  readonly peer: 'certificate' | 'filterState'
}

export interface Key {
  readonly side: 'permission' | 'principal'
  readonly values: 'texts' | 'networks' | 'ports'
  /** Whether it can't be asked where there is no request. */
  readonly isHttp?: true
  /** A matcher for each value, or one for all of them. Undefined for what can't be generated. */
  readonly each?: (value: string, where: Surroundings) => Json | undefined
  readonly together?: (values: readonly string[], where: Surroundings) => Json | undefined
}

function network(kind: 'destinationIp' | 'directRemoteIp' | 'remoteIp'): Pick<Key, 'values' | 'each'> {
  return {
    values: 'networks',
    each: (value) => {
      const cidr = cidrOf(value)
      return cidr === undefined ? undefined : { [kind]: cidr }
    },
  }
}

function peer(matcher: (value: string, where: Surroundings) => Json): Key {
  return {
    side: 'principal',
    values: 'texts',
    each: (value, where) => {
      const name = matcher(value, where)
      return where.peer === 'certificate'
        ? { authenticated: { principalName: name } }
        : { filterState: { key: 'io.istio.peer_principal', stringMatch: name } }
    },
  }
}

function http(key: Omit<Key, 'isHttp'>): Key {
  return { ...key, isHttp: true }
}

/** A text in which `*` stands for any signs out of `any`, everywhere. */
function withWildcards(value: string, any: string): string {
  return value.split('*').map(quoteMeta).join(any)
}

/** Of any trust domain, and with whatever else the name holds around them. */
function accountPattern(value: string, { namespace }: Surroundings): string {
  const at = value.indexOf('/')
  const [space, account] = at < 0 ? [namespace, value] : [value.slice(0, at), value.slice(at + 1)]
  return `spiffe://.+/ns/${quoteMeta(space)}/(.+/|)sa/${quoteMeta(account)}(/.+)?`
}

const claims = (path: readonly string[]): Key =>
  http({ side: 'principal', values: 'texts', together: (values) => claimMatcher(path, values) })

/** Keys that are the name of a field in the API, or of a condition. */
const NAMED: Readonly<Record<string, Key>> = {
  'destination.ip': { side: 'permission', ...network('destinationIp') },
  'destination.port': {
    side: 'permission',
    values: 'ports',
    each: (value) => (/^[0-9]+$/.test(value) && Number(value) <= 65_535 ? { destinationPort: Number(value) } : undefined),
  },
  'connection.sni': { side: 'permission', values: 'texts', each: (value) => ({ requestedServerName: textMatcher(value) }) },
  'source.ip': { side: 'principal', ...network('directRemoteIp') },
  'remote.ip': { side: 'principal', ...network('remoteIp') },
  'source.namespace': peer((value) => regexMatcher(`.*/ns/${withWildcards(value, '.*')}/.*`)),
  'source.serviceAccount': peer((value, where) => regexMatcher(accountPattern(value, where))),
  'source.principal': peer((value) => textMatcher(value, 'spiffe://')),
  'source.trustDomain': peer((value) =>
    value.includes('*') ? regexMatcher(`spiffe://${withWildcards(value, '[^/]*')}/.*`) : { prefix: `spiffe://${value}/` },
  ),
  'request.auth.principal': http({
    side: 'principal',
    values: 'texts',
    together: (values) => (values.length === 1 ? requestPrincipal(values[0]!) : { orIds: { ids: values.map(requestPrincipal) } }),
  }),
  'request.auth.audiences': claims(['aud']),
  'request.auth.presenter': claims(['azp']),
}

/** Fields of an operation, which no condition names. */
export const HOST: Key = http({
  side: 'permission',
  values: 'texts',
  each: (value) => ({ header: headerMatcher(':authority', value, true) }),
})
export const METHOD: Key = http({ side: 'permission', values: 'texts', each: (value) => ({ header: headerMatcher(':method', value) }) })
export const PATH: Key = http({ side: 'permission', values: 'texts', each: pathPermission })

export function named(key: string): Key {
  return NAMED[key]!
}

/** The key of a condition; undefined for one that Istio doesn't know. */
export function keyOf(key: string): Key | undefined {
  if (Object.hasOwn(NAMED, key)) return NAMED[key]
  const open = key.indexOf('[')
  if (open <= 0 || !key.endsWith(']') || open >= key.length - 2) return undefined
  const [name, rest] = [key.slice(0, open), key.slice(open)]
  if (name === 'request.headers') {
    const header = rest.slice(1, -1)
    return http({ side: 'principal', values: 'texts', each: (value) => ({ header: headerMatcher(header, value) }) })
  }
  if (name === 'request.auth.claims') {
    const path = bracketed(rest)
    return path.includes('') ? undefined : claims(path)
  }
  if (name.startsWith('experimental.envoy.filters.')) {
    const filter = name.slice('experimental.'.length)
    return {
      side: 'permission',
      values: 'texts',
      together: (values) => metadata(filter, [rest.slice(1, -1)], orValue(values.map(envoyValue))),
    }
  }
  return undefined
}

/** `[a][b]` is a path of two. What isn't a row of brackets is one name, with whatever brackets are in it. */
function bracketed(text: string): readonly string[] {
  return /^(?:\[[^[\]]*\])+$/.test(text) ? text.slice(1, -1).split('][') : [text.slice(1, -1)]
}

function envoyValue(value: string): Json {
  const isList = value.startsWith('[') && value.endsWith(']')
  if (!isList) return { stringMatch: textMatcher(value) }
  return { listMatch: { oneOf: { stringMatch: textMatcher(value.replaceAll(/^[[\]]+|[[\]]+$/g, '')) } } }
}
