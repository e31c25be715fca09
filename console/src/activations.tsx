import { useEffect, useState } from 'preact/hooks'
import type { ActivationAnswer, OwnActivationsAnswer } from '../../src/server/admin/shapes.ts'
import { get, problemOf, send, type Problem } from './api.ts'
import { Failure, Sheet, Waiting } from './page.tsx'
import { instant } from './summary.tsx'

const minute = (time: string): string => instant(time).slice(0, 16)
const HOUR = 3_600_000

/** For how long a role may be activated, as whoever asks chooses it. */
const SPANS: readonly (readonly [text: string, ms: number])[] = [
  ['15m', HOUR / 4],
  ['30m', HOUR / 2],
  ['1h', HOUR],
  ['2h', 2 * HOUR],
  ['4h', 4 * HOUR],
  ['8h', 8 * HOUR],
]

/** Roles that are given for a time: what whoever looks may have, and what anybody has now. */
export function Activations() {
  const [own, setOwn] = useState<OwnActivationsAnswer | undefined>()
  /** Null where that is not theirs to see. */
  const [all, setAll] = useState<readonly ActivationAnswer[] | null | undefined>()
  const [problem, setProblem] = useState<Problem | undefined>()
  const [told, setTold] = useState('')

  const load = (): Promise<void> =>
    Promise.all([
      get<OwnActivationsAnswer>('/api/activations/own').then(setOwn, (error: unknown) => setProblem(problemOf(error))),
      get<readonly ActivationAnswer[]>('/api/activations').then(setAll, () => setAll(null)),
    ]).then(() => undefined)
  useEffect(() => void load(), [])

  if (problem !== undefined) return <Failure problem={problem} />
  if (own === undefined || all === undefined) return <Waiting />
  const changed = (text: string): void => {
    setTold(text)
    void load()
  }
  const others = (all ?? []).filter(({ id }) => own.active.every((one) => one.id !== id))
  return (
    <>
      <div class="bar">
        <h1>Roles for a time</h1>
      </div>
      <p role="status">{told}</p>
      {own.eligible.length === 0 ? (
        <p class="quiet">The policy lets you activate no role.</p>
      ) : (
        <Form own={own} onActivated={({ role, until }) => changed(`You hold ${role} until ${minute(until)}.`)} />
      )}
      {own.active.length > 0 && <Active title="Yours" all={own.active} own onEnded={changed} />}
      {all !== null && <Active title="Of others" all={others} onEnded={changed} />}
    </>
  )
}

function Form({ own, onActivated }: { readonly own: OwnActivationsAnswer; readonly onActivated: (one: ActivationAnswer) => void }) {
  const spans = SPANS.filter(([, ms]) => ms <= own.atMost)
  const [role, setRole] = useState(own.eligible[0]!)
  const [lasting, setLasting] = useState(spans.find(([text]) => text === '1h')?.[0] ?? spans.at(-1)?.[0] ?? '1m')
  const [reason, setReason] = useState('')
  const [problem, setProblem] = useState<Problem | undefined>()
  const [busy, setBusy] = useState(false)

  const activate = (): void => {
    setBusy(true)
    setProblem(undefined)
    send<ActivationAnswer>('POST', `/api/activations/own/${encodeURIComponent(role)}`, { for: lasting, reason: reason.trim() })
      .then(
        (one) => {
          setReason('')
          onActivated(one)
        },
        (error: unknown) => setProblem(problemOf(error)),
      )
      .finally(() => setBusy(false))
  }
  return (
    <form
      class="panel ask"
      onSubmit={(event) => {
        event.preventDefault()
        activate()
      }}
    >
      <label>
        Role
        <select value={role} onChange={(event) => setRole(event.currentTarget.value)}>
          {own.eligible.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        For
        <select value={lasting} onChange={(event) => setLasting(event.currentTarget.value)}>
          {(spans.length === 0 ? [['1m', 0] as const] : spans).map(([text]) => (
            <option key={text} value={text}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label class="grows">
        Why, for the record
        <input required maxLength={256} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={busy}>
        Activate
      </button>
      {problem !== undefined && (
        <p role="alert" class="wrong">
          {problem.title}
        </p>
      )}
    </form>
  )
}

interface ActiveParts {
  readonly title: string
  readonly all: readonly ActivationAnswer[]
  readonly own?: boolean
  readonly onEnded: (text: string) => void
}

function Active({ title, all, own = false, onEnded }: ActiveParts) {
  const path = own ? '/api/activations/own' : '/api/activations'
  const [problem, setProblem] = useState<Problem | undefined>()
  const end = ({ id, role, display, subject }: ActivationAnswer): void => {
    send('DELETE', `${path}/${id}`).then(
      () => onEnded(`${role} of ${display ?? subject} is active no more.`),
      (error: unknown) => setProblem(problemOf(error)),
    )
  }
  return (
    <Sheet
      title={title}
      note={all.length === 0 ? 'No role is active for a time.' : undefined}
      head={all.length === 0 ? [] : ['Role', ...(own ? [] : ['Who']), 'Since', 'Ends', 'Why', 'End']}
    >
      {problem !== undefined && (
        <tr>
          <td colSpan={6} role="alert" class="wrong">
            {problem.title}
          </td>
        </tr>
      )}
      {all.map((one) => (
        <tr key={one.id}>
          <td>{one.role}</td>
          {!own && (
            <td>
              {one.display ?? one.subject}
              <div class="quiet">
                <code>
                  {one.issuer}/{one.subject}
                </code>
              </div>
            </td>
          )}
          <td class="time">{minute(one.from)}</td>
          <td class="time">{minute(one.until)}</td>
          <td>{one.reason}</td>
          <td class="acts">
            <button type="button" aria-label={`End ${one.role} of ${one.display ?? one.subject}`} onClick={() => end(one)}>
              End
            </button>
          </td>
        </tr>
      ))}
    </Sheet>
  )
}
