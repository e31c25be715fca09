import type { StatementAnswer } from '../../src/server/admin/shapes.ts'
import { Failure, Sheet, useApi } from './page.tsx'
import { instant } from './summary.tsx'
import { Names, Placed } from './told.tsx'
import { Asks } from './whocan.tsx'

interface RoleAnswer {
  readonly name: string
  readonly description?: string
  readonly place: string
  readonly includes: readonly string[]
  readonly bindings: readonly {
    readonly issuer: string
    readonly claim: string
    readonly match: 'any' | 'all' | 'none'
    readonly values: readonly (string | number | boolean)[]
    readonly kind?: string
    readonly until?: string
    readonly via?: string
    readonly eligible: boolean
  }[]
}

interface PolicyAnswer {
  readonly version: string
  readonly roles: readonly RoleAnswer[]
  readonly rules: readonly StatementAnswer[]
  readonly lastReload: {
    readonly time: number
    readonly accepted: boolean
    readonly diagnostics: readonly {
      readonly severity: string
      readonly message: string
      readonly help: string
      readonly span?: { readonly file: string; readonly line: number; readonly column: number }
    }[]
    readonly held?: { readonly version: string; readonly change: { readonly lines: readonly string[] } }
  }
}

/** What waits, and what it would change. */
function Held({ version, change }: NonNullable<PolicyAnswer['lastReload']['held']>) {
  return (
    <section class="panel" role="alert">
      <h2>
        <span class="tag bad">held</span> The last change widens access, or that is not proven
      </h2>
      <ul>
        {change.lines.map((line) => (
          <li>{line}</li>
        ))}
      </ul>
      <p>
        Release it with <code>ostiary policy release {version}</code>
      </p>
    </section>
  )
}

/** What is in force, and what the last change met. */
export function Policy() {
  const { value: policy, problem } = useApi<PolicyAnswer>('/api/policy')
  if (problem !== undefined) return <Failure problem={problem} />
  if (policy === undefined) return null
  return (
    <>
      <div class="bar">
        <h1>Policy in force</h1>
        <code class="quiet">{policy.version.slice(0, 19)}…</code>
      </div>
      {policy.lastReload.held !== undefined && <Held {...policy.lastReload.held} />}
      {!policy.lastReload.accepted && policy.lastReload.held === undefined && (
        <section class="panel" role="alert">
          <h2>
            <span class="tag bad">refused</span> The last change was not taken on
          </h2>
          <ul>
            {policy.lastReload.diagnostics.map((one) => (
              <li>
                {one.span !== undefined && (
                  <code>
                    {one.span.file}:{one.span.line}:{one.span.column}
                  </code>
                )}{' '}
                {one.message} <span class="quiet">{one.help}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Statements rules={policy.rules} />
      <RolesInForce roles={policy.roles} />
    </>
  )
}

function Statements({ rules }: { readonly rules: readonly StatementAnswer[] }) {
  return (
    <Sheet title="Rules and guardrails" head={['Id', 'Effect', 'Roles', 'Resource', 'Actions', 'When']}>
      {rules.map((rule) => (
        <tr key={rule.id}>
          <td>
            <Placed {...rule} />
          </td>
          <td>
            {rule.kind === 'rule' ? <span class="tag good">grants</span> : <Asks asks={rule.asks} observedUntil={rule.observedUntil} />}
          </td>
          <td>
            {rule.who === 'allBut' && <span class="quiet">all but </span>}
            {rule.roles.join(', ')}
            {rule.peer !== undefined && (
              <div class="quiet">
                by way of a peer that holds <Names names={rule.peer} />
              </div>
            )}
          </td>
          <td>{rule.resources.join(', ')}</td>
          <td>
            {rule.actions.map((action) => (
              <div key={action}>
                <code>{action}</code>
              </div>
            ))}
          </td>
          <td>{rule.when !== undefined && <code>{rule.when}</code>}</td>
        </tr>
      ))}
    </Sheet>
  )
}

const MATCHES = { any: 'one of', all: 'all of', none: 'none of' } as const

function RolesInForce({ roles }: { readonly roles: readonly RoleAnswer[] }) {
  return (
    <Sheet title="Roles" head={['Role', 'Held by', 'Includes']}>
      {roles.map(({ name, description, place, includes, bindings }) => (
        <tr key={name}>
          <td>
            <Placed id={name} place={place} description={description} />
          </td>
          <td>
            {bindings.map(({ issuer, claim, match, values, kind, until, via, eligible }) => (
              <div>
                {eligible && <span class="tag warn">eligible</span>} <code>{claim}</code> of {issuer}: {MATCHES[match]}{' '}
                <Names names={values.map(String)} word="," />
                <span class="quiet">
                  {kind !== undefined && `, for a principal of kind ${kind}`}
                  {until !== undefined && `, until ${instant(until).slice(0, 16)}`}
                  {via !== undefined && `, by way of role ${via}`}
                </span>
              </div>
            ))}
            {bindings.length === 0 && <span class="quiet">nobody: nothing gives it</span>}
          </td>
          <td>{includes.join(', ')}</td>
        </tr>
      ))}
    </Sheet>
  )
}
