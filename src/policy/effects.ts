/** What guardrails ask for besides a denial and proofs: approvals, masks, limits, a strict record, and only being observed. */
import type { Located } from '../config/document.ts'
import type { Mask, MaskedField } from '../core/decision.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { parseJsonPath } from '../core/jsonpath.ts'
import { EVERYONE, type Guardrail, type Limit } from './model.ts'
import { Findings, instantOf, sortedUnique } from './names.ts'
import { stricter } from './obligations.ts'
import type { Context, Path } from './resolve.ts'
import type { GuardrailText, MaskText } from './schema.ts'
import type { World } from './world.ts'

export function resolveApproval(
  { id, require: required }: GuardrailText,
  where: string,
  path: Path,
  { findings, roleNames }: Context,
): Guardrail['approval'] {
  const approval = required?.approval
  if (approval === undefined) return undefined
  const from = approval.from.filter((name, i) =>
    findings.known('policy/unknown-role', name, roleNames, where, [...path, 'require', 'approval', 'from', i]),
  )
  // Whoever has no credential is nobody who could be asked.
  if (from.includes(EVERYONE))
    findings.add('policy/requirement', { id, problem: 'whoever approves has to be somebody' }, [...path, 'require', 'approval', 'from'])
  return { from: sortedUnique(from), count: approval.count }
}

export function resolveMasks({ id, mask }: GuardrailText, path: Path, { findings }: Context): readonly MaskedField[] {
  const fields = new Map<string, Mask>()
  for (const [text, how] of Object.entries(mask ?? {})) {
    const parsed = parseJsonPath(text)
    if ('problem' in parsed)
      findings.add('policy/mask', { id, problem: `\`${text}\`: ${parsed.problem}` }, findings.span([...path, 'mask', text], 'key'))
    else fields.set(parsed.text, stricter(maskOf(how), fields.get(parsed.text) ?? maskOf(how)))
  }
  return [...fields].map(([field, how]) => ({ path: field, mask: how })).toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

function maskOf(text: MaskText): Mask {
  if (typeof text === 'string') return { as: text }
  return 'constant' in text ? { as: 'constant', value: text.constant } : { as: 'partial', ...text.partial }
}

const SHORTEST = 1000
const LONGEST = 31 * 86_400_000

export function resolveLimit({ id, limit }: GuardrailText, path: Path, { findings }: Context): Limit | undefined {
  if (limit === undefined) return undefined
  const problem = limit.in < SHORTEST ? 'too short' : limit.in > LONGEST ? 'too long' : undefined
  if (problem !== undefined) findings.add('policy/limit-window', { id, problem }, [...path, 'limit', 'in'])
  return { requests: limit.requests, window: limit.in, per: limit.per }
}

export function resolveObservation({ mode, until }: GuardrailText, where: string, path: Path, { findings }: Context): number | undefined {
  const form = 'mode: observe` and `until: 2026-12-31T00:00:00Z'
  if (mode === undefined && until === undefined) return undefined
  if (mode === undefined || until === undefined) {
    findings.add('policy/observe', { what: where, problem: mode === undefined ? 'by its `until` alone' : 'without an end', form }, [
      ...path,
      'id',
    ])
    return undefined
  }
  const instant = instantOf(until)
  if (instant === undefined)
    findings.add('policy/observe', { what: where, problem: `until \`${until}\`, which is no instant`, form }, [...path, 'until'])
  return instant
}

/** The `observe` of resources. */
export function resourceObservations({ resources }: World, wiring: Located | undefined): readonly Diagnostic[] {
  const findings = wiring === undefined ? undefined : new Findings(wiring, [])
  return Object.entries(resources)
    .filter(([, { observedUntil }]) => Number.isNaN(observedUntil ?? 0))
    .map(([name]) =>
      diagnostic(
        'policy/observe',
        { what: `resource \`${name}\``, problem: 'until something that is no instant', form: 'observe: { until: 2026-12-31T00:00:00Z }' },
        findings?.span(['resources', name, 'observe', 'until']),
      ),
    )
}

/** What the doors of a protocol can carry out besides denying, proofs, limits and a strict record, which all can. */
const CARRIED_OUT: Readonly<Record<string, readonly string[]>> = {
  http: ['masks', 'a justification'],
  kubernetes: ['masks'],
}

/** What nothing in front of a resource can carry out is refused, not passed over. */
export function checkCarriedOut({ id, masks, requires, resources, resourceSpan }: Guardrail, { findings, world }: Context): void {
  const asked = [
    ...(masks.length > 0 ? ['masks'] : []),
    ...(requires.some(({ kind }) => kind === 'justification') ? ['a justification'] : []),
  ]
  for (const resource of resources) {
    const { protocol } = world.resources[resource]!
    const what = asked.find((one) => CARRIED_OUT[protocol]?.includes(one) !== true)
    if (what !== undefined) findings.add('policy/not-carried-out', { id, what, resource, protocol }, resourceSpan)
  }
}
