import { createHash } from 'node:crypto'
import { escapeHtml } from '../html.ts'
import type { Asserted } from './assertion.ts'
import type { Order } from './book.ts'

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f4f1; --card: #fff; --ink: #1c2024; --soft: #5b6470; --line: #d9dce1; --mark: #0b6e5f }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1d2126; --ink: #e8eaed; --soft: #a0a8b3; --line: #343a42; --mark: #5fd0bb } }
* { box-sizing: border-box }
body { margin: 0; padding: 2rem 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main, header { max-width: 44rem; margin: 0 auto 1.5rem }
header { display: flex; gap: 1rem; align-items: baseline; justify-content: space-between; flex-wrap: wrap }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1rem 1.5rem; margin-bottom: 1.5rem; overflow-x: auto }
table { width: 100%; border-collapse: collapse } th, td { text-align: start; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line) }
tr:last-child > * { border-bottom: 0 } thead th { color: var(--soft); font-weight: 500; font-size: .9rem }
td.number { font-variant-numeric: tabular-nums }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.25rem; margin: 0 } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
a { color: var(--mark) } code { font: .9em ui-monospace, monospace }
`

/** The page loads nothing and runs nothing; signing out is the gateway's own form. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`

/** Orders for people, and who the gateway says they are. */
export function ordersPage(orders: readonly Order[], claims: Asserted): string {
  const rows = orders.map(
    ({ id, item, quantity, status }) =>
      `<tr><td class="number">${escapeHtml(id)}</td><th scope="row">${escapeHtml(item)}</th><td class="number">${quantity}</td><td>${status}</td></tr>`,
  )
  const { sub = '', roles, ost_kind: kind, ost_issuer: issuer } = claims
  const named = Array.isArray(roles) ? roles.map(String).join(', ') : ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orders</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>Orders</h1><a href="/.ostiary/sign-out">Sign out</a></header>
<main>
<section class="card" aria-labelledby="orders">
<h2 id="orders">All orders</h2>
<table><thead><tr><th scope="col">No.</th><th scope="col">Item</th><th scope="col">Quantity</th><th scope="col">Status</th></tr></thead>
<tbody>${rows.join('')}</tbody></table>
</section>
<section class="card" aria-labelledby="caller">
<h2 id="caller">You, as the gateway asserts it</h2>
<dl><dt>Subject</dt><dd><code>${escapeHtml(sub)}</code></dd><dt>Issuer</dt><dd>${escapeHtml(String(issuer))}</dd><dt>Kind</dt><dd>${escapeHtml(String(kind))}</dd><dt>Roles</dt><dd>${escapeHtml(named)}</dd></dl>
<p>This API has seen neither your token nor your session: only a signed assertion, for it alone and for five minutes. See <a href="/whoami">/whoami</a>.</p>
</section>
</main>
</body>
</html>
`
}
