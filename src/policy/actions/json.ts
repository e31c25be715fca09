/** JSON of unknown shape, by the places in it that conditions look at. */

/** What a condition reads within a value: `arguments.limit`, `arguments["x y"].z`. */
export function placeText(root: string, path: readonly string[]): string {
  return root + path.map((name) => (/^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)).join('')
}

/** The names of such a text behind its root. */
export function placePath(text: string): readonly string[] {
  return [...text.matchAll(/\.([A-Za-z_]\w*)|\[("(?:[^"\\]|\\.)*")\]/g)].map(([, plain, quoted]) =>
    quoted === undefined ? plain! : (JSON.parse(quoted) as string),
  )
}

type Json = Record<string, unknown>

/** @param places Values as JSON by where they are, the empty text for one that is absent. The wider ones first. */
export function jsonOf(places: readonly (readonly [place: string, json: string])[]): Readonly<Json> | undefined {
  const made: Json = {}
  for (const [place, json] of places.toSorted(([a], [b]) => a.length - b.length)) {
    const path = placePath(place)
    const last = path.at(-1)
    if (last === undefined) {
      const whole: unknown = json === '' ? {} : JSON.parse(json)
      if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return undefined
      Object.assign(made, whole)
      continue
    }
    let at = made
    for (const name of path.slice(0, -1)) {
      const inner = Object.hasOwn(at, name) ? at[name] : undefined
      if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) at = inner as Json
      else if (json === '') break
      else Object.defineProperty(at, name, { value: (at = {}), enumerable: true, writable: true, configurable: true })
    }
    if (json !== '') Object.defineProperty(at, last, { value: JSON.parse(json), enumerable: true, writable: true, configurable: true })
  }
  return made
}
