/** `kubectl auth can-i`: what callers may do is what the policy and the cluster both allow, and that is what they are told. */
import type { KubernetesAction } from '../../core/action.ts'
import { ALL } from '../../core/action.ts'
import { isObject, readJsonText, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { Admitted } from '../../core/pipeline.ts'
import type { Answer } from '../../http/engine.ts'
import { reviewedAction, type NonResourceAttributes, type ResourceAttributes } from '../../kubernetes/review.ts'
import { readReview } from '../../kubernetes/protobuf.ts'
import { askCluster } from './ask.ts'
import type { SelfReview } from './actions.ts'
import type { Cluster } from './clusters.ts'
import { problemOf, whyNot } from './deny.ts'
import { rulesWithin } from './rules.ts'

export interface ReviewParts {
  readonly cluster: Cluster
  readonly passage: Admitted
  /** Path and query. */
  readonly path: string
  /** Of the request to the cluster. */
  readonly fields: readonly string[]
  readonly now: () => number
  readonly completed: (status: number, bytesIn: number, bytesOut: number) => void
}

/** Bytes of the cluster's answer. */
const MAX_ANSWER = 4 * 1024 * 1024

export async function answerReview(review: SelfReview, body: Buffer, parts: ReviewParts): Promise<Answer> {
  let answer: Answer
  try {
    answer = await answered(review, body, parts)
  } catch {
    answer = problemOf('http/upstream-failed', { decision: parts.passage.id })
  }
  parts.completed(answer.status, body.length, answer.body.length)
  return answer
}

async function answered(review: SelfReview, body: Buffer, parts: ReviewParts): Promise<Answer> {
  const { passage, cluster } = parts
  const context = { decision: passage.id }
  const form = formOf(parts.fields)
  if (form === undefined) return problemOf('kubernetes/media-type', context)
  const asked = form === 'json' ? parsed(body) : (readReview(body) as JsonObject | undefined)
  const spec = asked === undefined ? undefined : asked['spec']
  if (asked === undefined || !isObject(spec)) return problemOf('kubernetes/review', context)
  if (review === 'selfsubjectaccessreviews') {
    const action = await actionAsked(spec, cluster)
    if (action === 'unreadable') return problemOf('kubernetes/review', context)
    const refusal = action === undefined ? EVERYTHING : refusalOf(action, passage)
    if (refusal !== undefined) return json(201, { ...asked, status: { allowed: false, denied: true, reason: refusal } }, passage.id)
  }
  const { status, body: text } = await askCluster(
    cluster.target,
    {
      method: 'POST',
      path: parts.path,
      host: cluster.host,
      fields: asJson(parts.fields),
      body: form === 'json' ? body : Buffer.from(JSON.stringify(asked)),
    },
    MAX_ANSWER,
  )
  if (status === 401 && cluster.config.mode === 'impersonate') return problemOf('kubernetes/refused-gateway', context)
  const theirs = parsed(text)
  if (review !== 'selfsubjectrulesreviews' || status !== 201 || theirs === undefined || !isObject(theirs['status']))
    return raw(status, text, passage.id)
  const namespace = typeof spec['namespace'] === 'string' && spec['namespace'] !== '' ? spec['namespace'] : 'default'
  const may = (action: KubernetesAction): boolean => refusalOf(action, passage) === undefined
  const rules = rulesWithin(theirs['status'], namespace, may, cluster.discovery.namespaced)
  return json(201, { ...theirs, status: { ...theirs['status'], ...rules, incomplete: true, evaluationError: INCOMPLETE } }, passage.id)
}

/** All at once is more than any rule gives: what gives a way in has to be named. */
const EVERYTHING = 'no rule allows everything at once'
const INCOMPLETE =
  'conditions, names and guardrails of the gateway’s policy are more than rules can say; ask `kubectl auth can-i` about one request'

async function actionAsked(spec: JsonObject, { discovery }: Cluster): Promise<KubernetesAction | undefined | 'unreadable'> {
  const { resourceAttributes, nonResourceAttributes } = spec
  if (!isTexts(resourceAttributes) || !isTexts(nonResourceAttributes)) return 'unreadable'
  const resource = resourceAttributes as ResourceAttributes | undefined
  const path = nonResourceAttributes as NonResourceAttributes | undefined
  if ((resource === undefined) === (path === undefined)) return 'unreadable'
  const { group = '', version = '', resource: name = '' } = resource ?? {}
  const at = version === ALL || version === '' ? 'v1' : version
  if (resource !== undefined && name !== ALL && !discovery.knows(group, at, name)) await discovery.ask(group, at)
  return reviewedAction({ resourceAttributes: resource, nonResourceAttributes: path }, (g, _v, r) => discovery.namespaced(g, at, r))
}

/** Attributes are texts; selectors are objects, and only narrow. */
function isTexts(value: JsonValue | undefined): boolean {
  if (value === undefined) return true
  return isObject(value) && Object.entries(value).every(([key, one]) => typeof one === 'string' || key.endsWith('Selector'))
}

/** Why the policy says no; undefined where it allows. */
function refusalOf(action: KubernetesAction, passage: Admitted): string | undefined {
  const decision = passage.decideAlso(action)
  return decision.effect === 'allow' ? undefined : whyNot(decision)
}

function parsed(text: Buffer): JsonObject | undefined {
  const value = readJsonText(text.toString())
  return isObject(value) ? value : undefined
}

function formOf(fields: readonly string[]): 'json' | 'protobuf' | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]!.toLowerCase() !== 'content-type') continue
    const type = fields[i + 1]!.split(';')[0]!.trim().toLowerCase()
    return type === 'application/json' ? 'json' : type === 'application/vnd.kubernetes.protobuf' ? 'protobuf' : undefined
  }
  return undefined
}

const FORMS: ReadonlySet<string> = new Set(['accept', 'accept-encoding', 'content-type'])

/** The question is put, and the answer read, as JSON. */
function asJson(fields: readonly string[]): string[] {
  const all: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) if (!FORMS.has(fields[i]!.toLowerCase())) all.push(fields[i]!, fields[i + 1]!)
  return [...all, 'Accept', 'application/json', 'Content-Type', 'application/json']
}

function json(status: number, value: unknown, decision: string): Answer {
  return raw(status, Buffer.from(`${JSON.stringify(value)}\n`), decision)
}

function raw(status: number, body: Buffer, decision: string): Answer {
  const fields = ['Content-Type', 'application/json', 'Cache-Control', 'no-cache, private', 'Ostiary-Decision', decision]
  return { kind: 'answer', status, fields, body: body.toString() }
}
