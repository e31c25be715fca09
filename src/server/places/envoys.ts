/** Envoys of this gateway as places: what they should have and what they have taken, the gateway that feeds them tells. */
import { z } from 'zod'
import { envoyName } from '../../config/rollout.ts'
import { OstiaryError } from '../../core/errors.ts'
import { LABEL_LENGTH, type Place, type Stand } from './place.ts'
import type { Member } from './status.ts'

const text = z.string().max(4096)
const answerSchema = z.object({
  envoys: z
    .array(
      z.object({
        node: text,
        desired: text.optional(),
        acknowledged: text.optional(),
        connectedSince: z.number().optional(),
        /** Version of the policy that the node was handed out last. */
        policy: text.optional(),
        refused: text.optional(),
        kinds: z.record(z.string(), z.object({ rejection: z.object({ message: z.string() }).optional() })),
      }),
    )
    .max(10_000)
    .default([]),
})
type Answer = z.output<typeof answerSchema>

/** @param ask What a running gateway answers at `/api/status`; whoever asks again soon is told the same */
export function envoyMembers(nodes: readonly string[], desired: string, ask: (signal: AbortSignal) => Promise<unknown>): readonly Member[] {
  return nodes.map((node) => ({
    name: envoyName(node),
    kind: 'envoy',
    desired,
    open: (signal): Place => ({
      look: async () => {
        const read = answerSchema.safeParse(await ask(signal))
        if (!read.success) throw new OstiaryError('cli/answer', { status: 200, reason: 'it has no status of Envoys' })
        return standOf(node, desired, read.data)
      },
      close: () => Promise.resolve(),
    }),
  }))
}

function standOf(node: string, wanted: string, { envoys }: Answer): Stand {
  const found = envoys.find((one) => one.node === node)
  const nothing = { leftOver: [], rejected: {}, warnings: [], differences: [], rejections: [] }
  if (found === undefined)
    return {
      ...nothing,
      revision: undefined,
      enforced: undefined,
      problems: ['the gateway feeds no Envoy of this name, or has nothing for it'],
    }
  const { desired, acknowledged, connectedSince, policy, refused, kinds } = found
  const revision = policy?.replace(/^sha256:/, '').slice(0, LABEL_LENGTH)
  const hasIt = revision === wanted.slice(0, LABEL_LENGTH) && desired !== undefined && acknowledged === desired
  return {
    ...nothing,
    revision,
    enforced: { count: hasIt && connectedSince !== undefined ? 1 : 0, of: 1, what: 'Envoy' },
    problems: [
      ...(refused === undefined ? [] : [refused]),
      ...(connectedSince === undefined ? ['it is not connected'] : []),
      ...(desired === undefined ? ['nothing was handed out to it (see `ostiary compile envoy`)'] : []),
    ],
    rejections: Object.entries(kinds).flatMap(([kind, { rejection }]) =>
      rejection === undefined ? [] : [`it rejects its ${kind} configuration, and keeps what it had: ${rejection.message}`],
    ),
  }
}
