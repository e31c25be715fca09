/** The correctness gate: a proxy that doesn't do its work is not measured. */
import { request } from 'node:http'
import type { Candidate } from './candidates/candidate.ts'
import { BODY_BYTES, HOST, type Request, type Workload } from './workload.ts'

interface Answer {
  readonly status: number
  readonly bytes: number
}

async function ask(port: number, path: string, token?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { host: HOST, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    const sent = request({ host: '127.0.0.1', port, path, headers, agent: false, timeout: 5000 }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes }))
      response.on('error', reject)
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer within 5 s')))
    sent.on('error', reject)
    sent.end()
  })
}

/** Answers what is wrong, one line each; empty means that the candidate may be measured. */
export async function gate(candidate: Candidate, port: number, { gate: requests }: Workload): Promise<readonly string[]> {
  const wrong: string[] = []
  const check = async (what: string, { path, token }: Partial<Request> & { path: string }, status: number): Promise<void> => {
    const answer = await ask(port, path, token)
    if (answer.status !== status) wrong.push(`${what}: ${answer.status} in place of ${status}`)
    if (status === 200 && answer.bytes !== BODY_BYTES) wrong.push(`${what}: ${answer.bytes} bytes in place of ${BODY_BYTES}`)
  }
  await check('an allowed request', requests.allowed, 200)
  if (candidate.enforces === 'nothing') return wrong
  await check('no token', { path: requests.allowed.path }, 401)
  await check('a bad signature', requests.badSignature, 401)
  await check('an expired token', requests.expired, 401)
  if (candidate.enforces === 'tokens and policy') await check('a route that the role does not cover', requests.denied, 403)
  return wrong
}
