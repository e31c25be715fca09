/**
 * `npm run load -- mutants`: whether the corpus and the properties of the policy notice when one operator of its engine is another. A copy of
 * the sources gets one change at a time; a mutant that every test passes is a gap in the tests.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mutantsOf, type Mutant } from './operators.ts'

const ROOT = join(import.meta.dirname, '../..')
const ENGINE = [
  'decide',
  'party',
  'guards',
  'bind',
  'compile',
  'require',
  'obligations',
  'actions/http/trie',
  'actions/http/template',
  'when/condition',
]
const COMPARER = ['actions/http/compare', 'compare/outcome', 'compare/bdd', 'compare/cubes', 'compare/domain', 'compare/restrictions']
/** The corpus first, which is quick and notices most; what it lets pass, the rest looks at. */
const TESTS = [
  ['test/corpus/decisions/decisions.test.ts', 'src/policy/actions/http/http.test.ts', 'src/policy/when/when.test.ts'],
  [
    'src/policy/decide.test.ts',
    'src/policy/bind.test.ts',
    'src/policy/observed.test.ts',
    'src/policy/explain.test.ts',
    'src/policy/compare/compare.property.test.ts',
  ],
]
/** What is doubted of the corpus's policy has nothing to do with decisions. */
const SKIPPED = 'without a doubt'
/** A mutant that never ends is noticed as well. */
const TIMEOUT = 120_000

interface Options {
  /** Every n-th mutant; 1 for all. */
  readonly each: number
  readonly say: (line: string) => void
}

function passes(folder: string): boolean {
  const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-isolation=none', '--test-force-exit']
  return TESTS.every((tests) => {
    const env: NodeJS.ProcessEnv = { ...process.env, OSTIARY_TEST_FILES: tests.join('\n') }
    delete env['NODE_TEST_CONTEXT']
    const all = [...args, `--test-skip-pattern=${SKIPPED}`, 'tools/entry.ts']
    return spawnSync(process.execPath, all, { cwd: folder, stdio: 'ignore', timeout: TIMEOUT, env }).status === 0
  })
}

/** Runs the tests against each mutant and lists what became of it. Answers whether all were noticed. */
export function runMutants({ each, say }: Options): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-mutants-'))
  try {
    for (const part of ['src', 'test/corpus/decisions', 'tools', 'package.json', 'examples', 'docs'])
      cpSync(join(ROOT, part), join(folder, part), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    if (!passes(folder)) throw new Error('the tests fail without any mutant')
    const all = [...ENGINE, ...COMPARER].flatMap((name) => {
      const file = `src/policy/${name}.ts`
      return mutantsOf(file, readFileSync(join(folder, file), 'utf8'))
    })
    const chosen = all.filter((_, i) => i % each === 0)
    const survivors: Mutant[] = []
    for (const mutant of chosen) {
      const { file, line, change, text } = mutant
      const path = join(folder, file)
      const before = readFileSync(path, 'utf8')
      writeFileSync(path, text)
      const survived = passes(folder)
      writeFileSync(path, before)
      if (survived) survivors.push(mutant)
      say(`${survived ? 'SURVIVED' : 'killed  '} ${file}:${line} ${change}`)
    }
    say(`${chosen.length} of ${all.length} mutants: ${chosen.length - survivors.length} killed, ${survivors.length} survived`)
    return survivors.length === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
