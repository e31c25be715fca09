/** A trust domain and its aliases are one: what is said of callers of one is said of those of all. */

/** What a name of the local trust domain was called before there was another, and still means. */
const LOCAL = 'cluster.local'

function endsAs(text: string, pattern: string): boolean {
  return pattern.startsWith('*') && text.endsWith(pattern.slice(1))
}

function beginsAs(text: string, pattern: string): boolean {
  return pattern.endsWith('*') && text.startsWith(pattern.slice(0, -1))
}

function isOf(domain: string, domains: readonly string[]): boolean {
  return domains.some(
    (each) =>
      each === domain || each === '*' || beginsAs(domain, each) || beginsAs(each, domain) || endsAs(domain, each) || endsAs(each, domain),
  )
}

/**
 * `domain/ns/namespace/sa/account` with each of the trust domains, if its own is one of them. What isn't of that form, and what leaves
 * the domain open, stays as it is.
 */
export function expandPrincipals(principals: readonly string[], domains: readonly string[]): readonly string[] {
  return principals.flatMap((principal) => {
    const [domain, ...rest] = principal.split('/')
    if (rest.length !== 4 || domain === '*') return [principal]
    if (domain !== LOCAL && !isOf(domain!, domains)) return [principal]
    return unique(domains.map((each) => (endsAs(each, domain!) ? principal : [each, ...rest].join('/'))))
  })
}

export function expandTrustDomains(values: readonly string[], domains: readonly string[]): readonly string[] {
  return unique(values.flatMap((value) => (domains.includes(value) ? domains : [value])))
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}
