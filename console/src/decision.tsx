import type { Explanation, PartyExplanation } from '../../src/policy/explain.ts'
import { Failure, Link, useApi } from './page.tsx'
import { instant, verdictTag, type DecisionSummary } from './summary.tsx'

interface Answer {
  readonly id: string
  readonly explanation?: Explanation
  readonly text: string
  readonly decision: DecisionSummary
}

/** The whole chain of one decision. */
export function Decision({ id }: { readonly id: string }) {
  const { value, problem } = useApi<Answer>(`/api/decisions/${id}`)
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return null
  const { decision, explanation } = value
  return (
    <>
      <p>
        <Link to="/">← Decisions</Link>
      </p>
      <section class="panel">
        <div class="headline">
          {verdictTag(decision.verdict)}
          <code>{decision.action}</code>
          <span class="quiet">on {decision.resource}</span>
        </div>
        <p class="quiet">
          {instant(decision.time)} · from {decision.ip} · <code>{decision.id}</code>
        </p>
        <dl>
          {decision.because !== undefined && (
            <>
              <dt>Because</dt>
              <dd>{decision.because}</dd>
            </>
          )}
          {decision.outcome !== undefined && (
            <>
              <dt>Outcome</dt>
              <dd>
                {decision.outcome.result}, status {decision.outcome.status}, {decision.outcome.bytesIn} bytes in,{' '}
                {decision.outcome.bytesOut} bytes out, {decision.outcome.duration.toFixed(1)} ms
              </dd>
            </>
          )}
          <dt>Policy</dt>
          <dd>
            <code>{decision.policyVersion}</code>
          </dd>
          {decision.trace !== undefined && (
            <>
              <dt>Trace</dt>
              <dd>
                <code>{decision.trace}</code>
              </dd>
            </>
          )}
        </dl>
      </section>
      {explanation?.observed !== undefined && (
        <section class="panel">
          <p>
            Without what is only observed, it would have come out as <span class="tag bad">{explanation.observed}</span>
          </p>
        </section>
      )}
      {explanation !== undefined && explanation.wouldHelp.length > 0 && (
        <section class="panel">
          <h2>What would have to change</h2>
          <ul>
            {explanation.wouldHelp.map((help) => (
              <li>{help}</li>
            ))}
          </ul>
        </section>
      )}
      {explanation?.parties.map((party, index) => (
        <Party party={party} acting={index > 0} />
      ))}
    </>
  )
}

/** What a guardrail that applies does. */
const VERBS = { deny: 'denies', challenge: 'requires', 'needs-approval': 'asks', allow: 'obliges' } as const

function Party({ party, acting }: { readonly party: PartyExplanation; readonly acting: boolean }) {
  const { evidence } = party
  return (
    <section class="panel">
      <h2>
        {acting ? 'Acting for it: ' : ''}
        {party.display ?? party.party} <span class="quiet">({party.kind})</span>
      </h2>
      <ol class="steps">
        <li>
          <strong>Credential</strong>
          {evidence === undefined ? (
            <p class="quiet">None was presented.</p>
          ) : (
            <dl>
              <dt>Kind</dt>
              <dd>{evidence.credential}</dd>
              <dt>Issuer</dt>
              <dd>
                {party.issuer} <code class="quiet">{evidence.issuerUrl}</code>
              </dd>
              <dt>Audience</dt>
              <dd>
                <code>{evidence.audience}</code>
              </dd>
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
                <code>{party.party}</code>
              </dd>
              <dt>Valid until</dt>
              <dd>{instant(evidence.expiresAt)}</dd>
            </dl>
          )}
          {!party.issuerAccepted && (
            <p>
              <span class="tag bad">refused</span> this resource does not accept the issuer
            </p>
          )}
        </li>
        <li>
          <strong>Roles</strong>
          <table>
            <tbody>
              {party.roles.map((role) => (
                <tr>
                  <td>
                    <code>{role.role}</code>
                  </td>
                  <td>
                    <span class={`tag ${role.state === 'held' ? 'good' : role.state === 'unknown' ? 'warn' : ''}`}>{role.state}</span>
                  </td>
                  <td class="quiet">
                    {role.claim === undefined
                      ? role.state === 'held'
                        ? 'built in'
                        : ''
                      : `claim ${role.claim}${role.value === undefined ? '' : `: ${role.value}`}`}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
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
          {party.rules.length + party.guardrails.length === 0 && <p class="quiet">None covers this action.</p>}
          <table>
            <tbody>
              {[
                ...party.rules.map((one) => ({ ...one, kind: 'rule' })),
                ...party.guardrails.map((one) => ({ ...one, kind: 'guardrail' })),
              ].map((one) => (
                <tr>
                  <td>
                    <code>{one.id}</code>
                    <div class="quiet">{one.place}</div>
                  </td>
                  <td>
                    <span class={`tag ${one.bears ? (one.kind === 'rule' ? 'good' : one.effect === 'allow' ? 'warn' : 'bad') : ''}`}>
                      {one.bears ? (one.kind === 'rule' ? 'grants' : VERBS[one.effect ?? 'allow']) : one.observed ? 'observed' : one.kind}
                    </span>
                  </td>
                  <td>{one.why}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {party.omitted > 0 && <p class="quiet">and {party.omitted} more that do not cover the action</p>}
        </li>
        <li>
          <strong>Effect</strong>{' '}
          {party.effect === 'challenge' || party.effect === 'needs-approval' ? (
            <span class="tag bad">{party.effect}</span>
          ) : (
            verdictTag(party.effect === 'allow' ? 'allowed' : 'denied')
          )}
        </li>
      </ol>
    </section>
  )
}
