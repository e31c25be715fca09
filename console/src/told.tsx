/** How what the policy says is shown, on whichever page. */
import type { Effect } from '../../src/core/decision.ts'
import type { RoleExplanation } from '../../src/policy/considered.ts'
import type { DecisionSummary } from '../../src/server/admin/shapes.ts'
import { Link, Prose } from './page.tsx'

const EFFECTS: Readonly<Record<Effect, string>> = { allow: 'good', challenge: 'warn', 'needs-approval': 'warn', deny: 'bad' }

export function effectTag(effect: Effect) {
  return <span class={`tag ${EFFECTS[effect]}`}>{effect}</span>
}

/** Names as code, with a word between them. */
export function Names({ names, word = 'or' }: { readonly names: readonly string[]; readonly word?: string }) {
  return <Prose text={names.map((name) => `\`${name}\``).join(` ${word} `)} />
}

/** An id of the policy with where it stands. */
export function Placed({
  id,
  place,
  description,
}: {
  readonly id: string
  readonly place: string
  readonly description?: string | undefined
}) {
  return (
    <>
      <code>{id}</code>
      {description !== undefined && <div>{description}</div>}
      <div class="quiet">{place}</div>
    </>
  )
}

/** Roles with what gives each, keeps it from being told, or would give it. */
export function Roles({ roles }: { readonly roles: readonly RoleExplanation[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Role</th>
          <th>State</th>
          <th>By</th>
        </tr>
      </thead>
      <tbody>
        {roles.map((role) => (
          <tr key={role.role}>
            <td>
              <code>{role.role}</code>
            </td>
            <td>
              <span class={`tag ${role.state === 'held' ? 'good' : role.state === 'unknown' || role.eligible !== undefined ? 'warn' : ''}`}>
                {role.eligible !== undefined ? 'eligible' : role.state}
              </span>
            </td>
            <td class="quiet">
              <Prose text={byWhat(role)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function byWhat({ state, claim, value, name, because, via, eligible }: RoleExplanation): string {
  if (eligible !== undefined) return eligible
  if (state === 'not-held') return ''
  if (claim === undefined) return state === 'held' ? 'built in' : ''
  if (state === 'unknown') return `claim \`${claim}\` can not be told${because === undefined ? '' : `: ${because}`}`
  const has = `${value === undefined ? '' : ` has \`${value}\``}${name === undefined ? '' : ` (${name})`}`
  return `claim \`${claim}\`${has}${via === undefined ? '' : `, by way of role \`${via}\``}`
}

/** Where the console answers a question of access. */
export function askPath(ask: 'who-can' | 'can-i' | 'access', parameters: Readonly<Record<string, string>>): string {
  return `/access?${new URLSearchParams({ ask, ...parameters }).toString()}`
}

/** Who it was, with the way to what they have access to. */
export function Who({ decision: { who, principal } }: { readonly decision: DecisionSummary }) {
  if (principal === undefined) return <>{who}</>
  return (
    <Link to={askPath('access', { principal })} title="What they have access to">
      {who}
    </Link>
  )
}

/** `1 rule`, `2 rules` */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
