import { markdownComparison, renderComparison, renderReplay } from '../../policy/compare/render.ts'
import type { Plan } from './plan.ts'

/** A plan for people. @param days How far back the record was looked at */
export function renderPlan({ from, to, comparison, notes, replay }: Plan, days: number, markdown: boolean): string {
  if (markdown) return markdownComparison(comparison, { title: `Access: from ${from} to ${to}`, notes, replay, days })
  const after = [...notes, ...(notes.length === 0 ? [] : ['']), ...(replay === undefined ? [] : renderReplay(replay, days))]
  return `from ${from} to ${to}\n\n${renderComparison(comparison, after)}`
}
