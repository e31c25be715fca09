/** Requests and watches over connections of their own, HTTP/1.1, each answer looked at. */
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { pause } from '../processes.ts'
import type { Way } from './world.ts'

export type Agent = HttpAgent

export function agentOf({ ca }: Way, sockets: number): Agent {
  return ca === undefined
    ? new HttpAgent({ keepAlive: true, maxSockets: sockets })
    : new HttpsAgent({ keepAlive: true, maxSockets: sockets, ca })
}

function begin({ base, ca, token }: Way, path: string, agent: Agent, method = 'GET', type = ''): ClientRequest {
  const headers = {
    accept: 'application/json',
    ...(type === '' ? {} : { 'content-type': type }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  return (ca === undefined ? httpRequest : httpsRequest)(`${base}${path}`, { method, agent, headers })
}

/** Sends one and reads its answer, which has to be 200. */
export function once(way: Way, path: string, agent: Agent, { method = 'GET', body = '', type = '' } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = begin(way, path, agent, method, type)
    asked.on('error', (error) => reject(new Error(`${way.name}: ${error.message}`)))
    asked.on('response', (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      answer.on('error', reject)
      answer.on('end', () => {
        if (answer.statusCode === 200 || answer.statusCode === 201) resolve(text)
        else reject(new Error(`${way.name}: ${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`))
      })
    })
    asked.end(body)
  })
}

/** Asks as fast as answers come, on so many connections. Answers how many there were. */
export async function asFastAsPossible(way: Way, path: string, sockets: number, seconds: number): Promise<number> {
  const agent = agentOf(way, sockets)
  const end = performance.now() + seconds * 1000
  let count = 0
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      await once(way, path, agent)
      count++
    }
  }
  try {
    await Promise.all(Array.from({ length: sockets }, one))
  } finally {
    agent.destroy()
  }
  return count
}

/** Asks at a rate, whether or not answers come, and answers how long each took, in milliseconds. */
export async function atRate(way: Way, path: string, perSecond: number, seconds: number): Promise<readonly number[]> {
  const agent = agentOf(way, 32)
  const times: number[] = []
  const all: Promise<void>[] = []
  const from = performance.now()
  try {
    for (let i = 0; i < perSecond * seconds; i++) {
      const due = from + (i * 1000) / perSecond
      if (due > performance.now()) await pause(due - performance.now())
      // From when it was due: a client that had to wait has waited.
      all.push(once(way, path, agent).then(() => void times.push(performance.now() - due)))
    }
    await Promise.all(all)
  } finally {
    agent.destroy()
  }
  return times
}

/** Watches that are open. */
export class Watches {
  events = 0
  readonly #agent: Agent
  readonly #way: Way
  readonly #open: IncomingMessage[] = []
  #broken: string | undefined

  constructor(way: Way, count: number) {
    this.#way = way
    this.#agent = agentOf(way, count)
  }

  /** Opens so many, some at a time. */
  async open(path: string, count: number): Promise<void> {
    for (let left = count; left > 0; left -= 20) await Promise.all(Array.from({ length: Math.min(left, 20) }, () => this.#one(path)))
  }

  /** Resolves once so many events have come in all. */
  async until(events: number): Promise<void> {
    for (const end = performance.now() + 20_000; this.events < events; await pause(1)) {
      this.check()
      if (performance.now() > end) throw new Error(`${this.#way.name}: ${this.events} of ${events} events came`)
    }
  }

  /** @throws where one of them has ended, or more events came than there were */
  check(events = Number.POSITIVE_INFINITY): void {
    if (this.#broken !== undefined) throw new Error(`${this.#way.name}: ${this.#broken}`)
    if (this.events > events) throw new Error(`${this.#way.name}: ${this.events} events, and not ${events}`)
  }

  close(): void {
    this.#broken = undefined
    for (const one of this.#open) one.destroy()
    this.#agent.destroy()
  }

  #one(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const asked = begin(this.#way, path, this.#agent)
      asked.on('error', reject)
      asked.on('response', (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`${this.#way.name}: a watch: ${answer.statusCode}`))
        this.#open.push(answer)
        answer.on('data', (chunk: Buffer) => {
          for (const byte of chunk) if (byte === 0x0a) this.events++
        })
        answer.on('error', () => undefined)
        answer.on('close', () => (this.#broken = 'a watch has ended'))
        resolve()
      })
      asked.end()
    })
  }
}
