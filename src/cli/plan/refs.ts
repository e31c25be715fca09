import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { readSources } from '../../config/load.ts'
import type { Sources } from '../../config/wiring.ts'
import { OstiaryError } from '../../core/errors.ts'
import { adminClient } from '../admin.ts'
import { readRevision } from './git.ts'

/** The policy that a gateway runs. */
export const RUNNING = 'running'

/** One of two configurations to compare. */
export interface Version {
  /** For people. */
  readonly label: string
  readonly sources: Sources
}

const file = z.object({ path: z.string(), text: z.string() })
const answer = z.object({
  sources: z.object({
    wiring: file,
    environment: file.extend({ name: z.string() }).optional(),
    policy: z.array(file),
    tests: z.array(file),
    documents: z.array(file).optional(),
  }),
})

/**
 * Reads what a reference means: `running`, a folder with `ostiary.yaml`, or a Git revision of the configuration folder.
 * @throws OstiaryError `cli/plan-git`, `config/…`, those of the admin client
 */
export async function readVersion(ref: string, folder: string, environment: string | undefined, command: Command): Promise<Version> {
  if (ref === RUNNING) {
    const client = await adminClient(command)
    const read = answer.safeParse(await client.request('GET', '/api/policy/sources'))
    if (!read.success) throw new OstiaryError('cli/answer', { status: 200, reason: 'it has no sources of a policy' })
    const { sources } = read.data
    return { label: 'what is running', sources: { ...sources, environment: sources.environment } }
  }
  // A name that could be both is a folder: a revision can be written in another way, as `refs/heads/NAME`.
  if (existsSync(join(ref, 'ostiary.yaml')))
    return { label: ref === folder ? 'the folder as it is' : relative('.', ref), sources: readSources(ref, environment) }
  return { label: ref, sources: await readRevision(folder, ref, environment) }
}
