/** `ab -k`: every answer is counted, compared in length and with its status. */
import { stage } from './bench.ts'
import { ostiary } from './candidates/ostiary.ts'
import { gate } from './gate.ts'
import { run } from './slice.ts'
import { find, installCommand } from './tools.ts'
import { HOST } from './workload.ts'
import type { RecordMode } from '../../src/core/record.ts'

const REQUESTS = 20_000

interface Options {
  readonly mode: RecordMode
  readonly say: (line: string) => void
}

/** What `ab` counted; `different` are answers whose length is not the first one's. */
export function counts(output: string): { readonly complete: number; readonly failed: number; readonly non2xx: number } {
  const count = (label: string): number => Number(new RegExp(`^${label}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? 0)
  return { complete: count('Complete requests'), failed: count('Failed requests'), non2xx: count('Non-2xx responses') }
}

export async function ab({ mode, say }: Options): Promise<boolean> {
  const tool = find('ab')
  if (tool === undefined) throw new Error(`ab is missing: ${installCommand('ab')}`)
  const here = await stage()
  const candidate = ostiary(mode)
  try {
    const subject = await here.launch(candidate)
    try {
      const problems = await gate(candidate, subject.port, here.workload)
      if (problems.length > 0) throw new Error(problems.join('; '))
      const ask = async (path: string, token: string | undefined) => {
        const fields = ['-H', `Host: ${HOST}`, ...(token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`])]
        const output = await run(tool.path, [
          '-k',
          '-q',
          '-n',
          String(REQUESTS),
          '-c',
          '32',
          ...fields,
          `http://127.0.0.1:${subject.port}${path}`,
        ])
        return counts(output)
      }
      const { allowed, denied } = here.workload.gate
      const rows = [
        { what: 'allowed', got: await ask(allowed.path, allowed.token), non2xx: 0 },
        { what: 'denied', got: await ask(denied.path, denied.token), non2xx: REQUESTS },
        { what: 'without a token', got: await ask(allowed.path, undefined), non2xx: REQUESTS },
      ]
      let good = true
      for (const { what, got, non2xx } of rows) {
        // A refusal's text holds an id of its own, all of one length: a failed request is a lost or cut one here too.
        const fine = got.complete === REQUESTS && got.failed === 0 && got.non2xx === non2xx
        good &&= fine
        process.stdout.write(
          `ab -k, ${what}: ${got.complete} complete, ${got.failed} failed, ${got.non2xx} refused${fine ? '' : ' — WRONG'}\n`,
        )
      }
      for (const problem of await gate(candidate, subject.port, here.workload)) {
        say(problem)
        good = false
      }
      return good
    } finally {
      await subject.running.stop()
    }
  } finally {
    await here.close()
  }
}
