import { join } from 'node:path'
import { readPublicKeys } from '../secrets/keyring.ts'
import type { CheckpointKey } from './keybook.ts'
import { search } from './search.ts'
import { renderResult, type VerifyResult } from './verdict.ts'
import { verify } from './verify.ts'

export interface VerifyDataDirectoryOptions {
  /** Anchor files; default: those that the record itself names as configured when it was last opened. */
  readonly anchors?: readonly string[] | undefined
  /** Keys to believe in place of those in the data directory: who could alter the record could have altered those, too. */
  readonly keys?: readonly CheckpointKey[] | undefined
}

/**
 * Verifies the record of a gateway from its data directory alone. `text` says it for people.
 * @throws OstiaryError `audit/unreadable`, `audit/no-anchor`, `secrets/key-file`, `secrets/key-file-open`
 */
export async function verifyDataDirectory(
  dataDir: string,
  options: VerifyDataDirectoryOptions = {},
): Promise<VerifyResult & { readonly text: string }> {
  const dir = join(dataDir, 'audit')
  const anchors = options.anchors ?? (await configuredAnchors(dir))
  const keys = options.keys ?? readPublicKeys(join(dataDir, 'keys'), 'checkpoint').keys
  const result = await verify(dir, { keys, anchors })
  return { ...result, text: renderResult(result) }
}

/** Anchor files as the newest opening of the record named them. */
async function configuredAnchors(dir: string): Promise<readonly string[]> {
  for await (const { record } of search(dir, { event: 'audit-opened', limit: 1 })) {
    const anchors = record.kind === 'event' ? record.details['anchors'] : undefined
    if (Array.isArray(anchors)) return anchors
  }
  return []
}
