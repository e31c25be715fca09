/** `spec` of an AuthorizationPolicy, with what Istio's own validation refuses of it. */
import { attachmentOf, attachmentShapes } from './readattachment.ts'
import { isAddressOrNetwork } from './networks.ts'
import { fields, invalid, list, needed, oneOf, some, text, type Path, type Shape } from './shapes.ts'
import { keyOf } from './keys.ts'
import { isTemplate } from './matchers.ts'
import type { AuthorizationPolicy, Condition, Operation, Rule, Source } from './types.ts'

const MAX_RULES = 512
const MAX_ACCOUNTS = 16
const MAX_TEMPLATE = 256

const values = some(text())
const networks = some(text((value) => (isAddressOrNetwork(value) ? undefined : 'it is no address and no network')))
const ports = some(text((value) => (isPort(value) ? undefined : 'it is no port')))
const accounts = some(
  text((value) =>
    /^(?:[^/*]+\/)?[^/*]+$/.test(value) ? undefined : 'it is no service account: write `name` or `namespace/name`, without a wildcard',
  ),
  MAX_ACCOUNTS,
)
const paths = some(text(problemOfPath))

/** As Istio has it: digits alone, up to 65535. */
export function isPort(value: string): boolean {
  return /^[0-9]+$/.test(value) && Number(value) <= 65_535
}

/** A template that Envoy wouldn't take makes it keep what it had before, of everything. */
function problemOfPath(value: string): string | undefined {
  if (!isTemplate(value)) return undefined
  const rest = value.replaceAll('{**}', '').replaceAll('{*}', '')
  if (/[*{}]/.test(rest)) return 'a template has `{*}` and `{**}` and no other wildcard or brace'
  if (!value.startsWith('/') || value.includes('//') || !/^[a-zA-Z0-9\-._~%!$&'()+,;:@=/]*$/.test(rest))
    return 'a template begins with a slash, has no two of them together, and no sign that a path has not'
  if (/\{\*\*\}.*\{|\}\{/.test(value)) return 'in a template `{**}` is the last wildcard, and no two stand together'
  return value.length > MAX_TEMPLATE ? `a template has ${MAX_TEMPLATE} signs at the most` : undefined
}

const sourceShape = fields({
  principals: values,
  notPrincipals: values,
  requestPrincipals: values,
  notRequestPrincipals: values,
  namespaces: values,
  notNamespaces: values,
  serviceAccounts: accounts,
  notServiceAccounts: accounts,
  trustDomains: values,
  notTrustDomains: values,
  ipBlocks: networks,
  notIpBlocks: networks,
  remoteIpBlocks: networks,
  notRemoteIpBlocks: networks,
})
const operationShape = fields({
  hosts: values,
  notHosts: values,
  ports,
  notPorts: ports,
  methods: values,
  notMethods: values,
  paths,
  notPaths: paths,
})
const conditionShape = fields({ key: text(), values, notValues: values })

/** A mapping with something in it: an empty one is what a mistyped indentation leaves. */
function filled<T extends object>(of: Shape<T>): Shape<{ readonly [K in keyof T]: NonNullable<T[K]> }> {
  return (value, path) => {
    const read = of(value, path)
    if (Object.values(read).every((each) => each === undefined)) throw invalid('it is empty', path)
    return Object.fromEntries(Object.entries(read).map(([key, each]) => [key, each ?? []])) as { [K in keyof T]: NonNullable<T[K]> }
  }
}

const source: Shape<Source> = (value, path) => {
  const read = filled(sourceShape)(value, path)
  const byAccount = read.serviceAccounts.length > 0 || read.notServiceAccounts.length > 0
  const others = [read.principals, read.notPrincipals, read.namespaces, read.notNamespaces]
  if (byAccount && others.some(({ length }) => length > 0))
    throw invalid('`serviceAccounts` can not stand with `principals` or `namespaces`', path)
  return read
}

const wrappedSource: Shape<Source> = (value, path) => needed(fields({ source })(value, path).source, 'source', path)
const wrappedOperation: Shape<Operation> = (value, path) =>
  needed(fields({ operation: filled(operationShape) })(value, path).operation, 'operation', path)

const condition: Shape<Condition> = (value, path) => {
  const read = conditionShape(value, path)
  const key = needed(read.key, 'key', path)
  if (read.values === undefined && read.notValues === undefined) throw invalid('it needs `values` or `notValues`', path)
  const all = [...(read.values ?? []), ...(read.notValues ?? [])]
  const known = keyOf(key)
  if (known === undefined) throw invalid(`\`${key}\` is no key of a condition`, [...path, 'key'])
  if (known.values === 'networks' && !all.every(isAddressOrNetwork)) throw invalid('a value is no address and no network', path)
  if (known.values === 'ports' && !all.every(isPort)) throw invalid('a value is no port', path)
  return { key, values: read.values ?? [], notValues: read.notValues ?? [] }
}

const ruleShape = fields({ from: some(wrappedSource, MAX_RULES), to: some(wrappedOperation, MAX_RULES), when: some(condition, MAX_RULES) })
const rule: Shape<Rule> = (value, path) => {
  const { from = [], to = [], when = [] } = ruleShape(value, path)
  return { from, to, when }
}

const specShape = fields({
  ...attachmentShapes,
  action: oneOf('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
  provider: fields({ name: text() }),
  rules: list(rule, MAX_RULES),
})

export function authorizationSpec(value: unknown, path: Path): Omit<AuthorizationPolicy, 'kind' | 'metadata'> {
  const read = specShape(value, path)
  const action = read.action ?? 'ALLOW'
  const rules = read.rules ?? []
  if (action !== 'CUSTOM' && read.provider !== undefined) throw invalid('it belongs to `action: CUSTOM` alone', [...path, 'provider'])
  const provider = action === 'CUSTOM' ? needed(needed(read.provider, 'provider', path).name, 'name', [...path, 'provider']) : undefined
  if (action === 'CUSTOM') for (const [index, each] of rules.entries()) refuseUnverified(each, [...path, 'rules', index])
  return { ...attachmentOf(read, path), action, provider, rules }
}

/** An external authorization is asked before anything is verified, so what a rule of it says of verified callers is never so. */
function refuseUnverified({ from, when }: Rule, path: Path): void {
  const fieldsOf = ['Namespaces', 'Principals', 'ServiceAccounts', 'TrustDomains', 'RequestPrincipals']
  for (const [index, each] of from.entries())
    for (const [key, all] of Object.entries(each))
      if (all.length > 0 && fieldsOf.some((name) => key.toLowerCase().replace(/^not/, '') === name.toLowerCase()))
        throw invalid('an external authorization is asked before callers are verified', [...path, 'from', index, 'source', key])
  for (const [index, { key }] of when.entries())
    if (/^(?:source\.(?!ip$)|request\.auth\.)/.test(key))
      throw invalid('an external authorization is asked before callers are verified', [...path, 'when', index, 'key'])
}
