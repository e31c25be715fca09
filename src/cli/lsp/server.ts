import type { Readable, Writable } from 'node:stream'
import type { Clock, Timer } from '../../core/clock.ts'
import { complete } from './complete.ts'
import { diagnosticsOf } from './diagnostics.ts'
import { Documents, type OpenDocument } from './documents.ts'
import { fixesFor } from './fixes.ts'
import { fileKindOf, folderOf, type FileKind } from './folder.ts'
import { hoverAt } from './hover.ts'
import type { Encoding, Lines } from './lines.ts'
import { definitionOf, referencesOf, renamable, rename } from './navigate.ts'
import { outlineOf } from './outline.ts'
import * as params from './params.ts'
import { Project } from './project.ts'
import { Connection, INVALID_REQUEST, NOT_INITIALIZED, RpcError, type Service } from './rpc.ts'
import { MAX_MESSAGE } from './wire.ts'

/** After the last change, before the folder is looked at; longer where looking takes longer. */
const SETTLE_MS = 150
const MAX_SETTLE_MS = 5_000
/** LSP's `MessageType`. */
const [SHOWN_ERROR, LOGGED_WARNING] = [1, 2]

interface At {
  readonly project: Project
  readonly document: OpenDocument
  readonly path: string
  readonly kind: FileKind
  readonly lines: Lines
}

/** The language server for configuration folders. It reads files, and writes nothing but its answers. */
export class LanguageServer implements Service {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #version: string
  readonly #documents = new Documents()
  readonly #projects = new Map<string, Project>()
  readonly #timers = new Map<Project, Timer>()
  #state: 'new' | 'running' | 'shut-down' = 'new'
  #watches = false

  constructor(input: Readable, output: Writable, clock: Clock, version: string) {
    this.#clock = clock
    this.#version = version
    this.#connection = new Connection(input, output, this)
  }

  /** Until the editor is gone. Answers the exit code: 0 where it said goodbye. */
  async run(): Promise<{ readonly code: number; readonly reason: string }> {
    const reason = await this.#connection.closed
    for (const timer of this.#timers.values()) timer.cancel()
    return { code: this.#state === 'shut-down' ? 0 : 1, reason }
  }

  request(method: string): ((given: unknown) => unknown) | undefined {
    const answer = this.#requests[method]
    if (this.#state === 'shut-down') throw new RpcError(INVALID_REQUEST, 'this server was shut down')
    if (this.#state === 'new' && method !== 'initialize') throw new RpcError(NOT_INITIALIZED, 'the first request is `initialize`')
    return answer
  }

  notification(method: string): ((given: unknown) => void) | undefined {
    return method === 'exit' || this.#state === 'running' ? this.#notifications[method] : undefined
  }

  skipped(bytes: number): void {
    this.#documents.doubt()
    this.#log(
      `a message of ${bytes} bytes was passed over; at most ${MAX_MESSAGE} are read. Files count in place of buffers until they are saved`,
    )
  }

  failed(what: string): void {
    this.#log(what)
  }

  #log(message: string): void {
    this.#connection.notify('window/logMessage', { type: LOGGED_WARNING, message: message.slice(0, 4000) })
  }

  readonly #requests: Readonly<Record<string, (given: unknown) => unknown>> = {
    initialize: (given) => this.#initialize(params.read(params.initialize, given)),
    shutdown: () => {
      this.#state = 'shut-down'
      return null
    },
    'textDocument/completion': (given) =>
      this.#at(params.read(params.position, given), ({ project, kind, lines }, offset) => complete(project, kind, lines, offset)),
    'textDocument/hover': (given) =>
      this.#at(params.read(params.position, given), ({ project, kind, lines }, offset) => hoverAt(project, kind, lines, offset)),
    'textDocument/definition': (given) =>
      this.#at(params.read(params.position, given), ({ project, kind, lines }, offset) => definitionOf(project, kind, lines, offset)),
    'textDocument/references': (given) => {
      const read = params.read(params.references, given)
      return this.#at(read, ({ project, kind, lines }, offset) =>
        referencesOf(project, kind, lines, offset, read.context.includeDeclaration),
      )
    },
    'textDocument/prepareRename': (given) =>
      this.#at(params.read(params.position, given), ({ project, kind, lines }, offset) => renamable(project, kind, lines, offset)),
    'textDocument/rename': (given) => {
      const read = params.read(params.rename, given)
      return this.#at(read, ({ project, kind, lines }, offset) => {
        // What it changes has to be as it is now, however long that takes.
        if (this.#timers.has(project)) this.#look(project)
        return rename(project, kind, lines, offset, read.newName)
      })
    },
    'textDocument/documentSymbol': (given) => {
      const at = this.#find(params.read(params.document, given).textDocument.uri)
      return at === undefined ? [] : outlineOf(at.kind, at.project.file(at.path)?.root, at.project.linesOf(at.path))
    },
    'textDocument/codeAction': (given) => {
      const { textDocument, range } = params.read(params.ranged, given)
      const at = this.#find(textDocument.uri)
      return at === undefined ? [] : fixesFor(at.project, at.path, at.document.uri, range)
    },
  }

  readonly #notifications: Readonly<Record<string, (given: unknown) => void>> = {
    initialized: () => {
      const registrations = [
        {
          id: 'ostiary-files',
          method: 'workspace/didChangeWatchedFiles',
          registerOptions: { watchers: [{ globPattern: '**/{ostiary.yaml,environments/*.yaml,policy/**/*.{yaml,yml}}' }] },
        },
      ]
      if (this.#watches) this.#connection.ask('client/registerCapability', { registrations })
    },
    exit: () => this.#connection.close('the editor said so'),
    'textDocument/didOpen': (given) => {
      const { uri, version, text } = params.read(params.opened, given).textDocument
      this.#changed(this.#documents.open(uri, version, text))
    },
    'textDocument/didChange': (given) => {
      const { textDocument, contentChanges } = params.read(params.changed, given)
      this.#changed(this.#documents.change(textDocument.uri, textDocument.version, contentChanges))
    },
    'textDocument/didSave': (given) => {
      const { textDocument, text } = params.read(params.saved, given)
      const document = this.#documents.get(textDocument.uri)
      if (document === undefined) return
      this.#changed(text === undefined ? document : this.#documents.change(document.uri, document.version, [{ text }]))
    },
    'textDocument/didClose': (given) => this.#closed(params.read(params.document, given).textDocument.uri),
    'workspace/didChangeWatchedFiles': () => {
      for (const project of this.#projects.values()) this.#soon(project)
    },
  }

  #initialize({ capabilities }: params.Initialize): unknown {
    if (this.#state !== 'new') throw new RpcError(INVALID_REQUEST, '`initialize` comes once')
    this.#state = 'running'
    this.#documents.countIn(encodingOf(capabilities?.general?.positionEncodings))
    this.#watches = capabilities?.workspace?.didChangeWatchedFiles?.dynamicRegistration === true
    return {
      serverInfo: { name: 'ostiary', version: this.#version },
      capabilities: {
        positionEncoding: this.#documents.encoding,
        textDocumentSync: { openClose: true, change: 2, save: { includeText: true } },
        completionProvider: { triggerCharacters: ['.', ' ', '[', '"', "'"] },
        hoverProvider: true,
        definitionProvider: true,
        referencesProvider: true,
        renameProvider: { prepareProvider: true },
        documentSymbolProvider: true,
        codeActionProvider: { codeActionKinds: ['quickfix'] },
      },
    }
  }

  /** Asks at a place; nothing where the buffer is no part of a configuration. */
  #at<T>({ textDocument, position }: params.AtPosition, ask: (at: At, offset: number) => T): T | undefined {
    const at = this.#find(textDocument.uri)
    return at === undefined ? undefined : ask(at, at.lines.offsetAt(position))
  }

  /** The buffer and its folder, looked at if that is due: whoever asks means what is written now. */
  #find(uri: string): At | undefined {
    const document = this.#documents.get(uri)
    const project = document === undefined ? undefined : this.#projectOf(document)
    if (document?.lines === undefined || project === undefined) return undefined
    const path = project.pathOf(document.path)
    const kind = fileKindOf(path)
    if (kind === undefined) return undefined
    // A folder that is quickly read is read again; otherwise the last look has to do.
    if (this.#timers.has(project) && project.took < SETTLE_MS) this.#look(project)
    return { project, document, path, kind, lines: document.lines }
  }

  #projectOf({ path }: OpenDocument): Project | undefined {
    const folder = folderOf(path, this.#documents)
    if (folder === undefined) return undefined
    const project = this.#projects.get(folder) ?? new Project(folder, this.#documents)
    this.#projects.set(folder, project)
    return project
  }

  #changed(document: OpenDocument | undefined): void {
    const project = document === undefined ? undefined : this.#projectOf(document)
    if (document === undefined || project === undefined || fileKindOf(project.pathOf(document.path)) === undefined) return
    this.#soon(project)
  }

  #closed(uri: string): void {
    const document = this.#documents.close(uri)
    if (document === undefined) return
    for (const [folder, project] of this.#projects) {
      const stays = [...this.#documents].some(({ path }) => folderOf(path, this.#documents) === folder)
      if (stays) {
        this.#soon(project)
        continue
      }
      // Nothing of it is open any more.
      this.#timers.get(project)?.cancel()
      this.#timers.delete(project)
      this.#projects.delete(folder)
      for (const told of project.told) this.#connection.notify('textDocument/publishDiagnostics', { uri: told, diagnostics: [] })
    }
  }

  /** A first look is made at once. */
  #soon(project: Project): void {
    this.#timers.get(project)?.cancel()
    const wait = project.looked ? Math.min(MAX_SETTLE_MS, Math.max(SETTLE_MS, project.took)) : 0
    this.#timers.set(
      project,
      this.#clock.after(wait, () => this.#look(project)),
    )
  }

  #look(project: Project): void {
    this.#timers.get(project)?.cancel()
    this.#timers.delete(project)
    try {
      project.refresh(this.#clock)
      this.#publish(project)
    } catch (error) {
      // What is known stays, and the next change tries again.
      this.#connection.notify('window/showMessage', {
        type: SHOWN_ERROR,
        message: 'ostiary lsp: internal error while checking; see the log',
      })
      this.#log(error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
  }

  #publish(project: Project): void {
    const told = new Set<string>()
    const tell = (path: string, diagnostics: readonly unknown[]): void => {
      const uri = project.uriOf(path)
      const version = this.#documents.get(uri)?.version
      told.add(uri)
      this.#connection.notify('textDocument/publishDiagnostics', { uri, ...(version === undefined ? {} : { version }), diagnostics })
    }
    const findings = project.findings()
    for (const [path, some] of findings) tell(path, diagnosticsOf(some, path, project))
    // What is open and right is told so, too.
    for (const { path } of this.#documents) {
      const inside = project.pathOf(path)
      if (fileKindOf(inside) !== undefined && !findings.has(inside)) tell(inside, [])
    }
    for (const uri of project.told) if (!told.has(uri)) this.#connection.notify('textDocument/publishDiagnostics', { uri, diagnostics: [] })
    project.told = told
  }
}

/** UTF-16 is what the program counts in itself, and what every client can do. */
function encodingOf(offered: readonly string[] | undefined): Encoding {
  const known: readonly Encoding[] = ['utf-16', 'utf-8', 'utf-32']
  return known.find((one) => offered?.includes(one)) ?? 'utf-16'
}
