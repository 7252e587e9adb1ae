module.exports = { entry: './src/index.js', devServer: { static: 'public' } };
