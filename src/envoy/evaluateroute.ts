/** The host and the route of Envoy's that a request takes, read by code of its own. */
type Json = { readonly [name: string]: unknown }

/** What is said of a host and of the route of it that a request takes; undefined for none. @throws Error for what it doesn't know */
export function takenBy(routes: Json, host: string, path: string): { readonly host: Json; readonly route: Json } | undefined {
  const found = (routes['virtualHosts'] as readonly Json[]).find(({ domains }) =>
    (domains as readonly string[]).some((domain) => isDomain(domain, host)),
  )
  const route = found && routeOf(found, path)
  return found === undefined || route === undefined ? undefined : { host: found, route }
}

/** The route that a request takes; undefined for none. The path is compared with its query, as Envoy has it there. */
function routeOf({ matcher, routes = [] }: Json, path: string): Json | undefined {
  const isFor = ({ match }: Json): boolean => {
    const [kind, value] = only(match as Json)
    if (kind !== 'prefix') throw new Error(`a route by \`${kind}\` is not known`)
    return path.startsWith(value as string)
  }
  if (matcher === undefined) return (routes as readonly Json[]).find(isFor)
  const [tree, { input, ...map }] = only(matcher as Json) as [string, Json]
  const { '@type': type, headerName } = (input as Json)['typedConfig'] as Json
  if (tree !== 'matcherTree' || !String(type).endsWith('/envoy.type.matcher.v3.HttpRequestHeaderMatchInput') || headerName !== ':path')
    throw new Error('routes by this are not known')
  const [kind, value] = only(map)
  if (kind !== 'prefixMatchMap') throw new Error(`\`${kind}\` is not known`)
  const all = (value as Json)['map'] as Json
  const [longest] = Object.keys(all)
    .filter((prefix) => path.startsWith(prefix))
    .toSorted((one, other) => other.length - one.length)
  if (longest === undefined) return undefined
  const [what, action] = only(all[longest] as Json)
  if (what !== 'action') throw new Error(`\`${what}\` is not known`)
  const route = (action as Json)['typedConfig'] as Json
  return isFor(route) ? route : undefined
}

function isDomain(domain: string, host: string): boolean {
  const lower = host.toLowerCase()
  if (domain === '*' || domain === lower) return true
  return domain.startsWith('*.') && lower.length > domain.length - 1 && lower.endsWith(domain.slice(1))
}

/** The one member that is set. @throws Error where there is another */
export function only(value: Json): readonly [string, unknown] {
  const [entry, ...others] = Object.entries(value)
  if (entry === undefined || others.length > 0) throw new Error(`${JSON.stringify(value)} is not one thing`)
  return entry
}
