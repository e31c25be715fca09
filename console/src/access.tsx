import { useState } from 'preact/hooks'
import type { ResourceAnswer } from '../../src/server/admin/shapes.ts'
import { AccessOf } from './accessof.tsx'
import { CanI } from './cani.tsx'
import { go, Link, query, useApi } from './page.tsx'
import { askPath } from './told.tsx'
import { WhoCan } from './whocan.tsx'

type Ask = 'who-can' | 'can-i' | 'access'

const QUESTIONS: Readonly<Record<Ask, string>> = { 'who-can': 'Who can …', 'can-i': 'Can I …', access: 'What has … access to' }
const ASKS = Object.keys(QUESTIONS) as readonly Ask[]

/** Questions to the policy in force. The address holds the whole question, so that it can be sent to somebody. */
export function Access() {
  const parameters = new URLSearchParams(query.value)
  const ask = ASKS.find((one) => one === parameters.get('ask')) ?? 'who-can'
  const [action, resource, principal] = ['action', 'resource', 'principal'].map((name) => parameters.get(name) ?? '') as [
    string,
    string,
    string,
  ]
  const kept = action === '' ? {} : { action, resource }
  return (
    <>
      <div class="bar">
        <h1>Access</h1>
        <nav aria-label="Questions">
          {ASKS.map((one) => (
            <Link key={one} to={askPath(one, one === 'access' ? {} : kept)} aria-current={one === ask ? 'page' : undefined}>
              {QUESTIONS[one]}
            </Link>
          ))}
        </nav>
      </div>
      {ask === 'access' ? (
        <PrincipalForm key={query.value} asked={principal} />
      ) : (
        <ActionForm key={query.value} ask={ask} asked={{ action, resource }} />
      )}
      {ask === 'access' && principal !== '' && <AccessOf principal={principal} />}
      {ask === 'who-can' && action !== '' && <WhoCan action={action} resource={resource} />}
      {ask === 'can-i' && action !== '' && <CanI action={action} resource={resource} />}
    </>
  )
}

interface Asked {
  readonly action: string
  readonly resource: string
}

function ActionForm({ ask, asked }: { readonly ask: 'who-can' | 'can-i'; readonly asked: Asked }) {
  // Whoever may not read the policy may still ask what they themselves may do: they write the resource's name.
  const { value: policy } = useApi<{ readonly resources: readonly ResourceAnswer[] }>('/api/policy')
  const [action, setAction] = useState(asked.action)
  const [chosen, setResource] = useState(asked.resource)
  const listed = policy?.resources ?? []
  const resource = chosen === '' ? (listed.find(({ name }) => name !== OWN) ?? listed[0])?.name : chosen
  const on = listed.find(({ name }) => name === resource)
  return (
    <form
      class="panel ask"
      onSubmit={(event) => {
        event.preventDefault()
        go(askPath(ask, { action: action.trim(), resource: resource ?? '' }))
      }}
    >
      <label class="grows">
        {ask === 'who-can' ? 'Who can do this' : 'Can I do this'}
        <input
          required
          class="mono"
          maxLength={8_192}
          autocomplete="off"
          spellcheck={false}
          placeholder={on?.exampleAction}
          value={action}
          onInput={(event) => setAction(event.currentTarget.value)}
        />
      </label>
      <label>
        on the resource
        {policy === undefined ? (
          <input
            required
            autocomplete="off"
            spellcheck={false}
            value={chosen}
            onInput={(event) => setResource(event.currentTarget.value)}
          />
        ) : (
          <select value={resource} onChange={(event) => setResource(event.currentTarget.value)}>
            {on === undefined && <option value={resource}>{resource}</option>}
            {listed.map(({ name, protocol }) => (
              <option key={name} value={name}>
                {name} ({protocol})
              </option>
            ))}
          </select>
        )}
      </label>
      <button type="submit">Ask</button>
    </form>
  )
}

/** The gateway itself as a resource. */
const OWN = 'ostiary'

function PrincipalForm({ asked }: { readonly asked: string }) {
  const [principal, setPrincipal] = useState(asked)
  return (
    <form
      class="panel ask"
      onSubmit={(event) => {
        event.preventDefault()
        go(askPath('access', { principal: principal.trim() }))
      }}
    >
      <label class="grows">
        What has this person or workload access to
        <input
          required
          maxLength={512}
          autocomplete="off"
          spellcheck={false}
          placeholder="issuer/subject, subject, or the name that decisions show"
          value={principal}
          onInput={(event) => setPrincipal(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Ask</button>
    </form>
  )
}
