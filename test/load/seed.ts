/** Shows a proxy every token once before it is measured, as slowly as it asks for. */
import { Agent, request } from 'node:http'
import { pause } from './processes.ts'
import { HOST, type Request } from './workload.ts'

const AT_ONCE = 8
/** A proxy that limits how many unknown tokens one source may bring answers 503 for a while: milliseconds until it is asked again. */
const PATIENCE = 250
const ATTEMPTS = 100

/** Throws when a token is refused, or still put off after `ATTEMPTS`. */
export async function seed(port: number, requests: readonly Request[]): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const waiting = [...requests]
  const ask = ({ path, token }: Request): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { host: HOST, authorization: `Bearer ${token}` }
      const sent = request({ host: '127.0.0.1', port, path, agent, headers, timeout: 10_000 }, (response) => {
        response.resume()
        response.on('end', () => resolve(response.statusCode ?? 0))
        response.on('error', reject)
      })
      sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')))
      sent.on('error', reject)
      sent.end()
    })
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      let status = await ask(next)
      for (let i = 0; i < ATTEMPTS && (status === 503 || status === 429); i++) {
        await pause(PATIENCE)
        status = await ask(next)
      }
      if (status !== 200) throw new Error(`a token that was to be shown in advance got ${status}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  } finally {
    agent.destroy()
  }
}
