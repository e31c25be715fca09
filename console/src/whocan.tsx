import type { WhoCan as Answer } from '../../src/policy/whocan.ts'
import type { PeopleAnswer, PersonAnswer } from '../../src/server/admin/shapes.ts'
import { Failure, Link, Prose, Sheet, useApi, useSaid, Waiting } from './page.tsx'
import { instant } from './summary.tsx'
import { askPath, counted, Names, Placed } from './told.tsx'

/** Who can do something: by which rules and roles, what stands in the way, and whom of them the record knows. */
export function WhoCan({ action, resource }: { readonly action: string; readonly resource: string }) {
  const parameters = new URLSearchParams({ action, resource })
  const { value, problem } = useApi<Answer & { readonly people: PeopleAnswer }>(`/api/who-can?${parameters.toString()}`)
  useSaid(value === undefined ? undefined : summaryOf(value))
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return <Waiting />
  const { grants, restrictions, issuers, scopes, people } = value
  return (
    <>
      <section class="panel">
        <h2 class="headline">
          <code>{value.action}</code> <span class="quiet">on {value.resource}</span>
        </h2>
        <p>{summaryOf(value)}.</p>
        {grants.length > 0 && issuers !== undefined && (
          <p>
            Only credentials of <Names names={issuers} />.
          </p>
        )}
        {grants.length > 0 && scopes !== undefined && (
          <p>
            {scopes.length === 0 ? (
              'No delegated token: no scope covers it.'
            ) : (
              <>
                A delegated token needs scope <Names names={scopes} />.
              </>
            )}
          </p>
        )}
      </section>
      {grants.length > 0 && <Grants grants={grants} />}
      {restrictions.length > 0 && <Restrictions restrictions={restrictions} />}
      <People people={people} />
    </>
  )
}

function summaryOf({ grants, restrictions, people }: Answer & { readonly people: PeopleAnswer }): string {
  if (grants.length === 0) return 'Nobody: no rule grants it'
  const enforced = restrictions.filter(({ observedUntil }) => observedUntil === undefined).length
  return [
    `${counted(grants.length, 'rule')} ${grants.length === 1 ? 'grants' : 'grant'} it`,
    ...(enforced === 0 ? [] : [`${counted(enforced, 'guardrail')} in the way of some`]),
    `${counted(people.principals.length, 'principal')} seen who may`,
  ].join(', ')
}

const BUILT_IN: Readonly<Record<string, string>> = {
  everyone: 'everyone, also without a credential',
  authenticated: 'whoever has a verified credential; an app only with a role, or as a listed client',
}

function Grants({ grants }: { readonly grants: Answer['grants'] }) {
  return (
    <Sheet title="Granted by" head={['Rule', 'To holders of', 'If']}>
      {grants.map(({ rule, place, roles, peer, when, undoneBy }) => (
        <tr key={rule}>
          <td>
            <Placed id={rule} place={place} />
          </td>
          <td>
            {undoneBy !== undefined && (
              <p>
                <span class="tag bad">nobody</span> guardrail <code>{undoneBy}</code> takes all of it away
              </p>
            )}
            {roles.map(({ role, bindings }) => (
              <div key={role}>
                <code>{role}</code>
                <ul class="quiet">
                  {bindings.length === 0 && <li>{BUILT_IN[role] ?? 'nobody: nothing gives it here'}</li>}
                  {bindings.map((binding) => (
                    <li>
                      <Prose text={binding} />
                    </li>
                  ))}
                </ul>
              </div>
            ))}
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
    </Sheet>
  )
}

function Restrictions({ restrictions }: { readonly restrictions: Answer['restrictions'] }) {
  return (
    <Sheet title="What stands in the way" head={['Guardrail', 'Meets', 'Effect', 'If']}>
      {restrictions.map(({ guardrail, place, who, roles, when, asks, observedUntil }) => (
        <tr key={guardrail}>
          <td>
            <Placed id={guardrail} place={place} />
          </td>
          <td>
            {who === 'allBut' ? 'whoever does not hold ' : 'holders of '}
            <Names names={roles} />
          </td>
          <td>
            <Asks asks={asks} observedUntil={observedUntil} />
          </td>
          <td>{when !== undefined && <code>{when}</code>}</td>
        </tr>
      ))}
    </Sheet>
  )
}

/** What a guardrail does to those whom it meets. */
export function Asks({
  asks,
  observedUntil,
}: {
  readonly asks: readonly string[] | undefined
  readonly observedUntil: string | undefined
}) {
  return (
    <>
      {asks === undefined ? (
        <span class="tag bad">denies</span>
      ) : (
        <>
          <span class="tag warn">only</span> <Prose text={asks.join(' and ')} />
        </>
      )}
      {observedUntil !== undefined && (
        <div>
          <span class="tag">only observed</span> <span class="quiet">until {instant(observedUntil).slice(0, 16)}</span>
        </div>
      )}
    </>
  )
}

const SHOWN = 200
const MAY: Readonly<Record<PersonAnswer['effect'], readonly [string, string]>> = {
  allow: ['good', 'may'],
  challenge: ['warn', 'once they prove more'],
  'needs-approval': ['warn', 'once it is approved'],
}

function People({ people: { principals, incomplete } }: { readonly people: PeopleAnswer }) {
  const more = principals.length - SHOWN
  return (
    <Sheet
      title={`Seen in the last thirty days: ${principals.length === 0 ? 'nobody who may' : principals.length}`}
      note={`Incomplete: ${incomplete}${more > 0 ? `; ${more} more than are shown here` : ''}.`}
      head={principals.length === 0 ? [] : ['Who', 'Kind', 'Last seen', 'May']}
    >
      {principals.slice(0, SHOWN).map(({ principal, display, kind, seenAt, effect }) => (
        <tr key={principal}>
          <td>
            <Link to={askPath('access', { principal })} title="What they have access to">
              {display ?? principal}
            </Link>
            {display !== undefined && (
              <div class="quiet">
                <code>{principal}</code>
              </div>
            )}
          </td>
          <td>{kind}</td>
          <td class="time">{instant(seenAt).slice(0, 16)}</td>
          <td>
            <span class={`tag ${MAY[effect][0]}`}>{MAY[effect][1]}</span>
          </td>
        </tr>
      ))}
    </Sheet>
  )
}
