import { Failure, useApi } from './page.tsx'

interface PolicyAnswer {
  readonly version: string
  readonly roles: readonly { readonly name: string; readonly description?: string }[]
  readonly rules: readonly {
    readonly id: string
    readonly kind: 'rule' | 'guardrail'
    readonly resources: readonly string[]
    readonly actions: readonly string[]
    readonly who: 'for' | 'allBut'
    readonly roles: readonly string[]
    readonly when?: string
    readonly requires?: readonly string[]
    readonly description?: string
  }[]
  readonly lastReload: {
    readonly time: number
    readonly accepted: boolean
    readonly diagnostics: readonly {
      readonly severity: string
      readonly message: string
      readonly help: string
      readonly span?: { readonly file: string; readonly line: number; readonly column: number }
    }[]
  }
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
      {!policy.lastReload.accepted && (
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
      <section class="panel scroll">
        <table>
          <thead>
            <tr>
              <th>Id</th>
              <th>Effect</th>
              <th>Roles</th>
              <th>Resource</th>
              <th>Actions</th>
              <th>When</th>
            </tr>
          </thead>
          <tbody>
            {policy.rules.map((rule) => (
              <tr>
                <td>
                  <code>{rule.id}</code>
                  {rule.description !== undefined && <div class="quiet">{rule.description}</div>}
                </td>
                <td>
                  <span class={`tag ${rule.kind === 'rule' ? 'good' : 'bad'}`}>
                    {rule.kind === 'rule' ? 'grant' : rule.requires === undefined ? 'deny' : 'require'}
                  </span>
                  {rule.requires !== undefined && <div class="quiet">{rule.requires.join(', ')}</div>}
                </td>
                <td>
                  {rule.who === 'allBut' && <span class="quiet">all but </span>}
                  {rule.roles.join(', ')}
                </td>
                <td>{rule.resources.join(', ')}</td>
                <td>
                  {rule.actions.map((action) => (
                    <div>
                      <code>{action}</code>
                    </div>
                  ))}
                </td>
                <td>{rule.when !== undefined && <code>{rule.when}</code>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}
