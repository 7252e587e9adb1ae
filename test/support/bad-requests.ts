// Requests that HTTP parsers are known to misread, as bytes: the kinds of cases in the test suites of llhttp and
// Node.js, and some of our own. Data of bad-requests.test.ts.

/** The Host of every request whose case is about something else. */
const HOST = 'Host: bore.example:4321\r\n';
/** What a parser that has lost the framing would take for the next request. */
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;

/** A GET whose head has these bytes after the Host, including their last line end. */
const withFields = (fields: string) => `GET /case HTTP/1.1\r\n${HOST}${fields}\r\n`;
const withBody = (fields: string, body: string) => `POST /case HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const chunked = (body: string) => withBody('Transfer-Encoding: chunked\r\n', body);
const withLine = (line: string) => `${line}\r\n${HOST}\r\n`;

const REQUEST_LINES = [
  ['another protocol', 'GET /case ICE/1.0'],
  ['nearly the protocol', 'GET /case IHTTP/1.1'],
  ['RTSP', 'PUT /case RTSP/1.0'],
  ['a method of RTSP', 'ANNOUNCE /case HTTP/1.1'],
  ['an unknown method', 'MKCOLA /case HTTP/1.1'],
  ['a method in lower case', 'get /case HTTP/1.1'],
  ['half a method', 'GE /case HTTP/1.1'],
  ['no method', ' /case HTTP/1.1'],
  ['a method with a control character', 'G\x01ET /case HTTP/1.1'],
  ['a method of HTTP/2', 'PRI * HTTP/2.0'],
  ['a version of the future', 'GET /case HTTP/5.6'],
  ['version 2.0', 'GET /case HTTP/2.0'],
  ['version 1.2', 'GET /case HTTP/1.2'],
  ['version 1.10', 'GET /case HTTP/1.10'],
  ['version 01.1', 'GET /case HTTP/01.1'],
  ['version 0.9', 'GET /case HTTP/0.9'],
  ['a version without a minor number', 'GET /case HTTP/1'],
  ['a version without numbers', 'GET /case HTTP/'],
  ['the protocol in lower case', 'GET /case http/1.1'],
  ['no version', 'GET /case'],
  ['no target', 'GET HTTP/1.1'],
  ['an empty target', 'GET  HTTP/1.1'],
  ['a space in the target', 'GET /case a HTTP/1.1'],
  ['a tab for a space', 'GET\t/case HTTP/1.1'],
  ['a tab in the target', 'GET /ca\tse HTTP/1.1'],
  ['a form feed in the target', 'GET /ca\fse HTTP/1.1'],
  ['a NUL in the target', 'GET /ca\0se HTTP/1.1'],
  ['a DEL in the target', 'GET /ca\x7fse HTTP/1.1'],
  ['a bare CR in the target', 'GET /ca\rse HTTP/1.1'],
  ['a space behind the version', 'GET /case HTTP/1.1 '],
  ['a bare CR behind the version', 'GET /case HTTP/1.1\rX: y'],
  ['a target without a slash', 'GET case HTTP/1.1'],
  ['a target that is a query', 'GET ?case HTTP/1.1'],
  ['an absolute target', 'GET http://bore.example:4321/case HTTP/1.1'],
  ['an absolute target in capitals', 'GET HTTP://169.254.169.254/case HTTP/1.1'],
  ['an absolute target of another scheme', 'GET file:///etc/passwd HTTP/1.1'],
  ['an absolute target with a user', 'GET http://bore.example:4321@evil.example/ HTTP/1.1'],
  ['two slashes', 'GET //evil.example/ HTTP/1.1'],
  ['a slash and a backslash', 'GET /\\evil.example/ HTTP/1.1'],
  ['a fragment', 'GET /case#x HTTP/1.1'],
  ['an asterisk', 'OPTIONS * HTTP/1.1'],
  ['an asterisk with GET', 'GET * HTTP/1.1'],
  ['CONNECT', 'CONNECT 127.0.0.1:22 HTTP/1.1'],
  ['CONNECT to a path', 'CONNECT /case HTTP/1.1'],
  ['CONNECT without a port', 'CONNECT evil.example HTTP/1.1'],
].map(([title = '', line = '']) => [title, withLine(line)]);

const LINE_ENDS = [
  ['line feeds alone', `GET /case HTTP/1.1\n${HOST.trim()}\n\n`],
  ['a line feed behind the version', `GET /case HTTP/1.1\n${HOST}\r\n`],
  ['a carriage return behind the version', `GET /case HTTP/1.1\r${HOST}\r\n`],
  ['a space before the first field', `GET /case HTTP/1.1\r\n ${HOST}\r\n`],
  ['a space before a later field', withFields('A: b\r\n Content-Length: 38\r\n')],
  ['a tab before a later field', withFields('A: b\r\n\tContent-Length: 38\r\n')],
  ['a CR between two fields', withFields('A: b\rContent-Length: 38\r\n')],
  ['an LF between two fields', withFields('A: b\nContent-Length: 38\r\n')],
  ['an LF and a coding', withFields('A: b\nTransfer-Encoding: chunked\r\n')],
  ['an empty value and a CR', withFields('A:\rTransfer-Encoding: chunked\r\n')],
  ['an empty value and an LF', withFields('A:\nTransfer-Encoding: chunked\r\n')],
  ['two CRs', withFields('A: b\r\r\n')],
  ['an LF before the CRLF', withFields('A: b\n\r\n')],
  ['a CR and a letter at the end of the head', `GET /case HTTP/1.1\r\n${HOST}\rZ${SMUGGLED}`],
  ['an LF at the end of the head', `GET /case HTTP/1.1\r\n${HOST}\n`],
  ['a CR at the end of the head', `GET /case HTTP/1.1\r\n${HOST}\r`],
  ['a head that never ends', `GET /case HTTP/1.1\r\n${HOST}`],
];

const NAMES = [
  ['a sign in a name', withFields('Fo@: b\r\n')],
  ['a control character in a name', withFields('Fo\x01o: b\r\n')],
  ['a NUL in a name', withFields('Fo\0o: b\r\n')],
  ['a letter beyond ASCII in a name', withFields('F\xf6o: b\r\n')],
  ['no name', withFields(': b\r\n')],
  ['a space in a name', withFields('Fo o: b\r\n')],
  ['a space before the colon', withFields('Content-Length : 5\r\n')],
  ['a tab before the colon', withFields('Transfer-Encoding\t: chunked\r\n')],
  ['a vertical tab before the colon', withFields('Transfer-Encoding\x0b: chunked\r\n')],
  ['no colon', withFields('Foo\r\n')],
  ['a name on two lines', withFields('Foo\r\n : b\r\n')],
  ['a corrupted Connection', withFields('Connection\r\x1b\x35\xd5eep-Alive\r\nA: b\r\n')],
  ['brackets in a name', withFields('{Foo}: b\r\n')],
  ['a NUL in a value', withFields('Foo: a\0b\r\n')],
  ['a control character in a value', withFields('Foo: a\x01b\r\n')],
  ['a DEL in a value', withFields('Foo: a\x7fb\r\n')],
  ['a head of 20 KB', withFields(`Foo: ${'x'.repeat(20_000)}\r\n`)],
  ['a target of 20 KB', withLine(`GET /${'x'.repeat(20_000)} HTTP/1.1`)],
  ['no Host', `GET /case HTTP/1.1\r\nA: b\r\n\r\n`],
  ['two Hosts', withFields(HOST)],
  ['two Hosts that differ', withFields('host: evil.example\r\n')],
  ['an empty Host', `GET /case HTTP/1.1\r\nHost:\r\n\r\n`],
  ['a Host of somebody else', `GET /case HTTP/1.1\r\nHost: evil.example\r\n\r\n`],
  ['a list for a Host', `GET /case HTTP/1.1\r\nHost: bore.example:4321, evil.example\r\n\r\n`],
];

const LENGTHS = [
  ['a sign', '+5'],
  ['a minus', '-5'],
  ['hex', '0x5'],
  ['a comma', '5, 5'],
  ['two numbers', '5 5'],
  ['a letter', '5a'],
  ['a fraction', '5.0'],
  ['an exponent', '5e0'],
  ['nothing', ''],
  ['more than 64 bits', '18446744073709551617'],
  ['a list with another', '5, 6'],
  ['an underscore', '1_0'],
  ['quotes', '"5"'],
  ['a word', 'five'],
].map(([title, value]) => [
  `a length with ${title}`,
  withBody(`Content-Length: ${value}\r\n`, `hello${SMUGGLED}`),
]);

const FRAMINGS = [
  ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n'],
  ['one length twice', 'Content-Length: 5\r\nContent-Length: 5\r\n'],
  ['a length and a coding', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
  ['a coding and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'],
  ['identity and a length', 'Transfer-Encoding: identity\r\nContent-Length: 5\r\n'],
  ['an empty coding and a length', 'Transfer-Encoding:\r\nContent-Length: 5\r\n'],
  ['three empty codings', 'Transfer-Encoding:\r\nTransfer-Encoding:\r\nTransfer-Encoding:\r\n'],
  ['a coding nobody knows', 'Transfer-Encoding: pigeons\r\n'],
  ['a coding before chunked', 'Transfer-Encoding: gzip, chunked\r\n'],
  ['a coding after chunked', 'Transfer-Encoding: chunked, deflate\r\n'],
  [
    'chunked on one line and identity on the next',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
  ],
  ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n'],
  ['a letter before chunked', 'Transfer-Encoding: xchunked\r\n'],
  ['a letter behind chunked', 'Transfer-Encoding: chunkedchunked\r\n'],
  ['quotes around chunked', 'Transfer-Encoding: "chunked"\r\n'],
  ['a parameter of chunked', 'Transfer-Encoding: chunked;q=1\r\n'],
  ['a control character before chunked', 'Transfer-Encoding: \x0bchunked\r\n'],
  ['a coding on a folded line', 'Transfer-Encoding:\r\n chunked\r\n'],
  ['a coding in capitals and a length', 'TRANSFER-ENCODING: CHUNKED\r\nContent-Length: 5\r\n'],
  ['a coding with an underscore', 'Transfer_Encoding: chunked\r\nContent-Length: 5\r\n'],
  ['a name of a length with an underscore', 'Content_Length: 5\r\n'],
].map(([title, fields = '']) => [title, withBody(fields, `0\r\n\r\n${SMUGGLED}`)]);

const CHUNKS = [
  ['a size with a space and a word', `2 word\r\naa\r\n0\r\n\r\n${SMUGGLED}`],
  ['a size and an empty extension', `2;\r\naa\r\n0\r\n\r\n${SMUGGLED}`],
  ['a quote that stays open', `5;a="b";c="d; e\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a control character in an extension', `5;a\x01b\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['an LF in an extension', `5;a\nb\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a CR in an extension', `5;a\rb\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['an LF behind the size', `5\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['an LF behind the data', `5\r\nhello\n0\r\n\r\n${SMUGGLED}`],
  ['nothing behind the data', `5\r\nhello0\r\n\r\n${SMUGGLED}`],
  ['more data than it says', `5\r\nhello world\r\n0\r\n\r\n${SMUGGLED}`],
  ['a size of letters that are no digits', `zz\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a size with a prefix', `0x5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a negative size', `-5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a size with a space in front', ` 5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a size of more than 64 bits', `fffffffffffffffff\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['an empty size', `\r\nhello\r\n0\r\n\r\n${SMUGGLED}`],
  ['a trailer without a colon', `0\r\nFoo\r\n\r\n${SMUGGLED}`],
  ['a trailer with a space before its colon', `0\r\nFoo : b\r\n\r\n${SMUGGLED}`],
  ['a trailer of 20 KB', `0\r\nFoo: ${'x'.repeat(20_000)}\r\n\r\n`],
  ['an extension of 20 KB', `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
].map(([title, body = '']) => [`chunks: ${title}`, chunked(body)]);

/** Title and bytes. The app may see only complete requests of them, and never a smuggled one. */
export const BAD_REQUESTS = [
  ...REQUEST_LINES,
  ...LINE_ENDS,
  ...NAMES,
  ...LENGTHS,
  ...FRAMINGS,
  ...CHUNKS,
].map(([title = '', bytes = '']): [title: string, bytes: string] => [title, bytes]);

const chunkedPost = (body: string) => chunked(body).replace('POST', 'PUT');

/** Unusual but correct: title, bytes, and the body that the app must see. */
export const ODD_REQUESTS: [title: string, bytes: string, body: string][] = [
  ['empty lines before a request', `\r\n\r\n${withFields('')}`, ''],
  ['a name of every allowed sign', withFields("!#$%&'*+-.^`|~09azAZ: b\r\n"), ''],
  ['an empty value', withFields('A:\r\n'), ''],
  ['a value between spaces and tabs', withFields('A: \t b \t \r\n'), ''],
  ['letters beyond ASCII in a value', withFields('A: \xe4\xff\r\n'), ''],
  ['a length with zeros in front', withBody('Content-Length: 0005\r\n', 'hello'), 'hello'],
  [
    'a length that Connection names',
    withBody('Connection: content-length\r\nContent-Length: 5\r\n', 'hello'),
    'hello',
  ],
  ['a length of nothing', withBody('Content-Length: 0\r\n', ''), ''],
  ['a length in capitals', withBody('CONTENT-LENGTH: 5\r\n', 'hello'), 'hello'],
  ['a coding in capitals', withBody('transfer-ENCODING: CHUNKED\r\n', '5\r\nhello\r\n0\r\n\r\n'), 'hello'],
  ['a size in capitals', chunkedPost('A\r\n0123456789\r\n0\r\n\r\n'), '0123456789'],
  ['a size in small letters', chunkedPost('a\r\n0123456789\r\n0\r\n\r\n'), '0123456789'],
  ['an end of several zeros', chunkedPost('5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n'), 'hello world'],
  ['extensions', chunkedPost('5;a;b=c;d="e; f"\r\nhello\r\n0\r\n\r\n'), 'hello'],
  ['trailers', chunkedPost('5\r\nhello\r\n0\r\nVary: *\r\nHost: evil\r\n\r\n'), 'hello'],
  [
    'a body that looks like a request',
    withBody(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED),
    SMUGGLED,
  ],
  ['a GET with a body', withFields('Content-Length: 5\r\n').concat('hello'), 'hello'],
];
