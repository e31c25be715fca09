import type { Decision } from '../../src/core/decision.ts'
import type { Explanation } from '../../src/policy/explain.ts'
import { Obliged } from './obliged.tsx'
import { Failure, Prose, useApi, useSaid, Waiting } from './page.tsx'
import { Party } from './party.tsx'
import { effectTag } from './told.tsx'

interface Answer {
  readonly allowed: boolean
  readonly decision: Decision
  readonly explanation: Explanation
}

/** What would be decided for whoever is signed in, from their address and now. */
export function CanI({ action, resource }: { readonly action: string; readonly resource: string }) {
  const parameters = new URLSearchParams({ action, resource })
  const { value, problem } = useApi<Answer>(`/api/can-i?${parameters.toString()}`)
  useSaid(value?.decision.effect)
  if (problem !== undefined) return <Failure problem={problem} />
  if (value === undefined) return <Waiting />
  const { decision, explanation } = value
  return (
    <>
      <section class="panel">
        <h2 class="headline">
          {effectTag(decision.effect)}
          <code>{explanation.action}</code> <span class="quiet">on {explanation.resource}</span>
        </h2>
        <p class="quiet">From this address and now, for whoever is signed in here.</p>
        {decision.obligations.length > 0 && <Obliged obligations={decision.obligations} />}
      </section>
      <Explained explanation={explanation} />
    </>
  )
}

/** What would have to change, and each party with what it met. */
export function Explained({ explanation: { observed, wouldHelp, parties, tooManyParties } }: { readonly explanation: Explanation }) {
  return (
    <>
      {observed !== undefined && (
        <section class="panel">
          <p>Without what is only observed, it would have come out as {effectTag(observed)}</p>
        </section>
      )}
      {wouldHelp.length > 0 && (
        <section class="panel">
          <h2>What would have to change</h2>
          <ul>
            {wouldHelp.map((help) => (
              <li>
                <Prose text={help} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {parties.map((party, index) => (
        <Party key={index} party={party} acting={index > 0} />
      ))}
      {tooManyParties && (
        <section class="panel">
          <span class="tag bad">refused</span> more parties act for one another than are allowed
        </section>
      )}
    </>
  )
}
