import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, type Problem } from './api.ts'

/** The path that is shown. */
export const place = signal(location.pathname)
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
