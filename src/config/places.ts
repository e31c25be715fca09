/** Targets that are alike: one description, and by place what differs. Afterwards each place is a target of its own, `target@place`. */
import { z } from 'zod'
import type { Diagnostic } from '../core/errors.ts'
import { overlay, type Entry, type Located } from './document.ts'
import type { Families, TargetBase } from './schema.ts'
import { validate } from './validate.ts'

type Targets = Readonly<Record<string, TargetBase>>

/** The target that a place is of; a target without places is its own. What is applied carries this name, wherever it is applied. */
export function targetOf(place: string): string {
  return place.split('@', 1)[0]!
}

/**
 * Each place as a target. What a place says is laid over its target as an environment is over the wiring: maps by key, lists whole.
 * @param root The tree that `targets` was read from
 */
export function expandPlaces(
  targets: Targets,
  root: Located,
  families: Families['targets'],
): { readonly targets: Targets; readonly diagnostics: readonly Diagnostic[] } {
  const all: [string, TargetBase][] = []
  const diagnostics: Diagnostic[] = []
  for (const [name, target] of Object.entries(targets)) {
    const { places, ...base } = target
    if (places === undefined) {
      all.push([name, base])
      continue
    }
    const node = child(child(root, 'targets'), name)
    for (const place of Object.keys(places)) {
      const key = `${name}@${place}`
      const merged = overlay(without(node, 'places'), child(child(node, 'places'), place))
      // In a tree of its own, so that findings name the place.
      const tree = mapOf('targets', mapOf(key, merged))
      const schema = z.strictObject({ targets: z.strictObject({ [key]: families[base.kind]! }) })
      const read = validate(schema, tree)
      diagnostics.push(...read.diagnostics)
      const made = (read.value?.targets as Readonly<Record<string, TargetBase>> | undefined)?.[key]
      if (made !== undefined) all.push([key, made])
    }
  }
  return { targets: Object.fromEntries(all), diagnostics }
}

function child(node: Located, key: string): Located {
  return (node as Extract<Located, { readonly kind: 'map' }>).entries.get(key)!.node
}

function without(node: Located, key: string): Located {
  const { span, entries } = node as Extract<Located, { readonly kind: 'map' }>
  return { kind: 'map', span, entries: new Map([...entries].filter(([one]) => one !== key)) }
}

function mapOf(key: string, node: Located): Located {
  return { kind: 'map', span: node.span, entries: new Map<string, Entry>([[key, { keySpan: node.span, node }]]) }
}
