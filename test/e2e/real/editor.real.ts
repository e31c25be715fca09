/**
 * Neovim itself with `ostiary lsp`, as docs/editor.md has it. Not part of `npm test`, which must run on a machine without it;
 * `.ci/run` installs it and runs this.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ROOT, run } from './demo.ts'

let folder: string

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ostiary-editor-'))
  cpSync(join(ROOT, 'examples/demo'), join(folder, 'demo'), { recursive: true })
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs Lua in an editor that has the file open and the server attached, and answers what it hands to `told`. */
function edit<T>(file: string, lua: string): T {
  const script = join(folder, 'script.lua')
  const answer = join(folder, 'answer.json')
  writeFileSync(
    script,
    `
local told
local ok, problem = pcall(function()
  local client = vim.lsp.start_client({
    name = 'ostiary',
    cmd = { 'node', '${join(ROOT, 'bin/ostiary.js')}', 'lsp' },
    root_dir = '${join(folder, 'demo')}',
  })
  vim.lsp.buf_attach_client(0, client)
  assert(vim.wait(30000, function() return vim.lsp.get_client_by_id(client).initialized end, 50), 'not initialized')
  local function diagnostics(fits)
    assert(vim.wait(30000, function() return fits(vim.diagnostic.get(0)) end, 50), vim.inspect(vim.diagnostic.get(0)))
    return vim.diagnostic.get(0)
  end
  -- Asks at the first place of a word.
  local function ask(method, word, more)
    vim.fn.cursor(1, 1)
    assert(vim.fn.search('\\\\V' .. word, 'c') > 0, word)
    local params = vim.tbl_extend('force', vim.lsp.util.make_position_params(), more or {})
    local answers = vim.lsp.buf_request_sync(0, method, params, 30000)
    return answers and answers[client] and answers[client].result
  end
${lua}
  vim.lsp.get_client_by_id(client).stop()
  vim.wait(5000, function() return vim.lsp.client_is_stopped(client) end, 50)
end)
local out = io.open('${answer}', 'w')
out:write(vim.json.encode({ ok = ok, problem = tostring(problem), told = told }))
out:close()
vim.cmd('qall!')
`,
  )
  const { stdout, stderr } = run('nvim', ['--clean', '--headless', join(folder, 'demo', file), '-c', `luafile ${script}`], {
    timeout: 100_000,
  })
  const read = JSON.parse(readFileSync(answer, 'utf8')) as { ok: boolean; problem: string; told: T }
  assert.ok(read.ok, `${read.problem}\n${stdout}${stderr}`)
  return read.told
}

describe('Neovim', () => {
  test('shows what is wrong while it is written, and that it is gone when it is corrected', () => {
    const told = edit<{ wrong: { code: string; lnum: number; severity: number }[]; right: unknown[] }>(
      'policy/orders.yaml',
      `
  vim.api.nvim_buf_set_lines(0, -1, -1, false, { '  - { id: grasp, role: nobody-at-all, resource: orders, actions: [GET /grasp] }' })
  local wrong = diagnostics(function(all) return #all > 0 end)
  vim.cmd('undo')
  local right = diagnostics(function(all) return #all == 0 end)
  told = { wrong = vim.tbl_map(function(one) return { code = one.code or one.user_data.lsp.code, lnum = one.lnum, severity = one.severity } end, wrong), right = right }`,
    )
    assert.ok(told.wrong.length > 0)
    assert.equal(told.wrong[0]!.severity, 1)
  })

  test('completes roles, shows who holds one, goes to where it is declared, and renames it in every file', () => {
    const rules = readFileSync(join(folder, 'demo/policy/orders.yaml'), 'utf8')
    const role = /role: (?!everyone|authenticated)([a-z][a-z-]*)\b/.exec(rules)?.[1]
    assert.ok(role !== undefined)
    const told = edit<{
      items: { items: { label: string }[] }
      hover: { contents: { value: string } }
      definition: { uri: string }[]
      rename: { changes: Record<string, unknown[]> }
    }>(
      'policy/orders.yaml',
      `
  vim.wait(500)
  told = {
    items = ask('textDocument/completion', 'role: \\\\zs${role}'),
    hover = ask('textDocument/hover', 'role: \\\\zs${role}'),
    definition = ask('textDocument/definition', 'role: \\\\zs${role}'),
    rename = ask('textDocument/rename', 'role: \\\\zs${role}', { newName = 'renamed' }),
  }`,
    )
    assert.ok(told.items.items.some(({ label }) => label === role))
    assert.match(told.hover.contents.value, new RegExp(`role ${role}[^]*used by`))
    assert.match(told.definition[0]!.uri, /policy\/roles\.yaml$/)
    assert.ok(Object.keys(told.rename.changes).length >= 2)
  })
})
