/**
 * The policy as role definitions and role assignments of Azure. What Azure asks about in one word is given where the policy grants all of
 * it to the same group, and is an error where it grants a part.
 */
import { diagnostic, type Diagnostic } from '../../../core/errors.ts'
import type { Span } from '../../../core/span.ts'
import { AUTHENTICATED, EVERYONE, type Rule } from '../../../policy/model.ts'
import { NoNativeForm } from '../../../policy/native/native.ts'
import { statementsOn } from '../../../policy/statements.ts'
import type { TargetDocument, TargetInput } from '../../target.ts'
import type { Assumption } from '../assume.ts'
import { isGiven } from '../defaults.ts'
import { permissionsOf, takenApart, type Permission } from '../permissions.ts'
import type { KubernetesTarget } from '../schema.ts'
import { groupsOf } from '../subjects.ts'
import { unconditional, unsayable } from '../unsayable.ts'
import { documentsOf, type Assigned } from './documents.ts'
import { askedAlike, dataActionOf, isSentOn, isServed, textOf, type Asked } from './known.ts'

/** How many assignments Azure takes in a subscription. */
const MAX_ASSIGNMENTS = 4000
/** Of what is missing, this much is told. */
const MAX_TOLD = 6

/** What a rule grants to a group, where. */
interface Grant {
  readonly rule: Rule
  readonly span: Span
  readonly asked: Asked
}

/** By group, then by namespace (empty for the whole cluster), then by what is granted. */
type Grants = Map<string, Map<string, Map<string, Grant>>>

export interface AzurePlan {
  readonly documents: readonly TargetDocument[]
  readonly diagnostics: readonly Diagnostic[]
  readonly rules: number
  readonly guardrails: number
  readonly narrower: readonly string[]
  /** What Azure can't tell apart besides, with what each is about. */
  readonly relied: ReadonlyMap<Assumption, readonly string[]>
}

export function planAzure(input: TargetInput<KubernetesTarget>, target: string): AzurePlan {
  const { name, config, policy } = input
  const { rules } = statementsOn(policy.model, config.resource)
  const found = new Map<string, Diagnostic>()
  const refuse = (what: string, why: string, span: Span | undefined): void => {
    const one = diagnostic('target/not-azure', { target, resource: config.resource, name, what, why }, span)
    found.set(JSON.stringify([what, why]), one)
  }
  for (const { what, why, span } of unsayable(input)) refuse(what, why, span)
  const narrower = new Set<string>()
  const grants: Grants = new Map()
  for (const rule of rules) {
    try {
      unconditional(rule)
      granted(rule, input, { grants, narrower, refuse })
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      refuse(rule.id, error.message, rule.span)
    }
  }
  const { assigned, sentOn } = assignedOf(grants, config, refuse)
  if (assigned.length > MAX_ASSIGNMENTS)
    refuse(config.resource, `it would be ${assigned.length} assignments, and Azure takes ${MAX_ASSIGNMENTS} in a subscription`, undefined)
  return {
    documents: documentsOf(name, config.azure!.cluster, assigned),
    diagnostics: [...found.values()],
    rules: rules.length,
    guardrails: 0,
    narrower: [...narrower],
    relied: new Map<Assumption, readonly string[]>([
      ...(assigned.length === 0 ? [] : [['served-resources', []] as const]),
      ...(sentOn.size === 0 ? [] : [['proxied-requests', [...sentOn].toSorted()] as const]),
    ]),
  }
}

interface Into {
  readonly grants: Grants
  readonly narrower: Set<string>
  readonly refuse: (what: string, why: string, span: Span | undefined) => void
}

/** Adds what a rule grants. @throws NoNativeForm where nobody can be assigned to */
function granted(rule: Rule, { config, policy }: TargetInput<KubernetesTarget>, { grants, narrower, refuse }: Into): void {
  const { model } = policy
  const { resource } = config
  // Everybody has no group; what the cluster itself gives everybody, nobody has to be assigned.
  const named = rule.roles.filter((role) => role !== EVERYONE && role !== AUTHENTICATED)
  const groups = named.flatMap((role) => groupsOf(role, { subjects: 'object-ids', prefix: '', model, resource }))
  for (const role of named)
    if (model.roles.get(role)?.bindings.some(({ eligible }) => eligible) === true)
      narrower.add(`role \`${role}\` where it has to be activated`)
  if (groups.length === 0 && named.length > 0) narrower.add(`\`${rule.id}\`: nobody is bound to its roles here`)
  for (const { pattern, span } of rule.actions) {
    try {
      if (pattern.protocol !== 'kubernetes') throw new NoNativeForm('it is not about Kubernetes')
      const left = rule.roles.filter((role) => !isGiven(role, pattern))
      if (left.length < rule.roles.length) narrower.add(`\`${rule.id}\`: \`${pattern.text}\` is left to the roles that each cluster has`)
      const all = left.find((role) => role === EVERYONE || role === AUTHENTICATED)
      if (all !== undefined) throw new NoNativeForm(`there is no group for \`${all}\`, and roles are assigned to groups alone`)
      if (left.length === 0) continue
      const { permissions, narrower: unlisted } = permissionsOf(pattern, config)
      for (const one of unlisted)
        narrower.add(
          `\`${rule.id}\`: ${one === 'namespaces' ? 'namespaces' : 'resources'} that are not in \`${one}\` (\`${pattern.text}\`)`,
        )
      for (const permission of permissions)
        for (const asked of requestsIn(permission, pattern.text))
          for (const group of groups) {
            const there = entry(
              entry(grants, group, () => new Map()),
              permission.namespace ?? '',
              () => new Map<string, Grant>(),
            )
            entry(there, JSON.stringify(asked), () => ({ rule, span, asked }))
          }
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      refuse(rule.id, error.message, span)
    }
  }
}

function entry<K, V>(map: Map<K, V>, key: K, made: () => V): V {
  const found = map.get(key) ?? made()
  map.set(key, found)
  return found
}

/** @throws NoNativeForm for what Azure has no word for */
function requestsIn({ rule }: Permission, text: string): readonly Asked[] {
  if ('nonResourceURLs' in rule) throw new NoNativeForm(`\`${text}\` is a path, of which Azure knows GET alone and no HEAD`)
  const { apiGroups, resources, verbs, resourceNames } = rule
  if (resourceNames !== undefined) throw new NoNativeForm(`\`${text}\` is for some names, and Azure’s data actions are for every name`)
  return apiGroups.flatMap((group) =>
    resources.flatMap((one) => {
      const { resource, subresource } = takenApart(one)
      if (group === '*' || resource === '*') throw new NoNativeForm(`\`${text}\` has a \`*\`: name resource and group`)
      const all = verbs.map((verb) => ({ verb, group, resource, subresource }))
      const served = all.filter(isServed)
      if (served.length === 0) throw new NoNativeForm(`no API server serves \`${textOf(all[0]!)}\``)
      const unknown = served.find((asked) => dataActionOf(asked) === undefined)
      if (unknown !== undefined)
        throw new NoNativeForm(`Azure has no data action for \`${textOf(unknown)}\`, and custom resources are all one to it`)
      return served
    }),
  )
}

/** What each group is given where; what is only a part of what Azure would give is refused. */
function assignedOf(
  grants: Grants,
  { version }: KubernetesTarget,
  refuse: Into['refuse'],
): { readonly assigned: readonly Assigned[]; readonly sentOn: ReadonlySet<string> } {
  const assigned: Assigned[] = []
  const sentOn = new Set<string>()
  for (const [principal, scopes] of [...grants].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const everywhere = scopes.get('') ?? new Map<string, Grant>()
    const given = new Set<string>()
    for (const [namespace, here] of [...scopes].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const actions = new Set<string>()
      for (const { asked, rule, span } of here.values()) {
        const action = dataActionOf(asked)!
        if (given.has(action) || actions.has(action)) continue
        const lacking = askedAlike(asked, version).filter((one) => !here.has(JSON.stringify(one)) && !everywhere.has(JSON.stringify(one)))
        for (const one of lacking.filter(isSentOn)) sentOn.add(`\`${one.resource}/${one.subresource}\``)
        const missing = [...new Set(lacking.filter((one) => !isSentOn(one)).map(textOf))]
        if (missing.length === 0) actions.add(action)
        else refuse(rule.id, missingText(action, missing, namespace), span)
      }
      if (namespace === '') for (const one of actions) given.add(one)
      if (actions.size > 0)
        assigned.push({ principal, namespace: namespace === '' ? undefined : namespace, actions: [...actions].toSorted() })
    }
  }
  return { assigned, sentOn }
}

function missingText(action: string, missing: readonly string[], namespace: string): string {
  const more = missing.length > MAX_TOLD ? ` and ${missing.length - MAX_TOLD} more` : ''
  const told = missing
    .slice(0, MAX_TOLD)
    .map((one) => `\`${one}\``)
    .join(', ')
  const where = namespace === '' ? 'everywhere' : `in \`${namespace}\``
  return `Azure’s \`${action}\` is also ${told}${more}, which nothing grants to the same people ${where}`
}
