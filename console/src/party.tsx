import type { PartyExplanation } from '../../src/policy/explain.ts'
import { Link, Prose } from './page.tsx'
import { instant } from './summary.tsx'
import { askPath, effectTag, Placed, Roles } from './told.tsx'

/** What a guardrail that applies does. */
const VERBS = { deny: 'denies', challenge: 'requires', 'needs-approval': 'asks', allow: 'obliges' } as const

type Statement = PartyExplanation['rules'][number] & { readonly kind: 'rule' | 'guardrail' }

/** One party of a decision: who, proven how, with which roles, and what that met. */
export function Party({ party, acting }: { readonly party: PartyExplanation; readonly acting: boolean }) {
  const statements: readonly Statement[] = [
    ...party.rules.map((one) => ({ ...one, kind: 'rule' as const })),
    ...party.guardrails.map((one) => ({ ...one, kind: 'guardrail' as const })),
  ]
  const covering = statements.filter(({ covers }) => covers)
  const others = statements.length - covering.length + party.omitted
  return (
    <section class="panel">
      <h2>
        {acting ? 'Acting for it: ' : ''}
        {party.display ?? party.party} <span class="quiet">({party.kind})</span>
      </h2>
      <ol class="steps">
        <li>
          <strong>Credential</strong>
          <Credential party={party} />
          {!party.issuerAccepted && (
            <p>
              <span class="tag bad">refused</span> this resource does not accept the issuer
            </p>
          )}
        </li>
        <li>
          <strong>Roles</strong>
          <div class="wide">
            <Roles roles={party.roles} />
          </div>
        </li>
        {party.scopes.state !== 'not-capped' && (
          <li>
            <strong>Scopes</strong>
            <p>
              <span class={`tag ${party.scopes.state === 'covered' ? 'good' : 'bad'}`}>{party.scopes.state}</span>{' '}
              <code>{party.scopes.held.join(' ')}</code>
            </p>
          </li>
        )}
        <li>
          <strong>Rules and guardrails</strong>
          {covering.length === 0 && <p class="quiet">None covers this action.</p>}
          {covering.length > 0 && <Considered statements={covering} />}
          {others > 0 && (
            <details>
              <summary class="quiet">{others} that do not cover this action</summary>
              <Considered statements={statements.filter(({ covers }) => !covers)} />
              {party.omitted > 0 && <p class="quiet">and {party.omitted} more</p>}
            </details>
          )}
        </li>
        <li>
          <strong>Effect</strong> {effectTag(party.effect)}
          {party.observed !== party.effect && (
            <>
              {' '}
              <span class="quiet">without what is only observed</span> {effectTag(party.observed)}
            </>
          )}
        </li>
      </ol>
    </section>
  )
}

function Credential({ party: { party, kind, issuer, evidence } }: { readonly party: PartyExplanation }) {
  if (evidence === undefined)
    return <p class="quiet">{kind === 'anonymous' ? 'None was presented.' : 'How it was proven is not in the record.'}</p>
  return (
    <dl>
      <dt>Kind</dt>
      <dd>{evidence.credential}</dd>
      <dt>Issuer</dt>
      <dd>
        {issuer} <code class="quiet">{evidence.issuerUrl}</code>
      </dd>
      {evidence.audience !== '' && (
        <>
          <dt>Audience</dt>
          <dd>
            <code>{evidence.audience}</code>
          </dd>
        </>
      )}
      {evidence.client !== undefined && (
        <>
          <dt>Client</dt>
          <dd>
            <code>{evidence.client}</code>
          </dd>
        </>
      )}
      <dt>Subject</dt>
      <dd>
        <Link to={askPath('access', { principal: party })} title="What they have access to">
          <code>{party}</code>
        </Link>
      </dd>
      <dt>Valid until</dt>
      <dd>{Number.isFinite(evidence.expiresAt) ? instant(evidence.expiresAt) : 'for ever'}</dd>
    </dl>
  )
}

function Considered({ statements }: { readonly statements: readonly Statement[] }) {
  return (
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>Id</th>
            <th>Effect</th>
            <th>Why</th>
          </tr>
        </thead>
        <tbody>
          {statements.map((one) => (
            <tr key={`${one.kind} ${one.id}`}>
              <td>
                <Placed {...one} />
              </td>
              <td>
                <Bearing statement={one} />
              </td>
              <td>
                <Prose text={one.why} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Bearing({ statement: { kind, bears, observed, effect } }: { readonly statement: Statement }) {
  if (observed) return <span class="tag warn">observed</span>
  if (!bears) return <span class="tag">{kind}</span>
  if (kind === 'rule') return <span class="tag good">grants</span>
  return <span class={`tag ${effect === 'deny' ? 'bad' : 'warn'}`}>{VERBS[effect ?? 'allow']}</span>
}
