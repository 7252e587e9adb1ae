// The part of ncc that bundle.ts uses; the package has no types.

declare module '@vercel/ncc' {
  interface Module {
    /** The file's absolute path; absent on what webpack adds. */
    nameForCondition?: string | null;
    /** The modules that were joined into this one. */
    modules?: Module[];
  }

  interface Bundle {
    /** The text of `index.js`. */
    code: string;
    /** The other files, by their names. */
    assets: Record<string, { source: string | Uint8Array }>;
    stats: { toJson(parts: Record<string, boolean>): { modules: Module[] } };
  }

  /** `externals` maps the name of a module to the one imported at run time in its place. */
  export default function ncc(
    entry: string,
    options: { cache: boolean; quiet: boolean; externals: Record<string, string> },
  ): Promise<Bundle>;
}
