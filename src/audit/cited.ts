import { takeApart, type LineParts } from './chain.ts'
import { listSegments, readLines, readLinesBackward, whileThere } from './segments.ts'

/**
 * Policy versions that the record in `dir` cites: a closed segment ends with a checkpoint that names its own (one that
 * doesn't is read whole), and `current` are those of the one being written.
 */
export async function citedVersions(dir: string, current: Iterable<string>): Promise<ReadonlySet<string>> {
  const cited = new Set<string>(current)
  const segments = await listSegments(dir)
  for (const { path } of segments.slice(0, -1)) {
    for (const version of (await lastCheckpoint(path)) ?? (await readWhole(path))) cited.add(version)
  }
  return cited
}

/** The policy version that a decision's line cites, unparsed: inside another text the quotes would be escaped. */
export function policyOf({ kind, body }: LineParts): string | undefined {
  if (kind !== 'decision') return undefined
  const start = body.indexOf('"policy":"')
  if (start === -1) return undefined
  const stop = body.indexOf(34, start + 10)
  return stop === -1 ? undefined : body.toString('utf8', start + 10, stop)
}

async function readWhole(path: string): Promise<ReadonlySet<string>> {
  const cited = new Set<string>()
  for await (const lines of whileThere(readLines(path))) {
    for (const { bytes } of lines) {
      const parts = takeApart(bytes)
      const version = parts === undefined ? undefined : policyOf(parts)
      if (version !== undefined) cited.add(version)
    }
  }
  return cited
}

async function lastCheckpoint(path: string): Promise<readonly string[] | undefined> {
  for await (const [line] of whileThere(readLinesBackward(path))) {
    const parts = line === undefined ? undefined : takeApart(line)
    if (parts?.kind !== 'checkpoint') return undefined
    try {
      const { policies } = JSON.parse(`${parts.body.toString()}}`) as { policies?: unknown }
      return Array.isArray(policies) && policies.every((item) => typeof item === 'string') ? policies : undefined
    } catch {
      return undefined
    }
  }
  return undefined
}
