import type { Access, ResourceAccess } from '../../src/policy/access.ts'
import { Failure, useApi, Waiting } from './page.tsx'
import { instant } from './summary.tsx'
import { counted, Names, Placed, Roles } from './told.tsx'
import { Asks } from './whocan.tsx'

/** What somebody whom the record knows has access to, and by what. */
export function AccessOf({ principal }: { readonly principal: string }) {
  const parameters = new URLSearchParams({ principal })
  const { value, problem } = useApi<Access & { readonly seenAt: string }>(`/api/access?${parameters.toString()}`)
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return <Waiting />
  return <Holder access={value} seenAt={value.seenAt} />
}

function Holder({ access, seenAt }: { readonly access: Access; readonly seenAt?: string }) {
  const { principal, display, roles, resources, actor } = access
  return (
    <>
      <section class="panel">
        <h2>
          {seenAt === undefined ? 'And no more than who acts for it has: ' : ''}
          {display ?? principal}
        </h2>
        <p class="quiet">
          <code>{principal}</code>
          {seenAt !== undefined && `, as proven at ${instant(seenAt).slice(0, 19)}`}
        </p>
        <p role={seenAt === undefined ? undefined : 'status'}>
          {resources.length === 0
            ? 'No access: no rule grants anything to these roles.'
            : `Something on ${counted(resources.length, 'resource')}: ${resources.map(({ resource }) => resource).join(', ')}`}
        </p>
        <h3>Roles</h3>
        <div class="wide">
          <Roles roles={roles} />
        </div>
      </section>
      {resources.map((resource) => (
        <Resource key={resource.resource} access={resource} />
      ))}
      {actor !== undefined && <Holder access={actor} />}
    </>
  )
}

function Patterns({ actions }: { readonly actions: readonly string[] }) {
  return (
    <>
      {actions.map((action) => (
        <div key={action}>
          <code>{action}</code>
        </div>
      ))}
    </>
  )
}

function Resource({ access: { resource, protocol, grants, guardrails, scopes } }: { readonly access: ResourceAccess }) {
  return (
    <section class="panel scroll">
      <table>
        <caption>
          {resource} <span class="quiet">({protocol})</span>
          {scopes !== undefined && (
            <p>
              Within the token’s scopes: {scopes.length === 0 ? <span class="tag bad">nothing</span> : <Names names={scopes} word="," />}
            </p>
          )}
        </caption>
        <thead>
          <tr>
            <th>Actions</th>
            <th>Effect</th>
            <th>By</th>
            <th>If</th>
          </tr>
        </thead>
        <tbody>
          {grants.map(({ rule, place, actions, role, peer, when }) => (
            <tr key={`rule ${rule}`}>
              <td>
                <Patterns actions={actions} />
              </td>
              <td>
                <span class="tag good">granted</span> <span class="quiet">by role</span> <code>{role}</code>
              </td>
              <td>
                <Placed id={rule} place={place} />
              </td>
              <td>
                {when !== undefined && <code>{when}</code>}
                {peer !== undefined && (
                  <div>
                    by way of a peer that holds <Names names={peer} />
                  </div>
                )}
              </td>
            </tr>
          ))}
          {guardrails.map(({ guardrail, place, actions, asks, certain, when, observedUntil }) => (
            <tr key={`guardrail ${guardrail}`}>
              <td>
                <Patterns actions={actions} />
              </td>
              <td>
                <Asks asks={asks} observedUntil={observedUntil} />
                {!certain && (
                  <div>
                    <span class="tag warn">unknown</span> <span class="quiet">because a role can not be told</span>
                  </div>
                )}
              </td>
              <td>
                <Placed id={guardrail} place={place} />
              </td>
              <td>{when !== undefined && <code>{when}</code>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
