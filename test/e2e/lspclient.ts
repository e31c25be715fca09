/** A language client of our own over the standard streams of `ostiary lsp`, and the folder that it edits. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
/** Longer than any answer takes on a machine that does other things as well. */
const PATIENCE_MS = 30_000

export interface Position {
  readonly line: number
  readonly character: number
}
export interface Range {
  readonly start: Position
  readonly end: Position
}
export interface Told {
  readonly uri: string
  readonly version?: number
  readonly diagnostics: readonly {
    readonly range: Range
    readonly severity: number
    readonly code: string
    readonly codeDescription?: { readonly href: string }
    readonly message: string
  }[]
}
interface Message {
  readonly jsonrpc: '2.0'
  readonly id?: number | string | null
  readonly method?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

/** A configuration folder with files of a test. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'ostiary-lsp-'))

  constructor(files: Readonly<Record<string, string>>) {
    for (const [path, text] of Object.entries(files)) this.write(path, text)
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true })
    writeFileSync(join(this.path, path), text)
  }

  uri(path: string): string {
    return pathToFileURL(join(this.path, path)).href
  }

  text(path: string): string {
    return readFileSync(join(this.path, path), 'utf8')
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** What `|` marks in a text, and the text without it. */
export function marked(text: string): { readonly text: string; readonly position: Position } {
  const at = text.indexOf('|')
  const before = text.slice(0, at).split('\n')
  return { text: text.slice(0, at) + text.slice(at + 1), position: { line: before.length - 1, character: before.at(-1)!.length } }
}

export class LanguageClient {
  readonly process: ChildProcessWithoutNullStreams
  readonly ended: Promise<number | null>
  readonly messages: Message[] = []
  stderr = ''
  #bytes: Buffer = Buffer.alloc(0)
  #next = 1
  #version = 1
  #waiting: (() => void)[] = []

  constructor() {
    this.process = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'lsp', '--stdio'], { stdio: 'pipe' })
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.process.stdout.on('data', (chunk: Buffer) => this.#take(chunk))
    this.process.stdin.on('error', () => undefined)
    this.ended = new Promise((resolve) =>
      this.process.once('close', (code) => {
        resolve(code)
        this.#wake()
      }),
    )
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    for (;;) {
      const [head, length] = /^Content-Length: (\d+)\r\n\r\n/.exec(this.#bytes.toString('latin1', 0, 64)) ?? []
      if (head === undefined || this.#bytes.length < head.length + Number(length)) break
      this.messages.push(JSON.parse(this.#bytes.toString('utf8', head.length, head.length + Number(length))) as Message)
      this.#bytes = this.#bytes.subarray(head.length + Number(length))
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The first message that fits, among those that came and those that come. */
  async find<T>(pick: (message: Message) => T | undefined, what: string): Promise<T> {
    const until = Date.now() + PATIENCE_MS
    for (;;) {
      for (const message of this.messages) {
        const found = pick(message)
        if (found !== undefined) return found
      }
      if (Date.now() > until || this.process.exitCode !== null) throw new Error(`no ${what}; ${this.stderr}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  bytes(bytes: string | Buffer): void {
    this.process.stdin.write(bytes)
  }

  send(message: unknown): void {
    const body = Buffer.from(JSON.stringify(message))
    this.bytes(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]))
  }

  notify(method: string, params?: unknown): void {
    this.send({ jsonrpc: '2.0', method, params })
  }

  async answer(method: string, params?: unknown): Promise<Message> {
    const id = this.#next++
    this.send({ jsonrpc: '2.0', id, method, params })
    return this.find((message) => (message.id === id ? message : undefined), `answer to ${method}`)
  }

  async request<T>(method: string, params?: unknown): Promise<T> {
    const { result, error } = await this.answer(method, params)
    if (error !== undefined) throw new Error(`${error.code} ${error.message}`)
    return result as T
  }

  async initialize(capabilities: unknown = {}): Promise<{ readonly capabilities: Readonly<Record<string, unknown>> }> {
    const answer = await this.request<{ capabilities: Record<string, unknown> }>('initialize', {
      processId: null,
      rootUri: null,
      capabilities,
    })
    this.notify('initialized', {})
    return answer
  }

  open(uri: string, text: string): void {
    this.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version: this.#version++, text } })
  }

  /** Replaces the whole text. */
  write(uri: string, text: string): number {
    const version = this.#version++
    this.notify('textDocument/didChange', { textDocument: { uri, version }, contentChanges: [{ text }] })
    return version
  }

  edit(uri: string, range: Range, text: string): number {
    const version = this.#version++
    this.notify('textDocument/didChange', { textDocument: { uri, version }, contentChanges: [{ range, text }] })
    return version
  }

  /** What was told last of a file, once it fits; of a version, if one is given. */
  diagnostics(uri: string, fits: (told: Told) => boolean = () => true, version?: number): Promise<Told> {
    const pick = (): Told | undefined => {
      const told = this.messages
        .filter(({ method, params }) => method === 'textDocument/publishDiagnostics' && (params as Told).uri === uri)
        .map(({ params }) => params as Told)
        .at(-1)
      return told !== undefined && (version === undefined || told.version === version) && fits(told) ? told : undefined
    }
    return this.find(pick, `diagnostics of ${uri}`)
  }

  /** Labels that are proposed where `|` stands, once the buffer has that text. */
  async complete(uri: string, text: string): Promise<readonly string[]> {
    const { items } = await this.completion(uri, text)
    return items.map(({ label }) => label)
  }

  completion(
    uri: string,
    text: string,
  ): Promise<{ readonly items: readonly { label: string; detail?: string; textEdit: { range: Range; newText: string } }[] }> {
    const { text: plain, position } = marked(text)
    this.write(uri, plain)
    return this.request('textDocument/completion', { textDocument: { uri }, position })
  }

  async end(): Promise<number | null> {
    await this.request('shutdown')
    this.notify('exit')
    return this.ended
  }

  kill(): void {
    this.process.kill('SIGKILL')
  }
}
