import type { Obligation } from '../../src/core/decision.ts'
import { describeMask } from '../../src/policy/obligations.ts'
import { Prose } from './page.tsx'
import { Names } from './told.tsx'

/** What has to be carried out along with an allow, each with the guardrails that ask for it. */
export function Obliged({ obligations }: { readonly obligations: readonly Obligation[] }) {
  return (
    <ul class="plain">
      {obligations.map((one) => (
        <li>
          <span class="tag warn">{one.kind}</span> <Prose text={told(one)} />{' '}
          <span class="quiet">
            by <Names names={one.kind === 'limit' ? [one.id] : one.ids} word="and" />
          </span>
        </li>
      ))}
    </ul>
  )
}

function told(one: Obligation): string {
  switch (one.kind) {
    case 'mask':
      return one.fields.map(describeMask).join(', ')
    case 'limit':
      return `at most ${one.requests} in ${one.window / 1000} s, counted for \`${one.key}\`${one.observed === true ? ', only observed' : ''}`
    case 'record':
      return 'the record on disk before the effect'
  }
}
