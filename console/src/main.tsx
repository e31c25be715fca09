import { render } from 'preact'
import { Access } from './access.tsx'
import { Activations } from './activations.tsx'
import type { Me } from './api.ts'
import { Decision } from './decision.tsx'
import { Decisions } from './decisions.tsx'
import { Link, place, said, useApi } from './page.tsx'
import { Policy } from './policy.tsx'
import { Sessions } from './sessions.tsx'

function Page() {
  const path = place.value
  const decision = /^\/decisions\/([a-z0-9]{1,64})$/.exec(path)
  if (decision !== null) return <Decision id={decision[1]!} />
  if (path === '/access') return <Access />
  if (path === '/policy') return <Policy />
  if (path === '/sessions') return <Sessions />
  if (path === '/activations') return <Activations />
  return <Decisions />
}

const TITLES: Readonly<Record<string, string>> = {
  '/access': 'Access',
  '/policy': 'Policy',
  '/sessions': 'Sessions',
  '/activations': 'Roles for a time',
}

function App() {
  document.title = `${TITLES[place.value] ?? 'Decisions'} · Ostiary`
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
          <Link to="/access" aria-current={here('/access')}>
            Access
          </Link>
          <Link to="/policy" aria-current={here('/policy')}>
            Policy
          </Link>
          <Link to="/sessions" aria-current={here('/sessions')}>
            Sessions
          </Link>
          <Link to="/activations" aria-current={here('/activations')}>
            Roles
          </Link>
        </nav>
        {me !== undefined && (
          <form class="me" method="post" action="/.ostiary/sign-out">
            <span title={`${me.issuer} ${me.subject}`}>{me.display ?? me.subject}</span>
            <button type="submit">Sign out</button>
          </form>
        )}
      </header>
      <p role="status" class="unseen">
        {said.value}
      </p>
      <main tabIndex={-1}>
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
