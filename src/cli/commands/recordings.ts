import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { InvalidArgumentError, type Command } from 'commander'
import type { ReadHeader } from '../../audit/recordings/index.ts'
import { clean, counted, paint } from '../output.ts'
import type { CommandContext } from '../main.ts'
import type { Register } from './index.ts'

const dataOption = (command: Command): Command => command.option('--data <dir>', 'data directory of the gateway', '.ostiary/demo')

/** Read by everybody who plays it back. */
interface Summary {
  readonly id: string
  readonly file: string
  readonly bytes: number
  readonly began: string | undefined
  readonly seconds: number
  readonly exit: number | undefined
  readonly columns: number
  readonly rows: number
  readonly resource: string | undefined
  readonly principal: string | undefined
  readonly operation: string | undefined
  readonly place: string | undefined
  readonly command: string | undefined
  readonly terminal: boolean | undefined
  readonly input: boolean | undefined
  /** It says how the session ended; without, it still runs or was broken off. */
  readonly ended: boolean
  readonly torn: boolean
  readonly marks: readonly string[]
}

const MARKS = 100

async function summary(
  dir: string,
  { id, file, bytes }: { readonly id: string; readonly file: string; readonly bytes: number },
): Promise<Summary> {
  const { readRecording } = await import('../../audit/recordings/index.ts')
  let header: ReadHeader | undefined
  let [seconds, torn, ended] = [0, false, false]
  let exit: number | undefined
  const marks: string[] = []
  for await (const line of readRecording(join(dir, file))) {
    if (line.kind === 'header') ({ header } = line)
    else if (line.kind === 'torn') torn = true
    else {
      seconds = Math.max(seconds, line.at)
      if (line.code === 'm' && marks.length < MARKS) marks.push(line.text)
      if (line.code !== 'x') continue
      ended = true
      exit = /^\d{1,3}$/.test(line.text) ? Number(line.text) : undefined
    }
  }
  const { resource, principal, operation, place, terminal, input } = header?.ostiary ?? {}
  const began = header?.timestamp === undefined ? undefined : new Date(header.timestamp * 1000).toISOString()
  const size = { columns: header?.width ?? 0, rows: header?.height ?? 0 }
  return {
    id,
    file,
    bytes,
    began,
    seconds,
    exit,
    ...size,
    resource,
    principal,
    operation,
    place,
    command: header?.command,
    terminal,
    input,
    ended,
    torn,
    marks,
  }
}

const shown = (time: string | undefined): string => time?.slice(0, 19).replace('T', ' ') ?? ''

function length(seconds: number): string {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

function describe(one: Summary, state: string): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['began', `${shown(one.began)} UTC, ${length(one.seconds)} long`],
    ['who', one.principal],
    ['where', [one.resource, one.place].filter((text) => text !== undefined).join(' ')],
    ['what', [one.operation, one.command].filter((text) => text !== undefined).join(' ')],
    ['terminal', one.terminal === true ? `${one.columns} by ${one.rows}` : 'none'],
    ['input', one.input === true ? 'recorded' : 'not recorded'],
    ['ended', one.ended ? (one.exit === undefined ? 'without an exit code' : `exit code ${one.exit}`) : 'the recording does not say'],
    ...one.marks.map((mark) => ['mark', mark] as const),
    ['file', `${one.file}, ${counted(one.bytes, 'byte')}${one.torn ? ', not every line is whole' : ''}`],
    ['record', state],
  ]
  return rows.map(([name, text]) => `${name.padEnd(10)}${clean(text ?? '')}`).join('\n')
}

const STATES = {
  whole: 'whole: it is what the record vouches for',
  altered: 'ALTERED: it is not what the record vouches for',
  missing: 'MISSING: the record vouches for it, and it is not there',
  removed: 'removed when it had become too old or too much',
  unvouched: 'unvouched: the session still runs, its gateway was killed, or the file is none of the gateway’s',
} as const

/** Of this very file: there may be others of the same name. */
async function stateOf(data: string, { id, file }: Summary): Promise<keyof typeof STATES | undefined> {
  const { verifyRecordings } = await import('../../audit/recordings/index.ts')
  for await (const verdict of verifyRecordings(data, id)) if (verdict.file === file) return verdict.state
  return undefined
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 1e6)) throw new InvalidArgumentError('Write a number above 0.')
  return value
}

function playing(group: Command, action: Parameters<Register>[1]): void {
  dataOption(group.command('play'))
    .description('play a recorded session in this terminal; sequences that could harm it are left out')
    .argument('<recording>', 'decision id, or a file that ends with `.cast`')
    .option('--speed <factor>', 'how many times as fast as it was', positive, 1)
    .option('--idle-limit <seconds>', 'cut longer pauses to this', positive)
    .option('--instant', 'without any pauses')
    .option('--text', 'interpret nothing: show control characters as what they are')
    .option('--raw', 'leave nothing out: whatever the program printed reaches this terminal')
    .action(action(({ output }, [recording], command) => playOne(output, String(recording), command)))
}

async function playOne(output: CommandContext['output'], recording: string, command: Command): Promise<number> {
  const { findRecording, readRecording } = await import('../../audit/recordings/index.ts')
  const { play } = await import('../recordings/play.ts')
  const options = command.opts<{ data: string; speed: number; idleLimit?: number; instant?: boolean; text?: boolean; raw?: boolean }>()
  const dir = join(options.data, 'recordings')
  const path = recording.endsWith('.cast') ? recording : join(dir, (await findRecording(dir, recording)).file)
  if (output.json) {
    for await (const line of readRecording(path)) output.line('', line)
    return 0
  }
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt)
  const played = await play(readRecording(path), {
    speed: options.instant === true ? Number.POSITIVE_INFINITY : options.speed,
    idleLimit: options.idleLimit ?? Number.POSITIVE_INFINITY,
    as: options.raw === true ? 'raw' : options.text === true ? 'text' : 'terminal',
    write: (text) => void process.stdout.write(text),
    wait: (milliseconds) => wait(Math.min(milliseconds, 2 ** 31 - 1), undefined, { signal: stop.signal }).catch(() => undefined),
    stopped: () => stop.signal.aborted,
  })
  process.off('SIGINT', interrupt)
  const end = played.exit === undefined ? 'the end' : `exit code ${played.exit}`
  process.stderr.write(`\n${paint('dim', `${stop.signal.aborted ? 'stopped' : end}, after ${length(played.seconds)}`, process.stderr)}\n`)
  if (played.torn) process.stderr.write('not every line of this recording is whole\n')
  return 0
}

export const recordings: Register = (root, action) => {
  const group = root.command('recordings').description('recorded sessions: list them, play them, prove them whole')

  dataOption(group.command('list'))
    .description('recordings, the newest first; times are UTC')
    .option('-n, --limit <count>', 'how many at most', positive, 100)
    .action(
      action(async ({ output }, _, command) => {
        const { listRecordings } = await import('../../audit/recordings/index.ts')
        const { data, limit } = command.opts<{ data: string; limit: number }>()
        const dir = join(data, 'recordings')
        const all = await listRecordings(dir)
        for (const file of all.slice(0, limit)) {
          const one = await summary(dir, file).catch(() => undefined)
          if (one === undefined) output.line(`${file.id}  can not be read`, file)
          else {
            const what = [one.resource, one.place, one.command ?? one.operation].filter((text) => text !== undefined).join('  ')
            output.line(clean(`${one.id}  ${shown(one.began)}  ${length(one.seconds).padStart(6)}  ${one.principal ?? ''}  ${what}`), one)
          }
        }
        if (all.length === 0 && !output.json) process.stderr.write('there is no recording\n')
        return all.length === 0 ? 1 : 0
      }),
    )

  dataOption(group.command('show'))
    .description('what a recording is of, and whether it is whole')
    .argument('<id>', 'decision id')
    .action(
      action(async ({ output }, [id], command) => {
        const { findRecording } = await import('../../audit/recordings/index.ts')
        const { data } = command.opts<{ data: string }>()
        const dir = join(data, 'recordings')
        const one = await summary(dir, await findRecording(dir, String(id)))
        const state = (await stateOf(data, one)) ?? 'unvouched'
        output.answer(describe(one, STATES[state]), { ...one, state })
        return state === 'altered' ? 1 : 0
      }),
    )

  playing(group, action)

  dataOption(group.command('verify'))
    .description('compare recordings with what the record vouches for; that itself is proven by `ostiary audit verify`')
    .argument('[id]', 'decision id; default: all')
    .action(
      action(async ({ output }, [named], command) => {
        const id = typeof named === 'string' ? named : undefined
        const { verifyRecordings } = await import('../../audit/recordings/index.ts')
        const { data } = command.opts<{ data: string }>()
        const counts = { whole: 0, altered: 0, missing: 0, removed: 0, unvouched: 0 }
        for await (const verdict of verifyRecordings(data, id)) {
          counts[verdict.state]++
          if (id !== undefined || (verdict.state !== 'whole' && verdict.state !== 'removed'))
            output.line(`${verdict.id}  ${STATES[verdict.state]}`, verdict)
        }
        const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
        if (id !== undefined && total === 0) {
          const { OstiaryError } = await import('../../core/errors.ts')
          throw new OstiaryError('recordings/unknown', { id })
        }
        if (id === undefined)
          output.line(
            Object.entries(counts)
              .map(([state, count]) => `${count} ${state}`)
              .join(', '),
            counts,
          )
        return counts.altered + counts.missing === 0 ? 0 : 1
      }),
    )

  // Where somebody looks for it first.
  const sessions = root.commands.find((command) => command.name() === 'sessions')
  if (sessions !== undefined) playing(sessions, action)
}
