/** Sets of texts, such as the options of a container, cut by what patterns ask of them. */
import { TooManyCells } from '../cells.ts'
import type { Form } from './form.ts'
import { cutTexts, hasText, languageKey, type Language, type TextClass } from './partition.ts'

/** What a pattern asks of a set: nothing; that it is empty, or not; that all of it is inside, or something of it. */
export type SetNeed = { readonly of: 'any' | 'none' | 'some' } | { readonly of: 'inside' | 'touched'; readonly language: Language }

export interface SetClass {
  /** By need. */
  readonly meets: readonly boolean[]
  readonly has: (set: readonly string[]) => boolean
  /** Only the empty set is in it. */
  readonly isEmpty: boolean
  /** Of a smallest set of it: what its texts are. */
  readonly parts: readonly TextClass[]
}

export function needKey(need: SetNeed): string {
  return 'language' in need ? `${need.of} ${languageKey(need.language)}` : need.of
}

function isMet(need: SetNeed, set: readonly string[]): boolean {
  switch (need.of) {
    case 'any':
      return true
    case 'none':
      return set.length === 0
    case 'some':
      return set.length > 0
    case 'inside':
      return set.every((one) => hasText(need.language, one))
    case 'touched':
      return set.some((one) => hasText(need.language, one))
  }
}

/**
 * What a set meets follows from which classes of texts are in it, and one more text only ever takes `inside` away and gives
 * `touched`. So from the empty set on, text by text, all that sets can meet is found.
 * @throws TooManyCells
 */
export function cutSets(form: Form, needs: readonly SetNeed[], most: number): readonly SetClass[] {
  const languages = needs.flatMap((need) => ('language' in need ? [need.language] : []))
  const texts = cutTexts(form, [], languages)
  const at = new Map(languages.map((one, i) => [one, i]))
  const withText = (need: SetNeed, { meets }: TextClass): boolean => {
    return 'language' in need ? meets[at.get(need.language)!]! : need.of !== 'none'
  }
  const found = new Map<string, { readonly meets: readonly boolean[]; readonly parts: readonly TextClass[] }>()
  const add = (meets: readonly boolean[], parts: readonly TextClass[]): void => {
    const key = meets.map(Number).join('')
    if (found.has(key)) return
    if (found.size >= most) throw new TooManyCells()
    found.set(key, { meets, parts })
  }
  add(
    needs.map((need) => isMet(need, [])),
    [],
  )
  for (const { meets, parts } of found.values())
    for (const text of texts) {
      const grown = needs.map((need, i) =>
        need.of === 'touched' || need.of === 'some' ? meets[i]! || withText(need, text) : meets[i]! && withText(need, text),
      )
      add(grown, [...parts, text])
    }
  return [...found.values()].map(({ meets, parts }) => ({
    meets,
    parts,
    isEmpty: texts.length === 0 || needs.some((need, i) => need.of === 'none' && meets[i]!),
    has: (set) => set.every((one) => form.machine.has(one)) && needs.every((need, i) => isMet(need, set) === meets[i]),
  }))
}
