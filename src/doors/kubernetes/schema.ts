import { RE2JS } from 're2js'
import { z } from 'zod'
import { FORMS } from '../../audit/redaction/index.ts'
import { bytes, duration, secretReference, secureUrl } from '../../config/fields.ts'
import { resourceBase } from '../../config/schema.ts'
import { host, listeningWith } from '../../http/schema.ts'
import { DEFAULT_PREFIX } from '../../kubernetes/users.ts'
import { literalProblem, patternHelp } from '../../policy/when/functions.ts'

/** A watch may be silent for longer than any other exchange, and clients open dozens. What is larger, etcd doesn't take. */
const HOURS = 3_600_000

/** `doors.kubernetes`. */
export const doorSchema = z
  .strictObject({
    ...listeningWith({ body: 16 * 1024 ** 2, streams: 250, idle: 13 * HOURS }),
    publicUrl: secureUrl()
      .refine((text) => /^https:\/\/[^/]+$/.test(text), 'write an https URL without a path, such as `https://kube.example.com`')
      .optional()
      .describe('URL under which clients reach it, for `ostiary kubeconfig`; default: the first address that it listens on'),
    ca: z
      .string()
      .min(1)
      .optional()
      .describe(
        'PEM file of the authorities that vouch for its certificate, for `ostiary kubeconfig`; default: those of the client’s system',
      ),
  })
  .describe('Clusters of Kubernetes, for `kubectl` and all that speaks with an API server')

/** The path of an API server's URL is no part of what is decided. */
const apiServer = secureUrl().refine((text) => !URL.canParse(text) || new URL(text).pathname === '/', 'write it without a path')

const credential = z
  .union([
    z.strictObject({ token: secretReference().describe('Token of the service account that the gateway has there; read anew') }),
    z.strictObject({
      certificate: z.string().min(1).describe('PEM file of the certificate that the gateway shows there'),
      key: z.string().min(1).describe('PEM file of its key'),
    }),
  ])
  .describe('Who the gateway itself is there')

const prefix = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,60}[:/]$/, 'write a short name that ends with `:` or `/`')
  .refine((text) => !text.startsWith('system'), 'names that begin with `system` are Kubernetes’ own')

/** A pattern that can be matched in time that is linear in the text, and that finds something. */
const pattern = z
  .string()
  .min(1)
  .max(500)
  .superRefine((text, context) => {
    const problem =
      literalProblem('matches', text) ?? (RE2JS.compile(text).matcher('').find() ? 'it matches where there is nothing' : undefined)
    if (problem !== undefined)
      context.addIssue({ code: 'custom', message: [problem, patternHelp(text)].filter((one) => one !== undefined).join('; ') })
  })

const redact = z.strictObject({
  patterns: z
    .array(pattern)
    .max(32)
    .default([])
    .describe('RE2 patterns of what else is a secret, within one line and at most 1024 characters long')
    .meta({ examples: [['CORP-[0-9a-f]{32}']] }),
  keep: z
    .array(z.enum(FORMS))
    .default([])
    .describe(
      'Forms of secrets that are kept as they are: what is typed and not shown, arguments of commands (`--password …`), values of names (`DB_PASSWORD=…`), `Authorization`, secrets in URLs, tokens with a form of their own, private keys, `data` of Secrets',
    ),
})

const sessions = z.strictObject({
  record: z
    .enum(['off', 'output', 'all'])
    .default('off')
    .describe('What is kept of `exec` and `attach`: nothing, what the terminal shows, or also what is typed'),
  limit: bytes()
    .default(64 * 1024 ** 2)
    .describe('Largest recording; a session that makes a larger one is ended'),
  redact: redact.prefault({}).describe('What is left out of recordings, and of commands in the record, since it looks like a secret'),
})

const webhook = z.strictObject({
  door: z
    .enum(['asked', 'believed'])
    .default('asked')
    .describe(
      'What becomes of questions about what this door has let through: they are decided anew, by roles alone, or what it decided holds, as an extra field `ostiary.dev/decision` says that the gateway has to be allowed to impersonate',
    ),
  components: z
    .array(z.string().min(1).max(253))
    .max(100)
    .default([])
    .describe('Users besides `system:*` who are parts of the cluster, and aren’t expected to come through the gateway')
    .meta({ examples: [['gateway']] }),
  deny: z
    .enum(['all', 'guardrails'])
    .default('all')
    .describe(
      'What it is told to refuse: whatever the policy doesn’t allow, or only what guardrails and conditions take away, so that roles bound in the cluster may give more',
    ),
})

/** A resource with `protocol: kubernetes`. */
export const resourceSchema = resourceBase
  .extend({
    protocol: z.literal('kubernetes').describe('What it speaks'),
    hosts: z
      .array(host)
      .max(100)
      .default([])
      .describe('Hosts under which it is reached besides `/clusters/<its name>` of every host')
      .meta({ examples: [['prod.kube.example.com']] }),
    server: apiServer
      .optional()
      .describe('URL of its API server. Without it nobody reaches it through the gateway, and its policy is only compiled and asked')
      .meta({ examples: ['https://10.0.0.1:6443'] }),
    ca: z.string().min(1).optional().describe('PEM file of the authorities to believe for it, instead of the system’s'),
    serverName: z.string().min(1).optional().describe('Name to ask for and to check in TLS; default: the host of `server`'),
    mode: z
      .enum(['impersonate', 'pass-through', 'on-behalf-of'])
      .default('impersonate')
      .describe('Who callers are there: whom the gateway says they are, whom their own token says, or whom a token exchanged for it says'),
    credential: credential.optional(),
    prefix: prefix.default(DEFAULT_PREFIX).describe('Before the names of users and groups that the gateway impersonates'),
    audience: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe('`aud` of tokens for this cluster; needed for `pass-through` and `on-behalf-of`')
      .meta({ examples: ['6dae42f8-4368-4678-94ff-3960e28e3630'] }),
    lists: z
      .enum(['exact', 'filter'])
      .default('exact')
      .describe('What becomes of a list of which the policy allows only some: it is refused, or what is not allowed is left out'),
    namespace: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'write the name of a namespace')
      .optional()
      .describe('Namespace that `ostiary kubeconfig` begins with'),
    webhook: webhook.prefault({}).describe('How its API server is answered that asks about people, and tells of requests'),
    sessions: sessions.prefault({}).describe('What is kept of sessions in containers'),
    help: z
      .string()
      .max(200)
      .regex(/^[\x20-\x7e]+$/, 'write plain text on one line')
      .optional()
      .describe('What somebody is told who is refused, such as where to ask')
      .meta({ examples: ['ask in #platform'] }),
    connections: z.int().min(1).max(10_000).default(256).describe('Connections to it at most'),
    pending: z.int().min(0).max(100_000).default(1024).describe('Requests that may wait for a connection; further ones are 503'),
    connectTimeout: duration().default(5_000).describe('Time for a connection to be there'),
    headersTimeout: duration().default(90_000).describe('Time for the head of the response'),
    idleTimeout: duration()
      .default(13 * HOURS)
      .describe('Time that a response may stand still'),
  })
  .superRefine(({ mode, server, credential: own, audience }, context) => {
    const say = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
    if (server === undefined) return
    if (mode === 'impersonate' && own === undefined) say('credential', 'is needed for `mode: impersonate`: who the gateway is there')
    if (mode !== 'impersonate' && own !== undefined) say('credential', `is nobody’s with \`mode: ${mode}\`: callers bring their own`)
    if (mode !== 'impersonate' && audience === undefined) say('audience', `is needed for \`mode: ${mode}\`: whom tokens have to be for`)
    if (mode === 'impersonate' && audience !== undefined) say('audience', 'says nothing with `mode: impersonate`')
  })

export type KubernetesDoorConfig = z.output<typeof doorSchema>
export type KubernetesResource = z.output<typeof resourceSchema>
