// The files of the inspector's page. Used by page.ts.

export interface PageFile {
  /** Content-Type. */
  readonly type: string;
  readonly text: string;
}

/** Path → file. */
export const PAGE_FILES: Readonly<Record<string, PageFile>> = {
  '/': {
    type: 'text/html; charset=utf-8',
    text: '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Inspector</title>\n<h1>Inspector</h1>\n</html>\n',
  },
};
