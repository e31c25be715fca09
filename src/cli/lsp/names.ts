/** Where names stand in the files of a configuration: one table, for looking them up and for completing them. */
import type { Located } from '../../config/document.ts'
import type { Span } from '../../core/span.ts'
import type { FileKind } from './folder.ts'

export type NameKind =
  | 'role'
  | 'statement'
  | 'resource'
  | 'issuer'
  | 'claim'
  | 'label'
  | 'label-value'
  | 'protocol-action'
  | 'test-action'
  | 'condition'
  | 'team'

export interface NamePlace {
  readonly kind: NameKind
  readonly declares: boolean
}

export type Step = string | number
export type Path = readonly Step[]

/** A name where it stands. */
export interface Name extends NamePlace {
  readonly text: string
  readonly span: Span
  readonly path: Path
}

/** `*` is any key, `#` any place in a list, `**` any number of steps. A `=` at the end says that the key itself is the name. */
const BINDINGS = (at: string): Readonly<Record<string, NameKind>> => ({ [`${at}.#.issuer`]: 'issuer', [`${at}.#.claim`]: 'claim' })
const RESOURCES = (at: string): Readonly<Record<string, NameKind>> => ({
  [at]: 'resource',
  [`${at}.#`]: 'resource',
  [`${at}.labels.*=`]: 'label',
  [`${at}.labels.*`]: 'label-value',
})
const STEP_UP: Readonly<Record<string, NameKind>> = { 'issuers.*.stepUp.**.claim': 'claim' }
const WIRING: Readonly<Record<string, NameKind>> = {
  ...STEP_UP,
  'resources.*.issuers.#': 'issuer',
  'resources.*.signIn': 'issuer',
  'resources.*.scopes.*.#': 'protocol-action',
  'resources.*.labels.*=': 'label',
  'resources.*.labels.*': 'label-value',
}
const WIRING_DECLARES: Readonly<Record<string, NameKind>> = {
  'issuers.*=': 'issuer',
  'resources.*=': 'resource',
  'issuers.*.claims.*=': 'claim',
}
const PARTY = (at: string): Readonly<Record<string, NameKind>> => ({
  [`${at}.issuer`]: 'issuer',
  [`${at}.claims.*=`]: 'claim',
  [`${at}.unknown.#`]: 'claim',
})
const CASE = (at: string): Readonly<Record<string, NameKind>> => ({
  [`${at}.does`]: 'test-action',
  [`${at}.on`]: 'resource',
  [`${at}.because`]: 'statement',
  [`${at}.approved.#`]: 'statement',
  [`${at}.active.#`]: 'role',
  ...PARTY(`${at}.principal`),
  ...PARTY(`${at}.principal.**.actor`),
  ...PARTY(`${at}.peer`),
  ...PARTY(`${at}.peer.**.actor`),
})

const USES: Readonly<Record<FileKind, Readonly<Record<string, NameKind>>>> = {
  wiring: WIRING,
  environment: { ...WIRING, 'bindings.*=': 'role', ...BINDINGS('bindings.*') },
  policy: {
    'roles.*.includes.#': 'role',
    ...BINDINGS('roles.*.bind'),
    ...BINDINGS('roles.*.eligible'),
    'rules.#.role': 'role',
    'rules.#.role.#': 'role',
    'rules.#.peer': 'role',
    'rules.#.peer.#': 'role',
    ...RESOURCES('rules.#.resource'),
    'rules.#.actions.#': 'protocol-action',
    'rules.#.when': 'condition',
    'guardrails.#.for.#': 'role',
    'guardrails.#.allBut.#': 'role',
    'guardrails.#.require.approval.from.#': 'role',
    ...RESOURCES('guardrails.#.resource'),
    'guardrails.#.deny.#': 'protocol-action',
    'guardrails.#.actions.#': 'protocol-action',
    'guardrails.#.when': 'condition',
    ...RESOURCES('teams.*.owns.#'),
  },
  test: { ...CASE('tests.#'), ...CASE('tests.#.cases.#') },
}
const DECLARES: Readonly<Record<FileKind, Readonly<Record<string, NameKind>>>> = {
  wiring: WIRING_DECLARES,
  environment: WIRING_DECLARES,
  policy: { 'roles.*=': 'role', 'rules.#.id': 'statement', 'guardrails.#.id': 'statement', 'teams.*=': 'team' },
  test: {},
}

interface Branch {
  readonly next: Map<string, Branch>
  value: NamePlace | undefined
  key: NamePlace | undefined
}

const branch = (): Branch => ({ next: new Map(), value: undefined, key: undefined })

function treeOf(kind: FileKind): Branch {
  const root = branch()
  for (const [table, declares] of [
    [USES[kind], false],
    [DECLARES[kind], true],
  ] as const)
    for (const [pattern, name] of Object.entries(table)) {
      let at = root
      for (const step of pattern.replace('=', '').split('.')) {
        const next = at.next.get(step) ?? branch()
        at.next.set(step, next)
        at = next
      }
      at[pattern.endsWith('=') ? 'key' : 'value'] = { kind: name, declares }
    }
  return root
}

const TREES: Readonly<Record<FileKind, Branch>> = {
  wiring: treeOf('wiring'),
  environment: treeOf('environment'),
  policy: treeOf('policy'),
  test: treeOf('test'),
}

/** Branches that a step leads to. `**` leads nowhere as well as on. */
function follow(branches: readonly Branch[], step: Step): readonly Branch[] {
  const found: Branch[] = []
  const visit = (one: Branch): void => {
    const exact = one.next.get(String(step))
    const any = one.next.get(typeof step === 'number' ? '#' : '*')
    const deep = one.next.get('**')
    if (exact !== undefined) found.push(exact)
    if (any !== undefined && any !== exact) found.push(any)
    if (deep === undefined) return
    found.push({ ...branch(), next: new Map([['**', deep]]) })
    visit(deep)
  }
  for (const one of branches) visit(one)
  return found
}

/** What kind of name stands at a place; undefined for none. */
export function namePlaceAt(kind: FileKind, path: Path, at: 'key' | 'value'): NamePlace | undefined {
  let branches: readonly Branch[] = [TREES[kind]]
  for (const step of path) branches = follow(branches, step)
  return branches.map((one) => one[at]).find((one) => one !== undefined)
}

/** Every name of a file, in the order of their places. */
export function namesIn(kind: FileKind, root: Located): readonly Name[] {
  const names: Name[] = []
  const visit = (node: Located, branches: readonly Branch[], path: Path): void => {
    if (node.kind === 'scalar') {
      const place = branches.map(({ value }) => value).find((one) => one !== undefined)
      if (place !== undefined && typeof node.value === 'string') names.push({ ...place, text: node.value, span: node.span, path })
      return
    }
    const children =
      node.kind === 'list'
        ? node.items.map((item, i) => [i, item, undefined] as const)
        : [...node.entries].map(([key, { node: item, keySpan }]) => [key, item, { text: key, span: keySpan }] as const)
    for (const [step, item, written] of children) {
      const next = follow(branches, step)
      if (next.length === 0) continue
      const here = [...path, step]
      const place = next.map(({ key }) => key).find((one) => one !== undefined)
      if (place !== undefined && written !== undefined) names.push({ ...place, ...written, path: here })
      visit(item, next, here)
    }
  }
  visit(root, [TREES[kind]], [])
  return names
}
