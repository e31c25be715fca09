/** Events of an API server's audit (`audit.k8s.io/v1`), with what joining them needs, and nothing of the objects in them. */
import { z } from 'zod'

/** Longer texts are cut: a name in Kubernetes has 253 characters, a path can have many more. */
const TEXT_LIMIT = 2048
const ID_LIMIT = 256
const LIST_LIMIT = 64

const text = z
  .string()
  .transform((value) => value.slice(0, TEXT_LIMIT))
  .catch('')
const texts = z
  .array(z.string())
  .transform((all) => all.slice(0, LIST_LIMIT).map((one) => one.slice(0, TEXT_LIMIT)))
  .catch([])
const user = z.object({
  username: text,
  groups: texts,
  extra: z
    .record(z.string(), texts)
    .transform((all) => new Map(Object.entries(all).slice(0, LIST_LIMIT)))
    .catch(new Map<string, string[]>()),
})

const STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const

const schema = z.object({
  kind: z.literal('Event').optional(),
  apiVersion: z.literal('audit.k8s.io/v1').optional(),
  // Whoever asks chooses it, and the method of a path: cut, as what can't be read shows nobody.
  auditID: z
    .string()
    .min(1)
    .transform((value) => value.slice(0, ID_LIMIT)),
  stage: z.enum(STAGES),
  requestURI: z.string().transform((value) => value.slice(0, TEXT_LIMIT)),
  verb: z.string().transform((value) => value.slice(0, ID_LIMIT)),
  user,
  impersonatedUser: user.nullish(),
  sourceIPs: texts,
  userAgent: text,
  objectRef: z
    .object({ apiGroup: text, apiVersion: text, resource: text, subresource: text, namespace: text, name: text })
    .nullish()
    .catch(undefined),
  responseStatus: z
    .object({ code: z.int().min(0).max(999).optional().catch(undefined) })
    .nullish()
    .catch(undefined),
  requestReceivedTimestamp: z.iso.datetime({ offset: true }),
})

/** Who the API server took a request for. */
export interface AuditUser {
  readonly name: string
  readonly groups: readonly string[]
  readonly extra: ReadonlyMap<string, readonly string[]>
}

/** One stage of one request. Every text in it is foreign. */
export interface ServerEvent {
  readonly auditId: string
  readonly stage: (typeof STAGES)[number]
  /** With its query. */
  readonly uri: string
  readonly verb: string
  /** Who proved to be somebody. */
  readonly user: AuditUser
  /** Whom that one acted as. */
  readonly impersonated: AuditUser | undefined
  /** As the server saw them: all but the last are what others said. */
  readonly sourceIps: readonly string[]
  readonly userAgent: string
  /** Undefined for a path that is no resource. */
  readonly object:
    | {
        readonly group: string
        readonly resource: string
        readonly subresource: string
        readonly namespace: string
        readonly name: string
      }
    | undefined
  /** HTTP status; undefined while it isn't known. */
  readonly code: number | undefined
  /** Milliseconds since the epoch. */
  readonly received: number
  /** The same as the server wrote it, to the microsecond: requests are told apart by it. */
  readonly receivedText: string
}

/** Reads one event; undefined for anything else. Total. */
export function eventOf(value: unknown): ServerEvent | undefined {
  const read = schema.safeParse(value)
  if (!read.success) return undefined
  const { auditID, stage, requestURI, verb, impersonatedUser, sourceIPs, userAgent, objectRef, responseStatus } = read.data
  const received = Date.parse(read.data.requestReceivedTimestamp)
  if (Number.isNaN(received)) return undefined
  const named = ({ username, groups, extra }: z.output<typeof user>): AuditUser => ({ name: username, groups, extra })
  return {
    auditId: auditID,
    stage,
    uri: requestURI,
    verb,
    user: named(read.data.user),
    impersonated: impersonatedUser == null ? undefined : named(impersonatedUser),
    sourceIps: sourceIPs,
    userAgent,
    object:
      objectRef == null || objectRef.resource === ''
        ? undefined
        : {
            group: objectRef.apiGroup,
            resource: objectRef.resource,
            subresource: objectRef.subresource,
            namespace: objectRef.namespace,
            name: objectRef.name,
          },
    code: responseStatus?.code,
    received,
    receivedText: read.data.requestReceivedTimestamp,
  }
}
