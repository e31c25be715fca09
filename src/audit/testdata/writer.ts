/**
 * Writes strict records as fast as it can until it is killed, and says on its output which are durable.
 * Arguments: folder of the record, file of a private key.
 */
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeSync } from 'node:fs'
import { decisionOf, done, openTestLog, settings, signerOf } from './record.ts'

const [dir, key] = process.argv.slice(2)
const log = await openTestLog(dir!, signerOf(createPrivateKey(readFileSync(key!))), {
  options: { ...settings, checkpointEvery: 20, segmentSize: 256 * 1024 },
})

let number = 0
async function client(): Promise<void> {
  for (;;) {
    const id = `${process.pid}-${number++}`
    await log.decided(decisionOf(id), 'strict')
    writeSync(1, `${id}\n`)
    log.completed(id, done, 'strict')
  }
}
await Promise.all(Array.from({ length: 32 }, client))
