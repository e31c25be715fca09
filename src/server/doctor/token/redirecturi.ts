import { quoted } from './decoded.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { ErrorContext } from './errors.ts'

/** A redirect URI that was not taken: what was sent, next to what this configuration sends. */
export function redirectDiagnosis({ error, issuer, redirects }: ErrorContext): Diagnosis {
  const own = redirects.map(({ uri }) => uri)
  const sent = sentIn(error.text)
  const told = {
    cause: 'the redirect URI of the sign-in is not registered for this client',
    found: sent === undefined ? 'not in the text that was given' : `sent: ${quoted(sent)}`,
    wanted:
      own.length === 0
        ? 'no resource of this configuration signs in with this issuer'
        : `registered, byte for byte: ${own.map((uri) => `\`${uri}\``).join(', ')}`,
  }
  const client = issuer?.config.signIn?.clientId
  const at = client === undefined ? 'the registration of the client' : `the registration of \`${client}\``
  if (sent === undefined || own.includes(sent)) {
    const problem = redirects.find(({ uri }) => uri === sent)?.problem
    if (problem !== undefined) return { ...told, cause: `${told.cause}, and can not be`, where: 'wiring', change: problem.help }
    return {
      ...told,
      where: 'registration',
      change: `add ${own.length === 1 ? 'it' : 'each of them'} to ${at}, under "Authentication", platform "Web"`,
    }
  }
  const near = own.map((uri) => ({ uri, differs: difference(sent, uri) })).find(({ differs }) => differs !== undefined)
  if (near !== undefined)
    return {
      ...told,
      cause: `${told.cause}: it differs from \`${near.uri}\` by ${near.differs}`,
      where: 'registration',
      change: `register what was sent in ${at}; where it is this gateway that sends it, \`publicUrl\` of the resource decides what is sent`,
    }
  return {
    ...told,
    cause: `${told.cause}, and this configuration does not send it`,
    where: 'client',
    change: 'it was another program, or a gateway with another configuration: register it with that one’s client',
  }
}

/** The redirect URI that a provider quotes, or that a request has. */
function sentIn(text: string): string | undefined {
  const quotedUri =
    /redirect[_ ]ur[il][^'"`\w]{0,40}(?:specified in the request)?[^'"`]{0,40}['"`]?(https?:\/\/[\x21\x23-\x26\x28-\x5f\x61-\x7e]{1,256})/i.exec(
      text,
    )?.[1]
  const inQuery = /[?&]redirect_uri=(https?(?::|%3A)[^&\s]{1,300})/i.exec(text)?.[1]
  const uri = inQuery === undefined ? quotedUri : decode(inQuery)
  return uri?.replace(/[.,;)]+$/, '')
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** In what two URIs differ that are nearly the same; undefined where they are not. */
function difference(sent: string, own: string): string | undefined {
  if (sent.toLowerCase() === own.toLowerCase()) return 'upper and lower case'
  if (sent.replace(/\/$/, '') === own.replace(/\/$/, '')) return 'the slash at the end'
  if (!URL.canParse(sent) || !URL.canParse(own)) return undefined
  const [a, b] = [new URL(sent), new URL(own)]
  if (a.pathname !== b.pathname) return a.host === b.host ? 'its path' : undefined
  if (a.hostname === b.hostname && a.protocol !== b.protocol) return 'its scheme'
  if (a.hostname === b.hostname) return 'its port'
  return a.protocol === b.protocol ? 'its host' : undefined
}
