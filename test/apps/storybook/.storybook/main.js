export default { stories: ['../src/**/*.stories.jsx'], framework: '@storybook/react-vite' };
