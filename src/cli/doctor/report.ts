import type { Diagnosis, Place } from '../../server/doctor/token/diagnosis.ts'
import type { TokenView } from '../../server/doctor/token/decoded.ts'
import type { Standing } from '../../server/doctor/token/standing.ts'
import type { TokenReport } from '../../server/doctor/token/token.ts'
import { paint } from '../output.ts'

const PLACES: Readonly<Record<Place, string>> = {
  registration: 'in the registration at the provider',
  wiring: 'in ostiary.yaml',
  policy: 'in policy/',
  client: 'in the client',
  elsewhere: 'elsewhere',
}

/** A report as people read it. */
export function renderReport(report: TokenReport): string {
  switch (report.outcome) {
    case 'nothing':
      return 'nothing was given'
    case 'good':
      return [
        paint('green', 'good'),
        ...line('issuer', report.standing.issuer),
        ...viewLines(report.token),
        ...standingLines(report.standing),
      ].join('\n')
    case 'error':
      return [paint('red', 'error'), ...diagnosisLines(report.diagnosis)].join('\n')
    case 'refused':
    case 'unavailable': {
      const { outcome, reason, issuer, token, diagnosis, standing } = report
      return [
        `${paint(outcome === 'refused' ? 'red' : 'yellow', outcome)}  ${reason}`,
        ...line('issuer', issuer),
        ...viewLines(token),
        ...diagnosisLines(diagnosis),
        ...(standing === undefined ? [] : standingLines(standing)),
      ].join('\n')
    }
  }
}

function line(name: string, text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : [`  ${name.padEnd(8)}  ${text}`]
}

function diagnosisLines({ cause, found, wanted, where, change }: Diagnosis): readonly string[] {
  return [...line('cause', cause), ...line('found', found), ...line('wanted', wanted), ...line('change', `${PLACES[where]}: ${change}`)]
}

function viewLines(view: TokenView | undefined): readonly string[] {
  if (view === undefined) return []
  const all = { ...view.header, ...view.claims, ...view.times }
  const told = Object.entries(all).flatMap(([name, value]) => line(name, value))
  return [...told, ...line('others', view.others.join(', '))]
}

function standingLines(standing: Standing): readonly string[] {
  const { subject, kind, client, scopes, actors, claims, unknown, roles, unknownRoles, doubts } = standing
  const listed = (items: readonly { readonly because: string }[], name: (item: never) => string): string =>
    items.map((item) => `${name(item as never)} (${item.because})`).join(', ')
  const role = (item: { readonly role: string }): string => item.role
  return [
    ...line('who', `${kind} ${subject}${client === undefined ? '' : `, by client ${client}`}`),
    ...actors.flatMap((actor) => line('acting', actor)),
    ...line('scopes', scopes?.join(' ')),
    ...line('claims', claims.there.join(', ')),
    ...line('absent', claims.absent.join(', ')),
    ...line(
      'unknown',
      listed(unknown, ({ claim }: { readonly claim: string }) => claim),
    ),
    ...line('roles', roles === undefined ? undefined : roles.length === 0 ? 'none' : listed(roles, role)),
    ...line('untold', listed(unknownRoles, role)),
    ...doubts.flatMap(({ found, help }) => [`  ${paint('yellow', 'doubtful')}  ${found}`, `            help: ${help}`]),
  ]
}
