import type { WhoCan as Answer } from '../../src/policy/whocan.ts'
import type { PeopleAnswer, PersonAnswer } from '../../src/server/admin/shapes.ts'
import { Failure, Link, Prose, useApi, Waiting } from './page.tsx'
import { instant } from './summary.tsx'
import { askPath, counted, Names, Placed } from './told.tsx'

/** Who can do something: by which rules and roles, what stands in the way, and whom of them the record knows. */
export function WhoCan({ action, resource }: { readonly action: string; readonly resource: string }) {
  const parameters = new URLSearchParams({ action, resource })
  const { value, problem } = useApi<Answer & { readonly people: PeopleAnswer }>(`/api/who-can?${parameters.toString()}`)
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return <Waiting />
  const { grants, restrictions, issuers, scopes, people } = value
  return (
    <>
      <section class="panel">
        <h2 class="headline">
          <code>{value.action}</code> <span class="quiet">on {value.resource}</span>
        </h2>
        <p role="status">
          {grants.length === 0
            ? 'Nobody: no rule grants it.'
            : `${counted(grants.length, 'rule')} ${grants.length === 1 ? 'grants' : 'grant'} it`}
          {grants.length > 0 && restrictions.length > 0 && `, ${counted(restrictions.length, 'guardrail')} in the way of some`}
        </p>
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

const BUILT_IN: Readonly<Record<string, string>> = {
  everyone: 'everyone, also without a credential',
  authenticated: 'whoever has a verified credential; an app only with a role, or as a listed client',
}

function Grants({ grants }: { readonly grants: Answer['grants'] }) {
  return (
    <section class="panel scroll">
      <table>
        <caption>Granted by</caption>
        <thead>
          <tr>
            <th>Rule</th>
            <th>To holders of</th>
            <th>If</th>
          </tr>
        </thead>
        <tbody>
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
        </tbody>
      </table>
    </section>
  )
}

function Restrictions({ restrictions }: { readonly restrictions: Answer['restrictions'] }) {
  return (
    <section class="panel scroll">
      <table>
        <caption>What stands in the way</caption>
        <thead>
          <tr>
            <th>Guardrail</th>
            <th>Meets</th>
            <th>Effect</th>
            <th>If</th>
          </tr>
        </thead>
        <tbody>
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
        </tbody>
      </table>
    </section>
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
  return (
    <section class="panel scroll">
      <table>
        <caption>
          Seen in the last thirty days <span class="quiet">({principals.length})</span>
          <p class="quiet">Incomplete: {incomplete}.</p>
        </caption>
        {principals.length > 0 && (
          <>
            <thead>
              <tr>
                <th>Who</th>
                <th>Kind</th>
                <th>Last seen</th>
                <th>May</th>
              </tr>
            </thead>
            <tbody>
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
            </tbody>
          </>
        )}
      </table>
      {principals.length === 0 && <p class="beside">Nobody who may.</p>}
      {principals.length > SHOWN && <p class="beside quiet">and {principals.length - SHOWN} more</p>}
    </section>
  )
}
