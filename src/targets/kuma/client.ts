/** The HTTP API of a control plane, as far as policies are written and read over it. */
import type { Secret } from '../../core/secret.ts'
import { OstiaryError } from '../../core/errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { request, type RequestDeps } from '../../secrets/request.ts'
import type { TargetDocument } from '../target.ts'
import { KINDS, type Kind } from './documents.ts'

const LIMITS = { timeout: 30_000, maxBytes: 64 * 1024 ** 2 }
const PAGE = 100
/** More of one kind than this are not looked at: then nothing is said of them. */
const MAX_PAGES = 200

export interface ClientParts extends RequestDeps {
  readonly url: string
  readonly mesh: string
  readonly token: Secret | undefined
}

export class KumaClient {
  readonly #parts: ClientParts

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  /** Version of the control plane. @throws OstiaryError `target/control-plane` */
  async version(): Promise<string> {
    const { body } = await this.#ask('GET', '/')
    const version = body?.['version']
    if (typeof version !== 'string') throw this.#failed('GET', '/', 'its answer names no version')
    return version
  }

  /** Whether it answers somebody who shows nothing: then anybody who reaches it may write policies. */
  async answersAnybody(): Promise<boolean> {
    const { fetch, clock, url } = this.#parts
    const answer = await request({ fetch, clock }, join(url, this.#path('MeshProxyPatch')), { method: 'GET' }, LIMITS)
    return answer.outcome === 'answer' && answer.status === 200
  }

  /** Writes a document in the form of universal mode. @returns What it warns of. @throws OstiaryError `target/rejected`, `target/read-only`, `target/control-plane` */
  async put(document: TargetDocument): Promise<readonly string[]> {
    const name = document['name'] as string
    const path = this.#path(document['type'] as Kind, name)
    const { status, body } = await this.#ask('PUT', path, JSON.stringify(document))
    if (status === 405) throw new OstiaryError('target/read-only', { url: this.#parts.url })
    if (status === 400) throw new OstiaryError('target/rejected', { document: name, problem: problemOf(body) })
    if (status !== 200 && status !== 201) throw this.#failed('PUT', path, statusProblem(status, body))
    const warnings = body?.['warnings']
    return Array.isArray(warnings) ? warnings.map(String) : []
  }

  /** Undefined for none. @throws OstiaryError `target/control-plane` */
  async get(kind: Kind, name: string): Promise<JsonObject | undefined> {
    const path = this.#path(kind, name)
    const { status, body } = await this.#ask('GET', path)
    if (status === 404) return undefined
    if (status !== 200 || body === undefined) throw this.#failed('GET', path, statusProblem(status, body))
    return body
  }

  /** @throws OstiaryError `target/read-only`, `target/control-plane` */
  async remove(kind: Kind, name: string): Promise<void> {
    const path = this.#path(kind, name)
    const { status, body } = await this.#ask('DELETE', path)
    if (status === 405) throw new OstiaryError('target/read-only', { url: this.#parts.url })
    if (status !== 200 && status !== 204 && status !== 404) throw this.#failed('DELETE', path, statusProblem(status, body))
  }

  /** All of a kind. @throws OstiaryError `target/control-plane` */
  list(kind: Kind): Promise<readonly JsonObject[]> {
    return this.#all(this.#path(kind))
  }

  /** @throws OstiaryError `target/control-plane` */
  dataplanes(): Promise<readonly JsonObject[]> {
    return this.#all(this.#path('dataplanes'))
  }

  /** What it makes an Envoy of a dataplane do, in whatever shape it tells it. @throws OstiaryError `target/control-plane` */
  async configOf(dataplane: string): Promise<JsonObject> {
    const path = `${this.#path('dataplanes', dataplane)}/_config`
    const { status, body } = await this.#ask('GET', path)
    if (status !== 200 || body === undefined) throw this.#failed('GET', path, statusProblem(status, body))
    return body
  }

  /** What it would make of it with the documents that are only tried, and where that differs. @throws OstiaryError `target/control-plane` */
  async shadowOf(dataplane: string): Promise<{ readonly xds: JsonObject; readonly changes: readonly string[] }> {
    const path = `${this.#path('dataplanes', dataplane)}/_config?shadow=true&include=diff`
    const { status, body } = await this.#ask('GET', path)
    const xds = body?.['xds']
    const diff = body?.['diff']
    if (status !== 200 || !isObject(xds) || !Array.isArray(diff)) throw this.#failed('GET', path, statusProblem(status, body))
    return {
      xds,
      changes: diff.flatMap((one) => (isObject(one) && typeof one['path'] === 'string' ? [one['path'].slice(0, MAX_TEXT)] : [])),
    }
  }

  /** How many configurations of listeners its Envoy has rejected since it connected; undefined where nobody tells. @throws OstiaryError `target/control-plane` */
  async rejectedBy(dataplane: string): Promise<number | undefined> {
    const { status, body } = await this.#ask('GET', `${this.#path('dataplanes', dataplane)}/_overview`)
    const insight = status === 200 ? body?.['dataplaneInsight'] : undefined
    const subscriptions = isObject(insight) ? insight['subscriptions'] : undefined
    const last = Array.isArray(subscriptions) ? subscriptions.at(-1) : undefined
    const told = isObject(last) && isObject(last['status']) ? last['status']['lds'] : undefined
    return isObject(told) ? Number(told['responsesRejected'] ?? 0) : undefined
  }

  async #all(path: string): Promise<readonly JsonObject[]> {
    const found: JsonObject[] = []
    for (let page = 0; page < MAX_PAGES; page++) {
      const at = `${path}?size=${PAGE}&offset=${page * PAGE}`
      const { status, body } = await this.#ask('GET', at)
      const items = body?.['items']
      if (status !== 200 || !Array.isArray(items)) throw this.#failed('GET', at, statusProblem(status, body))
      found.push(...items.filter(isObject))
      if (items.length < PAGE) return found
    }
    throw this.#failed('GET', path, `more than ${MAX_PAGES * PAGE} of them`)
  }

  #path(kind: Kind | 'dataplanes', name?: string): string {
    const base = `/meshes/${encodeURIComponent(this.#parts.mesh)}/${kind === 'dataplanes' ? kind : KINDS[kind]}`
    return name === undefined ? base : `${base}/${encodeURIComponent(name)}`
  }

  async #ask(method: string, path: string, body?: string): Promise<{ readonly status: number; readonly body: JsonObject | undefined }> {
    const { url, token, fetch, clock } = this.#parts
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
    }
    const answer = await request({ fetch, clock }, join(url, path), { method, headers, ...(body === undefined ? {} : { body }) }, LIMITS)
    if (answer.outcome === 'failed') throw this.#failed(method, path, answer.detail)
    return { status: answer.status, body: objectOf(answer.body) }
  }

  #failed(method: string, path: string, problem: string): OstiaryError {
    return new OstiaryError('target/control-plane', { url: this.#parts.url, asked: `${method} ${path}`, problem })
  }
}

function join(url: string, path: string): string {
  return `${url.replace(/\/+$/, '')}${path}`
}

/** Conditions make configurations of Envoy deeper than what is read of strangers. */
function objectOf(body: Uint8Array): JsonObject | undefined {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as JsonValue
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const MAX_TEXT = 2_000

function statusProblem(status: number, body: JsonObject | undefined): string {
  return body === undefined ? `status ${status}` : `status ${status}: ${problemOf(body)}`
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** What a problem says: each field that is wrong, with the reason. */
function problemOf(body: JsonObject | undefined): string {
  const { title, detail, invalid_parameters: parameters } = body ?? {}
  const fields = (Array.isArray(parameters) ? parameters : [])
    .filter((one: JsonValue): one is JsonObject => isObject(one))
    .map(({ field, reason }) => `\`${textOf(field)}\` ${textOf(reason)}`)
  const all = fields.length > 0 ? fields : [title, detail].map(textOf).filter((one) => one !== '')
  return (all.length === 0 ? 'it says nothing about it' : all.join('; ')).replaceAll(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, MAX_TEXT)
}
