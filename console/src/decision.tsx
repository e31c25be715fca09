import type { Explanation } from '../../src/policy/explain.ts'
import { Explained } from './cani.tsx'
import { Failure, Link, Prose, useApi } from './page.tsx'
import { instant, verdictTags, type DecisionSummary } from './summary.tsx'
import { askPath, Names, Who } from './told.tsx'

/** What of the record itself is shown. */
interface DecisionRecord {
  readonly mode: 'strict' | 'spool' | 'best-effort'
  readonly obligations?: readonly {
    readonly kind: string
    readonly id?: string
    readonly ids?: readonly string[]
    readonly fields?: readonly string[]
  }[]
  readonly observed?: { readonly reasons: readonly { readonly code: string; readonly id?: string; readonly role?: string }[] }
  readonly peer?: { readonly issuer: string; readonly subject: string; readonly roles: readonly string[] }
  readonly justification?: string
}

interface Answer {
  readonly id: string
  readonly explanation?: Explanation
  readonly text: string
  readonly decision: DecisionSummary
  readonly record: DecisionRecord
}

/** The whole chain of one decision. */
export function Decision({ id }: { readonly id: string }) {
  const { value, problem } = useApi<Answer>(`/api/decisions/${id}`)
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return null
  const { decision, explanation, record } = value
  return (
    <>
      <p>
        <Link to="/">← Decisions</Link>
      </p>
      <section class="panel">
        <div class="headline">
          {verdictTags(decision)}
          <code>{decision.action}</code>
          <span class="quiet">on {decision.resource}</span>
          <Link class="aside" to={askPath('who-can', { action: decision.action, resource: decision.resource })}>
            Who can do this?
          </Link>
        </div>
        <p class="quiet">
          {instant(decision.time)} · from {decision.ip} · <code>{decision.id}</code>
        </p>
        <dl>
          <dt>Who</dt>
          <dd>
            <Who decision={decision} />
          </dd>
          {decision.because !== undefined && decision.because !== '' && (
            <>
              <dt>Because</dt>
              <dd>{decision.because}</dd>
            </>
          )}
          <Circumstances record={record} carriedOut={decision.effect === 'allow'} />
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
      {explanation !== undefined && <Explained explanation={explanation} />}
    </>
  )
}

/** What else the record has of it: obligations, the other end of the connection, what it was said to be for. */
function Circumstances({ record, carriedOut }: { readonly record: DecisionRecord; readonly carriedOut: boolean }) {
  const { obligations = [], observed, peer, justification, mode } = record
  return (
    <>
      {carriedOut && obligations.length > 0 && (
        <>
          <dt>Obligations</dt>
          <dd>
            <ul class="plain">
              {obligations.map(({ kind, id, ids, fields }) => (
                <li>
                  <span class="tag warn">{kind}</span>{' '}
                  {fields?.map((field) => (
                    <code>{field} </code>
                  ))}
                  <span class="quiet">
                    by <Names names={ids ?? (id === undefined ? [] : [id])} word="and" />
                  </span>
                </li>
              ))}
            </ul>
          </dd>
        </>
      )}
      {observed !== undefined && (
        <>
          <dt>Only observed</dt>
          <dd>
            <Prose
              text={observed.reasons
                .map(({ code, id, role }) => [code, ...[id, role].filter((one) => one !== undefined).map((one) => `\`${one}\``)].join(' '))
                .join(', ')}
            />
          </dd>
        </>
      )}
      {peer !== undefined && (
        <>
          <dt>Peer</dt>
          <dd>
            <code>
              {peer.issuer}/{peer.subject}
            </code>{' '}
            <span class="quiet">
              {peer.roles.length === 0 ? 'without a role' : 'holds '}
              <Names names={peer.roles} word="and" />
            </span>
          </dd>
        </>
      )}
      {justification !== undefined && (
        <>
          <dt>Said to be for</dt>
          <dd>{justification}</dd>
        </>
      )}
      <dt>Record</dt>
      <dd>{MODES[mode]}</dd>
    </>
  )
}

const MODES = { strict: 'strict: on disk before the effect', spool: 'queued before the effect', 'best-effort': 'best effort' } as const
