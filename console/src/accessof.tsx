import type { Access, ResourceAccess } from '../../src/policy/access.ts'
import { Failure, Sheet, useApi, useSaid, Waiting } from './page.tsx'
import { instant } from './summary.tsx'
import { counted, Names, Placed, Roles } from './told.tsx'
import { Asks } from './whocan.tsx'

/** What somebody whom the record knows has access to, and by what. */
export function AccessOf({ principal }: { readonly principal: string }) {
  const parameters = new URLSearchParams({ principal })
  const { value, problem } = useApi<Access & { readonly seenAt: string }>(`/api/access?${parameters.toString()}`)
  useSaid(value === undefined ? undefined : summaryOf(value))
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return <Waiting />
  return <Holder access={value} seenAt={value.seenAt} />
}

function summaryOf({ resources }: Access): string {
  if (resources.length === 0) return 'No access: no rule grants anything to these roles'
  return `Something on ${counted(resources.length, 'resource')}: ${resources.map(({ resource }) => resource).join(', ')}`
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
        <p>{summaryOf(access)}.</p>
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
    <Sheet
      title={`${resource} (${protocol})`}
      note={
        scopes === undefined
          ? undefined
          : `Within the token’s scopes: ${scopes.length === 0 ? 'nothing' : scopes.map((one) => `\`${one}\``).join(', ')}`
      }
      head={['Actions', 'Effect', 'By', 'If']}
    >
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
    </Sheet>
  )
}
