import { spanOf, type Located } from '../../config/document.ts'
import type { Wiring } from '../../config/schema.ts'
import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import { instantOf } from '../names.ts'
import { confusion, shownHost } from './confusable.ts'
import { WARNING } from './statements.ts'

/** Audiences that tokens for many others carry, and what each is. */
const SHARED: ReadonlyMap<string, string> = new Map([
  ['00000003-0000-0000-c000-000000000000', 'Microsoft Graph'],
  ['https://graph.microsoft.com', 'Microsoft Graph'],
  ['https://graph.microsoft.us', 'Microsoft Graph'],
  ['00000002-0000-0000-c000-000000000000', 'Azure AD Graph'],
  ['https://graph.windows.net', 'Azure AD Graph'],
  ['797f4846-ba00-4fd7-ba43-dac1f8f63013', 'Azure Resource Manager'],
  ['https://management.azure.com', 'Azure Resource Manager'],
  ['https://management.core.windows.net', 'Azure Resource Manager'],
  ['https://vault.azure.net', 'Azure Key Vault'],
  ['https://storage.azure.com', 'Azure Storage'],
  ['https://database.windows.net', 'Azure SQL'],
  ['api://azureadtokenexchange', 'the token exchange of Microsoft Entra ID'],
  ['sts.amazonaws.com', 'AWS STS'],
  ['kubernetes', 'every Kubernetes cluster'],
  ['https://kubernetes.default.svc', 'every Kubernetes cluster'],
  ['https://kubernetes.default.svc.cluster.local', 'every Kubernetes cluster'],
  ['account', 'every client of a Keycloak realm'],
])

type CheckedWiring = Pick<Wiring, 'issuers' | 'resources'>
type At = (path: readonly PropertyKey[], want?: 'value' | 'key') => Diagnostic['span']

/** What is allowed in `ostiary.yaml` and its environment but probably not meant. */
export function checkWiring(wiring: CheckedWiring, root: Located | undefined, now: number): readonly Diagnostic[] {
  const at: At = (path, want) => (root === undefined ? undefined : spanOf(root, path, want))
  return [...audiences(wiring, at), ...resources(wiring, at, now)]
}

function* audiences({ issuers, resources: all }: CheckedWiring, at: At): Generator<Diagnostic> {
  const byHost = new Map<string, string>()
  for (const [name, one] of Object.entries(all)) for (const host of hostsOf(one)) byHost.set(host, name)
  for (const [issuer, { audiences: accepted }] of Object.entries(issuers)) {
    const meant = new Map<string, string>()
    for (const [i, audience] of (accepted ?? []).entries()) {
      const span = at(['issuers', issuer, 'audiences', i])
      const whose = SHARED.get(audience.toLowerCase().replace(/\/+$/, ''))
      if (whose !== undefined) yield diagnostic('policy/audience-shared', { issuer, audience, whose }, span, WARNING)
      if (audience.includes('*')) yield diagnostic('policy/audience-pattern', { issuer, audience }, span, WARNING)
      const resource = URL.canParse(audience) ? byHost.get(new URL(audience).host) : undefined
      // Where scopes cap what delegated tokens may do, each API has its own.
      if (resource === undefined || all[resource]?.scopes !== undefined || all[resource]?.issuers?.includes(issuer) === false) continue
      const [other] = [...meant.keys()].filter((one) => one !== resource)
      if (other !== undefined && !meant.has(resource))
        yield diagnostic('policy/audience-several', { issuer, audience, resource, other, first: meant.get(other)! }, span, WARNING)
      meant.set(resource, audience)
    }
  }
}

function* resources({ resources: all }: CheckedWiring, at: At, now: number): Generator<Diagnostic> {
  for (const [name, one] of Object.entries(all)) {
    const where = `resource \`${name}\``
    for (const [i, host] of hostsOf(one).entries()) {
      const shown = shownHost(host)
      const problem = confusion(shown)
      if (problem !== undefined)
        yield diagnostic('policy/confusable', { text: shown, problem, where }, at(['resources', name, 'hosts', i]), WARNING)
    }
    for (const [label, value] of Object.entries(one.labels ?? {})) {
      const [text = ''] = [label, value].filter((part) => confusion(part) !== undefined)
      const problem = confusion(text)
      if (problem !== undefined)
        yield diagnostic('policy/confusable', { text, problem, where }, at(['resources', name, 'labels', label]), WARNING)
    }
    const until = one.observe === undefined ? undefined : instantOf(one.observe.until)
    if (until !== undefined && until <= now)
      yield diagnostic(
        'policy/observe-over',
        { what: where, until: new Date(until).toISOString() },
        at(['resources', name, 'observe']),
        WARNING,
      )
  }
}

/** Only some protocols have hosts. */
function hostsOf(resource: object): readonly string[] {
  const { hosts } = resource as { readonly hosts?: unknown }
  return Array.isArray(hosts) ? hosts.filter((one): one is string => typeof one === 'string') : []
}
