/** Why a request was denied by an enforcement point that decided by itself, as far as it told. */
import { search, type AuditQuery } from '../../audit/index.ts'
import { formatSpan } from '../../core/span.ts'
import { ACCESS, UNGRANTED } from '../../envoy/metadata.ts'
import { statementOf } from '../../envoy/rbac.ts'
import { actionOf, renderWhoCan, whoCan, type CompiledPolicy } from '../../policy/index.ts'

export interface ElsewhereExplained {
  readonly text: string
  /** The record; undefined for response details alone. */
  readonly request: Readonly<Record<string, unknown>> | undefined
  /** The rule or guardrail that is named, and where it stands in the policy that is in force. */
  readonly statement: { readonly id: string; readonly kind: 'rule' | 'guardrail'; readonly place: string } | undefined
}

/** What Envoy says of a denial in its response details. */
const DETAILS = /^rbac_access_denied_matched_policy\[([^\]]{1,512})\]$/

/**
 * @param asked A request id, as Envoy answers it in `x-request-id`, or its response details
 * @returns Undefined where no record of such a request is
 */
export async function explainElsewhere(
  dir: string,
  policy: CompiledPolicy,
  now: number,
  asked: string,
): Promise<ElsewhereExplained | undefined> {
  const [, named] = DETAILS.exec(asked) ?? []
  if (named !== undefined) {
    const { lines, statement } = saidOf(named === 'none' ? '' : statementOf(named), policy)
    return { text: `${lines.join('\n')}\n`, request: undefined, statement }
  }
  const query: AuditQuery = { kinds: ['event'], event: ACCESS, request: asked, limit: 1 }
  for await (const { record } of search(dir, query)) {
    if (record.kind !== 'event') continue
    const { details } = record
    const told = (key: string): string => (typeof details[key] === 'string' ? details[key] : '')
    const status = Number(details['status'])
    const head = [
      `request  ${told('request')}`,
      `${status === 0 ? 'not answered' : `answered with ${status}`}  ${told('method')} ${told('path')}  on ${told('resource')}`,
      `at  ${record.time}, by Envoy \`${told('node')}\`, ${told('subject') === '' ? 'nobody that it knew' : `${told('subject')} of ${told('issuer')}`}`,
      `it said  ${told('why')}`,
    ]
    const observed = told('wouldBeDeniedBy')
    if (observed !== '') head.push(`observed  ${WOULD[observed] ?? `guardrail ${observed}`} would have denied it, and is not enforced yet`)
    const isDenied = DETAILS.test(told('why'))
    const { lines, statement } = isDenied ? saidOf(told('deniedBy'), policy) : { lines: [], statement: undefined }
    const more = isDenied && statement === undefined ? whoMay(policy, `${told('method')} ${told('path')}`, told('resource'), now) : []
    const text = [...head, ...(lines.length > 0 ? ['', ...lines] : []), ...(more.length > 0 ? ['', ...more] : [])].join('\n')
    return { text: `${text}\n`, request: details, statement }
  }
  return undefined
}

/** What would have denied, where it is no guardrail. */
const WOULD: Readonly<Record<string, string>> = {
  [UNGRANTED.name]: 'that no rule grants it, or its issuer is none that is accepted there,',
  '(scope)': 'that its token is delegated, and none of its scopes covers the action,',
}

/** What denied: a guardrail by its id; something of the enforcement point's own, in brackets; or no rule. */
function saidOf(id: string, { model }: CompiledPolicy): Pick<ElsewhereExplained, 'statement'> & { readonly lines: readonly string[] } {
  const found = [...model.guardrails, ...model.rules].find((one) => one.id === id)
  if (found !== undefined) {
    const place = formatSpan(found.span)
    return {
      statement: { id, kind: found.kind, place },
      lines: [`denied by  ${found.kind} ${id}  (${place}, as the policy is now)`],
    }
  }
  const own: Readonly<Record<string, string>> = {
    '': 'denied because  no rule grants it, or its token is none that is let in there: the enforcement point does not say which',
    '(scope)': 'denied because  its token is delegated, and none of its scopes covers the action',
  }
  const revoked = id.startsWith('(revoked:')
    ? 'denied because  its token, subject or client was revoked, or what was issued until then'
    : undefined
  return { statement: undefined, lines: [own[id] ?? revoked ?? `denied by  ${id}, which is not in the policy any more`] }
}

function whoMay(policy: CompiledPolicy, text: string, resource: string, now: number): readonly string[] {
  const protocol = Object.hasOwn(policy.model.world.resources, resource) ? policy.model.world.resources[resource]!.protocol : undefined
  const action = protocol === undefined ? undefined : actionOf(text, protocol)
  const answer = action === undefined || typeof action === 'string' ? undefined : whoCan(policy.model, action, resource, now)
  return answer === undefined
    ? []
    : [
        'who may, by the policy as it is now',
        ...renderWhoCan(answer)
          .trimEnd()
          .split('\n')
          .map((line) => `  ${line}`),
      ]
}
