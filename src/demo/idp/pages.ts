import { createHash } from 'node:crypto'
import { escapeHtml } from '../html.ts'
import type { Account } from './accounts.ts'
import { DEMO_NOTICE } from './metadata.ts'

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f4f1; --card: #fff; --ink: #1c2024; --soft: #5b6470; --line: #d9dce1; --mark: #0b6e5f; --warn: #8a5a00 }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1d2126; --ink: #e8eaed; --soft: #a0a8b3; --line: #343a42; --mark: #5fd0bb; --warn: #e0b25a } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 30rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 2rem }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; line-height: 1.3 }
p { margin: .25rem 0 1rem; color: var(--soft) }
ul { list-style: none; margin: 0; padding: 0 }
li + li { border-top: 1px solid var(--line) }
.account { display: block; width: 100%; padding: .7rem .75rem; border: 0; border-radius: 8px; background: none; color: inherit; font: inherit; text-align: start; cursor: pointer }
.account b { display: block } .account span { color: var(--soft); font-size: .9rem }
.account:hover { background: color-mix(in srgb, var(--mark) 12%, transparent) }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px }
label { display: block; font-weight: 600; margin-bottom: .35rem }
input { width: 100%; padding: .6rem .75rem; border: 1px solid var(--soft); border-radius: 8px; background: var(--card); color: inherit; font: 1.2rem ui-monospace, monospace; letter-spacing: .1em; text-transform: uppercase }
.actions { display: flex; gap: .75rem; margin-top: 1rem }
.actions button { padding: .6rem 1.1rem; border-radius: 8px; border: 1px solid var(--mark); background: none; color: var(--mark); font: inherit; font-weight: 600; cursor: pointer }
.actions .first { background: var(--mark); color: var(--card) }
.code { font: 1.5rem ui-monospace, monospace; letter-spacing: .12em }
.notice { margin: 1.5rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .85rem; color: var(--warn) }
.failure { color: var(--warn); font-weight: 600 }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse; font-size: .9rem } th, td { text-align: start; padding: .35rem .75rem .35rem 0; vertical-align: top } th { white-space: nowrap }
`

/** Redirects that follow a form are checked against `form-action` too, and they lead to clients on loopback. */
const LOOPBACK = ['http', 'https']
  .flatMap((scheme) => ['*.localhost', 'localhost', '127.0.0.1'].map((host) => `${scheme}://${host}:*`))
  .join(' ')

/** For every page. `script-src` is empty; where the library must submit a form by script, it adds that script's hash. */
export const CONTENT_SECURITY_POLICY = [
  `default-src 'none'`,
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'script-src',
  `form-action 'self' ${LOOPBACK}`,
  `base-uri 'none'`,
  `frame-ancestors 'none'`,
].join('; ')

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · demo identity provider</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
<p class="notice">${escapeHtml(capitalise(DEMO_NOTICE))}.</p>
</main>
</body>
</html>
`
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** The account picker: one button for each account, named by what it may do. */
export function signInPage(client: string, accounts: readonly Account[], current: string | undefined): string {
  const items = accounts.map(
    ({ name, may }) =>
      `<li><button class="account" name="account" value="${escapeHtml(name)}"><b>${escapeHtml(name)}${
        name === current ? ' (signed in)' : ''
      }</b> <span>${escapeHtml(may)}</span></button></li>`,
  )
  return page(
    'Pick an account',
    `<p>to continue to <b>${escapeHtml(client)}</b>. There are no passwords here.</p>
<form method="post"><ul aria-label="Accounts">
${items.join('\n')}
</ul></form>`,
  )
}

/** The second factor, which is a button here. */
export function secondFactorPage(account: string): string {
  return page(
    'Confirm that it is you',
    `<p>Signing in as <b>${escapeHtml(account)}</b>. What you go to asks for more than one factor; here, the second is this button.</p>
<form method="post"><input type="hidden" name="account" value="${escapeHtml(account)}"><input type="hidden" name="factor" value="second">
<div class="actions"><button class="first">Confirm</button></div></form>`,
  )
}

/** Where the user of a device types the code that it shows. */
export function deviceCodePage(action: string, xsrf: string, failed: boolean): string {
  return page(
    'Sign in on a device',
    `<p id="hint">Enter the code that the device or the command line shows.</p>
${failed ? '<p class="failure" role="alert">This code is unknown, used or expired. Try again.</p>' : ''}
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="xsrf" value="${escapeHtml(xsrf)}">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" aria-describedby="hint" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="12" required autofocus>
<div class="actions"><button class="first">Next</button></div>
</form>`,
  )
}

/** The last question before a device gets a token: codes are also how people are phished. */
export function deviceConfirmPage(action: string, xsrf: string, userCode: string, client: string): string {
  return page(
    'Is this your device?',
    `<p><b>${escapeHtml(client)}</b> shows the code <span class="code">${escapeHtml(userCode)}</span></p>
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="xsrf" value="${escapeHtml(xsrf)}">
<input type="hidden" name="user_code" value="${escapeHtml(userCode)}">
<div class="actions"><button class="first" name="confirm" value="yes">Yes, go on</button><button name="abort" value="yes">No</button></div>
</form>`,
  )
}

export function signOutPage(action: string, xsrf: string, account: string): string {
  return page(
    'Sign out?',
    `<p>You are signed in as <b>${escapeHtml(account)}</b>.</p>
<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="xsrf" value="${escapeHtml(xsrf)}">
<div class="actions"><button class="first" name="logout" value="yes">Sign out</button></div>
</form>`,
  )
}

export function donePage(title: string, text: string): string {
  return page(title, `<p role="status">${escapeHtml(text)}</p>`)
}

export function errorPage(error: string, description: string): string {
  return page('This did not work', `<p class="failure" role="alert"><code>${escapeHtml(error)}</code></p><p>${escapeHtml(description)}</p>`)
}

/** What is at the root: who can sign in, and where the metadata is. */
export function homePage(authority: string, tenant: string, accounts: readonly Account[]): string {
  const rows = accounts.map(({ name, may }) => `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td>${escapeHtml(may)}</td></tr>`)
  return page(
    'Demo identity provider',
    `<p>It issues tokens in the shape of Microsoft Entra ID’s. Metadata: <code>${escapeHtml(authority)}/${escapeHtml(tenant)}/v2.0/.well-known/openid-configuration</code></p>
<table><caption hidden>Accounts</caption><tbody>${rows.join('')}</tbody></table>
<p>A token of any of them: <code>ostiary token --as reader</code></p>`,
  )
}
