/** What a vault asks a token for. */
export interface Challenge {
  /** `https://vault.azure.net` */
  readonly resource: string
  /** `https://login.microsoftonline.com/<tenant>`; undefined where it does not say. */
  readonly authorization: string | undefined
}

/** One parameter of a challenge, at a place. */
const PARAMETER = /\s*([a-z_]{1,40})="([^"\\]{0,1000})"\s*(,|$)/gy
/** Longest header that is looked at, in characters. */
const MAX_HEADER = 4096

/**
 * Reads the challenge of a vault (`WWW-Authenticate: Bearer authorization="…", resource="…"`). Undefined for what is none, or names a
 * parameter twice.
 */
export function readChallenge(header: string | null): Challenge | undefined {
  const parameters = header === null || header.length > MAX_HEADER ? undefined : /^Bearer\s+(.*)$/i.exec(header)?.[1]
  if (parameters === undefined) return undefined
  const read = new Map<string, string>()
  let end = 0
  for (const [whole, name = '', value = ''] of parameters.matchAll(PARAMETER)) {
    if (read.has(name)) return undefined
    read.set(name, value)
    end += whole.length
  }
  const resource = read.get('resource') ?? read.get('scope')?.replace(/\/\.default$/, '')
  if (end !== parameters.length || resource === undefined) return undefined
  return {
    resource: resource.replace(/\/$/, ''),
    authorization: (read.get('authorization') ?? read.get('authorization_uri'))?.replace(/\/$/, ''),
  }
}

/** Whether a token for this resource may be shown to `host`: only where the host is of that very service. */
export function isOwnResource(resource: string, host: string, suffix: string): boolean {
  return resource === `https://${suffix}` && host.endsWith(`.${suffix}`)
}
