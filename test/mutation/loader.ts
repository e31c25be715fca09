/**
 * Loads the project's own modules anew for every mutant, with one text changed, into the process that is there already: what a process costs
 * is the packages, which stay. Test files get `harness.ts` in place of `node:test`, and properties with one seed.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ROOT } from './files.ts'

const PROJECT = pathToFileURL(`${ROOT}/`).href
const OWN = pathToFileURL(`${import.meta.dirname}/`).href
const PACKAGES = `${PROJECT}node_modules/`
const STANDINS: Readonly<Record<string, string>> = { 'node:test': `${OWN}harness.ts`, 'fast-check': `${OWN}properties.ts` }

let generation = 0
let mutated: { readonly url: string; readonly text: string } | undefined
const stripped = new Map<string, string>()

registerHooks({
  resolve(specifier, context, next) {
    const parent = context.parentURL ?? ''
    const standin = STANDINS[specifier]
    if (standin !== undefined && !parent.startsWith(OWN)) return { url: standin, format: 'module-typescript', shortCircuit: true }
    const found = next(specifier, context)
    const own = found.url.startsWith(PROJECT) && !found.url.startsWith(PACKAGES) && !found.url.startsWith(OWN)
    return own && parent.includes('?generation=') ? { ...found, url: `${found.url}?generation=${generation}` } : found
  },
  load(url, context, next) {
    const plain = url.split('?', 1)[0]!
    if (plain === url || !plain.endsWith('.ts')) return next(url, context)
    const source = mutated?.url === plain ? stripTypeScriptTypes(mutated.text) : textOf(plain)
    return { format: 'module', source, shortCircuit: true }
  },
})

function textOf(url: string): string {
  let text = stripped.get(url)
  if (text === undefined) stripped.set(url, (text = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))))
  return text
}

/** The address of a file of the project among the modules that are loaded now. */
export function addressOf(file: string): string {
  return `${PROJECT}${file}?generation=${generation}`
}

/** From here on, modules are loaded anew, one of them with another text. */
export function begin(change: { readonly file: string; readonly text: string } | undefined): void {
  generation++
  mutated = change && { url: `${PROJECT}${change.file}`, text: change.text }
}
