/** Prints failures in full and one closing line: what a log needs, and no more. */
import type { TestEvent } from 'node:test/reporters'

export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0
  let failed = 0
  let skipped = 0
  let coverage = ''
  for await (const event of source) {
    switch (event.type) {
      case 'test:pass':
        if (event.data.details.type === 'suite') break
        if (event.data.skip !== undefined || event.data.todo !== undefined) {
          skipped++
          yield `skipped: ${event.data.name} (${String(event.data.skip ?? event.data.todo)})\n`
        } else passed++
        break
      case 'test:fail': {
        const { error, type } = event.data.details
        // A suite fails with its tests, which were told; or by itself, which nothing else tells.
        if (type === 'suite' && (error as { readonly failureType?: string }).failureType === 'subtestsFailed') break
        failed++
        yield `FAILED ${event.data.file ?? ''}:${event.data.line ?? ''} ${event.data.name}\n${String((error.cause as Error | undefined)?.stack ?? error.cause ?? error.message)}\n`
        break
      }
      case 'test:coverage': {
        const { totals, files } = event.data.summary
        const low = files
          .filter((file) => file.coveredLinePercent < 70)
          .map((file) => `  ${file.coveredLinePercent.toFixed(0)} % ${file.path.replace(`${process.cwd()}/`, '')}\n`)
        coverage = `coverage: lines ${totals.coveredLinePercent.toFixed(1)} %, branches ${totals.coveredBranchPercent.toFixed(1)} %, functions ${totals.coveredFunctionPercent.toFixed(1)} %\n${low.length > 0 ? `files under 70 %:\n${low.join('')}` : ''}`
        break
      }
      case 'test:stderr':
      case 'test:stdout':
        yield event.data.message
        break
      default:
        break
    }
  }
  yield coverage
  yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`
}
