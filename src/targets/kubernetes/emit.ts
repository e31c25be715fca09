/**
 * The policy as role-based access control of a cluster: roles and bindings that grant exactly what the rules grant, to groups. It knows no
 * denial, no condition and no pattern of names: what has one is an error, and the door or its webhook decides instead.
 */
import type { Span } from '../../core/span.ts'
import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import type { Model, Rule } from '../../policy/model.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { statementsOn } from '../../policy/statements.ts'
import type { Residue, TargetDocument, TargetInput, TargetResult } from '../target.ts'
import { ASSUMPTIONS, type Assumption } from './assume.ts'
import { planAzure } from './azure/emit.ts'
import { notGranted } from './defaults.ts'
import { authenticationOf } from './authentication.ts'
import { authorizationOf } from './authorization.ts'
import { Documents, groupSubject } from './documents.ts'
import { permissionsOf, type Permission } from './permissions.ts'
import { prefixOf, type KubernetesTarget } from './schema.ts'
import { groupsOf } from './subjects.ts'
import { unconditional, unsayable } from './unsayable.ts'

interface Planned {
  readonly documents: readonly TargetDocument[]
  readonly diagnostics: readonly Diagnostic[]
  readonly rules: number
  readonly guardrails: number
  readonly narrower: readonly string[]
  readonly relied: Relied
}

/** With what each is about. */
type Relied = ReadonlyMap<Assumption, readonly string[]>

export function compileKubernetes(input: TargetInput<KubernetesTarget>): TargetResult {
  const { name, config, policy } = input
  const { resource } = config
  const target = `Kubernetes \`${name}\``
  if (policy.model.world.resources[resource]?.protocol !== 'kubernetes')
    return {
      documents: [],
      diagnostics: [diagnostic('target/no-cluster', { target, resource }, undefined)],
      resources: [],
      residues: [],
    }
  const prefix = prefixOf(config, input.wiring)
  const delegated = config.authorization !== undefined
  const planned = delegated
    ? planAsked(input, target, prefix)
    : config.azure === undefined
      ? planRoles(input, target, prefix)
      : assigned(input, target)
  const authentication = config.authentication === undefined ? undefined : authenticationOf(input, prefix)
  const relied = new Map([...planned.relied, ...(authentication?.relied ?? [])])
  const leave = `leave out \`targets.${name}.authentication\``
  const diagnostics = [
    ...planned.diagnostics,
    ...(authentication?.refused ?? []).map(({ id, why }) =>
      diagnostic('target/not-carried', { target, resource, why: id === undefined ? why : `role \`${id}\`: ${why}`, leave }, undefined),
    ),
    ...unassumed(relied, config, name, target),
  ]
  const needs = [...(authentication?.needs ?? []), ...(delegated ? authorizationOf(config, prefix) : [])]
  return {
    documents: diagnostics.length > 0 ? [] : planned.documents,
    diagnostics,
    resources: [{ name: resource, delegated, rules: planned.rules, guardrails: planned.guardrails }],
    ...(config.azure === undefined ? {} : { form: 'json' as const }),
    residues: residuesOf([...planned.narrower, ...(authentication?.narrower ?? [])], relied, config),
    ...(needs.length === 0 || diagnostics.length > 0 ? {} : { needs }),
  }
}

/** The gateway is asked about everything: no role gives anything, and what can not be handed on with a question is refused. */
function planAsked({ name, config, wiring, policy, revision }: TargetInput<KubernetesTarget>, target: string, prefix: string): Planned {
  const { resource } = config
  const { rules, guardrails } = statementsOn(policy.model, resource)
  const diagnostics: Diagnostic[] = []
  const leave = `leave out \`targets.${name}\``
  const refuse = (why: string): void => void diagnostics.push(diagnostic('target/not-carried', { target, resource, why, leave }, undefined))
  const { scopes } = wiring.resources[resource] ?? {}
  if (scopes !== undefined) refuse('`scopes:` are of tokens, of which an API server hands on none')
  const known = prefixOf({ resource, prefix: undefined }, wiring)
  if (prefix !== known) refuse(`the gateway knows people by \`${known}\`, the \`prefix\` of the resource: leave out that of the target`)
  // Without its group, somebody would come as one from whom the guardrail takes nothing.
  if (config.authentication !== undefined)
    for (const { id, who, roles } of guardrails)
      for (const role of who === 'for' ? roles : [])
        if (isUntold(policy.model, role))
          refuse(`guardrail \`${id}\` is for role \`${role}\`, which is bound until an instant or can be activated: no token shows that`)
  return {
    documents: [new Documents(name, resource, revision).version()],
    diagnostics,
    rules: rules.length,
    guardrails: guardrails.length,
    narrower: [
      'what `when` asks of claims: an API server hands on who somebody is, and no claims',
      'what is everybody’s, for whoever is of no issuer: the gateway is asked about people of the issuers alone',
    ],
    relied: reliedOn(policy, config, new Set()),
  }
}

/** Nothing is written to the cluster: Azure is asked about whoever Entra ID knows. */
function assigned(input: TargetInput<KubernetesTarget>, target: string): Planned {
  const { relied, ...plan } = planAzure(input, target)
  return { ...plan, relied: new Map([...reliedOn(input.policy, input.config, new Set()), ...relied]) }
}

class Refusals {
  readonly all: Diagnostic[] = []
  readonly #about: { readonly target: string; readonly resource: string; readonly leave: string; readonly ask: string }

  constructor(name: string, resource: string, target: string) {
    this.#about = { target, resource, leave: `leave out \`targets.${name}\``, ask: `write \`targets.${name}.authorization\`` }
  }

  add(what: string, why: string, span: Span | undefined): void {
    this.all.push(diagnostic('target/not-native', { ...this.#about, what, why }, span))
  }
}

/** What each cluster gives by itself, who comes to it, and paths in another spelling. */
function reliedOn(policy: CompiledPolicy, { resource, subjects }: KubernetesTarget, prefixes: ReadonlySet<string>): Relied {
  const given = notGranted(policy, resource).map(({ role, actions }) => `\`${role}\`: ${actions.map((one) => `\`${one}\``).join(', ')}`)
  return new Map<Assumption, readonly string[]>([
    ...(given.length === 0 ? [] : [['default-roles', given] as const]),
    // Then the cluster knows people by tokens that nobody of us has seen.
    ...(subjects === 'object-ids'
      ? ([
          ['undelegated-tokens', []],
          ['unrevoked-tokens', []],
        ] as const)
      : []),
    ...(prefixes.size === 0 ? [] : [['canonical-paths', [...prefixes].toSorted().map((one) => `\`${one}\``)] as const]),
  ])
}

function planRoles(input: TargetInput<KubernetesTarget>, target: string, prefix: string): Planned {
  const { name, config, policy, revision } = input
  const { resource, subjects } = config
  const { model } = policy
  const { rules } = statementsOn(model, resource)
  const documents = new Documents(name, resource, revision)
  const refusing = new Refusals(name, resource, target)
  for (const { what, why, span } of unsayable(input)) refusing.add(what, why, span)
  const made: TargetDocument[] = []
  const narrower = new Set<string>()
  const prefixes = new Set<string>()
  for (const rule of rules) {
    try {
      unconditional(rule)
      const groups = rule.roles.flatMap((role) => groupsOf(role, { subjects, prefix, model, resource }))
      for (const role of rule.roles)
        if (subjects === 'object-ids' && isEligible(model, role)) narrower.add(`role \`${role}\` where it has to be activated`)
      const permissions = permissionsIn(rule, config, narrower, prefixes, refusing)
      if (groups.length === 0) {
        narrower.add(`\`${rule.id}\`: nobody is bound to its roles here`)
        continue
      }
      const bound = [...new Set(groups)].toSorted().map(groupSubject)
      for (const [namespace, all] of Map.groupBy(permissions, (one) => one.namespace)) {
        const unique = new Map(all.map((one) => [JSON.stringify(one.rule), one.rule]))
        const sorted = [...unique].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
        made.push(...documents.granting(rule.id, namespace, sorted, bound))
      }
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      refusing.add(rule.id, error.message, rule.span)
    }
  }
  return {
    documents: [documents.version(), ...inOrder(made)],
    diagnostics: refusing.all,
    rules: rules.length,
    guardrails: 0,
    narrower: [...narrower],
    relied: reliedOn(policy, config, prefixes),
  }
}

function permissionsIn(
  { id, actions }: Rule,
  config: KubernetesTarget,
  narrower: Set<string>,
  prefixes: Set<string>,
  refusing: Refusals,
): readonly Permission[] {
  return actions.flatMap(({ pattern, span }) => {
    try {
      if (pattern.protocol !== 'kubernetes') throw new NoNativeForm('it is not about Kubernetes')
      const found = permissionsOf(pattern, config)
      for (const one of found.narrower)
        narrower.add(
          one === 'namespaces'
            ? `\`${id}\`: namespaces that are not in \`namespaces\` (\`${pattern.text}\`)`
            : `\`${id}\`: resources that are not in \`apiResources\` (\`${pattern.text}\`)`,
        )
      for (const one of found.prefixes) prefixes.add(one)
      return found.permissions
    } catch (error) {
      if (!(error instanceof NoNativeForm)) throw error
      refusing.add(id, error.message, span)
      return []
    }
  })
}

/** Whether somebody holds it only once they have activated it. */
function isEligible({ roles }: Model, role: string): boolean {
  return roles.get(role)?.bindings.some(({ eligible }) => eligible) === true
}

/** Whether some hold it of whom no token shows it. */
function isUntold({ roles }: Model, role: string): boolean {
  return roles.get(role)?.bindings.some(({ eligible, until }) => eligible || until !== undefined) === true
}

/** Roles first, which give nobody anything, and what is for the whole cluster before what needs a namespace. */
function inOrder(documents: readonly TargetDocument[]): readonly TargetDocument[] {
  const ORDER = ['ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding']
  const rank = ({ kind }: TargetDocument): number => ORDER.indexOf(kind as string)
  return documents.toSorted((a, b) => rank(a) - rank(b))
}

/** Everything that is relied on has to be said. */
function unassumed(relied: Relied, { assume, resource }: KubernetesTarget, name: string, target: string): readonly Diagnostic[] {
  return [...relied].flatMap(([assumption, about]) => {
    if (assume.includes(assumption)) return []
    const { what, ensure } = ASSUMPTIONS[assumption]
    if (assumption === 'default-roles')
      return [diagnostic('target/given-anyway', { target, resource, given: about.join('; '), name }, undefined)]
    return [
      diagnostic(
        'target/can-not-tell',
        {
          target,
          what: `${what}${about.length === 0 ? '' : ` (${about.join(', ')})`}`,
          ensure,
          assumption,
          name,
          resources: `\`${resource}\``,
        },
        undefined,
      ),
    ]
  })
}

function residuesOf(narrower: readonly string[], relied: Relied, { assume }: KubernetesTarget): readonly Residue[] {
  return [
    ...narrower.toSorted().map((text) => ({ effect: 'narrower' as const, text })),
    ...[...relied]
      .filter(([one]) => assume.includes(one))
      .map(([one, about]) => ({
        effect: 'assumed' as const,
        text: `${one}: ${ASSUMPTIONS[one].ensure}${about.length === 0 ? '' : ` (${about.join('; ')})`}`,
      })),
  ]
}
