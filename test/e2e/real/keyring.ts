/** What `clients.real.ts` runs within a desktop session: keeps a sign-in, says where it is, and forgets it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configFolder, forget, keep, kept } from '../../../src/cli/credentials.ts'

const url = 'http://127.0.0.1:8081'
const where = await keep(url, { token: 'kept-secret', expires: Date.now() + 60_000 })
const file = readFileSync(join(configFolder(), 'credentials.json'), 'utf8')
const read = await kept(url)
const had = await forget(url)
process.stdout.write(JSON.stringify({ where, file, token: read?.token, had, after: (await kept(url)) === undefined }))
