import { pathOfName, sortedUnique, type Findings } from './names.ts'
import type { ResourceText } from './schema.ts'
import type { World } from './world.ts'

/** Names of the resources that a text means: one, several, or those with some labels. */
export function resolveResources(
  text: ResourceText,
  where: string,
  path: readonly PropertyKey[],
  { findings, world }: { readonly findings: Findings; readonly world: World },
): readonly string[] {
  if (typeof text === 'object' && !Array.isArray(text)) {
    const wanted = Object.entries(text.labels)
    if (wanted.length === 0) findings.add('policy/unknown-resource', { name: '{}', where }, path, 'name at least one label')
    return sortedUnique(
      Object.entries(world.resources)
        .filter(([, { labels }]) => wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value))
        .map(([name]) => name),
    )
  }
  const names = typeof text === 'string' ? [text] : (text as readonly string[])
  return sortedUnique(
    names.filter((name, i) => findings.known('policy/unknown-resource', name, world.resources, where, pathOfName(path, text, i))),
  )
}
