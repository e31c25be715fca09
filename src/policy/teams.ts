import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { Findings } from './names.ts'
import type { PolicyFile } from './read.ts'
import type { Context, Path } from './resolve.ts'
import { resolveResources } from './resources.ts'
import type { World } from './world.ts'

/** `payments` for `policy/payments/rules.yaml`; undefined for files of `policy/` itself. */
function folderOf({ source }: PolicyFile): string | undefined {
  const [, folder, ...rest] = source.path.split('/')
  return rest.length === 0 ? undefined : folder
}

export interface Teams {
  /** The team in whose folder a file is; undefined where there are no teams, and for files of `policy/` itself. */
  of(file: PolicyFile): Context['team']
}

/**
 * Who owns what. Where there are teams, every folder of `policy/` is a team's, and its files speak of what the team owns.
 * They may not say so themselves, and may not make one of their roles bring a role that isn't theirs.
 */
export function resolveTeams(files: readonly PolicyFile[], world: World, diagnostics: Diagnostic[]): Teams {
  const teams = new Map<string, Set<string>>()
  for (const file of files) {
    const findings = new Findings(file.root, diagnostics)
    for (const [name, { owns }] of Object.entries(file.value.teams)) {
      if (folderOf(file) !== undefined) {
        findings.add('policy/teams-place', { file: file.source.path }, findings.span(['teams', name], 'key'))
        continue
      }
      const owned = teams.get(name) ?? new Set<string>()
      teams.set(name, owned)
      for (const [i, text] of owns.entries())
        for (const one of resolveResources(text, `team \`${name}\``, ['teams', name, 'owns', i], { findings, world })) owned.add(one)
      if (owned.size === 0)
        diagnostics.push(
          diagnostic('policy/team-owns-nothing', { team: name }, findings.span(['teams', name], 'key'), { severity: 'warning' }),
        )
    }
  }
  if (teams.size === 0) return { of: () => undefined }
  const unknown = new Set<string>()
  for (const file of files) {
    const folder = folderOf(file)
    if (folder === undefined || teams.has(folder) || unknown.has(folder)) continue
    unknown.add(folder)
    new Findings(file.root, diagnostics).add('policy/unknown-team', { team: folder }, [])
  }
  checkRoles(files, diagnostics)
  return {
    of: (file) => {
      const name = folderOf(file)
      return name === undefined ? undefined : { name, owns: teams.get(name) ?? new Set() }
    },
  }
}

/** A role of a team that included another's would give it to whomever the team likes. */
function checkRoles(files: readonly PolicyFile[], diagnostics: Diagnostic[]): void {
  const folders = new Map(files.flatMap((file) => Object.keys(file.value.roles).map((role) => [role, folderOf(file)] as const)))
  for (const file of files) {
    const team = folderOf(file)
    if (team === undefined) continue
    const findings = new Findings(file.root, diagnostics)
    for (const [role, { includes }] of Object.entries(file.value.roles))
      for (const [i, other] of includes.entries())
        if (folders.has(other) && folders.get(other) !== team)
          findings.add('policy/foreign-role', { role, team, other }, ['roles', role, 'includes', i])
  }
}

/** What a file of a team's folder speaks of has to be the team's. */
export function checkOwned(resources: readonly string[], where: string, path: Path, { findings, team }: Context): void {
  const foreign = team === undefined ? undefined : resources.find((name) => !team.owns.has(name))
  if (team !== undefined && foreign !== undefined) findings.add('policy/not-owned', { where, resource: foreign, team: team.name }, path)
}
