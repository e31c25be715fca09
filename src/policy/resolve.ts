import { didYouMean } from '../config/didyoumean.ts'
import type { Located } from '../config/document.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { formatSpan, type Span } from '../core/span.ts'
import { parsePattern } from './actions/http/template.ts'
import { vocabularies, vocabularyOf, type ActionPattern, type Side } from './actions/index.ts'
import { resolveCondition } from './conditions.ts'
import { BUILT_IN_ROLES, EVERYONE, type Guardrail, type Model, type PlacedPattern, type Role, type Rule } from './model.ts'
import { Findings, pathOfName, sortedUnique } from './names.ts'
import { checkStepUp, isEmpty, resolveDemands } from './demands.ts'
import { checkCarriedOut, resolveApproval, resolveLimit, resolveMasks, resolveObservation, resourceObservations } from './effects.ts'
import { resolveOperation } from './operations.ts'
import type { PolicyFile } from './read.ts'
import { resolveRoles } from './roles.ts'
import { resolveResources } from './resources.ts'
import type { GuardrailText, RuleText } from './schema.ts'
import { checkOwned, resolveTeams } from './teams.ts'
import type { Condition } from './when/condition.ts'
import type { World } from './world.ts'

/** Rules and guardrails of one policy. */
const MAX_STATEMENTS = 200_000

export interface Resolved {
  readonly model: Model
  readonly diagnostics: readonly Diagnostic[]
}

/** Where the merged wiring was written, for findings about scopes. */
export interface Places {
  readonly wiring: Located | undefined
  readonly bindings: Located | undefined
}

/** Resolves every name of the policy in its world. The model is whole only if no diagnostic is an error. */
export function resolve(files: readonly PolicyFile[], world: World, places: Places): Resolved {
  const diagnostics: Diagnostic[] = []
  const roles = resolveRoles(files, places.bindings, world, diagnostics)
  const roleNames = new Set([...roles.keys(), ...BUILT_IN_ROLES])
  const rules: Rule[] = []
  const guardrails: Guardrail[] = []
  const ids = new Map<string, Span>()
  const patterns = new Map<string, ActionPattern>()
  const conditions = new Map<string, Condition>()
  const teams = resolveTeams(files, world, diagnostics)
  for (const file of files) {
    const findings = new Findings(file.root, diagnostics)
    const context: Context = { file, findings, world, roles, roleNames, ids, patterns, conditions, team: teams.of(file) }
    for (const [i, text] of file.value.rules.entries()) rules.push(...resolveRule(text, ['rules', i], context))
    for (const [i, text] of file.value.guardrails.entries()) guardrails.push(...resolveGuardrail(text, ['guardrails', i], context))
    if (rules.length + guardrails.length > MAX_STATEMENTS) {
      findings.add('policy/limit', { what: 'rules and guardrails', limit: MAX_STATEMENTS }, [])
      break
    }
  }
  diagnostics.push(...checkStepUp(world, places.wiring), ...resourceObservations(world, places.wiring))
  const scopes = resolveScopes(world, places.wiring, patterns, diagnostics)
  const model = { world, roles, rules: rules.toSorted(byId), guardrails: guardrails.toSorted(byId), scopes }
  diagnostics.push(...evasions(model))
  return { model, diagnostics }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

export interface Context {
  readonly file: PolicyFile
  readonly findings: Findings
  readonly world: World
  readonly roles: ReadonlyMap<string, Role>
  /** With those that are built in. */
  readonly roleNames: ReadonlySet<string>
  readonly ids: Map<string, Span>
  readonly patterns: Map<string, ActionPattern>
  readonly conditions: Map<string, Condition>
  /** Whose folder the file is in, and what that team owns; undefined where all of the policy's resources may be spoken of. */
  readonly team: { readonly name: string; readonly owns: ReadonlySet<string> } | undefined
}

export type Path = readonly PropertyKey[]

function resolveRule(text: RuleText, path: Path, context: Context): readonly Rule[] {
  const where = `rule \`${text.id}\``
  const shared = resolveShared(text, text.actions, 'actions', where, path, context)
  const names = typeof text.role === 'string' ? [text.role] : text.role
  const roles = names.filter((name, i) => knownRole(name, where, pathOfName([...path, 'role'], text.role, i), context))
  const when = resolveCondition(
    text.when,
    where,
    [...path, 'when'],
    { roles, resources: shared.resources, actions: shared.actions },
    context,
  )
  const peers = typeof text.peer === 'string' ? [text.peer] : text.peer
  const peer = peers?.filter((name, i) => knownRole(name, where, pathOfName([...path, 'peer'], text.peer, i), context))
  return [{ kind: 'rule', ...shared, roles: sortedUnique(roles), peer: peer && sortedUnique(peer), when }]
}

function resolveGuardrail(text: GuardrailText, path: Path, context: Context): readonly Guardrail[] {
  const where = `guardrail \`${text.id}\``
  const { deny, require: required, mask, limit, record, actions } = text
  const softer = [required, mask, limit, record].some((one) => one !== undefined)
  const empty = isEmpty(required) || (mask !== undefined && Object.keys(mask).length === 0)
  if ((deny === undefined) !== softer || softer !== (actions !== undefined) || empty) {
    context.findings.add('policy/guardrail-effect', { id: text.id }, [...path, 'id'])
    return []
  }
  const shared =
    deny === undefined
      ? resolveShared(text, actions ?? [], 'actions', where, path, context)
      : resolveShared(text, deny, 'deny', where, path, context)
  const who = text.for === undefined ? 'allBut' : 'for'
  const names = text[who]
  if (names === undefined || (text.for !== undefined && text.allBut !== undefined)) {
    context.findings.add('policy/guardrail-who', { id: text.id }, [...path, 'id'])
    return []
  }
  const roles = names.filter((name, i) => knownRole(name, where, [...path, who, i], context))
  // Whoever is met by `allBut` may come from any issuer.
  const met = who === 'for' ? roles : [EVERYONE]
  const when = resolveCondition(
    text.when,
    where,
    [...path, 'when'],
    { roles: met, resources: shared.resources, actions: shared.actions },
    context,
  )
  const guardrail: Guardrail = {
    kind: 'guardrail',
    ...shared,
    who,
    denies: deny !== undefined,
    requires: required === undefined ? [] : resolveDemands(required, { met, ...shared }, path, context),
    approval: resolveApproval(text, where, path, context),
    masks: resolveMasks(text, path, context),
    limit: resolveLimit(text, path, context),
    strict: record !== undefined,
    observedUntil: resolveObservation(text, where, path, context),
    roles: sortedUnique(roles),
    when,
  }
  checkCarriedOut(guardrail, context)
  return [guardrail]
}

function resolveShared(
  text: RuleText | GuardrailText,
  actions: readonly string[],
  key: 'actions' | 'deny',
  where: string,
  path: Path,
  context: Context,
) {
  const { findings, ids } = context
  const span = findings.span([...path, 'id'])
  const before = ids.get(text.id)
  if (before === undefined) ids.set(text.id, span)
  else findings.add('policy/duplicate-id', { id: text.id, place: formatSpan(before) }, span)
  const resources = resolveResources(text.resource, where, [...path, 'resource'], context)
  checkOwned(resources, where, [...path, 'resource'], context)
  return {
    id: text.id,
    description: text.description,
    resources,
    actions: resolveActions(actions, resources, 'role' in text ? 'grants' : 'takes', [...path, key], context),
    span,
    resourceSpan: findings.span([...path, 'resource']),
  }
}

function knownRole(name: string, where: string, path: Path, { findings, roleNames }: Context): boolean {
  return findings.known('policy/unknown-role', name, roleNames, where, path)
}

function resolveActions(
  texts: readonly string[],
  resources: readonly string[],
  side: Side,
  path: Path,
  { findings, world, patterns }: Context,
): readonly PlacedPattern[] {
  const protocols = sortedUnique(resources.map((name) => world.resources[name]!.protocol))
  const placed: PlacedPattern[] = []
  // A selector may match nothing in this environment; what it says must be right all the same.
  for (const protocol of protocols.length === 0 ? ['http'] : protocols)
    for (const [i, text] of texts.entries()) {
      const span = findings.span([...path, i])
      const on = resources.filter((name) => world.resources[name]!.protocol === protocol)
      const pattern = readPattern(text, { protocol, side, on, world, span, alone: protocols.length < 2, patterns }, findings.diagnostics)
      if (pattern !== undefined) placed.push({ pattern, span })
    }
  return placed
}

/** What an action is written for. */
interface Written {
  readonly protocol: string
  readonly side: Side
  /** The resources of that protocol. */
  readonly on: readonly string[]
  readonly world: World
  readonly span: Span
  /** Its statement has resources of this protocol only. */
  readonly alone: boolean
  /** Those that were read before: large policies say the same often. */
  readonly patterns: Map<string, ActionPattern>
}

function readPattern(
  text: string,
  { protocol, side, on, world, span, alone, patterns }: Written,
  diagnostics: Diagnostic[],
): ActionPattern | undefined {
  // An operation id means another action on each resource; all else is the same wherever it is written.
  const key = `${protocol} ${side} ${text}`
  const known = patterns.get(key)
  if (known !== undefined) return known
  const vocabulary = vocabularyOf(protocol)
  const operation = protocol === 'http' ? parsePattern(text).operation : undefined
  const parsed = operation === undefined ? vocabulary?.parse(text, side) : resolveOperation(operation, on, world)
  if (parsed?.pattern !== undefined) {
    if (operation === undefined) patterns.set(key, parsed.pattern)
    return parsed.pattern
  }
  const problem = parsed?.problem ?? `there is no such protocol; there are ${Object.keys(vocabularies).join(', ')}`
  const help = parsed?.help ?? (vocabulary === undefined ? undefined : `write for example \`${vocabulary.example}\``)
  const spoken = alone ? protocol : `${protocol}, which \`${on[0]}\` speaks`
  diagnostics.push(diagnostic('policy/action', { text, protocol: spoken, problem }, span, { help }))
  return undefined
}

function resolveScopes(
  world: World,
  wiring: Located | undefined,
  patterns: Map<string, ActionPattern>,
  diagnostics: Diagnostic[],
): Model['scopes'] {
  const all = new Map<string, ReadonlyMap<string, readonly ActionPattern[]>>()
  const nowhere: Span = { file: 'ostiary.yaml', line: 1, column: 1, endLine: 1, endColumn: 1 }
  const findings = wiring === undefined ? undefined : new Findings(wiring, diagnostics)
  for (const [name, resource] of Object.entries(world.resources)) {
    const path = ['resources', name]
    for (const [i, issuer] of (resource.issuers ?? []).entries()) {
      const known = Object.keys(world.issuers)
      if (known.includes(issuer)) continue
      const span = findings?.span([...path, 'issuers', i]) ?? nowhere
      diagnostics.push(
        diagnostic('policy/unknown-issuer', { name: issuer, where: `resource \`${name}\`` }, span, { help: didYouMean(issuer, known) }),
      )
    }
    if (resource.scopes === undefined) continue
    const scopes = new Map<string, readonly ActionPattern[]>()
    for (const [scope, texts] of Object.entries(resource.scopes)) {
      const covered = texts.map((text, i) =>
        readPattern(
          text,
          {
            protocol: resource.protocol,
            side: 'grants',
            on: [name],
            world,
            span: findings?.span([...path, 'scopes', scope, i]) ?? nowhere,
            alone: true,
            patterns,
          },
          diagnostics,
        ),
      )
      scopes.set(
        scope,
        covered.filter((pattern) => pattern !== undefined),
      )
    }
    all.set(name, scopes)
  }
  return all
}

/** Guardrails for some roles over what `everyone` is granted: who drops the credential is no longer met by them. */
function evasions({ rules, guardrails }: Model): readonly Diagnostic[] {
  const open = rules.filter(({ roles }) => roles.includes(EVERYONE))
  return guardrails
    .filter(({ who, roles }) => who === 'for' && !roles.includes(EVERYONE))
    .flatMap((guardrail) => {
      const rule = open.find(
        (one) => one.resources.some((name) => guardrail.resources.includes(name)) && overlap(one.actions, guardrail.actions),
      )
      return rule === undefined ? [] : [diagnostic('policy/evasion', { id: guardrail.id, rule: rule.id }, guardrail.span)]
    })
}

function overlap(a: readonly PlacedPattern[], b: readonly PlacedPattern[]): boolean {
  return a.some(({ pattern }) => b.some((other) => vocabularyOf(pattern.protocol)?.overlaps(pattern, other.pattern) === true))
}
