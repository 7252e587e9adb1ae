// Built for GitHub Pages, where the site of a repository has the repository's name as its path.
export default { base: '/repo/', build: { outDir: 'vite-dist', assetsInlineLimit: 0 } };
