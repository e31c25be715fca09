import * as fs from 'node:fs'

/** What the record needs of a file system. An interface, so that tests can fill a disk and break it. */
export interface Disk {
  /** Opens for appending. `create` fails if the file exists, `existing` if it doesn't; `either` takes both. Owner-only. */
  open(path: string, how: 'create' | 'existing' | 'either'): number
  /** Appends; may write less than asked for. */
  write(file: number, bytes: Uint8Array, offset: number, length: number): number
  /** Makes what was written survive a power cut. */
  sync(file: number): Promise<void>
  /** The same, and waits for it. */
  syncNow(file: number): void
  /** Makes the folder's list of files survive a power cut. */
  syncFolder(path: string): void
  truncate(file: number, length: number): void
  size(file: number): number
  /** True if `path` still names the open file. */
  names(path: string, file: number): boolean
  close(file: number): void
  remove(path: string): void
}

const FLAGS = {
  create: fs.constants.O_CREAT | fs.constants.O_EXCL,
  existing: 0,
  either: fs.constants.O_CREAT,
} as const

export const realDisk: Disk = {
  open: (path, how) => fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_APPEND | FLAGS[how], 0o600),
  write: (file, bytes, offset, length) => fs.writeSync(file, bytes, offset, length),
  sync: (file) => new Promise((resolve, reject) => fs.fdatasync(file, (error) => (error === null ? resolve() : reject(error)))),
  syncNow: (file) => fs.fdatasyncSync(file),
  syncFolder(path) {
    const folder = fs.openSync(path, fs.constants.O_RDONLY)
    try {
      fs.fsyncSync(folder)
    } finally {
      fs.closeSync(folder)
    }
  },
  truncate: (file, length) => fs.ftruncateSync(file, length),
  size: (file) => fs.fstatSync(file).size,
  names(path, file) {
    const named = fs.statSync(path, { throwIfNoEntry: false })
    const open = fs.fstatSync(file)
    return named !== undefined && named.ino === open.ino && named.dev === open.dev
  },
  close: (file) => fs.closeSync(file),
  remove: (path) => fs.rmSync(path, { force: true }),
}

/** Writes all of `bytes`. @throws the disk's own error */
export function writeAll(disk: Disk, file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const written = disk.write(file, bytes, done, bytes.length - done)
    if (written <= 0) throw Object.assign(new Error('nothing was written'), { code: 'EIO' })
    done += written
  }
}

/** The system's name of a fault (`ENOSPC`), for texts and metrics. */
export function causeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'unknown'
}
