import { isLoopbackHost } from '../../config/fields.ts'
import { providerName, type Answers } from './answers.ts'

/** A file to write, by its path in the configuration folder. */
export interface NewFile {
  readonly path: string
  readonly text: string
}

/** The configuration that answers make: wiring, policy, and the policy’s own test. */
export function filesOf(answers: Answers): readonly NewFile[] {
  return [
    { path: 'ostiary.yaml', text: wiring(answers) },
    { path: 'policy/access.yaml', text: policy(answers) },
    { path: 'policy/access.test.yaml', text: tests(answers) },
  ]
}

function wiring(answers: Answers): string {
  const { provider, name, api, url, listen, clientId, audience, secret } = answers
  const { hostname, protocol } = new URL(url)
  const [place, where] = [secret.slice(0, secret.indexOf(':')), secret.slice(secret.indexOf(':') + 1)]
  const own =
    provider === 'entra'
      ? [
          '    kind: entra',
          ...(answers.authority === 'https://login.microsoftonline.com' ? [] : [`    authority: ${scalar(answers.authority!)}`]),
          `    tenants: [${scalar(answers.tenant!)}]`,
        ]
      : [
          '    kind: oidc',
          ...(providerName(provider) === undefined ? [] : [`    provider: ${provider}`]),
          `    issuer: ${scalar(answers.issuer!)}`,
        ]
  const claims: Readonly<Record<string, string>> = { google: '{ hd: string }', auth0: '{ permissions: list }' }
  const upstream = isLoopbackHost(new URL(api).hostname) ? `{ url: ${scalar(api)} }` : `{ url: ${scalar(api)}, hostField: upstream }`
  return lines(
    '# Who is believed, what stands behind the gateway, and where it listens. Who may do what is in policy/.',
    'apiVersion: ostiary.dev/v1',
    '',
    'issuers:',
    `  ${provider}:`,
    ...own,
    `    audiences: [${scalar(audience)}]`,
    ...(claims[provider] === undefined ? [] : [`    claims: ${claims[provider]}`]),
    '    signIn:',
    `      clientId: ${scalar(clientId)}`,
    ...(secret === 'none' ? [] : [`      clientSecret: { ${place}: ${scalar(where)} }`]),
    '',
    'resources:',
    `  ${name}:`,
    '    protocol: http',
    `    hosts: [${scalar(hostname)}]`,
    `    publicUrl: ${scalar(url)}`,
    `    upstream: ${upstream}`,
    `    signIn: ${provider}`,
    '',
    'doors:',
    '  http:',
    `    listen: [{ address: ${scalar(listen)} }]`,
    // Without it the door would see plain http, at which nobody signs in.
    ...(protocol === 'https:'
      ? [
          '    # What speaks https in front of it, on this machine; or give the listener `tls: { cert, key }` instead.',
          "    trustedProxies: ['127.0.0.1']",
        ]
      : []),
  )
}

/** How a provider tells who may write, and, where its accounts are everybody’s, who may read. */
function bindings({ provider, domain, name }: Answers): {
  readonly reader: string | undefined
  readonly writer: string | undefined
  readonly has: string
} {
  const bind = (claim: string, value: string): string => `[{ issuer: ${provider}, claim: ${claim}, any: [${scalar(value)}] }]`
  switch (provider) {
    case 'entra':
      return { reader: undefined, writer: bind('roles', 'Api.Write'), has: 'roles: [Api.Write]' }
    case 'keycloak':
      return { reader: undefined, writer: bind('roles', `${name}-writer`), has: `roles: [${name}-writer]` }
    case 'okta':
    case 'oidc':
      return { reader: undefined, writer: bind('groups', `${name}-writers`), has: `groups: [${name}-writers]` }
    case 'auth0':
      return { reader: undefined, writer: bind('permissions', `write:${name}`), has: `permissions: ['write:${name}']` }
    case 'google':
      return { reader: bind('hd', domain!), writer: undefined, has: `hd: ${scalar(domain!)}` }
  }
}

function policy(answers: Answers): string {
  const { name } = answers
  const { reader, writer } = bindings(answers)
  return lines(
    '# Who may do what. Rules only ever grant, and nothing is granted that no rule names.',
    'apiVersion: ostiary.dev/v1',
    '',
    'roles:',
    ...(reader === undefined ? [] : ['  # Anybody may have an account there: only these are let in.', `  reader: { bind: ${reader} }`]),
    ...(writer === undefined ? [] : [`  writer: { bind: ${writer} }`]),
    '  # Whoever used the link that the gateway prints on its terminal.',
    '  admin: { bind: [{ issuer: ostiary, claim: via, any: [one-time-link] }] }',
    '',
    'rules:',
    `  - { id: read, role: ${reader === undefined ? 'authenticated' : 'reader'}, resource: ${name}, actions: [GET /, 'GET /**'] }`,
    ...(writer === undefined ? [] : [`  - { id: write, role: writer, resource: ${name}, actions: ['* /', '* /**'] }`]),
    "  - { id: administer, role: admin, resource: ostiary, actions: ['* /**'] }",
    '  - { id: whoami, role: authenticated, resource: ostiary, actions: [GET /api/me, GET /api/can-i] }',
  )
}

function tests(answers: Answers): string {
  const { name, provider } = answers
  const { reader, writer, has } = bindings(answers)
  const one = (title: string, principal: string, does: string, expect: string, because?: string): readonly string[] => [
    `  - { name: ${title}, principal: ${principal}, does: ${does}, on: ${name}, expect: ${expect}${because === undefined ? '' : `, because: ${because}`} }`,
  ]
  const who = (claims?: string): string => `{ issuer: ${provider}${claims === undefined ? '' : `, claims: { ${claims} }`} }`
  return lines(
    '# Who may and may not do what, and why: run by `ostiary test`.',
    'apiVersion: ostiary.dev/v1',
    '',
    'tests:',
    ...one('nobody comes in without a sign-in', 'anonymous', 'GET /', 'deny', 'role-not-held'),
    ...(reader === undefined
      ? one('whoever is signed in reads', who(), 'GET /anything', 'allow', 'read')
      : [
          ...one('accounts of the domain read', who(has), 'GET /anything', 'allow', 'read'),
          ...one('other accounts do not', who(), 'GET /anything', 'deny', 'role-not-held'),
        ]),
    ...one('reading is all that it gives', who(reader === undefined ? undefined : has), 'POST /anything', 'deny'),
    ...(writer === undefined ? [] : one('a writer writes', who(has), 'POST /anything', 'allow', 'write')),
  )
}

function lines(...all: readonly string[]): string {
  return `${all.join('\n')}\n`
}

const WORDS = new Set(['true', 'false', 'null', '~', ''])

/** Text in YAML: as it is where that can’t be read as anything else. */
function scalar(text: string): string {
  const plain =
    /^[A-Za-z0-9/.][A-Za-z0-9_./:@-]*$/.test(text) && !text.endsWith(':') && Number.isNaN(Number(text)) && !WORDS.has(text.toLowerCase())
  return plain ? text : JSON.stringify(text)
}
