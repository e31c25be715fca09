/** Texts that look like others: letters of several alphabets in one word, letters that imitate Latin ones, and what can't be seen. */

/** Alphabets of which letters are taken for one another. */
const SCRIPTS: Readonly<Record<string, RegExp>> = {
  Latin: /\p{Script=Latin}/u,
  Cyrillic: /\p{Script=Cyrillic}/u,
  Greek: /\p{Script=Greek}/u,
  Armenian: /\p{Script=Armenian}/u,
  Cherokee: /\p{Script=Cherokee}/u,
  Coptic: /\p{Script=Coptic}/u,
}

/** Cyrillic and Greek letters, and the Latin ones that they look like (Unicode Technical Standard 39). */
const IMITATIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    a: 'аα',
    c: 'сϲ',
    d: 'ԁ',
    e: 'е',
    h: 'һ',
    i: 'іι',
    j: 'јϳ',
    l: 'ӏ',
    o: 'оο',
    p: 'рρ',
    q: 'ԛ',
    s: 'ѕ',
    u: 'υ',
    v: 'ѵν',
    w: 'ԝ',
    x: 'х',
    y: 'уγ',
    A: 'АΑ',
    B: 'ВΒ',
    C: 'СϹ',
    E: 'ЕΕ',
    H: 'НΗ',
    I: 'ІΙӀ',
    J: 'Ј',
    K: 'КΚ',
    M: 'МΜ',
    N: 'Ν',
    O: 'ОΟ',
    P: 'РΡ',
    S: 'Ѕ',
    T: 'ТΤ',
    X: 'ХΧ',
    Y: 'ҮΥ',
    Z: 'Ζ',
  }).flatMap(([latin, others]) => Array.from(others, (one) => [one, latin] as const)),
)
/** Longer texts are looked at up to here. */
const MAX_TEXT = 1000

/** What is doubtful about a text, or undefined: "it mixes Latin and Cyrillic letters". */
export function confusion(text: string): string | undefined {
  if (/^[\x20-\x7E]*$/.test(text)) return undefined
  const looked = text.slice(0, MAX_TEXT)
  if (/[\p{Cf}\p{Cc}\u2028\u2029\u115F\u1160\u3164]|\u034F/u.test(looked)) return 'it has characters that can not be seen'
  for (const word of looked.split(/[\s\p{P}\p{S}\d]+/u)) {
    const scripts = Object.entries(SCRIPTS).flatMap(([name, letters]) => (letters.test(word) ? [name] : []))
    if (scripts.length > 1) return `it mixes ${scripts.join(' and ')} letters in one word`
    const letters = Array.from(word)
    if (letters.length > 1 && letters.every((letter) => IMITATIONS.has(letter)))
      return `it looks like \`${letters.map((letter) => IMITATIONS.get(letter)).join('')}\`, and is written in ${scripts.join('')} letters`
  }
  if (looked.normalize('NFKC') !== looked) return `it has another spelling that looks the same: \`${looked.normalize('NFKC')}\``
  return undefined
}

/** A host as people see it: its internationalised labels decoded. */
export function shownHost(host: string): string {
  return host
    .split('.')
    .map((label) => (label.toLowerCase().startsWith('xn--') ? (decodePunycode(label.slice(4)) ?? label) : label))
    .join('.')
}

/** Decodes a label as RFC 3492 §6.2 has it; undefined for one that isn't right. */
function decodePunycode(text: string): string | undefined {
  const [base, tMin, tMax, skew, damp] = [36, 1, 26, 38, 700]
  const cut = text.lastIndexOf('-')
  const output = Array.from(cut > 0 ? text.slice(0, cut) : '', (char) => char.codePointAt(0)!)
  let [n, i, bias] = [128, 0, 72]
  let at = cut > 0 ? cut + 1 : 0
  while (at < text.length) {
    const before = i
    for (let weight = 1, k = base; ; k += base) {
      const digit = at < text.length ? Number.parseInt(text[at++]!, 36) : Number.NaN
      if (Number.isNaN(digit)) return undefined
      // Letters stand for 0 to 25, digits for 26 to 35.
      const value = digit < 10 ? digit + 26 : digit - 10
      i += value * weight
      const threshold = k <= bias ? tMin : k >= bias + tMax ? tMax : k - bias
      if (value < threshold) break
      weight *= base - threshold
      if (i > 0x7fffffff || weight > 0x7fffffff) return undefined
    }
    const length = output.length + 1
    let delta = before === 0 ? Math.floor(i / damp) : (i - before) >> 1
    delta += Math.floor(delta / length)
    let k = 0
    for (; delta > ((base - tMin) * tMax) >> 1; k += base) delta = Math.floor(delta / (base - tMin))
    bias = k + Math.floor(((base - tMin + 1) * delta) / (delta + skew))
    n += Math.floor(i / length)
    i %= length
    if (n > 0x10ffff) return undefined
    output.splice(i++, 0, n)
  }
  return String.fromCodePoint(...output)
}
