/** What the gateway itself asks an API server: few requests, each on a connection of its own, read whole and bounded. */
import type { UpstreamTarget } from '../../http/engine.ts'
import { plainRequest } from '../../http/plain.ts'

export interface Question {
  readonly method: string
  readonly path: string
  readonly host: string
  /** Names and values alternating. */
  readonly fields: readonly string[]
  readonly body?: Buffer
}

export interface Answered {
  readonly status: number
  readonly fields: readonly string[]
  readonly body: Buffer
}

/** An API server that says nothing for so long, in milliseconds, has not answered. */
const MAX_TIME = 10_000

/** @param limit Bytes of the answer at most. Rejects where there is no whole one */
export function askCluster(target: UpstreamTarget, question: Question, limit: number): Promise<Answered> {
  const { method, path, host, fields, body } = question
  return new Promise((fulfil, reject) => {
    const length = body === undefined ? [] : ['Content-Length', String(body.length)]
    const request = plainRequest({ ...target, headersTimeout: MAX_TIME }, method, path, [
      'Host',
      host,
      ...fields,
      ...length,
      'Connection',
      'close',
    ])
    const fail = (why: string): void => {
      request.destroy()
      reject(new Error(why))
    }
    request.on('error', (error) => reject(error))
    request.on('timeout', () => fail('no answer in time'))
    request.on('upgrade', () => fail('another protocol'))
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > limit) fail('the answer is too large')
        else chunks.push(chunk)
      })
      response.on('error', (error) => reject(error))
      response.on('end', () => {
        if (response.complete) fulfil({ status: response.statusCode ?? 502, fields: response.rawHeaders, body: Buffer.concat(chunks) })
        else fail('half an answer')
      })
    })
    request.end(body)
  })
}
