/** A document as it was sent against the one that was kept. */

type Json = { readonly [name: string]: unknown }

import { EFFECT } from './documents.ts'

/** Paths that a control plane adds of its own: when, and what it is called elsewhere. */
const OWN = new Set(['creationTime', 'modificationTime', 'kri', 'status'])

/** Where they differ, in words; empty where what was kept says the same. */
export function differences(sent: Json, kept: Json): readonly string[] {
  return Object.keys({ ...sent, ...kept }).flatMap((key) => {
    if (key === 'labels') return labelDifferences((sent[key] ?? {}) as Json, (kept[key] ?? {}) as Json)
    return !(key in sent) && OWN.has(key) ? [] : between(sent[key], kept[key], key)
  })
}

/** Further labels are the control plane's, but for the one by which nothing is enforced. */
function labelDifferences(sent: Json, kept: Json): readonly string[] {
  return [...new Set([...Object.keys(sent), ...(EFFECT.label in kept ? [EFFECT.label] : [])])].flatMap((key) =>
    between(sent[key], kept[key], `labels.${key}`),
  )
}

function between(sent: unknown, kept: unknown, path: string): readonly string[] {
  if (sent === undefined) return kept === undefined ? [] : [`\`${path}\` was added`]
  if (kept === undefined) return [`\`${path}\` is gone`]
  if (Array.isArray(sent) && Array.isArray(kept)) {
    if (sent.length !== kept.length) return [`\`${path}\` has ${kept.length} entries, and not ${sent.length}`]
    return sent.flatMap((one, index) => between(one, kept[index], `${path}[${index}]`))
  }
  if (isObject(sent) && isObject(kept))
    return Object.keys({ ...sent, ...kept }).flatMap((key) => between(sent[key], kept[key], `${path}.${key}`))
  return sent === kept ? [] : [`\`${path}\` says something else`]
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
