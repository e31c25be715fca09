import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, type Problem } from './api.ts'
import { Failure, go, Link } from './page.tsx'
import { verdictKinds } from '../../src/core/record.ts'
import { instant, verdictTags, type DecisionSummary } from './summary.tsx'
import { askPath, Who } from './told.tsx'

const KEPT = 400
/** The gateway itself as a resource: its own pages make most of the requests while somebody looks at them. */
const OWN = 'ostiary'

/** The newest decisions, live. */
export function Decisions() {
  const [decisions, setDecisions] = useState<readonly DecisionSummary[] | undefined>()
  const [problem, setProblem] = useState<Problem | undefined>()
  const [verdict, setVerdict] = useState('')
  const [text, setText] = useState('')
  const [own, setOwn] = useState(false)

  useEffect(() => {
    const parameters = new URLSearchParams({ limit: '400', ...(verdict === '' ? {} : { verdict }) })
    setDecisions(undefined)
    // The first answer tells a refusal apart from a connection that is lost: an event stream can't.
    let source: EventSource | undefined
    let current = true
    get<readonly DecisionSummary[]>(`/api/decisions?${parameters.toString()}`).then(
      (list) => {
        if (!current) return
        setDecisions(list)
        parameters.set('limit', '1')
        source = new EventSource(`/api/decisions/live?${parameters.toString()}`)
        source.addEventListener('message', ({ data }) => {
          const next = JSON.parse(String(data)) as DecisionSummary
          setDecisions((known = []) => [next, ...known.filter(({ id }) => id !== next.id)].slice(0, KEPT))
        })
      },
      (error: unknown) =>
        current && setProblem(error instanceof ApiError ? error.problem : { title: 'the gateway can not be reached', status: 0 }),
    )
    return () => {
      current = false
      source?.close()
    }
  }, [verdict])

  if (problem !== undefined) return <Failure problem={problem} />
  const wanted = text.trim().toLowerCase()
  const shown = decisions?.filter(
    (one) =>
      (own || one.resource !== OWN) &&
      (wanted === '' || `${one.action} ${one.resource} ${one.who} ${one.because ?? ''} ${one.id}`.toLowerCase().includes(wanted)),
  )
  return (
    <>
      <div class="bar">
        <h1>Decisions</h1>
        <input
          type="search"
          placeholder="Filter what is shown"
          aria-label="Filter what is shown"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <label>
          <input type="checkbox" checked={own} onChange={(event) => setOwn(event.currentTarget.checked)} /> the gateway’s own
        </label>
        <select aria-label="Verdict" value={verdict} onChange={(event) => setVerdict(event.currentTarget.value)}>
          <option value="">every verdict</option>
          {verdictKinds.map((kind) => (
            <option key={kind} value={kind}>
              {kind}
            </option>
          ))}
        </select>
      </div>
      <section class="panel scroll">
        {shown?.length === 0 && <p class="empty">Nothing yet. Each request through a door appears here as it is decided.</p>}
        {shown !== undefined && shown.length > 0 && (
          <table>
            <thead>
              <tr>
                <th>Time</th>
                <th>Verdict</th>
                <th>Who</th>
                <th>Action</th>
                <th>Resource</th>
                <th>Because</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((one) => (
                <tr class="row" key={one.id} onClick={() => go(`/decisions/${one.id}`)}>
                  <td class="time">{instant(one.time).slice(11)}</td>
                  <td>{verdictTags(one)}</td>
                  <td>
                    <Who decision={one} />
                  </td>
                  <td>
                    <Link to={`/decisions/${one.id}`}>
                      <code>{one.action}</code>
                    </Link>
                  </td>
                  <td>
                    <Link to={askPath('who-can', { action: one.action, resource: one.resource })} title="Who can do this">
                      {one.resource}
                      <span class="unseen">: who can do this</span>
                    </Link>
                  </td>
                  <td class="quiet">{one.because}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </>
  )
}
