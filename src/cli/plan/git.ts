import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { openApiFiles } from '../../config/openapi.ts'
import type { SourceFile, Sources } from '../../config/wiring.ts'
import { OstiaryError } from '../../core/errors.ts'

const run = promisify(execFile)
/** Octets of one revision's files together, at most. */
const MAX_BYTES = 256 * 1024 * 1024
const MAX_FILES = 10_000
const POLICY = /^policy\/.+\.ya?ml$/
const TEST = /\.test\.ya?ml$/

/**
 * Reads a configuration folder as a Git revision has it, without touching the working tree: the files that `readSources` would read.
 * @param folder The configuration folder, within a repository
 * @throws OstiaryError `cli/plan-git`, `config/not-found`, `config/no-environment`, `config/unreadable`
 */
export async function readRevision(folder: string, revision: string, environment: string | undefined): Promise<Sources> {
  const git = async (args: readonly string[], input = ''): Promise<Buffer> => {
    try {
      const running = run('git', ['-C', folder, ...args], { encoding: 'buffer', maxBuffer: MAX_BYTES, env: quiet() })
      // Git may end before it has read everything; then its own error says why.
      running.child.stdin?.on('error', () => undefined).end(input)
      return (await running).stdout
    } catch (error) {
      throw new OstiaryError('cli/plan-git', { revision, folder, cause: causeOf(error) }, { cause: error })
    }
  }
  // One commit, so that all files are of the same, whatever the name means by then.
  const commit = (await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`])).toString('utf8').trim()
  const prefix = (await git(['rev-parse', '--show-prefix'])).toString('utf8').trim()
  const listed = (await git(['ls-tree', '-r', '-z', '--full-tree', commit, ...(prefix === '' ? [] : ['--', prefix])])).toString('utf8')
  const entries = listed.split('\0').flatMap((line) => {
    const [, mode, type, id, path] = /^(\d+) (\w+) ([0-9a-f]+)\t([^]*)$/.exec(line) ?? []
    return path?.startsWith(prefix) === true ? [{ mode: mode!, type: type!, id: id!, path: path.slice(prefix.length) }] : []
  })
  const unreadable = (path: string, cause: string): OstiaryError =>
    new OstiaryError('config/unreadable', { file: `${revision}:${path}`, cause })
  const filesOf = async (isAsked: (path: string) => boolean): Promise<readonly SourceFile[]> => {
    const wanted = entries.filter(({ path }) => isAsked(path)).toSorted((a, b) => (a.path < b.path ? -1 : 1))
    if (wanted.length > MAX_FILES) throw unreadable('policy', `more than ${MAX_FILES} files`)
    // Where a link leads is not said by the revision.
    const link = wanted.find(({ type, mode }) => type !== 'blob' || mode === '120000')
    if (link !== undefined) throw unreadable(link.path, 'it is not a file')
    const texts = contents(await git(['cat-file', '--batch'], wanted.map(({ id }) => `${id}\n`).join('')))
    return wanted.map(({ path }, i) => ({ path, text: decoded(texts[i], () => unreadable(path, 'it is not UTF-8')) }))
  }
  const files = await filesOf((path) => isWanted(path, environment))
  const wiring = files.find(({ path }) => path === 'ostiary.yaml')
  if (wiring === undefined) throw new OstiaryError('config/not-found', { file: `${revision}:${prefix}ostiary.yaml` })
  const over = files.find(({ path }) => path.startsWith('environments/'))
  if (environment !== undefined && over === undefined) throw new OstiaryError('config/no-environment', { name: environment })
  const policy = files.filter(({ path }) => path.startsWith('policy/'))
  const laid = over === undefined || environment === undefined ? undefined : { name: environment, ...over }
  const named = openApiFiles({ wiring, environment: laid })
  const documents = named.length === 0 ? [] : await filesOf((path) => named.includes(path))
  return {
    wiring,
    environment: laid,
    policy: policy.filter(({ path }) => !TEST.test(path)),
    tests: policy.filter(({ path }) => TEST.test(path)),
    ...(documents.length === 0 ? {} : { documents }),
  }
}

/** Hidden entries are left out, as of a folder. */
function isWanted(path: string, environment: string | undefined): boolean {
  if (path === 'ostiary.yaml' || (environment !== undefined && path === `environments/${environment}.yaml`)) return true
  return POLICY.test(path) && !path.split('/').some((part) => part.startsWith('.'))
}

/** What `git cat-file --batch` prints: for each object a line that ends with its size, its octets, and a newline. */
function contents(output: Buffer): readonly Buffer[] {
  const all: Buffer[] = []
  for (let at = 0; at < output.length;) {
    const end = output.indexOf(10, at)
    const size = Number(output.toString('latin1', at, end).split(' ')[2])
    all.push(output.subarray(end + 1, end + 1 + size))
    at = end + size + 2
  }
  return all
}

function decoded(bytes: Buffer | undefined, failed: () => OstiaryError): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw failed()
  }
}

/** Git asks for nothing and looks nothing up. */
function quiet(): NodeJS.ProcessEnv {
  return { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_OPTIONAL_LOCKS: '0', GIT_NO_LAZY_FETCH: '1', LC_ALL: 'C' }
}

function causeOf(error: unknown): string {
  const { code, stderr } = error as { readonly code?: string | number; readonly stderr?: Buffer }
  if (code === 'ENOENT') return 'git is not installed'
  const said = stderr
    ?.toString('utf8')
    .split('\n')[0]
    ?.replace(/^fatal: /, '')
    .trim()
  return said === undefined || said === '' ? 'there is no such revision' : said
}
