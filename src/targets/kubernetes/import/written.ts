/** What was imported, as files that read as if somebody had written them. */
import { stringify } from 'yaml'

export interface WrittenFile {
  readonly path: string
  readonly text: string
}

export interface WrittenRule {
  readonly id: string
  /** `ClusterRole view` */
  readonly origin: string
  readonly roles: readonly string[]
  readonly actions: readonly string[]
}

interface Whole {
  readonly resource: string
  readonly rules: readonly WrittenRule[]
  /** Names with the group that each is bound to. */
  readonly roles: ReadonlyMap<string, string>
}

export function filesOf({ resource, rules, roles }: Whole): readonly WrittenFile[] {
  const wiring = `# Read from roles and bindings of a cluster. Whose tokens have the groups, nothing there says: write your issuer in place of this one.
apiVersion: ostiary.dev/v1
name: ${resource}
dataDir: data

issuers:
  people:
    kind: oidc
    issuer: https://id.example.com
    audiences: [https://kubernetes.example.com]
    claims: { groups: list }
    stepUp: never

resources:
  ${resource}:
    protocol: kubernetes

doors: {}
`
  const policy = [
    'apiVersion: ostiary.dev/v1',
    'roles:',
    ...[...roles].map(([name, value]) => boundTo(name, value)),
    '  # Whoever administers the gateway: write a group of yours.',
    boundTo(ADMIN, 'gateway-admins'),
    '',
    'rules:',
    ...rules.map((rule) => ruleOf(rule, resource)),
    `  - { id: ${ADMINISTER}, role: ${ADMIN}, resource: ostiary, actions: ['* /**'] }`,
    '',
  ]
  return [
    { path: 'ostiary.yaml', text: wiring },
    { path: `policy/${resource}.yaml`, text: policy.join('\n') },
  ]
}

const ADMIN = 'gateway-admin'
const ADMINISTER = 'administer'
/** Names that are not given to anything else. */
export const TAKEN: readonly string[] = [ADMIN, ADMINISTER, 'everyone', 'authenticated']

function boundTo(role: string, group: string): string {
  return `  ${role}: { bind: [{ issuer: people, claim: groups, any: [${scalar(group)}] }] }`
}

function ruleOf({ id, origin, roles, actions }: WrittenRule, resource: string): string {
  const role = roles.length === 1 ? roles[0]! : `[${roles.join(', ')}]`
  return [
    `  # ${origin.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?')}`,
    `  - id: ${id}`,
    `    role: ${role}`,
    `    resource: ${resource}`,
    '    actions:',
    ...actions.map((one) => `      - ${scalar(one)}`),
  ].join('\n')
}

/** A text that may stand anywhere. */
function scalar(text: string): string {
  return stringify([text], { lineWidth: 0, collectionStyle: 'flow', flowCollectionPadding: false, singleQuote: true, version: '1.1' })
    .trim()
    .slice(1, -1)
}

/** A name of ours out of whatever a cluster calls it. */
export function nameFrom(text: string): string {
  const name = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 50)
    .replace(/-+$/, '')
  return name === '' ? 'unnamed' : name
}

/** Names that are given once. */
export class Names {
  readonly #taken: Set<string>

  constructor(taken: readonly string[]) {
    this.#taken = new Set(taken)
  }

  /** The wish, or with a number. */
  give(wish: string): string {
    let name = wish
    for (let i = 2; this.#taken.has(name); i++) name = `${wish}-${i}`
    this.#taken.add(name)
    return name
  }
}
