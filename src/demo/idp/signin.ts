import type Provider from 'oidc-provider'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { peopleOf } from './accounts.ts'
import { readText } from '../listener.ts'
import { asksForMore, SECOND_FACTOR } from './contexts.ts'
import { errorPage, secondFactorPage, signInPage } from './pages.ts'
import { findClient } from './registrations.ts'
import { sendHtml } from './reply.ts'

/** `/{tid}/signin/{uid}`: shows the account picker, and takes the choice. */
export async function signIn(provider: Provider, tenant: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const interaction = await provider.interactionDetails(request, response).catch(() => undefined)
  if (interaction === undefined)
    return sendHtml(
      response,
      400,
      errorPage('session_not_found', 'This sign-in has expired, or was started in another browser. Start again.'),
    )
  const people = peopleOf(tenant)
  if (request.method !== 'POST') {
    const client = findClient(String(interaction.params['client_id']))
    return sendHtml(response, 200, signInPage(client?.name ?? 'an application', people, interaction.session?.accountId))
  }
  const form = new URLSearchParams((await readText(request, 1024)) ?? '')
  const chosen = form.get('account')
  const account = people.find(({ name }) => name === chosen)
  if (account === undefined)
    return sendHtml(response, 400, errorPage('invalid_request', 'AADSTS50020: this account does not exist in the tenant.'))
  const factors = form.get('factor') === 'second' ? ['pwd', SECOND_FACTOR] : ['pwd']
  if (factors.length === 1 && asksForMore(interaction.params['claims'])) return sendHtml(response, 200, secondFactorPage(account.name))
  // Another account than the browser's session has: the session changes hands here. The library would sign out first, by
  // a page with a script.
  if (interaction.session?.uid !== undefined && interaction.session.accountId !== account.name) {
    const session = await provider.Session.findByUid(interaction.session.uid)
    if (session !== undefined) {
      session.loginAccount({ accountId: account.name, transient: false })
      session.authorizations = {}
      await session.persist()
      interaction.session.accountId = account.name
      await interaction.persist()
    }
  }
  const done = { login: { accountId: account.name, amr: factors }, select_account: {}, consent: {} }
  await provider.interactionFinished(request, response, done, { mergeWithLastSubmission: false })
}
