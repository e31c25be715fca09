/** The dictionary that header blocks of SPDY/3 are compressed with (SPDY/3.1 §2.6.10.1): words with their lengths before them, then text. */

const WORDS =
  'options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|allow|authori' +
  'zation|cache-control|connection|content-base|content-encoding|content-language|content-length|content-location|content-m' +
  'd5|content-range|content-type|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-un' +
  'modified-since|last-modified|location|max-forwards|pragma|proxy-authenticate|proxy-authorization|range|referer|retry-aft' +
  'er|server|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|ver' +
  'sion|HTTP/1.1|url|public|set-cookie|keep-alive|origin'

const TEXT =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Informat' +
  'ion204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error' +
  '501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, ' +
  'Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/' +
  'javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'

/** 1,423 bytes; their Adler-32 is 0xe3c6a7c2. */
export const SPDY_DICTIONARY: Uint8Array = new TextEncoder().encode(
  WORDS.split('|')
    .map((word) => `\0\0\0${String.fromCharCode(word.length)}${word}`)
    .join('') + TEXT,
)
