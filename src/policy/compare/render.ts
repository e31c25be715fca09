/** A comparison in words, for a terminal and for a pull request. */
import { formatAction, type Action } from '../../core/action.ts'
import type { Change, PolicyComparison } from './index.ts'
import { showOutcome, type Direction } from './outcome.ts'
import type { Replay, Shift } from './replay.ts'
import { USUAL_ADDRESS, type Witness } from './witness.ts'

const HEADS: Readonly<Record<Direction, string>> = { wider: 'gained', narrower: 'lost', other: 'different' }
/** Whoever has the wider outcome in both versions is not told apart. */
const UNLESS: Readonly<Record<Direction, string>> = {
  wider: ', where nothing gave it before',
  narrower: ', where nothing else still gives it',
  other: '',
}
const ORDER: readonly Direction[] = ['wider', 'narrower', 'other']

/** Actions shown of one change; the rest is counted. */
const MAX_ACTIONS = 12

/** @param after What stands under the changes, before the count */
export function renderComparison({ changes, notProven, cells, unchanged }: PolicyComparison, after: readonly string[] = []): string {
  const lines: string[] = []
  for (const direction of ORDER) {
    const here = changes.filter((one) => one.direction === direction).toSorted(byWords)
    if (here.length === 0) continue
    lines.push(`${HEADS[direction]}${UNLESS[direction]}`)
    for (const one of here) {
      lines.push(`  ${one.who.text}`, `    on ${one.resource}: ${arrow(one)}`)
      for (const action of shortened(one.actions)) lines.push(`      ${action}`)
      lines.push(`    for example ${describeWitness(one.witness)}`)
    }
    lines.push('')
  }
  if (notProven.length > 0) {
    lines.push('not proven')
    for (const { resource, actions, why } of notProven) {
      lines.push(`  on ${resource}: ${why}`)
      for (const action of shortened(actions ?? [])) lines.push(`      ${action}`)
    }
    lines.push('')
  }
  const verdict = changes.length > 0 ? counts(changes) : notProven.length > 0 ? 'nothing else is different' : 'no difference in access'
  lines.push(...after, `${verdict}; ${counted(cells, 'cell')} compared, ${counted(unchanged, 'resource')} unchanged`)
  return `${lines.map(clean).join('\n')}\n`
}

function counts(changes: readonly Change[]): string {
  return ORDER.flatMap((direction) => {
    const count = changes.filter((one) => one.direction === direction).length
    return count === 0 ? [] : [`${count} ${HEADS[direction]}`]
  }).join(', ')
}

function arrow({ before, after }: Change): string {
  return `${showOutcome(before)} → ${showOutcome(after)}`
}

function shortened(actions: readonly string[]): readonly string[] {
  return actions.length <= MAX_ACTIONS ? actions : [...actions.slice(0, MAX_ACTIONS - 1), `and ${actions.length - MAX_ACTIONS + 1} more`]
}

function byWords(a: Change, b: Change): number {
  const [left, right] = [a, b].map(({ resource, who }) => `${resource} ${who.text}`)
  return left! < right! ? -1 : left! > right! ? 1 : 0
}

/** `GET /orders/x by a human of entra with roles [Orders.Read]` */
export function describeWitness({ identity, action, context }: Witness): string {
  const who = identity === undefined ? 'somebody without a credential' : describeIdentity(identity)
  const peer = context.peer?.identity
  const given = [
    ...(peer === undefined ? [] : [`over ${describeIdentity(peer)}`]),
    ...(context.ip === '' ? ['from an unknown address'] : context.ip === USUAL_ADDRESS ? [] : [`from ${context.ip}`]),
    ...(context.justification === undefined ? [] : [`saying \`${context.justification}\``]),
    ...(context.approved === undefined ? [] : ['approved']),
    ...(context.grants === undefined ? [] : [`with ${context.grants.map(({ role }) => `\`${role}\``).join(' and ')} activated`]),
  ]
  return `\`${actionText(action)}\` by ${[who, ...given].join(' ')}`
}

/** With the arguments of a call: a condition may have looked at them. */
function actionText(action: Action): string {
  const given = action.protocol === 'mcp' && action.arguments !== undefined ? ` ${JSON.stringify(action.arguments)}` : ''
  return `${formatAction(action)}${given.length > MAX_ARGUMENTS ? '' : given}`
}

const MAX_ARGUMENTS = 300

function describeIdentity({ issuer, kind, claims, unknownClaims, scopes, appOnly, evidence }: NonNullable<Witness['identity']>): string {
  const said = [
    ...Object.entries(claims)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([name, value]) =>
          `${name} ${typeof value === 'object' ? `[${value.slice(0, 5).join(', ')}${value.length > 5 ? ', …' : ''}]` : String(value)}`,
      ),
    ...[...unknownClaims].map((name) => `${name} that can not be told`),
    ...(scopes === undefined ? [] : [`scopes [${scopes.join(', ')}]`]),
    ...(appOnly ? ['a token of its own'] : []),
    ...(evidence.confirmation === undefined ? [] : [`a token bound by ${evidence.confirmation.method}`]),
  ]
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind} of \`${issuer}\`${said.length === 0 ? '' : ` with ${said.join(', ')}`}`
}

/** What the record says, in lines. @param days How long it was looked back */
export function renderReplay({ decisions, same, shifts, unknown, otherwise }: Replay, days: number): readonly string[] {
  if (decisions === 0) return [`the record has no decision of the last ${counted(days, 'day')}`, '']
  const lines = [`of ${counted(decisions, 'decision')} in ${counted(days, 'day')}`]
  for (const one of shifts) {
    lines.push(`  ${would(one)}`)
    for (const { action, resource, requests } of one.actions) lines.push(`    ${requests} × ${action}  on ${resource}`)
  }
  for (const [effect, text] of NEVER)
    if (!shifts.some((one) => (one.after === effect) !== (one.before === effect) && one.after === effect)) lines.push(`  ${text}`)
  lines.push(`  ${same} as before`)
  const open = unknown.reduce((sum, { requests }) => sum + requests, 0)
  lines.push(`  ${open} unknown`)
  for (const { why, requests } of unknown) lines.push(`    ${requests}: the record does not tell ${why}`)
  if (otherwise > 0) lines.push(`  ${otherwise} of them were decided otherwise at the time, by another version`)
  return [...lines, '']
}

const NEVER: readonly (readonly [Shift['after'], string])[] = [
  ['deny', 'would have denied 0 requests'],
  ['allow', 'would newly allow 0 requests'],
]

function would(shift: Shift): string {
  const { before, after, requests, principals, byKind } = shift
  const ci = byKind['workload'] ?? 0
  const kinds = Object.entries(byKind).map(([kind, count]) => `${count} by ${kind}`)
  const of = `${counted(requests, 'request')} of ${counted(principals, 'principal')} (${[...kinds, ...(ci === 0 ? ['0 by workload'] : [])].join(', ')})`
  if (before === after) return `would have changed what comes along with ${of}`
  if (after === 'deny') return `would have denied ${of}`
  if (after === 'allow')
    return `would newly allow ${of}${before === 'deny' ? '' : ` without ${before === 'challenge' ? 'a challenge' : 'an approval'}`}`
  return `would have answered ${after} instead of ${before} to ${of}`
}

/** One line each, of as many changes as are wanted, those that gain first: for whoever has no room for more. */
export function comparisonInShort({ changes, notProven }: PolicyComparison, most: number): readonly string[] {
  const lines = [
    ...ORDER.flatMap((direction) => changes.filter((one) => one.direction === direction).toSorted(byWords)).map(
      (one) => `${HEADS[one.direction]}: ${one.who.text} on ${one.resource}: ${arrow(one)}: ${listed(one.actions)}`,
    ),
    ...notProven.map(
      ({ resource, actions, why }) => `not proven: on ${resource}: ${why}${actions === undefined ? '' : `: ${listed(actions)}`}`,
    ),
  ].map((line) => clean(line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE - 1)}…`))
  return lines.length <= most ? lines : [...lines.slice(0, most - 1), `and ${lines.length - most + 1} more`]
}

/** Characters of a line of `comparisonInShort`. */
const MAX_LINE = 500

function listed(actions: readonly string[]): string {
  return shortened(actions).join(', ')
}

/** For the description of a pull request. */
export function markdownComparison(
  { changes, notProven, cells, unchanged }: PolicyComparison,
  {
    title,
    notes,
    replay,
    days,
  }: { readonly title: string; readonly notes: readonly string[]; readonly replay: Replay | undefined; readonly days: number },
): string {
  const lines = [`### ${escaped(title)}`, '']
  const summary = changes.length > 0 ? counts(changes) : notProven.length > 0 ? 'not proven' : 'no difference in access'
  lines.push(`**${summary}**; ${counted(cells, 'cell')} compared, ${counted(unchanged, 'resource')} unchanged.`, '')
  if (changes.length > 0) {
    lines.push('| | who | what | before → after |', '|---|---|---|---|')
    for (const one of ORDER.flatMap((direction) => changes.filter((change) => change.direction === direction).toSorted(byWords)))
      lines.push(
        `| ${HEADS[one.direction]} | ${cell(one.who.text)} | ${shortened(one.actions)
          .map((action) => code(action))
          .join('<br>')}<br>on ${code(one.resource)} | ${cell(arrow(one))} |`,
      )
    lines.push('', '<details><summary>Examples, as the engine decided them by both versions</summary>', '')
    for (const one of changes.toSorted(byWords))
      lines.push(`- ${cell(`${HEADS[one.direction]}: ${describeWitness(one.witness)} on ${one.resource}, ${arrow(one)}`)}`)
    lines.push('', '</details>', '')
  }
  for (const { resource, actions, why } of notProven)
    lines.push(
      `> **Not proven** on ${code(resource)}: ${cell(why)}${actions === undefined ? '' : ` (${shortened(actions).map(code).join(', ')})`}`,
      '',
    )
  for (const note of notes) lines.push(`> ${cell(note)}`, '')
  if (replay !== undefined)
    lines.push(
      '**The record**',
      '',
      ...renderReplay(replay, days).flatMap((line) =>
        line === '' ? [] : [`${line.startsWith('    ') ? '  ' : ''}- ${cell(line.trim())}`],
      ),
      '',
    )
  return `${lines.join('\n').trimEnd()}\n`
}

/** As code, whatever is in it. */
function code(text: string): string {
  return `<code>${escaped(text)}</code>`
}

/** Text with code in backticks, for a cell of a table. */
function cell(text: string): string {
  return text
    .split('`')
    .map((part, i) => (i % 2 === 1 ? code(part) : escaped(part)))
    .join('')
}

/** No text of a policy or a record becomes markup, a mention or a link. */
function escaped(text: string): string {
  return clean(text).replaceAll(/[&<>|*_[\]\\~#@`!]/g, (character) => `&#${character.codePointAt(0)};`)
}

function clean(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD')
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
