/** Runs kubernetesscript.ts with a kubectl, and makes what it says comparable. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { script, type Step } from './kubernetesscript.ts'

const STEP_MS = 60_000

/** How kubectl is called: program and first arguments, and all of its environment, `KUBECONFIG` among it. */
export interface Kubectl {
  readonly program: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
}

export interface Outcome {
  /** As it was typed, with placeholders. */
  readonly command: string
  /** Exit code; of what would go on for ever, that it was interrupted. */
  readonly code: number | 'interrupted'
  readonly stdout: string
  readonly stderr: string
}

/** Does the script in a namespace that is there and empty, and leaves it so. */
export async function runScript(kubectl: Kubectl, namespace: string, steps: readonly Step[] = script): Promise<readonly Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-script-'))
  const upstream = createServer((request, answer) => answer.end(`upstream says ${request.url}\n`))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  writeFileSync(join(folder, 'note.txt'), 'a note\n')
  const outcomes: Outcome[] = []
  try {
    const bed = new Bed(kubectl, namespace, folder, upstream)
    for (const step of steps) outcomes.push(await bed.take(step))
    if (steps === script) outcomes.push({ command: 'what cp brought back', code: 0, stdout: readBack(folder), stderr: '' })
  } finally {
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  }
  return outcomes
}

function readBack(folder: string): string {
  try {
    return readFileSync(join(folder, 'back.txt'), 'utf8')
  } catch {
    return '(nothing)'
  }
}

class Bed {
  readonly #kubectl: Kubectl
  readonly #values: Readonly<Record<string, string>>
  readonly #folder: string

  constructor(kubectl: Kubectl, namespace: string, folder: string, upstream: Server) {
    this.#kubectl = kubectl
    this.#folder = folder
    this.#values = { namespace, folder, upstream: String((upstream.address() as AddressInfo).port) }
  }

  async take(step: Step): Promise<Outcome> {
    const { code, stdout, stderr } = await this.#take(step)
    const clean = (text: string): string => normalised(text, this.#values, step.isUnordered)
    const shown = step.isSilent === true ? (): string => '' : clean
    // A command can be taken twice in one script; what it was taken over is a part of its name.
    const over = step.env === undefined ? '' : `${Object.entries(step.env).map(([name, value]) => `${name}=${value}`).join(' ')} ` // prettier-ignore
    return { command: `${over}kubectl ${step.args.join(' ')}`, code, stdout: shown(stdout), stderr: shown(stderr) }
  }

  async #take(step: Step): Promise<Omit<Outcome, 'command'>> {
    const env = { ...this.#kubectl.env, ...step.env }
    const input = this.#fill(step.input ?? '')
    const [program, ...first] = this.#kubectl.program
    const args = [...first, '--namespace', this.#values['namespace']!, ...step.args.map((text) => this.#fill(text))]
    if (step.until !== undefined || step.path !== undefined)
      return this.#interrupted(step, spawn(program, args, { env, cwd: this.#folder }), input)
    if (step.isTerminal === true) return this.#onTerminal([program, ...args], env)
    return run(program, args, { env, cwd: this.#folder, input, timeout: STEP_MS })
  }

  /** On a terminal that `script` makes; the end of its input would be typed into it, so that there is none. */
  async #onTerminal(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Omit<Outcome, 'command'>> {
    const quoted = command.map((text) => `'${text.replaceAll("'", "'\\''")}'`)
    const line = `stty rows 40 cols 132; exec ${quoted.join(' ')}`
    const args = ['--quiet', '--return', '--command', line, '/dev/null']
    const child = spawn('script', args, {
      env,
      cwd: this.#folder,
      timeout: STEP_MS,
      killSignal: 'SIGKILL',
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    const code = await new Promise<number>((resolve) => {
      child.on('error', () => resolve(-1))
      child.on('close', (ended) => resolve(ended ?? -1))
    })
    return { code, stdout, stderr: '' }
  }

  #fill(text: string): string {
    return Object.entries(this.#values).reduce((filled, [name, value]) => filled.replaceAll(`{${name}}`, value), text)
  }

  async #interrupted(step: Step, child: ChildProcess, input: string): Promise<Omit<Outcome, 'command'>> {
    let stdout = ''
    let stderr = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const ended = new Promise<number | null>((resolve) => {
      child.on('close', resolve)
      child.on('error', () => resolve(-1))
    })
    let isOver = false
    void ended.then(() => (isOver = true))
    // Its input stays open: attach and port-forward end with it.
    child.stdin!.on('error', () => undefined)
    child.stdin!.write(input)
    try {
      const seen = await this.#seen(step, () => ({ text: stdout, isOver }))
      if (seen === undefined) return { code: (await ended) ?? -1, stdout, stderr }
      return { code: 'interrupted', stdout: seen, stderr }
    } finally {
      child.kill('SIGKILL')
      await ended
    }
  }

  /** What is to be seen of a command that goes on; `undefined` if it ended before. */
  async #seen(step: Step, now: () => { readonly text: string; readonly isOver: boolean }): Promise<string | undefined> {
    if (step.path !== undefined) {
      const port = await waited(step, now, () => /127\.0\.0\.1:(\d+)/u.exec(now().text)?.[1])
      return port === undefined ? undefined : (await fetch(`http://127.0.0.1:${port}${step.path}`)).text()
    }
    let end = 0
    for (const [at, mark] of step.until!.entries()) {
      const found = await waited(step, now, () => {
        const from = now().text.indexOf(mark, end)
        return from === -1 ? undefined : from + mark.length
      })
      if (found === undefined) return undefined
      end = found
      if (at === 0 && step.meanwhile !== undefined) await this.take({ args: step.meanwhile })
    }
    return now().text.slice(0, end)
  }
}

async function waited<T>(
  step: Step,
  now: () => { readonly text: string; readonly isOver: boolean },
  look: () => T | undefined,
): Promise<T | undefined> {
  const over = Symbol('over')
  const found = await eventually<T | typeof over>(
    `kubectl ${step.args.join(' ')} goes on: ${now().text}`,
    () => look() ?? (now().isOver ? over : undefined),
  )
  return found === over ? undefined : found
}

/** What differs from run to run, and what stands for it. Later ones see what earlier ones left. */
const varying: readonly (readonly [RegExp, string])[] = [
  [/\x1b\[[0-9;?]*[A-Za-z]/gu, ''],
  [/\r\n/gu, '\n'],
  [/https:\/\/[\w.-]+(:\d+)?(\/clusters\/[\w.-]+)?(?=[\s/"]|$)/gu, '<server>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/gu, '<time>'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4} \w+)?/gu, '<time>'],
  [/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/gu, '<time>'],
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])/gu, '<uid>'],
  [/("?resourceVersion"?: ?)"\d+"/gu, '$1<version>'],
  [/\b10\.(244|96)\.\d+\.\d+\b/gu, '<ip>'],
  [/127\.0\.0\.1:\d+/gu, '127.0.0.1:<port>'],
  [/\/tmp\/(LIVE|MERGED)-\d+/gu, '/tmp/$1'],
  [/\b(web-[0-9a-f]{8,10}|count)-[a-z0-9]{5}\b/gu, '$1-<pod>'],
  [/("?standin\.ostiary\.dev\/port-8080"?: )"?\d+"?/gu, '$1<port>'],
  [/\bkube-api-access-[a-z0-9]{5}\b/gu, 'kube-api-access-<volume>'],
  [/\b(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?(?<=\d[dhms])(?=[\s)]|$)/gmu, '<age>'],
]

/** Text without what differs from run to run. Columns move with the length of what was replaced, so that they are one blank apart. */
export function normalised(text: string, values: Readonly<Record<string, string>>, isUnordered = false): string {
  let clean = text.replaceAll(values['folder']!, '<folder>').replaceAll(values['namespace']!, '<namespace>')
  clean = clean
    .replaceAll(`"${values['upstream']!}"`, '<port>')
    .replaceAll(`:${values['upstream']!}`, ':<port>')
    // Not the same digits in the middle of a hash.
    .replaceAll(new RegExp(`(?<![0-9A-Fa-f])${values['upstream']!}(?![0-9A-Fa-f])`, 'gu'), '<port>')
  for (const [pattern, instead] of varying) clean = clean.replaceAll(pattern, instead)
  const lines = clean.split('\n').map((line) => line.replace(/(?<=\S)\s{2,}/gu, ' ').trimEnd())
  return (isUnordered ? lines.toSorted() : lines).join('\n')
}
