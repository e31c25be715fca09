/** In which order places get a new version: `rollout` of the wiring. */
import { z } from 'zod'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { didYouMean } from './didyoumean.ts'
import { spanOf, type Located } from './document.ts'
import { duration, name } from './fields.ts'
import { targetOf } from './places.ts'
import type { Wiring } from './schema.ts'

const stage = z.strictObject({
  name: name().describe('What it is called'),
  targets: z
    .array(
      z
        .string()
        .max(140)
        .regex(
          /^(?:envoy\/)?[a-z][a-z0-9-]*(?:@[a-z][a-z0-9-]*)?$/,
          'write a target, one of its places as `target@place`, or an Envoy of this gateway as `envoy/node`',
        ),
    )
    .min(1)
    .optional()
    .describe('Targets with all of their places, single places, Envoys of `doors.envoy`; default, for the last stage: all the rest')
    .meta({ examples: [['shop-staging'], ['shop@eu-1', 'envoy/edge-1']] }),
  settle: duration()
    .default(60_000)
    .describe('How long all is to be as it should be, here and in the stages before, until the next stage begins'),
})

/** `rollout`. */
export const rolloutSchema = z.strictObject({
  prove: z.boolean().default(true).describe('Whether everything is proven before anything is applied'),
  patience: duration()
    .default(120_000)
    .describe('How long a place of a mesh may take until its proxies enforce what was applied; after that the roll-out stops'),
  stages: z.array(stage).min(1).max(16).describe('One after the other'),
})

export type Rollout = z.output<typeof rolloutSchema>

/** One stage, with everything that is in it by name: `shop@eu-1`, `envoy/edge`. */
export interface Stage {
  readonly name: string
  /** Milliseconds. */
  readonly settle: number
  readonly members: readonly string[]
}

/** What an Envoy of this gateway is called among places. */
export function envoyName(node: string): string {
  return `envoy/${node}`
}

/** The stages in their order; undefined where there is no `rollout`. */
export function stagesOf(wiring: Pick<Wiring, 'rollout' | 'targets' | 'doors'>): readonly Stage[] | undefined {
  if (wiring.rollout === undefined) return undefined
  const all = membersOf(wiring)
  const named = new Set(wiring.rollout.stages.flatMap(({ targets = [] }) => targets.flatMap((one) => meant(one, all))))
  return wiring.rollout.stages.map(({ name: called, settle, targets }) => ({
    name: called,
    settle,
    members:
      targets === undefined ? all.filter((one) => !named.has(one)) : all.filter((one) => targets.some((by) => meant(by, [one]).length > 0)),
  }))
}

function membersOf({ targets, doors }: Pick<Wiring, 'targets' | 'doors'>): readonly string[] {
  const { nodes = {} } = (doors['envoy'] ?? {}) as { readonly nodes?: Readonly<Record<string, unknown>> }
  return [...Object.keys(targets), ...Object.keys(nodes).map(envoyName)]
}

/** A target stands for all of its places. */
function meant(by: string, all: readonly string[]): readonly string[] {
  return all.filter((one) => one === by || (one.includes('@') && targetOf(one) === by))
}

/** What would leave something in no stage, or in two. */
export function rolloutProblems(wiring: Wiring, root: Located): readonly Diagnostic[] {
  if (wiring.rollout === undefined) return []
  const { stages } = wiring.rollout
  const all = membersOf(wiring)
  const seen = new Map<string, string>()
  const found: Diagnostic[] = []
  const say = (path: readonly (string | number)[], problem: string, help?: string): void => {
    const where = `\`${['rollout', ...path].join('.')}\``
    found.push(diagnostic('config/invalid', { where, problem }, spanOf(root, ['rollout', ...path]), help === undefined ? {} : { help }))
  }
  for (const [index, { name: called, targets }] of stages.entries()) {
    if (stages.findIndex((one) => one.name === called) < index) say(['stages', index, 'name'], `two stages are called \`${called}\``)
    if (targets === undefined && index < stages.length - 1)
      say(['stages', index], `only the last stage is all the rest: name the \`targets\` of \`${called}\``)
    for (const [at, by] of (targets ?? []).entries()) {
      const path = ['stages', index, 'targets', at]
      const members = meant(by, all)
      if (members.length === 0) say(path, `there is no target, place or Envoy \`${by}\``, didYouMean(by, all))
      for (const one of members) {
        const other = seen.get(one)
        if (other === undefined) seen.set(one, called)
        else say(path, `\`${one}\` is in the stage \`${other}\` already`)
      }
    }
  }
  const left = stages.at(-1)!.targets === undefined ? [] : all.filter((one) => !seen.has(one))
  if (left.length > 0)
    say(['stages'], `${left.map((one) => `\`${one}\``).join(', ')} would be in no stage: end with one that names no \`targets\``)
  return found
}
