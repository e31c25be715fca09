import type { DecisionSummary } from '../../src/server/admin/shapes.ts'

import { effectTag } from './told.tsx'

export type { DecisionSummary }

const TAGS: Readonly<Record<DecisionSummary['verdict'], string>> = {
  allowed: 'good',
  denied: 'bad',
  limited: 'warn',
  rejected: 'bad',
  malformed: 'bad',
  unauthenticated: 'warn',
  unavailable: 'warn',
}

export function verdictTag(verdict: DecisionSummary['verdict']) {
  return <span class={`tag ${TAGS[verdict]}`}>{verdict}</span>
}

/** The verdict, with what the policy asks for in place of a plain no, and what is only observed. */
export function verdictTags({ verdict, effect, observed }: DecisionSummary) {
  return (
    <>
      {verdictTag(verdict)}
      {verdict === 'denied' && (effect === 'challenge' || effect === 'needs-approval') && <> {effectTag(effect)}</>}
      {observed !== undefined && (
        <>
          {' '}
          <span class="tag" title="Without what is only observed">
            would be {observed}
          </span>
        </>
      )}
    </>
  )
}

/** Local time to the millisecond, for people who compare with logs. */
export function instant(time: number | string): string {
  const date = new Date(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
}
