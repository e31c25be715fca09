/**
 * Roles and bindings of a cluster as policy of ours: never wider than they are, and with everything that is lost by document and field. It
 * sees what it is handed and nothing else.
 */
import type { Diagnostic } from '../../../core/errors.ts'
import { DEFAULT_PREFIX } from '../../../kubernetes/users.ts'
import { actionsOf, type Carried } from './actions.ts'
import { Findings, type Finding } from './losses.ts'
import { readManifests, type ManifestSource, type ReadBinding } from './manifests.ts'
import { filesOf, nameFrom, Names, TAKEN, type WrittenFile, type WrittenRule } from './written.ts'

export type { Finding, FindingKind } from './losses.ts'
export type { ManifestSource } from './manifests.ts'
export type { WrittenFile } from './written.ts'

export interface ImportOptions {
  /** What the cluster is called. */
  readonly resource?: string | undefined
  /** What the API server puts before groups of tokens; others are nobody's of an issuer. */
  readonly prefix?: string | undefined
}

export interface ImportedRoles {
  readonly files: readonly WrittenFile[]
  readonly findings: readonly Finding[]
  readonly counts: { readonly documents: number; readonly roles: number; readonly rules: number }
  /** Errors: then nothing was written. */
  readonly diagnostics: readonly Diagnostic[]
}

/** Actions of one rule at most. */
const MAX_ACTIONS = 1000
const SIGNED_IN = 'system:authenticated'
const NOBODY = 'system:unauthenticated'

export function importKubernetes(sources: readonly ManifestSource[], options: ImportOptions = {}): ImportedRoles {
  const { resource = 'cluster', prefix = '' } = options
  const { roles, bindings, documents, diagnostics } = readManifests(sources)
  const findings = new Findings()
  if (diagnostics.length > 0) return { files: [], findings: [], counts: { documents, roles: 0, rules: 0 }, diagnostics }
  const groups = new Groups(prefix, findings)
  const given = new Map<string, { readonly role: string; readonly who: readonly string[]; readonly namespaces: Set<string | undefined> }>()
  for (const binding of bindings) {
    // What every cluster gives by itself stays as it is.
    if (binding.isOwn) continue
    const who = groups.of(binding)
    if (roles.get(binding.role) === undefined) {
      findings.add('narrower', binding.id, 'roleRef', `${binding.role} was not handed in`)
      continue
    }
    if (who.length === 0) continue
    const key = JSON.stringify([binding.role, who])
    const same = given.get(key) ?? { role: binding.role, who, namespaces: new Set() }
    given.set(key, same)
    same.namespaces.add(binding.namespace)
  }
  const ids = new Names(TAKEN)
  const rules = [...given.values()]
    .toSorted((a, b) => (a.role < b.role ? -1 : a.role > b.role ? 1 : a.who.join() < b.who.join() ? -1 : 1))
    .flatMap(({ role: id, who, namespaces }): readonly WrittenRule[] => {
      const role = roles.get(id)!
      if (role.isAggregated) findings.add('narrower', id, 'aggregationRule', 'what is added to it later: it is taken as it was handed in')
      const carried = role.rules.flatMap((rule, index) =>
        actionsOf(rule, `rules[${index}]`, (...said) => findings.add(said[0], id, said[1], said[2])),
      )
      const actions = placed(carried, namespaces, (text) => findings.add('narrower', id, 'rules', text))
      return parts(actions).map((part) => ({ id: ids.give(nameFrom(role.rule ?? role.name)), origin: id, roles: who, actions: part }))
    })
  const files = filesOf({ resource, rules, roles: groups.roles })
  return { files, findings: findings.list(), counts: { documents, roles: groups.roles.size, rules: rules.length }, diagnostics: [] }
}

/** With where they are: everywhere, or in some namespaces, where there are no paths. */
function placed(carried: readonly Carried[], namespaces: ReadonlySet<string | undefined>, lost: (what: string) => void): readonly string[] {
  const all = [...new Set(carried.map((one) => JSON.stringify(one)))].map((one) => JSON.parse(one) as Carried)
  if (namespaces.has(undefined)) return all.map(({ text }) => text)
  const names = [...namespaces].map(String).toSorted()
  const valid = names.filter((one) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(one))
  if (valid.length < names.length) lost('a binding in what is no namespace')
  if (valid.length === 0) return []
  return all.filter(({ isPath }) => !isPath).map(({ text }) => `${text} -n ${valid.join(',')}`)
}

function parts(actions: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(actions.length / MAX_ACTIONS) }, (_, i) => actions.slice(i * MAX_ACTIONS, (i + 1) * MAX_ACTIONS))
}

/** Groups of bindings as roles of ours. */
class Groups {
  /** By their name: the group as the claim has it. */
  readonly roles = new Map<string, string>()
  readonly #names = new Names(TAKEN)
  readonly #known = new Map<string, string>()
  readonly #prefix: string
  readonly #findings: Findings

  constructor(prefix: string, findings: Findings) {
    this.#prefix = prefix
    this.#findings = findings
  }

  /** Roles that it is for, sorted. */
  of({ id, subjects }: ReadBinding): readonly string[] {
    const found = new Set<string>()
    const names = subjects.filter(({ kind }) => kind === 'Group').map(({ name }) => name)
    for (const [index, { kind, name, namespace }] of subjects.entries()) {
      const field = `subjects[${index}]`
      if (kind === 'User') this.#findings.add('per-user', id, field, `user \`${name}\`: put them into a group, and bind that`)
      else if (kind === 'ServiceAccount')
        this.#findings.add('per-user', id, field, `service account \`${namespace}/${name}\`: it is of no issuer, and stays in the cluster`)
      else if (kind === 'Group') {
        const role = this.#roleOf(name, names.includes(SIGNED_IN) && names.includes(NOBODY), id, field)
        if (role !== undefined) found.add(role)
      } else this.#findings.add('narrower', id, field, `subjects of kind \`${kind}\``)
    }
    return [...found].toSorted()
  }

  #roleOf(name: string, isEverybody: boolean, id: string, field: string): string | undefined {
    const lose = (what: string): undefined => {
      this.#findings.add('narrower', id, field, what)
    }
    if (name === SIGNED_IN || name === NOBODY) {
      if (isEverybody) return 'everyone'
      if (name === NOBODY) return lose(`\`${NOBODY}\` alone: a policy has no role for those who show nothing, but not for others`)
      lose(`\`${SIGNED_IN}\` without service accounts and certificates, which are of no issuer`)
      return 'authenticated'
    }
    if (name === 'system:masters')
      this.#findings.add('over-broad', id, field, '`system:masters` may do everything, whatever roles there are')
    if (name.startsWith('system:')) return lose(`\`${name}\` is a group of the cluster itself`)
    if (!name.startsWith(this.#prefix) || name === this.#prefix)
      return lose(`\`${name}\` does not begin with \`${this.#prefix}\`: it is of no token`)
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const value = name.slice(this.#prefix.length)
    const said = value.startsWith(DEFAULT_PREFIX) ? value.slice(DEFAULT_PREFIX.length) : value
    const role = this.#names.give(nameFrom(/^[0-9a-f]{8}-/.test(said) ? `group-${said.slice(0, 8)}` : said))
    this.#known.set(name, role)
    this.roles.set(role, value)
    return role
  }
}
