import { batch, signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import { ApiError, get, type Problem } from './api.ts'

/** The path that is shown. */
export const place = signal(location.pathname)
/** Its query, with the question mark; empty for none. */
export const query = signal(location.search)

function arrive(): void {
  batch(() => {
    place.value = location.pathname
    query.value = location.search
  })
}
window.addEventListener('popstate', arrive)

/** Goes to a page of the console, with its query, without loading the document anew. */
export function go(to: string): void {
  history.pushState(null, '', to)
  arrive()
  window.scrollTo(0, 0)
  // Whatever had the focus is gone with its page.
  document.querySelector('main')?.focus({ preventScroll: true })
}

export function Link({
  to,
  children,
  ...rest
}: {
  readonly to: string
  readonly children: ComponentChildren
  readonly class?: string
  readonly title?: string
  readonly 'aria-current'?: 'page' | undefined
}) {
  return (
    <a
      href={to}
      {...rest}
      onClick={(event) => {
        // A row that is a link as well would go elsewhere.
        event.stopPropagation()
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return
        event.preventDefault()
        go(to)
      }}
    >
      {children}
    </a>
  )
}

/** Text of the gateway: what stands in backticks is what somebody wrote. */
export function Prose({ text }: { readonly text: string }) {
  return <>{text.split('`').map((part, i) => (i % 2 === 1 ? <code>{part}</code> : part))}</>
}

/** What stands in place of a page that could not be had. */
export function Failure({ problem }: { readonly problem: Problem }) {
  return (
    <section class="failure" role="alert">
      <h1>{problem.status === 403 ? 'Not for you' : 'That did not work'}</h1>
      <p>
        <Prose text={problem.title} />
      </p>
      {problem.detail !== undefined && (
        <p class="quiet">
          <Prose text={problem.detail} />
        </p>
      )}
    </section>
  )
}

/** Stands where an answer will be. */
export function Waiting() {
  return <p class="quiet">Looking …</p>
}

/** What is said to those who don't see the page change. */
export const said = signal('')

/** Says it once it is there. */
export function useSaid(text: string | undefined): void {
  useEffect(() => {
    if (text !== undefined) said.value = text
    return () => {
      said.value = ''
    }
  }, [text])
}

/** A table with its heading, which stays where the table is wider than the page. */
export function Sheet({
  title,
  note,
  head,
  children,
}: {
  readonly title: string
  readonly note?: string | undefined
  readonly head: readonly string[]
  readonly children: ComponentChildren
}) {
  const id = useId()
  return (
    <section class="panel sheet" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {note !== undefined && (
        <p class="quiet">
          <Prose text={note} />
        </p>
      )}
      {head.length > 0 && (
        <div class="wide">
          <table aria-labelledby={id}>
            <thead>
              <tr>
                {head.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </div>
      )}
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
