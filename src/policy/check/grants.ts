import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import { vocabularyOf } from '../actions/index.ts'
import { AUTHENTICATED, EVERYONE, type Model } from '../model.ts'
import { WARNING } from './statements.ts'

/** Everything for everybody, and everything on several resources for anybody. */
export function wildcards({ rules, world }: Model): readonly Diagnostic[] {
  return rules.flatMap((rule) => {
    const all = rule.actions.find(({ pattern }) => vocabularyOf(pattern.protocol)?.isAll(pattern) === true)
    if (all === undefined) return []
    const everybody = [EVERYONE, AUTHENTICATED].find((one) => rule.roles.includes(one))
    const resource = rule.resources.join(', ')
    if (everybody !== undefined)
      return [diagnostic('policy/wildcard-grant', { rule: rule.id, resource, role: everybody }, all.span, WARNING)]
    const met = rule.resources.filter((name) => world.resources[name]?.protocol === all.pattern.protocol)
    if (met.length < 2) return []
    const details = { rule: rule.id, count: met.length, role: rule.roles.join(', ') }
    return [diagnostic('policy/wildcard-several', details, all.span, WARNING)]
  })
}
