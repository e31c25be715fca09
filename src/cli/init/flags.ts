/** What `ostiary init` can be told as options. Nothing is imported here: every start of the command line reads it. */
export const initProviders = ['entra', 'okta', 'keycloak', 'auth0', 'google', 'oidc'] as const
export type InitProvider = (typeof initProviders)[number]

/** How each answer is given as an option, and what is asked for it. */
export const flags = {
  provider: ['--provider <name>', `Who signs people in (${initProviders.join(', ')})`],
  tenant: ['--tenant <id>', 'Id of the tenant of Entra ID ("Directory (tenant) ID")'],
  authority: ['--authority <url>', 'Cloud of the tenant'],
  issuer: ['--issuer <url>', 'Issuer (`iss` of its tokens, as its metadata says it)'],
  domain: ['--domain <name>', 'Domain of Google Workspace whose accounts may come in'],
  api: ['--api <url>', 'URL of the API'],
  url: ['--url <url>', 'URL under which people reach it through the gateway'],
  name: ['--name <name>', 'Name of the API in the policy'],
  listen: ['--listen <address>', 'Address to listen on'],
  clientId: ['--client-id <id>', 'Client id of the registration'],
  audience: ['--audience <value>', 'Audience that access tokens for the API have'],
  secret: ['--secret <place>', 'Where the client secret is (env:NAME, file:PATH, or none)'],
} as const satisfies Readonly<Record<string, readonly [flag: string, asks: string]>>

export type Key = keyof typeof flags
