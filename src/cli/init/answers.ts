import { isLoopbackHost } from '../../config/fields.ts'
import { OstiaryError } from '../../core/errors.ts'
import { issuerProblem, type ProviderName } from '../../identity/oidc/providers.ts'
import { flags, initProviders, type InitProvider, type Key } from './flags.ts'

/** All that a first configuration is made of. */
export interface Answers {
  readonly provider: InitProvider
  /** Of Entra ID. */
  readonly tenant: string | undefined
  readonly authority: string | undefined
  /** `iss` of every other provider. */
  readonly issuer: string | undefined
  /** Of Google: whose accounts may read. */
  readonly domain: string | undefined
  /** Name of the resource. */
  readonly name: string
  /** Where the API is. */
  readonly api: string
  /** Where people reach it. */
  readonly url: string
  /** Address of the listener. */
  readonly listen: string
  readonly clientId: string
  readonly audience: string
  /** Where the client secret is: `env:NAME`, `file:PATH`, or `none` for a public client. */
  readonly secret: string
}

export type Given = Partial<Record<Key, string | undefined>>

/** One thing to know: when it matters, what it is otherwise, and what is wrong with an answer. */
export interface Question {
  readonly key: Key
  readonly matters: (provider: InitProvider) => boolean
  readonly otherwise: (given: Given) => string | undefined
  readonly problem: (text: string, given: Given) => string | undefined
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const always = (): boolean => true
const nothing = (): undefined => undefined
/** What can stand in a file, a command and a page alike. */
const word = (text: string): string | undefined =>
  /^[\x21-\x7e]{1,256}$/.test(text) && !/['"`\\$]/.test(text) ? undefined : 'write it without spaces and quotes'

/** An origin: http or https without path. */
function originProblem(text: string, httpsOnly: boolean): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.origin !== text.replace(/\/$/, ''))
    return 'write a URL without path, such as `http://127.0.0.1:3000`'
  if (httpsOnly && url.protocol === 'http:' && !isLoopbackHost(url.hostname)) return 'write https: plain http is for `localhost` only'
  return undefined
}

function secureProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const good = url !== undefined && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (good && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname)))) return word(text)
  return 'write an https URL (plain http is for `localhost` only)'
}

/** In the order in which they are asked. Those from `clientId` on follow the registration. */
export const questions: readonly Question[] = [
  {
    key: 'provider',
    matters: always,
    otherwise: nothing,
    problem: (text) => (isProvider(text) ? undefined : `write one of ${initProviders.join(', ')}`),
  },
  {
    key: 'tenant',
    matters: (provider) => provider === 'entra',
    otherwise: nothing,
    problem: (text) => (GUID.test(text) ? undefined : 'write the tenant id, a GUID: domain names are not exact'),
  },
  {
    key: 'authority',
    matters: (provider) => provider === 'entra',
    otherwise: () => 'https://login.microsoftonline.com',
    problem: secureProblem,
  },
  {
    key: 'issuer',
    matters: (provider) => provider !== 'entra',
    otherwise: ({ provider }) => (provider === 'google' ? 'https://accounts.google.com' : undefined),
    problem: (text, { provider }) => secureProblem(text) ?? issuerProblem(providerName(provider), text),
  },
  {
    key: 'domain',
    matters: (provider) => provider === 'google',
    otherwise: nothing,
    problem: (text) => (/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(text) ? undefined : 'write a domain such as `example.com`'),
  },
  {
    key: 'api',
    matters: always,
    otherwise: nothing,
    problem: (text) => originProblem(text, false),
  },
  {
    key: 'url',
    matters: always,
    otherwise: () => 'http://localhost:8080',
    problem: (text) => originProblem(text, true),
  },
  {
    key: 'name',
    matters: always,
    otherwise: () => 'api',
    problem: (text) =>
      /^[a-z][a-z0-9-]{0,62}$/.test(text) && text !== 'ostiary' ? undefined : 'write small letters, digits and `-`, and not `ostiary`',
  },
  {
    key: 'listen',
    matters: always,
    otherwise: ({ url = '' }) => `127.0.0.1:${new URL(url).protocol === 'http:' ? new URL(url).port || '80' : '8080'}`,
    problem: (text) =>
      /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/.test(text) ? undefined : 'write an address such as `127.0.0.1:8080`',
  },
  {
    key: 'clientId',
    matters: always,
    otherwise: nothing,
    problem: (text, { provider }) => (provider === 'entra' && !GUID.test(text) ? 'write the application (client) id, a GUID' : word(text)),
  },
  {
    key: 'audience',
    matters: always,
    otherwise: defaultAudience,
    problem: word,
  },
  {
    key: 'secret',
    matters: always,
    otherwise: () => 'env:OSTIARY_CLIENT_SECRET',
    problem: (text) =>
      text === 'none' || /^(env:[A-Za-z_]\w*|file:[\w./-]+)$/.test(text) ? undefined : 'write `env:NAME`, `file:PATH` or `none`',
  },
]

/** Entra ID and Google name the client, Okta’s default server has its own word, and elsewhere it is for the operator to choose. */
function defaultAudience({ provider, issuer, clientId, name }: Given): string | undefined {
  if (provider === 'entra' || provider === 'google') return clientId
  if (provider === 'okta' && issuer?.endsWith('/oauth2/default') === true) return 'api://default'
  return `https://${name ?? 'api'}.example`
}

export function isProvider(text: string): text is InitProvider {
  return (initProviders as readonly string[]).includes(text)
}

/** The name under which the gateway knows its ways, where it has one. */
export function providerName(provider: string | undefined): ProviderName | undefined {
  return provider === 'okta' || provider === 'keycloak' || provider === 'auth0' || provider === 'google' ? provider : undefined
}

/**
 * What was given, with what follows from it. `until` leaves out what comes after that question.
 * @throws OstiaryError `cli/usage` for an answer that will not do, and for those that are missing
 */
export function completed(given: Given, complete: true): Answers
export function completed(given: Given, complete: false): Given
export function completed(given: Given, complete: boolean): Given {
  const answers: Record<string, string | undefined> = {}
  const missing: string[] = []
  for (const { key, matters, otherwise, problem } of questions) {
    const [flag] = flags[key]
    const provider = answers['provider']
    if (provider !== undefined && isProvider(provider) && !matters(provider)) {
      if (given[key] !== undefined) throw usage(`\`${flag}\` is not for ${provider}`)
      continue
    }
    const text = (given[key] ?? otherwise(answers))?.trim()
    if (text === undefined) {
      // It follows from the client id then.
      if (key === 'audience' && answers['clientId'] === undefined) continue
      if (matters === always || provider !== undefined) missing.push(flag)
      continue
    }
    const wrong = problem(text, answers)
    if (wrong !== undefined) throw usage(`\`${flag.split(' ')[0]!}\`: ${wrong}`)
    answers[key] =
      key === 'api' || key === 'url' ? new URL(text).origin : key === 'tenant' || key === 'authority' ? text.replace(/\/+$/, '') : text
  }
  if (complete && missing.length > 0) throw usage(`missing: ${missing.map((one) => `\`${one}\``).join(', ')}`)
  return answers
}

function usage(problem: string): OstiaryError {
  return new OstiaryError('cli/usage', { problem, command: 'init' })
}
