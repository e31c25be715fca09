/** `HEAD`, which Istio tells from `GET` and a rule of ours does not. */
import { BLANK, methodOf, pathOf, within, type Draft, type Granting } from './drafts.ts'
import type { Losses } from './losses.ts'
import type { ImportedWorkload } from './workloads.ts'

/** `GET` stands for `HEAD` as well in a rule of ours. */
export function headsOf(
  rules: readonly Granting[],
  { workload, losses, acceptsWider }: { readonly workload: ImportedWorkload; readonly losses: Losses; readonly acceptsWider: boolean },
): readonly Draft[] {
  const paths = [...new Set(rules.flatMap(({ headless }) => headless))]
  if (paths.length === 0) return []
  const where = `workload ${workload.namespace}/${workload.wish}`
  if (acceptsWider) {
    losses.add('wider', where, '', '`HEAD` where `GET` is let in; written all the same')
    return []
  }
  const isElsewhere = rules.some(({ actions, headless }) =>
    actions.some(
      (action) =>
        /^(?:\*|HEAD|GET) /.test(action) &&
        !(methodOf(action) === 'GET' && headless.includes(pathOf(action))) &&
        paths.some((path) => within(pathOf(action), path).length > 0),
    ),
  )
  if (isElsewhere)
    losses.add('narrower', where, '', `\`HEAD\` is denied to everybody where a policy lets \`GET\` in alone: ${paths.join(', ')}`)
  return [
    {
      ...BLANK,
      is: 'guardrail',
      wish: `${workload.wish}-no-head`,
      origin: 'Istio let `GET` in here without `HEAD`; drop this if that may come too',
      actions: paths.map((path) => `HEAD ${path}`),
      roles: ['everyone'],
    },
  ]
}
