import { useEffect, useRef, useState } from 'preact/hooks'
import type { SessionAnswer, SessionsAnswer } from '../../src/server/admin/shapes.ts'
import { get, problemOf, send, type Problem } from './api.ts'
import { Failure } from './page.tsx'
import { instant } from './summary.tsx'

/** What is about to be ended: one session, or everything that its subject has. */
interface Wish {
  readonly session: SessionAnswer
  readonly all: boolean
}

const minute = (time: string): string => instant(time).slice(0, 16)
const nameOf = ({ display, subject }: SessionAnswer): string => display ?? subject

/** Who is signed in, and an end to it. */
export function Sessions() {
  const [sessions, setSessions] = useState<readonly SessionAnswer[] | undefined>()
  const [next, setNext] = useState<string | undefined>()
  const [problem, setProblem] = useState<Problem | undefined>()
  const [text, setText] = useState('')
  const [wish, setWish] = useState<Wish | undefined>()
  const [told, setTold] = useState('')

  const load = (after?: string): Promise<void> =>
    get<SessionsAnswer>(`/api/sessions?limit=500${after === undefined ? '' : `&after=${after}`}`).then(
      (page) => {
        setSessions((known = []) => (after === undefined ? page.sessions : [...known, ...page.sessions]))
        setNext(page.next)
      },
      (error: unknown) => setProblem(problemOf(error)),
    )
  useEffect(() => void load(), [])

  if (problem !== undefined) return <Failure problem={problem} />
  const wanted = text.trim().toLowerCase()
  const shown = sessions?.filter(
    ({ id, issuer, subject, display = '', kind }) =>
      wanted === '' || `${id} ${issuer} ${subject} ${display} ${kind}`.toLowerCase().includes(wanted),
  )
  const ended = ({ session, all }: Wish): void => {
    setWish(undefined)
    setTold(all ? `Everything that ${nameOf(session)} had has ended.` : `The session of ${nameOf(session)} has ended.`)
    void load()
  }
  return (
    <>
      <div class="bar">
        <h1>Sessions</h1>
        <input
          type="search"
          placeholder="Filter what is shown"
          aria-label="Filter what is shown"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      <p role="status">{told}</p>
      <section class="panel scroll">
        {shown?.length === 0 && <p class="empty">Nobody is signed in with a browser{wanted === '' ? '' : ' who matches'}.</p>}
        {shown !== undefined && shown.length > 0 && (
          <table>
            <thead>
              <tr>
                <th>Who</th>
                <th>Issuer</th>
                <th>Kind</th>
                <th>Since</th>
                <th>Last used</th>
                <th>Ends</th>
                <th>
                  <span class="unseen">End</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((session) => (
                <tr key={session.id}>
                  <td>
                    {nameOf(session)} {session.own && <span class="tag good">yours</span>}
                    <div class="quiet">
                      <code>{session.subject}</code>
                    </div>
                  </td>
                  <td>{session.issuer}</td>
                  <td>{session.kind}</td>
                  <td class="time">{minute(session.createdAt)}</td>
                  <td class="time">{minute(session.seenAt)}</td>
                  <td class="time">{minute(session.endsAt)}</td>
                  <td class="acts">
                    <button
                      type="button"
                      aria-label={`End the session of ${nameOf(session)} since ${minute(session.createdAt)}`}
                      onClick={() => setWish({ session, all: false })}
                    >
                      End
                    </button>{' '}
                    <button
                      type="button"
                      aria-label={`End everything of ${nameOf(session)}`}
                      onClick={() => setWish({ session, all: true })}
                    >
                      End all
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      {next !== undefined && (
        <button type="button" onClick={() => void load(next)}>
          Show more
        </button>
      )}
      {wish !== undefined && <Confirm wish={wish} onEnded={() => ended(wish)} onCancel={() => setWish(undefined)} />}
    </>
  )
}

function Confirm({ wish, onEnded, onCancel }: { readonly wish: Wish; readonly onEnded: () => void; readonly onCancel: () => void }) {
  const { session, all } = wish
  const dialog = useRef<HTMLDialogElement>(null)
  const [reason, setReason] = useState('')
  const [problem, setProblem] = useState<Problem | undefined>()
  const [busy, setBusy] = useState(false)
  useEffect(() => dialog.current?.showModal(), [])

  const end = (): void => {
    setBusy(true)
    const { issuer, subject } = session
    const ending = all
      ? send('POST', '/api/revocations', { kind: 'issued-before', issuer, subject, before: 'now', reason: reason.trim() })
      : send('DELETE', `/api/sessions/${session.id}`)
    ending.then(onEnded, (error: unknown) => {
      setBusy(false)
      setProblem(problemOf(error))
    })
  }
  return (
    <dialog ref={dialog} aria-labelledby="wish" onClose={onCancel}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          end()
        }}
      >
        <h2 id="wish">{all ? `End everything of ${nameOf(session)}?` : `End this session of ${nameOf(session)}?`}</h2>
        <p>
          {all
            ? 'Every session and token issued until now ends at once, with all that is open. Who signs in anew is let in; to keep somebody out, use '
            : 'It ends at once, with all that it has open. Tokens of the same person go on.'}
          {all && <code>ostiary revoke subject</code>}
          {all && '.'}
        </p>
        {all && (
          <label>
            Why, for the record
            <input required maxLength={256} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
        )}
        {problem !== undefined && (
          <p role="alert" class="wrong">
            {problem.title}
          </p>
        )}
        <div class="choice">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="grave" disabled={busy}>
            {all ? 'End everything' : 'End it'}
          </button>
        </div>
      </form>
    </dialog>
  )
}
