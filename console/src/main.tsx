import { signal } from '@preact/signals'
import { render, type ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, type Me, type Problem } from './api.ts'
import { Decision } from './decision.tsx'
import { Decisions } from './decisions.tsx'
import { Policy } from './policy.tsx'

const place = signal(location.pathname)
window.addEventListener('popstate', () => (place.value = location.pathname))

/** Goes to a page of the console without loading the document anew. */
export function go(path: string): void {
  history.pushState(null, '', path)
  place.value = path
  window.scrollTo(0, 0)
}

export function Link({
  to,
  children,
  ...rest
}: {
  readonly to: string
  readonly children: ComponentChildren
  readonly class?: string
  readonly 'aria-current'?: 'page' | undefined
}) {
  return (
    <a
      href={to}
      {...rest}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
        event.preventDefault()
        go(to)
      }}
    >
      {children}
    </a>
  )
}

/** What stands in place of a page that could not be had. */
export function Failure({ problem }: { readonly problem: Problem }) {
  return (
    <section class="failure" role="alert">
      <h1>{problem.status === 403 ? 'Not for you' : 'That did not work'}</h1>
      <p>{problem.title}</p>
      {problem.detail !== undefined && <p class="quiet">{problem.detail}</p>}
    </section>
  )
}

/** Loads `path` once per change; answers the value, the problem, or neither while it is under way. */
export function useApi<T>(path: string): { readonly value?: T; readonly problem?: Problem } {
  const [state, setState] = useState<{ value?: T; problem?: Problem }>({})
  useEffect(() => {
    let current = true
    setState({})
    get<T>(path).then(
      (value) => current && setState({ value }),
      (error: unknown) =>
        current &&
        setState({ problem: error instanceof ApiError ? error.problem : { title: 'the gateway can not be reached', status: 0 } }),
    )
    return () => {
      current = false
    }
  }, [path])
  return state
}

function Page() {
  const path = place.value
  const decision = /^\/decisions\/([a-z0-9]{1,64})$/.exec(path)
  if (decision !== null) return <Decision id={decision[1]!} />
  if (path === '/policy') return <Policy />
  return <Decisions />
}

function App() {
  const { value: me } = useApi<Me>('/api/me')
  const here = (path: string): 'page' | undefined => (place.value === path ? 'page' : undefined)
  return (
    <>
      <header>
        <Link to="/" class="brand">
          <Mark /> Ostiary
        </Link>
        <nav aria-label="Pages">
          <Link to="/" aria-current={here('/')}>
            Decisions
          </Link>
          <Link to="/policy" aria-current={here('/policy')}>
            Policy
          </Link>
        </nav>
        {me !== undefined && (
          <form class="me" method="post" action="/.ostiary/sign-out">
            <span title={`${me.issuer} ${me.subject}`}>{me.display ?? me.subject}</span>
            <button type="submit">Sign out</button>
          </form>
        )}
      </header>
      <main>
        <Page />
      </main>
    </>
  )
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <path d="M9 26V14a7 7 0 0 1 14 0v12" fill="none" stroke="currentColor" stroke-width="2.8" stroke-linecap="round" />
      <circle cx="19" cy="20" r="2" fill="var(--accent)" />
    </svg>
  )
}

render(<App />, document.querySelector('#app')!)
